"""The script that makes bigWig files of yeast's tables, on made-up tables and on the real ones."""

import gzip
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cisgram.genome.alphabet import encode
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.tracks import Tracks, TrackSource, import_tracks

ROOT = Path(__file__).parents[2]
CONTIGS = {"chrI": 12, "chrII": 6, "chrM": 4}
STARTS = """chr	pos	strand	A_1	A_2	B_1	B_2
I	3	+	1	0	4	0
I	3	-	0	2	0	0
II	6	+	1	0	0	2
Mito	1	-	0	2	0	2
"""
ISOFORMS = """chr	strand	t5	t3	ypd	gal
1	+	2	5	3	1
1	+	4	6	1	0
2	-	6	4	0	7
"""


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("yeast_tracks")


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


@pytest.fixture
def starts(script: ModuleType, tmp_path: Path) -> Any:
    return script.read_starts(write(tmp_path / "tss.tsv.gz", STARTS), ChromosomeNames(CONTIGS))


@pytest.fixture
def isoforms(script: ModuleType, tmp_path: Path) -> Any:
    return script.read_isoforms(write(tmp_path / "tif.tsv.gz", ISOFORMS), ChromosomeNames(CONTIGS))


def test_positions_count_from_one(starts: Any, isoforms: Any) -> None:
    places = ("chrom", "strand", "start", "end")
    assert starts.spans.select(places).rows() == [
        ("chrI", "+", 2, 3),
        ("chrI", "-", 2, 3),
        ("chrII", "+", 5, 6),
        ("chrM", "-", 0, 1),
    ]
    assert isoforms.spans.select(places).rows() == [
        ("chrI", "+", 1, 5),
        ("chrI", "+", 3, 6),
        ("chrII", "-", 3, 6),
    ]


def test_replicates_count_alike(script: ModuleType, starts: Any) -> None:
    """Depths are 2, 4, 4 and 4, 3.5 on average."""
    assert starts.scales == {"A_1": 3.5 / 2, "A_2": 3.5 / 4, "B_1": 3.5 / 4, "B_2": 3.5 / 4}
    signal = script.signal_of(starts, ("A_1", "A_2"), CONTIGS)
    assert signal["+"]["chrI"].tolist() == [0, 0, 1.75, *[0] * 9]
    assert signal["-"]["chrI"].tolist() == [0, 0, 1.75, *[0] * 9]
    assert signal["-"]["chrM"].tolist() == [1.75, 0, 0, 0]
    for columns in (("A_1", "A_2"), ("B_1", "B_2")):
        made = script.signal_of(starts, columns, CONTIGS)
        assert sum(v.sum() for part in made.values() for v in part.values()) == 7


def test_molecules_cover_both_of_their_ends(script: ModuleType, isoforms: Any) -> None:
    signal = script.signal_of(isoforms, ("ypd",), CONTIGS)
    assert signal["+"]["chrI"].tolist() == [0, 4.5, 4.5, 6, 6, 1.5, *[0] * 6]
    assert not signal["-"]["chrII"].any()
    signal = script.signal_of(isoforms, ("gal",), CONTIGS)
    assert signal["-"]["chrII"].tolist() == [0, 0, 0, 5.25, 5.25, 5.25]
    assert not signal["+"]["chrII"].any()


def test_ends_of_molecules(script: ModuleType, isoforms: Any) -> None:
    first, last = (script.ends_of(isoforms, last=last).spans for last in (False, True))
    assert first.select("start", "end").rows() == [(1, 2), (3, 4), (5, 6)]
    assert last.select("start", "end").rows() == [(4, 5), (5, 6), (3, 4)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), st.integers(0, 4)), max_size=8))
def test_piles_are_sums_over_rows(script: ModuleType, rows: list[tuple[int, int, int]]) -> None:
    expected = np.zeros(14, dtype=np.int64)
    for start, length, count in rows:
        expected[start : start + length] += count
    spans = pl.DataFrame(
        [(start, start + length, count) for start, length, count in rows],
        schema={"start": pl.Int64, "end": pl.Int64, "n": pl.Int64},
        orient="row",
    )
    np.testing.assert_array_equal(script.pile(spans, "n", 14), expected)


def test_files_hold_the_signal(script: ModuleType, starts: Any, tmp_path: Path) -> None:
    signal = script.signal_of(starts, starts.columns, CONTIGS)
    script.write_signal(tmp_path, "tss", signal)
    assert {path.name for path in tmp_path.glob("*.bw")} == {"tss.plus.bw", "tss.minus.bw"}
    found = script.read_signal(tmp_path, "tss")
    for strand, values in signal.items():
        for chrom, column in values.items():
            np.testing.assert_array_equal(found[strand][chrom], column)


def spans(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["chrom", "strand", "start", "end"], orient="row")


def signal_from(plus: list[float], minus: list[float]) -> dict[str, dict[str, np.ndarray]]:
    return {
        strand: {"chrI": np.array(values, dtype=np.float32)}
        for strand, values in (("+", plus), ("-", minus))
    }


def test_promoters_lie_before_start_codons(script: ModuleType) -> None:
    genes = spans(("chrI", "+", 1_000, 2_000), ("chrI", "-", 1_000, 2_000), ("chrI", "+", 9, 99))
    assert script.promoters(genes).select("start", "end").rows() == [
        (750, 1_050),
        (1_950, 2_250),
        (0, 59),
    ]


