import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cisgram.core.artifact import open_artifact, sha256
from cisgram.core.checks import ConfigError, DataError
from cisgram.core.config import from_plain
from cisgram.genome import tracks as tracks_module
from cisgram.genome.bigwig import write_bigwig
from cisgram.genome.interval import Interval
from cisgram.genome.tracks import Tracks, TrackSource, import_tracks, sum_bins, swap_strands

LENGTHS = {"chr1": 10, "chr2": 7, "chrM": 3}
SOURCES = (
    TrackSource("rna", plus="rna.plus.bw", minus="rna.minus.bw"),
    TrackSource("dnase", file="dnase.bw"),
    TrackSource("tss", plus="tss.plus.bw", minus="tss.minus.bw"),
)
FILES = [str(file) for source in SOURCES for file in source.files]
Signal = dict[str, np.ndarray]


def draw(rng: np.random.Generator) -> dict[str, Signal]:
    """Return values of every file and base."""
    return {
        file: {name: rng.integers(0, 9, n).astype(np.float32) for name, n in LENGTHS.items()}
        for file in FILES
    }


def write_all(place: Path, signals: dict[str, Signal]) -> None:
    for file, values in signals.items():
        write_bigwig(place / file, values, contigs=LENGTHS)


@pytest.fixture(scope="module")
def signals() -> dict[str, Signal]:
    return draw(np.random.default_rng(3))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, signals: dict[str, Signal]) -> Path:
    directory = tmp_path_factory.mktemp("tracks")
    write_all(directory, signals)
    return directory


@pytest.fixture(scope="module")
def tracks(place: Path) -> Tracks:
    return import_tracks(SOURCES, place / "tracks", contigs=LENGTHS, resolution=2, directory=place)


def test_columns_know_their_strand_and_partner(tracks: Tracks, place: Path) -> None:
    assert tracks.names == ("rna+", "rna-", "dnase", "tss+", "tss-")
    assert tracks.strands == ("+", "-", ".", "+", "-")
    assert tracks.partner.tolist() == [1, 0, 2, 4, 3]
    assert tracks.resolution == 2
    assert tracks.contigs == LENGTHS
    assert [source["sha256"] for source in tracks.sources] == [
        sha256(place / file) for file in FILES
    ]


