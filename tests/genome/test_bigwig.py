from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pybigtools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome import bigwig
from cisgram.genome.bigwig import BigWig, write_bigwig
from cisgram.genome.interval import Interval
from limits import small_files

LENGTHS = {"chrII": 11, "chrI": 7, "chrM": 3}
Row = tuple[str, int, int, float]


def write_rows(path: Path, rows: list[Row], contigs: dict[str, int] = LENGTHS) -> Path:
    """Write with the library itself, so that the reader is not tested against our writer."""
    pybigtools.open(str(path), "w").write(contigs, rows)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Iterator[BigWig]:
    rows = [("chrI", 1, 3, 0.5), ("chrI", 3, 4, -2.0), ("chrII", 0, 11, 3.0)]
    with BigWig(write_rows(tmp_path / "small.bw", rows)) as file:
        yield file


def test_absent_bases_are_zero(small: BigWig) -> None:
    assert small.contigs == {"chrI": 7, "chrII": 11}
    assert small.n_covered == 14
    values = small.contig("I")
    assert values.dtype == np.float32
    assert values.tolist() == [0, 0.5, 0.5, -2, 0, 0, 0]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval("chrI", 2, 5), [0.5, -2, 0]),
        (Interval("chrI", 2, 5, "-"), [0, -2, 0.5]),
        (Interval("chrI", -2, 2), [0, 0, 0, 0.5]),
        (Interval("chrII", 9, 13), [3, 3, 0, 0]),
        (Interval("chrII", 20, 22), [0, 0]),
    ],
    ids=str,
)
def test_intervals_may_lie_anywhere(
    small: BigWig, interval: Interval, expected: list[float]
) -> None:
    values = small.values(interval)
    assert values.tolist() == expected
    assert values.flags.c_contiguous


def test_what_is_not_a_number_counts_as_absent(tmp_path: Path) -> None:
    rows = [("chrI", 0, 2, float("nan")), ("chrI", 2, 3, 1.0)]
    with BigWig(write_rows(tmp_path / "a.bw", rows)) as file:
        assert file.contig("chrI").tolist() == [0, 0, 1, 0, 0, 0, 0]


