"""Bad input gets one clear line and leaves nothing behind; a page of the docs shows each."""

import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from cisgram.cli.app import INTERRUPTED, main
from cisgram.data import download
from contracts.bad_artifacts import ARTIFACT_CASES
from contracts.bad_effects import EFFECT_CASES, write_effect_files
from contracts.bad_expression import EXPRESSION_CASES
from contracts.bad_files import DEMO, FIT, IMPORT, Place, write_good_files
from contracts.bad_inputs import COHORT_CASES
from contracts.bad_lm import LM_CASES, write_language_files
from contracts.bad_models import MODEL_CASES
from contracts.bad_records import RECORD_CASES
from contracts.bad_tracks import TRACK_CASES, write_track_files
from contracts.spoilers import REFUSED, Case

pytestmark = pytest.mark.whole
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "bad-inputs.md"
PREAMBLE = """# What cisgram says about bad input

Bad input gets one line on stderr that says what is wrong, where, and what to do; the exit code is
2, and nothing is left behind. What can be handled is handled, and the account says what was left
out. The lines below are real: `tests/contracts/test_bad_inputs.py` makes every one of these inputs
from the packaged data, runs the command and compares what is said, and that nothing else was
written (`--update-snapshots` writes this page anew).

| bad input | command | exit | what cisgram says |
|---|---|---|---|
"""
WIDE = {"COLUMNS": "300"}
BIG_IMPORT = (
    f"cohort import --genotypes {DEMO}/genotypes.vcf.gz --expression {DEMO}/expression.bed.gz "
    f"--covariates {DEMO}/covariates.txt.gz"
)
CASES = (
    *COHORT_CASES, *EXPRESSION_CASES, *MODEL_CASES, *LM_CASES, *TRACK_CASES, *EFFECT_CASES,
    *ARTIFACT_CASES, *RECORD_CASES,
)  # fmt: skip
FULL_IMPORT = Case("disk full during an import", f"{IMPORT} --out disk/new", "the disk is full")
FULL_FIT = Case("disk full during a fit", f"{FIT} --out disk/new", "the disk is full")
LIMIT = Case(
    "file larger than allowed (ulimit -f)", f"{IMPORT} --out new", r"may not grow \(ulimit -f\)"
)
READ_ONLY = Case("directory that cannot be written", f"{IMPORT} --out closed/new", "permission")
STOPPED = Case(
    "Ctrl-C during a fit", f"{FIT} --out new", "run the same command again", code=INTERRUPTED
)
PROCESSES = (FULL_IMPORT, FULL_FIT, LIMIT, READ_ONLY, STOPPED)


class Page:
    """The rows of the documentation, compared or written anew."""

    def __init__(self, *, update: bool) -> None:
        self.update = update
        text = PAGE.read_text() if PAGE.exists() else ""
        lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
        self.rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines}

    def check(self, case: Case, said: str) -> None:
        command = f"`cisgram {case.command}`"
        said = said.replace("|", "\\|").replace(f"{DEMO}/", "")
        row = f"| {case.name} | {command} | {case.code} | {said} |"
        if self.update:
            self.rows[case.name] = row
        else:
            assert row == self.rows.get(case.name), "run with --update-snapshots after a change"

    def text(self) -> str:
        rows = [self.rows[case.name] for case in (*CASES, *PROCESSES) if case.name in self.rows]
        return PREAMBLE + "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    page = Page(update=request.config.getoption("--update-snapshots"))
    yield page
    if page.update:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page.text())


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory, demo_script: ModuleType) -> Place:
    """The good files, a cohort, a fit and weights, made once."""
    place = Place(tmp_path_factory.mktemp("good") / "files")
    write_good_files(place, demo_script.bgzip)
    write_language_files(place)
    write_track_files(place)
    write_effect_files(place)
    return place


@pytest.fixture
def place(good: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of them as the working directory, and everything temporary inside it."""
    copy = Place(tmp_path / "here")
    shutil.copytree(good.path, copy.path)
    (copy.path / "tmp").mkdir()
    monkeypatch.chdir(copy.path)
    monkeypatch.setattr(tempfile, "tempdir", str(copy.path / "tmp"))
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    for name, value in (WIDE | {"CISGRAM_CACHE": str(tmp_path / "cache")}).items():
        monkeypatch.setenv(name, value)
    return copy


def plain(text: str, *places: Path) -> str:
    """Take out of a message where this test happens to run."""
    for path in places:
        text = text.replace(f"{path.resolve()}/", "")
    return " ".join(text.removeprefix("cisgram: ").split())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(
    case: Case,
    place: Place,
    good: Place,
    page: Page,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = case.spoil(place)
    for name, value in case.env.items():
        monkeypatch.setenv(name, value)
    before = place.contents()
    capfd.readouterr()
    code = main(shlex.split(case.command))
    after = place.contents()
    if hasattr(held, "close"):
        held.close()
    out, err = capfd.readouterr()
    assert code == case.code, err
    if code == REFUSED:
        assert err.count("\n") == 1
        assert after == before
        said = plain(err, place.path, good.path)
        assert re.search(case.says, said), said
    else:
        assert err == ""
        account = re.search(case.says, plain(out, place.path))
        assert account, out
        said = account[0]
    page.check(case, said)


def run(command: str, *, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command as a process, perhaps with a limit on its files in units of 1024 bytes."""
    words = [sys.executable, "-m", "cisgram", *shlex.split(command)]
    if limit is not None:
        words = ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *words]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def assert_refused(
    case: Case, done: subprocess.CompletedProcess[str], place: Place, page: Page
) -> None:
    assert done.returncode == case.code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert re.search(case.says, done.stderr)
    page.check(case, plain(done.stderr, place.path))


