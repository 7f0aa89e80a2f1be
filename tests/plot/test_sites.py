"""Sites: which bases they cover, and where their names stand."""

from pathlib import Path

import numpy as np
import pytest

from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.plot.sites import Site, covered, known_sites, label_sites

REGION = Interval("c0", 100, 130)
LINE = slice(0, 20)


def site(name: str, start: int, end: int, strand: str = "+") -> Site:
    return Site(name, Interval("c0", start, end, strand))


def test_sites_of_a_line_are_cut_at_its_ends() -> None:
    sites = [site("b", 115, 125, "-"), site("a", 95, 103), site("off", 121, 125), site("no", 0, 9)]
    found = label_sites(sites, REGION, LINE, letter=0.1)
    assert [label[:4] for label in found] == [("a ▸", 0, 3, 0), ("◂ b", 15, 20, 0)]


@pytest.mark.parametrize(
    ("sites", "levels"),
    [
        ([site("a", 100, 105), site("b", 105, 110)], [0, 0]),
        ([site("a", 100, 105), site("b", 104, 110)], [0, 1]),
        ([site("a", 100, 105), site("b", 102, 110), site("c", 104, 112)], [0, 1, 2]),
        ([site("a", 100, 105), site("b", 102, 110), site("c", 106, 112)], [0, 1, 0]),
        ([site("a long name", 107, 108), site("b", 109, 113)], [0, 1]),
    ],
)
def test_sites_or_names_that_would_meet_stand_at_heights_of_their_own(
    sites: list[Site], levels: list[int]
) -> None:
    assert [label.level for label in label_sites(sites, REGION, LINE, letter=0.8)] == levels


def test_sites_run_along_the_strand() -> None:
    sites = [site("a", 100, 105), site("b", 110, 114, "-")]
    region = Interval("c0", 100, 130, "-")
    found = label_sites(sites, region, slice(0, 30), letter=0.1)
    assert [label[:4] for label in found] == [("b ▸", 16, 20, 0), ("◂ a", 25, 30, 0)]


def test_names_stay_on_their_line() -> None:
    # Thirteen letters of 0.8 bases take 5.2 on either side of their middle.
    sites = [site("a long name", 100, 101), site("a long name", 119, 125)]
    first, last = label_sites(sites, REGION, LINE, letter=0.8)
    assert (first.middle, last.middle) == pytest.approx((5.2, 14.8))
    (middle,) = label_sites([site("a long name", 108, 112)], REGION, LINE, letter=0.8)
    assert middle.middle == 10
    (longer,) = label_sites([site("n" * 40, 108, 112)], REGION, LINE, letter=0.8)
    assert longer.middle == pytest.approx(0.8 * 42 / 2)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_bases_are_covered_along_the_strand(strand: str) -> None:
    sites = [site("a", 95, 102), site("b", 103, 104, "-"), Site("c", Interval("c1", 100, 105))]
    found = covered(Interval("c0", 100, 105, strand), sites)
    expected = np.array([True, True, False, True, False])
    np.testing.assert_array_equal(found, expected[::-1] if strand == "-" else expected)


def test_sites_are_those_of_a_bed(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(">c0\n" + "ACGT" * 50 + "\n")
    (tmp_path / "s.bed").write_text("c0\t10\t16\tTATA box\t0\t-\n")
    reference = Reference.from_fasta(tmp_path / "g.fa", tmp_path / "reference")
    assert known_sites(None, reference) == []
    assert known_sites(tmp_path / "s.bed", reference) == [site("TATA box", 10, 16, "-")]
