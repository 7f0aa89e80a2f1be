import pytest

from cisgram.genome.interval import Interval
from cisgram.report.sites import Site, label_sites

REGION = Interval("c0", 100, 130)
LINE = slice(0, 20)


def site(name: str, start: int, end: int, strand: str = "+") -> Site:
    return Site(name, Interval("c0", start, end, strand))


def test_sites_of_a_line_are_cut_at_its_ends():
    sites = [site("b", 115, 125, "-"), site("a", 95, 103), site("off", 121, 125), site("no", 0, 9)]
    found = label_sites(sites, REGION, LINE, letter=0.1)
    assert found == [("a ▸", 0, 3, 0), ("◂ b", 15, 20, 0)]


@pytest.mark.parametrize(
    ("sites", "levels"),
    [
        ([site("a", 100, 105), site("b", 105, 110)], [0, 0]),
        ([site("a", 100, 105), site("b", 104, 110)], [0, 1]),
        ([site("a", 100, 105), site("b", 102, 110), site("c", 104, 112)], [0, 1, 2]),
        ([site("a", 100, 105), site("b", 102, 110), site("c", 106, 112)], [0, 1, 0]),
        ([site("a long name", 104, 106), site("b", 108, 112)], [0, 1]),
    ],
)
def test_sites_or_names_that_would_meet_stand_at_heights_of_their_own(sites, levels):
    assert [label.level for label in label_sites(sites, REGION, LINE, letter=0.8)] == levels


def test_sites_run_along_the_strand():
    found = label_sites(
        [site("a", 100, 105), site("b", 110, 114, "-")],
        Interval("c0", 100, 130, "-"),
        slice(0, 30),
        letter=0.1,
    )
    assert found == [("b ▸", 16, 20, 0), ("◂ a", 25, 30, 0)]
