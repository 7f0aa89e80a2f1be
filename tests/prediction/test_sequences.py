from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import N, encode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.prediction.sequences import (
    Sequences,
    as_sequences,
    window_of,
    windows_of_places,
)
from prediction.toy_session import gene_model, window_model, write_genome

PIECE = Interval("c0", 10, 30)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sequences")
    write_genome(place)
    (place / "r.bed").write_text("#track\nc0\t100\t110\tpromoter\t0\t-\nc2\t0\t8\tx\t0\t+\n")
    return place


@pytest.fixture(scope="module")
def reference(place: Path) -> Reference:
    return Reference.open(place / "reference")


def rows(asked: Any, reference: Reference | None) -> list[tuple[object, ...]]:
    return as_sequences(asked, reference).table.rows()


def test_a_bed_is_taken_from_its_path_as_text_or_not(place: Path, reference: Reference) -> None:
    expected = [("promoter", "c0", 100, 110, "-"), ("x", "c2", 0, 8, "+")]
    for asked in (place / "r.bed", str(place / "r.bed")):
        assert rows(asked, reference) == expected
    assert Sequences.from_bed(place / "r.bed", place / "reference").table.rows() == expected
    assert Sequences.from_bed(place / "r.bed", reference).names == ("promoter", "x")


def test_records_of_a_fasta_are_taken_whole_and_need_no_genome(place: Path) -> None:
    found = as_sequences(place / "toy.fa", None)
    assert [(name, own.length) for name, own in zip(found.names, found.places, strict=True)] == [
        ("c0", 2_000),
        ("c1", 2_000),
        ("c2", 100),
    ]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("c0:11-30", ["c0:11-30"]),
        (["c0:11-30", "c2:1(-)"], ["c0:11-30", "c2:1-1(-)"]),
        (PIECE, ["c0:11-30"]),
        ([PIECE, Interval("c2", 0, 1, "-")], ["c0:11-30", "c2:1-1(-)"]),
    ],
)
def test_regions_are_called_by_their_places(
    asked: Any, names: list[str], reference: Reference
) -> None:
    found = as_sequences(asked, reference)
    assert list(found.names) == names
    np.testing.assert_array_equal(found.tokens(0), reference.contig("c0")[10:30])


def test_a_region_on_the_other_strand_is_read_along_it(reference: Reference) -> None:
    found = as_sequences("c0:11-30(-)", reference)
    expected = reverse_complement(reference.contig("c0")[10:30])
    np.testing.assert_array_equal(found.tokens(0), expected)


def test_dna_stands_for_itself() -> None:
    found = as_sequences(["GATTACA", "nnca"], None)
    assert found.table.select("name", "chrom", "start", "end").rows() == [
        ("sequence1", "sequence1", 0, 7),
        ("sequence2", "sequence2", 0, 4),
    ]
    np.testing.assert_array_equal(found.tokens(1), encode("NNCA"))
    assert as_sequences("GATTACA", None).names == ("sequence1",)
    named = Sequences.from_letters(["AC", "GT"], names=["one", "two"])
    assert (named.names, len(named)) == (("one", "two"), 2)
    assert as_sequences(named, None) is named


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ([], ConfigError, "give at least one sequence, region or file; got none"),
        ("", ConfigError, "give at least one sequence"),
        (["ACGT", ""], ConfigError, "all be DNA of A C G T N, or .* got ''"),
        ("promoter", ConfigError, "or all be regions such as chr2:1,001-2,000; got 'prom"),
        ("c9:1-9", DataError, "c9 is not in"),
        ("c2:90-101", ConfigError, "reaches past the 100 bases of c2"),
        ("none.bed", DataError, r"BED none\.bed does not exist"),
        (Path("none.fa"), DataError, r"none\.fa does not exist"),
    ],
)
def test_what_is_no_sequence_is_refused(
    asked: Any, error: type[Exception], message: str, reference: Reference
) -> None:
    with pytest.raises(error, match=message):
        as_sequences(asked, reference)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Sequences.from_letters([]), ConfigError, "every sequence must have a base"),
        (lambda: Sequences.from_letters(["AC", ""]), ConfigError, "every sequence must have a"),
        (lambda: Sequences.from_letters(["AC1"]), DataError, "'1'"),
        (lambda: Sequences.from_letters(["A", "C"], ["a", "a"]), DataError, "a more than once"),
        (lambda: Sequences.from_letters(["A"], ["a", "b"]), ConfigError, "1 sequences and 2 names"),
    ],
)
def test_letters_that_are_no_dna_are_refused(
    make: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()


def test_regions_without_a_genome_ask_for_one() -> None:
    with pytest.raises(
        ConfigError, match="c0:11-30 lies on a genome and none is known; add --genome"
    ):
        as_sequences("c0:11-30", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c0\t100\n", "line 1 of BED .*r.bed has no contig, start and end"),
        ("c0\tx\t3\n", "line 1 of BED .*r.bed has no contig, start and end"),
        ("c9\t1\t3\n", "c9"),
        ("c0\t7\t3\n", "c0"),
        ("", "is empty"),
        ("track name=a\n\n", "has no region"),
        ("c0\t1\t3\n\nc0 1 3\n", "line 3 of BED .*r.bed has no contig, start and end between"),
        ("c0\t1\t3\tx\t0\t?\n", "line 1 of BED .*strand must be one of"),
    ],
)
def test_a_bed_that_cannot_be_is_one_sentence(
    text: str, message: str, tmp_path: Path, reference: Reference
) -> None:
    (tmp_path / "r.bed").write_text(text)
    with pytest.raises((ConfigError, DataError), match=message):
        as_sequences(tmp_path / "r.bed", reference)