def test_shares_tell_the_strands_apart(script: ModuleType) -> None:
    """One gene on each strand; the base that both have counts as either's own."""
    genes = spans(("chrI", "+", 0, 3), ("chrI", "-", 2, 5))
    signal = signal_from([1, 1, 1, 2, 0, 3], [4, 0, 8, 8, 8, 4])
    shares = script.strand_shares(signal, genes, {"chrI": 6})
    assert shares == {"own": 27 / 40, "other": 6 / 40, "expected": 6 / 12}
    assert script.sums_of(signal, genes).tolist() == [[3, 12], [24, 3]]
    assert script.are_alone(genes, {"chrI": 6}).tolist() == [False, False]
    assert script.are_alone(genes[:1], {"chrI": 6}).tolist() == [True]


def test_letters_are_read_along_the_strand(script: ModuleType) -> None:
    reference = Reference(Path("toy"), {"chrI": 6}, encode("CATTGC"))
    signal = signal_from([0, 3, 0, 0, 1, 0], [0, 0, 0, 0, 0, 4])

    def share(offset: int, letters: str) -> float:
        return script.letter_share(signal, reference, offset=offset, letters=letters)

    assert share(0, "A") == 3 / 8
    assert share(0, "G") == 5 / 8  # on strand -, the last C is a G
    assert share(1, "TC") == 1
    assert share(1, "T") == 3 / 8
    assert share(-1, "C") == 3 / 8


@dataclass(frozen=True)
class Real:
    """What the script made of the real tables."""

    script: ModuleType
    result: dict[str, Any]
    reference: Reference
    genes: pl.DataFrame
    tracks: Tracks


@pytest.fixture(scope="module")
def real(script: ModuleType, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    data, out = shared / "yeast", tmp_path_factory.mktemp("yeast")
    reference = Reference.from_fasta(data / script.FASTA, out / "reference")
    result = script.build(data, out, reference)
    sources = [
        TrackSource(track, plus=f"{track}.plus.bw", minus=f"{track}.minus.bw")
        for track in script.CONDITIONS
    ]
    tracks = import_tracks(sources, out / "tracks", contigs=reference.contigs, directory=out)
    genes = script.coding_genes(data / script.ANNOTATION, reference.names)
    return Real(script, result, reference, genes, tracks)


@pytest.mark.whole
def test_transcription_starts_before_genes_on_their_strand(real: Real) -> None:
    for track in ("tss_ypd", "tss_diamide"):
        share = real.result["tracks"][track]["promoters"]
        assert share["own"] > 0.6, track
        assert share["own"] > 8 * share["expected"]
        assert share["other"] < 0.05, track


@pytest.mark.whole
def test_molecules_cover_genes_on_their_strand(real: Real) -> None:
    for track in ("tif_ypd", "tif_gal"):
        facts = real.result["tracks"][track]
        assert facts["bodies"]["own"] > 0.8, track
        assert facts["bodies"]["other"] < 0.02, track
        assert facts["own_higher"] > 0.9, track


@pytest.mark.whole
def test_positions_are_those_of_the_tables(real: Real) -> None:
    """One base off, and neither the letters of starts nor those of ends would be found."""
    facts = real.result["positions"]
    assert facts["tss_purine"] > 0.9
    assert facts["tss_pyrimidine_before"] > 0.8
    assert facts["tif_purine"] > 0.9
    assert facts["tif_pyrimidine_before"] > 0.9
    assert facts["tif_last_a"] < 0.01
    assert facts["tif_a_after_last"] > 0.9


@pytest.mark.whole
def test_conditions_are_what_their_names_say(real: Real) -> None:
    changes = real.result["changes"]
    assert all(changes[gene]["galactose"] > 6 for gene in ("GAL1", "GAL7", "GAL10"))
    assert changes["TRX2"]["diamide"] > 1.5
    assert changes["GRE2"]["diamide"] > 1.5
    assert changes["OYE3"]["diamide"] > 5
    assert abs(changes["ACT1"]["galactose"]) < 0.5
    assert abs(changes["ACT1"]["diamide"]) < 0.5


@pytest.mark.whole
def test_both_conditions_have_one_depth(real: Real) -> None:
    totals = {track: sum(facts["total"].values()) for track, facts in real.result["tracks"].items()}
    assert totals["tss_ypd"] == pytest.approx(totals["tss_diamide"], rel=1e-5)


@pytest.mark.whole
def test_imported_bins_are_read_in_the_sense_of_genes(real: Real) -> None:
    """Around start codons, read on the gene's strand, most starts are in the column `+`."""
    sense = against = 0.0
    column = real.tracks.names.index("tss_ypd+")
    step = real.tracks.resolution
    for chrom, strand, start, end in (
        real.script.promoters(real.genes).select("chrom", "strand", "start", "end").iter_rows()
    ):
        window = Interval(chrom, start // step * step, -(-end // step) * step, strand)
        values = real.tracks.bins(window).sum(axis=0, dtype=np.float64)
        sense += values[column]
        against += values[real.tracks.partner[column]]
    assert sense > 3 * against


@pytest.mark.whole
def test_imported_bins_hold_all_of_the_files(real: Real) -> None:
    for track, facts in real.result["tracks"].items():
        for sign, word in real.script.STRANDS.items():
            column = real.tracks.names.index(f"{track}{sign}")
            total = sum(
                real.tracks.contig(chrom)[:, column].sum(dtype=np.float64)
                for chrom in real.reference.contigs
            )
            assert total == pytest.approx(facts["total"][word], rel=1e-6)
