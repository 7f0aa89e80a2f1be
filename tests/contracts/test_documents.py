"""What the README and the docs tell people to type runs, and prints what they show."""

import contextlib
import io
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cisgram.cli.app import app, main

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
HOW_TO = DOCS / "how-to"
FOLLOWED = {
    "README": (README,),
    **{path.stem: (path,) for path in sorted((DOCS / "tutorials").glob("*.md"))},
    **{
        name: (HOW_TO / f"{name}.md",)
        for name in ("corpus", "explain", "haplotypes", "language-models", "reuse", "tracks")
    },
    "own-cohort": (
        DOCS / "tutorials" / "own-cohort.md",
        *(HOW_TO / f"{name}.md" for name in ("cohort", "personal", "predictdb")),
    ),
}
"""Pages that are followed from top to bottom in a directory with the demo's files; those in one
line go on with what the first has made."""
COMMANDS_OF = {README, *(DOCS / "tutorials").glob("*.md")}
"""Pages whose commands are run too; those of how-to pages name files of the reader."""
NOT_HERE = ("pip ", "downloads/", "--directory downloads", "cisgram train ", "runs/")
"""Commands with these install, download or train, which other tests do."""
BLOCK = re.compile(r"^```(bash|python|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands(text: str) -> Iterator[str]:
    """Yield the `cisgram` commands of bash blocks, continued lines joined."""
    for line in text.replace("\\\n", " ").splitlines():
        command = line.partition(" #")[0].strip()
        if command.startswith("cisgram "):
            yield command


@pytest.mark.parametrize(
    "path",
    [README, *sorted(DOCS.rglob("*.md"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_commands_are_understood(path: Path) -> None:
    for language, text in BLOCK.findall(path.read_text()):
        for command in commands(text) if language == "bash" else ():
            app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)


@pytest.mark.whole
@pytest.mark.timeout(600)
@pytest.mark.parametrize("pages", FOLLOWED.values(), ids=FOLLOWED.keys())
def test_a_page_prints_what_it_shows(
    pages: tuple[Path, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    demo_run: Callable[..., Path],
) -> None:
    if pages == FOLLOWED["first-report"]:  # two of the models; `make demo` fits them all
        monkeypatch.setattr("cisgram.cli.demo.MODELS", ("ridge", "top-snp"))
        (tmp_path / "demo").symlink_to(demo_run("ridge", "top-snp"))
    for file in (ROOT / "src" / "cisgram" / "demo").iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for page in pages:
        printed = ""
        for language, text in BLOCK.findall(page.read_text()):
            if language == "python":
                printed = run_code(text, names)
                assert_as_promised(text, printed)
            elif language == "bash":
                printed = run_commands(text) if page in COMMANDS_OF else ""
            elif printed:
                assert_shown(text, printed)


def run_commands(text: str) -> str:
    """Run the commands of a block in this process; return what they print."""
    out = io.StringIO()
    for command in commands(text):
        if not any(words in command for words in NOT_HERE):
            with contextlib.redirect_stdout(out):
                assert main(shlex.split(command)[1:]) == 0, command
    return out.getvalue()


def run_code(text: str, names: dict[str, object]) -> str:
    """Run a block of Python; names of earlier blocks are known."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, "page", "exec"), names)
    return out.getvalue()


def assert_as_promised(code: str, printed: str) -> None:
    """Compare each line printed with the comment beside or below its print, where there is one."""
    promised = re.findall(r"^ *print\(.*\)(?:  |\n *)# (.*)$", code, re.MULTILINE)
    if promised:
        for line, words in zip(printed.splitlines(), promised, strict=True):
            assert words == line or words.startswith((f"{line}: ", f"{line}, ")), code


def assert_shown(shown: str, printed: str) -> None:
    """Every line shown is printed; where sentences break is the terminal's affair."""
    everything = " ".join(printed.split())
    for line in re.split(r"(?<=\.)\n", shown) if "  " not in shown else shown.splitlines():
        assert " ".join(line.split()) in everything, line