@pytest.fixture
def small_disk(place: Place) -> Iterator[Callable[[int], None]]:
    """A disk of a few kilobytes at `disk`."""
    disk = place.path / "disk"
    disk.mkdir()

    def mount(kilobytes: int) -> None:
        words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", disk]
        if shutil.which("mount") is None or subprocess.run(words, check=False).returncode:
            pytest.skip("only root can make a disk small enough to fill")

    yield mount
    subprocess.run(["umount", disk], check=False, capture_output=True)


def test_full_disk_during_an_import(
    place: Place, page: Page, small_disk: Callable[[int], None]
) -> None:
    small_disk(40)
    assert_refused(FULL_IMPORT, run(FULL_IMPORT.command), place, page)
    assert list((place.path / "disk").iterdir()) == []


def test_full_disk_during_a_fit_keeps_its_genes(
    place: Place, page: Page, small_disk: Callable[[int], None]
) -> None:
    small_disk(60)
    assert_refused(FULL_FIT, run(FULL_FIT.command), place, page)
    disk = place.path / "disk"
    assert [path.name for path in disk.iterdir()] == ["new.partial"]
    subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)
    assert recorded(disk / "new.partial")
    assert main(shlex.split(FULL_FIT.command)) == 0
    assert same_fit(disk / "new", place.path / "fit")


def test_files_that_may_not_grow(place: Place, page: Page) -> None:
    before = place.contents()
    assert_refused(LIMIT, run(LIMIT.command, limit=20), place, page)
    assert place.contents() == before


def test_directory_that_cannot_be_written(place: Place, page: Page) -> None:
    (place.path / "closed").mkdir(mode=0o500)
    if os.access(place.path / "closed", os.W_OK):
        pytest.skip("root may write everywhere")
    assert_refused(READ_ONLY, run(READ_ONLY.command), place, page)


def interrupt(
    command: str, number: signal.Signals, moment: Callable[[], object]
) -> tuple[int, str]:
    """Send a signal to a command at the moment; return its exit code and stderr."""
    words = [sys.executable, "-m", "cisgram", *shlex.split(command)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not moment():
            time.sleep(0.001)
        process.send_signal(number)
        _, err = process.communicate()
    return process.returncode, err.decode()


def recorded(partial: Path) -> int:
    """Count the genes that an unfinished fit has kept."""
    base = sqlite3.connect(partial / "journal.sqlite")
    (n_genes,) = base.execute("SELECT count(*) FROM parts").fetchone()
    base.close()
    return n_genes


def writing_genes(partial: Path) -> bool:
    """Say whether the journal of a fit has more in it than its own tables."""
    log = partial / "journal.sqlite-wal"
    return log.exists() and log.stat().st_size > 30_000


def same_fit(one: Path, other: Path) -> bool:
    """Compare all that a fit holds, but for the seconds that genes took."""
    tables = [pl.read_parquet(path / "genes.parquet").drop("seconds") for path in (one, other)]
    names = ("weights.parquet", "people.parquet", "predictions.npy", "measured.npy")
    return tables[0].equals(tables[1]) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )


def test_killed_import_leaves_nothing_and_can_be_run_again(place: Place) -> None:
    code, err = interrupt(
        f"{BIG_IMPORT} --out new", signal.SIGKILL, lambda: list(place.path.glob(".new.*/*"))
    )
    assert (code, err) == (-signal.SIGKILL, "")
    assert not (place.path / "new").exists()
    assert list(place.path.glob(".new.*"))
    assert main(shlex.split(f"{BIG_IMPORT} --out new")) == 0
    assert list(place.path.glob(".new.*")) == []
    assert main(shlex.split(f"{BIG_IMPORT} --out whole")) == 0
    assert Place(place.path / "new").contents() == Place(place.path / "whole").contents()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_fit_goes_on_and_ends_the_same(
    place: Place, page: Page, number: signal.Signals
) -> None:
    partial = place.path / "new.partial"
    code, err = interrupt(STOPPED.command, number, lambda: writing_genes(partial))
    assert not (place.path / "new").exists()
    if number == signal.SIGINT:
        assert_refused(STOPPED, subprocess.CompletedProcess((), code, "", err), place, page)
    else:
        assert (code, err) == (-signal.SIGKILL, "")
    assert 0 < recorded(partial) < pl.read_parquet(place.path / "fit" / "genes.parquet").height
    assert main(shlex.split(STOPPED.command)) == 0
    assert same_fit(place.path / "new", place.path / "fit")
    assert sorted(path.name for path in place.path.glob("*new*")) == ["new"]


def test_the_page_has_every_case_once(page: Page) -> None:
    names = [case.name for case in (*CASES, *PROCESSES)]
    assert len(set(names)) == len(names)
    assert set(page.rows) <= set(names)
    assert {case.name for case in CASES} <= set(page.rows)
    if not page.update:
        assert PAGE.read_text() == page.text()