def test_a_file_may_be_called_anything(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.bw", [("chrI", 0, 2, 1.0)]).rename(tmp_path / "download.1")
    with BigWig(path) as file:
        assert file.contigs == {"chrI": 7}


levels = st.sampled_from([0.0, 0.0, 1.0, -1.0, 0.1, 1e30])
contents = st.fixed_dictionaries(
    {}, optional={name: st.lists(levels, min_size=n, max_size=n) for name, n in LENGTHS.items()}
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(contents, st.integers(1, 5))
def test_what_is_written_is_read(
    tmp_path: Path, content: dict[str, list[float]], resolution: int
) -> None:
    path = tmp_path / "a.bw"
    values = {
        name: np.array(column[: -(-LENGTHS[name] // resolution)], dtype=np.float32)
        for name, column in content.items()
    }
    write_bigwig(path, values, contigs=LENGTHS, resolution=resolution)
    with BigWig(path) as file:
        assert file.contigs == LENGTHS
        for name, length in LENGTHS.items():
            column = values.get(name, np.zeros(length))
            expected = [column[base // resolution] for base in range(length)]
            assert file.contig(name).tolist() == expected
    assert list(tmp_path.iterdir()) == [path]


def test_runs_of_one_value_are_one_row(tmp_path: Path) -> None:
    path = tmp_path / "a.bigWig"
    write_bigwig(path, {"I": np.array([0, 2, 2, 1.0])}, contigs=LENGTHS, resolution=2)
    rows = pybigtools.open(str(path))
    assert list(rows.records("chrI")) == [(2, 6, 2.0), (6, 7, 1.0)]
    assert list(rows.records("chrII")) == [(0, 11, 0.0)]


def test_contigs_are_found_under_usual_names(small: BigWig) -> None:
    assert small.match({"I": 7, "II": 11, "MT": 3}) == {"I": "chrI", "II": "chrII"}


@pytest.mark.parametrize(
    ("contigs", "message"),
    [
        ({"chr1": 7, "chr2": 11}, r"has contigs chrI, chrII, and the genome chr1, chr2; give"),
        ({"chrI": 7, "chrII": 1_200}, r"has 11 bases in chrII, and the genome 1,200; give"),
    ],
)
def test_tracks_of_another_genome_are_refused(
    small: BigWig, contigs: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        small.match(contigs)


def test_an_unknown_contig_is_refused(small: BigWig) -> None:
    with pytest.raises(DataError, match=r"chromosome chrX is not in bigWig .*small\.bw"):
        small.values(Interval("chrX", 0, 1))
    with pytest.raises(DataError, match=r"chromosome chrX is not in bigWig .*small\.bw"):
        small.contig("chrX")


def test_what_is_no_bigwig_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.bw"
    with pytest.raises(DataError, match=r"bigWig .*a\.bw does not exist"):
        BigWig(path)
    for content in (b"chrI\t0\t1\t2\n" * 50, b"x"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a\.bw is not a bigWig or is cut short; check it\."):
            BigWig(path)
    bed = tmp_path / "a.bb"
    pybigtools.open(str(bed), "w").write(LENGTHS, [("chrI", 0, 2, "x")])
    with pytest.raises(DataError, match=r"a\.bb is a bigBed; give a bigWig\."):
        BigWig(bed)


def test_a_damaged_block_is_told(tmp_path: Path) -> None:
    """The library answers a block that does not unpack with a panic, which is no `Exception`."""
    rows = [("chr1", base, base + 1, base % 97 / 7) for base in range(20_000)]
    path = write_rows(tmp_path / "a.bw", rows, {"chr1": 20_000})
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(whole[:half] + bytes(2_000) + whole[half + 2_000 :])
    with BigWig(path) as file, pytest.raises(DataError, match=r"a\.bw is damaged; copy or"):
        file.contig("chr1")
    path.write_bytes(whole[:half])
    with pytest.raises(DataError, match="is not a bigWig or is cut short"):
        BigWig(path)


@pytest.mark.parametrize(
    ("name", "values", "resolution", "message"),
    [
        ("a.wig", {}, 1, r"end of a bigWig's name must be one of \.bw, \.bigWig; got '\.wig'"),
        ("a.bw", {}, 0, "resolution must be at least 1; got 0"),
        ("a.bw", {"I": np.ones(3)}, 2, r"chrI of 7 bases must have 4 values at 2 bases; got 3"),
        ("a.bw", {"I": np.full(7, np.nan)}, 1, "chrI has values that are no finite number"),
        ("a.bw", {"IV": np.ones(7)}, 1, "chromosome IV is not in the genome"),
        ("a.bw", {"I": np.ones(7), "chrI": np.ones(7)}, 1, "names chrI more than once"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, name: str, values: dict[str, np.ndarray], resolution: int, message: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        write_bigwig(tmp_path / name, values, contigs=LENGTHS, resolution=resolution)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "a.bw"
    write_bigwig(path, {}, contigs=LENGTHS)
    before = path.read_bytes()
    values = {"chr1": rng.random(100_000)}
    with small_files(50_000), pytest.raises(DataError, match=r"a\.bw: the disk is full or"):
        write_bigwig(path, values, contigs={"chr1": 100_000})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_is_no_shorter_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(values: np.ndarray) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bigwig, "_runs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bigwig(tmp_path / "a.bw", {}, contigs=LENGTHS)
    assert not list(tmp_path.iterdir())


def test_values_are_those_of_another_reader(tmp_path: Path, rng: np.random.Generator) -> None:
    lengths = {"chrI": 30_000, "chrII": 500}
    written = {name: rng.poisson(0.5, n).astype(np.float32) for name, n in lengths.items()}
    path = tmp_path / "a.bw"
    write_bigwig(path, written, contigs=lengths)
    other = pybigtools.open(str(path))
    with BigWig(path) as file:
        assert file.n_covered == other.info()["summary"]["basesCovered"]
        for start, end in rng.integers(0, 30_000, (20, 2)).tolist():
            interval = Interval("chrI", min(start, end), max(start, end) + 1)
            theirs = other.values("chrI", interval.start, interval.end, fillna=0.0, oob=0.0)
            assert file.values(interval).tolist() == theirs.tolist()


def test_damage_anywhere_is_an_error_or_another_number(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = write_rows(tmp_path / "a.bw", [("chrI", 0, 2, 1.0), ("chrII", 3, 9, 2.0)])
    whole, n_refused = path.read_bytes(), 0
    for _ in range(400):
        content = bytearray(whole)
        for place in rng.integers(len(content), size=3):
            content[place] = rng.choice([0, 1, 127, 255])
        path.write_bytes(content)
        try:
            with BigWig(path) as file:
                assert all(
                    file.contig(name).ndim == 1 for name, n in file.contigs.items() if n < 99
                )
        except DataError:
            n_refused += 1
    assert n_refused > 100
