"""What the README and the docs tell people to run, runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cisgram.cli.app import app

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
RUNNABLE = ("corpus.md", "explain.md", "haplotypes.md", "reuse.md", "tracks.md")
"""Pages whose Python needs no files."""
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def commands(path: Path) -> list[str]:
    """Return the `cisgram` commands of the bash blocks, continued lines joined."""
    text = "\n".join(blocks(path, "bash")).replace("\\\n", " ")
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line.startswith("cisgram ")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
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
@pytest.mark.parametrize(
    "name", ["corpus.md", "explain.md", "haplotypes.md", "reuse.md", "tracks.md"]
)
def test_pages_that_need_nothing_run(name: str, tmp_path: Path) -> None:
    """Every print says in a comment beside it what comes out, and that does."""
    for code in blocks(ROOT / "docs" / name, "python"):
        printed = run([sys.executable, "-W", "error", "-c", code], tmp_path)
        promised = re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)
        assert len(promised) == code.count("print(")
        for line, words in zip(printed.splitlines(), promised, strict=True):
            assert words.startswith(line), name


def run(words: list[str], cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
