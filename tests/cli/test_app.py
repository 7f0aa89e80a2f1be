"""Exit codes, one-line errors, interruption and closed pipes."""

import subprocess
import sys
from pathlib import Path

import pytest

from cisgram import __version__
from cisgram.cli import app as front
from cisgram.cli import demo
from cisgram.core.checks import DataError

COMMAND = [sys.executable, "-m", "cisgram"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def command(*_words: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(front, "app", command)


def test_module_and_script_are_the_same_command() -> None:
    script = subprocess.run(
        [Path(sys.executable).parent / "cisgram", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert script.stdout == run("--help").stdout
    assert "Usage: cisgram COMMAND" in script.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cohrt"], 'Unknown command "cohrt". Did you mean "cohort"?'),
        (["cohort", "imprt"], 'Did you mean "import"?'),
        (
            ["cohort", "import", "--genotype", "x"],
            "Did you mean --genotypes instead of --genotype?",
        ),
        (["cohort", "import"], "See cisgram cohort import --help."),
        (["personal", "fit", "x", "--model", "forest", "--out", "y"], "forest"),
        (["demo", "--workers", "many", "--out", "y"], "many"),
    ],
)
def test_a_mistyped_command_gets_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert front.main(words) == front.BAD_INPUT
    assert said in one_line(capsys)


def test_bad_data_get_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, DataError("a.vcf holds no people;\n name another."))
    assert front.main([]) == front.BAD_INPUT
    assert one_line(capsys) == "cisgram: a.vcf holds no people; name another.\n"


def test_a_missing_file_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, FileNotFoundError(2, "No such file or directory", "a.vcf"))
    assert front.main([]) == front.BAD_INPUT
    assert one_line(capsys) == "cisgram: a.vcf: No such file or directory; check the path.\n"


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        front.main([])


def test_interruption(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_words: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "loads", interrupted)
    assert front.main(["demo", "--out", "nowhere"]) == front.INTERRUPTED
    assert "run the same command again (a training with --resume)" in one_line(capsys)


def test_a_closed_pipe_is_quiet() -> None:
    done = subprocess.run(
        ["bash", "-c", '"$@" --help | true; exit ${PIPESTATUS[0]}', "bash", *COMMAND],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode in (0, 1, front.BROKEN_PIPE)


def test_architectures_of_ones_own_are_loaded_from_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    example = Path(__file__).parents[2] / "examples" / "gated_cnn.py"
    assert front.main(["models", "show", "gated-cnn", "--plugins", str(example)]) == 0
    assert "kind: gated-cnn" in capsys.readouterr().out
    assert front.main(["models", "show", "bert", "--plugins", str(tmp_path / "none.py")]) == 2
    assert "plugin" in one_line(capsys)
