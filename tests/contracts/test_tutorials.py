"""Every tutorial, followed from the top beside the demo's files, prints what it shows."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from cisgram.cli.app import main

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted(ROOT.glob("docs/tutorials/*.md"))
BLOCK = re.compile(r"^```(bash|python|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NOT_HERE = ("pip ", "downloads/", "--directory downloads", "cisgram train ", "runs/")
"""Commands with these install, download or train, which other tests do."""


@pytest.mark.whole
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_prints_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (ROOT / "src" / "cisgram" / "demo").iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "tutorial"}
    printed = ""
    for language, text in BLOCK.findall(page.read_text()):
        if language == "bash":
            printed = run_commands(text)
        elif language == "python":
            printed = run_code(text, names)
            assert_as_promised(text, printed)
        elif printed:
            assert_shown(text, printed)


def run_commands(text: str) -> str:
    """Run the commands of a block in this process; return what they print."""
    out = io.StringIO()
    for line in text.replace("\\\n", " ").splitlines():
        command = line.partition(" #")[0].strip()
        if command.startswith("cisgram ") and not any(words in command for words in NOT_HERE):
            with contextlib.redirect_stdout(out):
                assert main(shlex.split(command)[1:]) == 0, command
    return out.getvalue()


def run_code(text: str, names: dict[str, object]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, "tutorial", "exec"), names)
    return out.getvalue()


def assert_as_promised(code: str, printed: str) -> None:
    """Compare what prints with the comment beside or below each print."""
    promised = re.findall(r"^print\(.*\)(?:  |\n)# (.*)$", code, re.MULTILINE)
    assert len(promised) == code.count("print("), code
    for line, words in zip(printed.splitlines(), promised, strict=True):
        assert line == words, code


def assert_shown(shown: str, printed: str) -> None:
    """Every line shown is printed; where lines break is the terminal's affair."""
    everything = " ".join(printed.split())
    for sentence in re.split(r"(?<=\.)\n", shown) if "  " not in shown else shown.splitlines():
        assert " ".join(sentence.split()) in everything, sentence
