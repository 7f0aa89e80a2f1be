"""Exit codes, one-line errors, interruption and closed pipes."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cisgram import __version__
from cisgram.cli import app as front
from cisgram.cli import demo
from cisgram.cli.options import say, show_table
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

    monkeypatch.setattr(front, "app", SimpleNamespace(parse_args=command))


def test_module_and_script_are_the_same_command() -> None:
    script = subprocess.run(
        [Path(sys.executable).parent / "cisgram", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert script.stdout == run("--help").stdout
    assert "Usage: cisgram COMMAND" in script.stdout


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("x.so: failed to map segment from shared object")]
)
def test_memory_that_runs_out_is_one_line(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(monkeypatch, error)
    assert front.main([]) == front.BAD_INPUT
    assert "memory ran out; give it more" in one_line(capsys)


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


def test_what_is_there_is_replaced_only_when_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "models.json"
    out.write_text("years")
    words = ["models", "list", "--json", str(out)]
    assert front.main(words) == front.BAD_INPUT
    assert "models.json exists already; add --overwrite to replace" in one_line(capsys)
    assert out.read_text() == "years"
    assert front.main([*words, "--overwrite"]) == 0
    assert out.read_text().startswith("[")


def test_two_outputs_are_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explain", "ism", "--model", "x", "--region", "c:1-2", "--out", f"{tmp_path}/a.svg"]
    assert front.main([*words, "--figure", f"{tmp_path}/a.svg"]) == front.BAD_INPUT
    assert f"--out and --figure name {tmp_path}/a.svg; name two files" in one_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_streams_are_no_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "fifo")
    for place in ("-", "/dev/stdout", "/dev/null", str(tmp_path / "fifo")):
        assert front.main(["models", "list", f"--json={place}"]) == front.BAD_INPUT
        assert f"{place} is a stream or a device, and results are files" in one_line(capsys)
    assert (tmp_path / "fifo").is_fifo()


def shell(words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which CISGRAM is the command."""
    line = words.replace("CISGRAM", f"{sys.executable} -m cisgram")
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_full_standard_output_gets_one_line() -> None:
    done = shell("CISGRAM --help > /dev/full")
    assert done.returncode == front.BAD_INPUT
    assert done.stderr == (
        "cisgram: the standard output cannot be written (No space left on device).\n"
    )


def test_a_closed_standard_output_changes_nothing(tmp_path: Path) -> None:
    done = shell(f"CISGRAM data list --json {tmp_path}/a.json >&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.json").read_text().startswith("[")


def test_names_are_said_in_any_encoding() -> None:
    done = shell("CISGRAM cohort show 'Müller[/b]'", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == front.BAD_INPUT
    assert done.stderr.startswith("cisgram: M\\xfcller[/b] is no cisgram cohort")


def test_a_field_of_a_megabyte_is_not_echoed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, DataError(f"a.tsv holds {'x' * 10**6} {'y ' * 10**6}; correct it."))
    assert front.main([]) == front.BAD_INPUT
    said = one_line(capsys)
    assert len(said) < 1_500
    assert said.startswith("cisgram: a.tsv holds xxx")
    assert said.endswith("; correct it.\n")


def test_brackets_and_colons_are_said_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    say("in new[/b]:dna:.tsv", wrap=False)
    show_table(("population [x]",), [("[/b]",)])
    assert capsys.readouterr().out.split() == [
        "in",
        "new[/b]:dna:.tsv",
        "population",
        "[x]",
        "[/b]",
    ]


def test_sigterm_stops_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_words: object, **_options: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    monkeypatch.setattr(front, "app", SimpleNamespace(parse_args=stopped))
    before = signal.getsignal(signal.SIGTERM)
    assert front.main([]) == front.SIGNALLED + signal.SIGTERM
    assert "interrupted" in one_line(capsys)
    assert signal.getsignal(signal.SIGTERM) == before