def test_a_bed_may_have_lines_of_browsers_blank_ones_and_ragged_columns(
    tmp_path: Path, reference: Reference
) -> None:
    lines = [
        "browser position c0:1-100",
        'track name=peaks description="x"',
        "# made by hand",
        "c0\t100\t140\ta\t0\t-",
        "",
        "  \t",
        "c1\t7\t9",
        "c0\t5\t6\tb",
    ]
    for end in ("\n", "\r\n"):
        names = ["c0:101-140(-)", "c1:8-9(+)", "c0:6-6(+)"]
        (tmp_path / "r.bed").write_bytes("\ufeff".encode() + end.join(lines).encode())
        found = as_sequences(tmp_path / "r.bed", reference)
        assert found.names == ("a", "c1:8-9(+)", "b")
        assert [str(place) for place in found.places] == names


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize(
    ("start", "end"), [(0, 40), (600, 640), (1_990, 2_000), (700, 1_100), (3, 4)]
)
def test_a_window_lies_within_its_contig_and_holds_the_place(
    start: int, end: int, strand: str, reference: Reference
) -> None:
    place = Interval("c0", start, end, strand)
    window = window_of(place, gene_model(), reference, inside=True)
    assert (window.length, window.strand) == (128, strand)
    assert 0 <= window.start < window.end <= 2_000
    low, high = window.locate(place)
    assert low < 128
    assert high > 0
    free = window_of(place, gene_model(), reference, inside=False)
    before, after = free.locate(place)
    assert before == 128 - after or before + 1 == 128 - after
    if free.start >= 0 and free.end <= 2_000:
        assert window == free


def test_a_contig_shorter_than_the_window_is_padded_behind(reference: Reference) -> None:
    window = window_of(Interval("c2", 90, 100, "-"), gene_model(), reference, inside=True)
    assert (window.start, window.end) == (0, 128)
    tokens = reference.fetch(window)
    assert (tokens[:28] == N).all()
    np.testing.assert_array_equal(tokens[28:], reverse_complement(reference.contig("c2")))


def test_windows_say_where_their_places_lie(reference: Reference) -> None:
    places = [Interval("c0", 100, 110, "-"), Interval("c2", 0, 8, "+")]
    found = windows_of_places(places, window_model(), reference, inside=False)
    assert len(found) == 2
    assert found.spans.tolist() == [[15, 25], [16, 24]]
    for place, tokens, (start, end) in zip(places, found.tokens, found.spans, strict=True):
        np.testing.assert_array_equal(tokens[start:end], reference.fetch(place))
    assert (found.tokens[1, :16] == N).all()
