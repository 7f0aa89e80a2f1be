import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError
from cisgram.genome.interval import Interval

starts = st.integers(0, 10**9)
lengths = st.integers(1, 10**6)
strands = st.sampled_from("+-.")
names = st.sampled_from(["chr1", "1", "HLA-A*01:01:01", "chrUn_KI270302v1"])


@given(names, starts, lengths, strands)
def test_text_is_one_based_and_reads_back(chrom: str, start: int, length: int, strand: str) -> None:
    interval = Interval(chrom, start, start + length, strand)
    assert Interval.parse(str(interval)) == interval
    assert str(interval).startswith(f"{chrom}:{start + 1:,}-{start + length:,}")


def test_parse_reads_one_base_and_blanks_around() -> None:
    assert Interval.parse(" chr2:1,001 ") == Interval("chr2", 1000, 1001)
    assert Interval.parse("chr2:5-9(+)").strand == "+"


@pytest.mark.parametrize(
    "text", ["chr2", "chr2:", "chr2:0-5", "chr2:9-5", "chr2:-5-9", "chr2:1-2(x)", "2:1e3-2e3", ""]
)
def test_parse_refuses_other_text(text: str) -> None:
    with pytest.raises(ConfigError, match="region"):
        Interval.parse(text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("chr1", 5, 5), "end must be greater than start; got chr1 5 to 5"),
        (("chr1", 5, 4), "end must be greater than start"),
        (("", 0, 1), "chrom must be a name"),
        (("chr 1", 0, 1), "chrom must be a name"),
        (("chr1", 0, 1, "*"), r"strand must be one of \+, -, \.; got '\*'"),
        (("chr1", 0, 1, ""), "strand must be one of"),
        (("chr1", 0.0, 1), "start must be a whole number; got 0.0"),
        (("chr1", 0, "9"), "end must be a whole number; got '9'"),
        (("chr1", False, True), "start must be a whole number"),
    ],
)
@pytest.mark.unchecked
def test_a_wrong_interval_cannot_be_made(fields: tuple[object, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Interval(*fields)  # pyright: ignore[reportArgumentType]


def test_numpy_positions_become_plain_ones() -> None:
    interval = Interval("chr1", np.int64(3), np.uint32(9))  # pyright: ignore[reportArgumentType]
    assert type(interval.start) is type(interval.end) is int
    assert interval.length == 6


@given(starts, lengths, starts, lengths)
def test_overlap_is_a_shared_base(a: int, a_length: int, b: int, b_length: int) -> None:
    one, other = Interval("chr1", a, a + a_length), Interval("1", b, b + b_length, "-")
    shares = max(a, b) < min(a + a_length, b + b_length)
    assert one.overlaps(other) == other.overlaps(one) == shares
    assert not one.overlaps(Interval("chr2", a, a + a_length))