def by_hand(signals: dict[str, Signal], interval: Interval, resolution: int) -> np.ndarray:
    """Sum base by base, reading the other strand where the interval lies on it."""
    files = FILES if interval.strand != "-" else [FILES[i] for i in (1, 0, 2, 4, 3)]
    sums = np.zeros((interval.length // resolution, len(files)))
    for column, file in enumerate(files):
        values = signals[file][interval.chrom]
        for base in range(max(interval.start, 0), min(interval.end, values.size)):
            away = base - interval.start
            if interval.strand == "-":
                away = interval.end - 1 - base
            sums[away // resolution, column] += values[base]
    return sums


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(
    seed=st.integers(0, 1_000),
    resolution=st.integers(1, 12),
    piece=st.integers(1, 9),
    chrom=st.sampled_from(list(LENGTHS)),
    first=st.integers(-3, 6),
    n_bins=st.integers(1, 8),
)
def test_bins_are_sums_of_bases(
    tmp_path: Path, seed: int, resolution: int, piece: int, chrom: str, first: int, n_bins: int
) -> None:
    """Whatever the resolution and the size of the pieces read, and on every strand."""
    signals = draw(np.random.default_rng(seed))
    write_all(tmp_path, signals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracks_module, "_PIECE", piece)
        made = import_tracks(
            SOURCES,
            tmp_path / "tracks",
            contigs=LENGTHS,
            resolution=resolution,
            directory=tmp_path,
            overwrite=True,
        )
    for strand in "+-.":
        interval = Interval(chrom, first * resolution, (first + n_bins) * resolution, strand)
        found = made.bins(interval)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, by_hand(signals, interval, resolution))


def test_the_last_bin_has_what_is_left(tracks: Tracks, signals: dict[str, Signal]) -> None:
    contig = tracks.contig("chr2")
    assert contig.shape == (4, 5)
    assert contig[3].tolist() == [signals[file]["chr2"][6] for file in FILES]
    assert not contig.flags.writeable
    assert contig.flags.c_contiguous


@given(st.integers(-3, 5), st.integers(1, 6))
def test_two_turns_are_none(tracks: Tracks, first: int, n_bins: int) -> None:
    """Whoever reads the strand against a window and turns it round has the window."""
    start, end = 2 * first, 2 * (first + n_bins)
    forward = tracks.bins(Interval("1", start, end))
    backward = tracks.bins(Interval("1", start, end, "-"))
    assert backward.flags.c_contiguous
    np.testing.assert_array_equal(swap_strands(backward[::-1], tracks.partner), forward)


def test_a_window_is_a_copy(tracks: Tracks) -> None:
    window = Interval("chr1", 0, 4)
    before = tracks.bins(window)
    tracks.bins(window)[:] = -1
    np.testing.assert_array_equal(tracks.bins(window), before)


def test_past_the_ends_there_is_nothing(tracks: Tracks) -> None:
    assert not tracks.bins(Interval("chr1", 40, 48)).any()
    assert not tracks.bins(Interval("chr1", -8, 0, "-")).any()


@pytest.mark.parametrize(("start", "end"), [(1, 4), (0, 7), (-1, 2)])
def test_windows_keep_to_bins(tracks: Tracks, start: int, end: int) -> None:
    with pytest.raises(ConfigError, match=rf"multiples of 2 bases; got {start} to {end} of chr2"):
        tracks.bins(Interval("chr2", start, end))


def test_an_unknown_contig_is_refused(tracks: Tracks) -> None:
    with pytest.raises(DataError, match="chromosome chr3 is not in tracks"):
        tracks.bins(Interval("chr3", 0, 2))


def test_strands_of_arrays_and_tensors_are_swapped_alike(rng: np.random.Generator) -> None:
    values, partner = rng.random((3, 4, 5)), np.array([1, 0, 2, 4, 3])
    array, tensor = swap_strands(values, partner), swap_strands(torch.tensor(values), partner)
    np.testing.assert_array_equal(array[..., 3], values[..., 4])
    np.testing.assert_array_equal(array[..., 2], values[..., 2])
    np.testing.assert_array_equal(tensor.numpy(), array)


def test_tracks_travel_as_a_path(tracks: Tracks) -> None:
    other = pickle.loads(pickle.dumps(tracks))
    np.testing.assert_array_equal(other.contig("chr1"), tracks.contig("chr1"))
    assert len(pickle.dumps(tracks)) < 500


def test_the_artifact_says_what_it_holds(tracks: Tracks) -> None:
    manifest = open_artifact(tracks.path, kind="tracks", version=1)
    assert set(manifest.files) == {"bins.f32", "contigs.parquet"}
    assert str(tracks.path.parent) not in (tracks.path / "manifest.json").read_text()


def test_contigs_may_be_named_otherwise_or_lack(tmp_path: Path) -> None:
    """What a file has not is zero and noted; what the genome has not is left out."""
    write_bigwig(tmp_path / "a.bw", {"1": np.ones(10)}, contigs={"1": 10, "MT": 3, "extra": 4})
    made = import_tracks(
        [TrackSource("a", file=tmp_path / "a.bw")],
        tmp_path / "tracks",
        contigs=LENGTHS,
        resolution=4,
    )
    assert made.contig("chr1").tolist() == [[4], [4], [2]]
    assert made.contig("chr2").tolist() == [[0], [0]]
    assert made.sources[0]["absent"] == ["chr2"]


def import_one(place: Path, source: TrackSource, **lengths: int) -> Tracks:
    return import_tracks(
        [source], place / "new", contigs=LENGTHS | lengths, resolution=2, directory=place
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "a"}, "track a must have either file or both plus and minus; got none"),
        ({"name": "a", "plus": "p.bw"}, "both plus and minus; got plus"),
        ({"name": "a", "plus": "p", "minus": "m", "file": "f"}, "got file and minus and plus"),
        ({"name": "a b", "file": "f"}, "must be a word without blanks; got 'a b'"),
    ],
)
def test_sources_must_be_complete(fields: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_plain(TrackSource, fields, "the recipe")


def test_lengths_must_be_those_of_the_genome(place: Path) -> None:
    with pytest.raises(DataError, match=r"dnase\.bw has 7 bases in chr2, and the genome 8"):
        import_one(place, SOURCES[1], chr2=8)
    assert not (place / "new").exists()


def test_infinite_values_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cisgram.genome.bigwig._check_bins", lambda *_, **__: None)
    write_bigwig(tmp_path / "a.bw", {"chr2": np.full(7, np.inf)}, contigs=LENGTHS)
    with pytest.raises(DataError, match=r"a\.bw has infinite values in chr2"):
        import_one(tmp_path, TrackSource("a", file="a.bw"))
    assert not (tmp_path / "new").exists()


def test_signal_below_zero_is_refused_though_its_bin_is_above(tmp_path: Path) -> None:
    """As files for display have on one strand, and log-ratios here and there."""
    values = np.array([1, 1, 5, -2, 0, 0, 0, 0, 0, 0.0])
    write_bigwig(tmp_path / "minus.bw", {"chr1": values}, contigs=LENGTHS)
    write_bigwig(tmp_path / "plus.bw", {"chr1": np.ones(10)}, contigs=LENGTHS)
    source = TrackSource("rna", plus="plus.bw", minus="minus.bw")
    with pytest.raises(DataError, match=r"track rna- is -2 at chr1:4 of .*minus\.bw"):
        import_one(tmp_path, source)
    assert not (tmp_path / "new").exists()


def test_names_must_differ(place: Path) -> None:
    twice = [SOURCES[0], TrackSource("rna+", file="dnase.bw")]
    with pytest.raises(DataError, match=r"the list of tracks names rna\+ more than once"):
        import_tracks(twice, place / "new", contigs=LENGTHS, directory=place)


@pytest.mark.parametrize(
    ("sources", "resolution", "message"),
    [((), 2, "at least one track"), (SOURCES, 0, "resolution must be at least 1; got 0")],
)
def test_settings_are_checked(
    place: Path, sources: tuple[TrackSource, ...], resolution: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        import_tracks(
            sources, place / "new", contigs=LENGTHS, resolution=resolution, directory=place
        )


def test_sums_are_exact_where_single_precision_is_not() -> None:
    """16,777,216 + 1 is no single-precision number; many ones after it must not get lost."""
    values = np.ones(1_025, dtype=np.float32)
    values[0] = 2**24
    assert sum_bins(values, 1_025).tolist() == [2**24 + 1_024]
