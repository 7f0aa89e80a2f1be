"""What the README and the docs tell people to run, runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cisgram.cli.app import app, main

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
RUNNABLE = ("corpus", "explain", "haplotypes", "language-models", "reuse", "tracks")
"""How-to pages whose Python needs no files."""
TUTORIAL = DOCS / "tutorials" / "own-cohort.md"
OF_A_COHORT = (
    TUTORIAL,
    *(DOCS / "how-to" / f"{name}.md" for name in ("cohort", "personal", "predictdb")),
)
"""Pages whose Python needs what the tutorial made."""
DOCUMENTS = [README, *sorted(DOCS.rglob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def commands(path: Path) -> list[str]:
    """Return the `cisgram` commands of the bash blocks, continued lines joined."""
    text = "\n".join(blocks(path, "bash")).replace("\\\n", " ")
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line.startswith("cisgram ")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_are_understood(path: Path) -> None:
    for command in commands(path):
        app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_readme_runs(tmp_path: Path) -> None:
    for file in (ROOT / "src" / "cisgram" / "demo").iterdir():
        (tmp_path / file.name).symlink_to(file)
    steps = [[*shlex.split(command)[1:]] for command in commands(README)]
    assert steps
    for words in steps:
        run([sys.executable, "-m", "cisgram", *words], tmp_path)
    for code in blocks(README, "python"):
        run([sys.executable, "-W", "error", "-c", code], tmp_path)


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_a_cohort_goes_as_the_tutorial_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its commands print what it shows, and the pages on cohorts read what they made."""
    for file in (ROOT / "src" / "cisgram" / "demo").iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    for command in commands(TUTORIAL):
        if "downloads" not in command:
            assert main(shlex.split(command)[1:]) == 0, command
    printed = " ".join(capsys.readouterr().out.split())
    shown = [
        " ".join(line.split()) for text in blocks(TUTORIAL, "text") for line in text.splitlines()
    ]
    assert len(shown) > 10
    assert not [line for line in shown if line not in printed]
    code = "\n".join(code for path in OF_A_COHORT for code in blocks(path, "python"))
    assert_prints_what_it_promises(code, tmp_path)


@pytest.mark.whole
@pytest.mark.parametrize("name", RUNNABLE)
def test_pages_that_need_nothing_run(name: str, tmp_path: Path) -> None:
    for code in blocks(DOCS / "how-to" / f"{name}.md", "python"):
        assert_prints_what_it_promises(code, tmp_path)


def assert_prints_what_it_promises(code: str, cwd: Path) -> None:
    """Every print says in a comment beside it what comes out, and that does."""
    printed = run([sys.executable, "-W", "error", "-c", code], cwd)
    promised = re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert len(promised) == code.count("print(")
    for line, words in zip(printed.splitlines(), promised, strict=True):
        assert words.startswith(line), code


def run(words: list[str], cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
