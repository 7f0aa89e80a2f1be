"""What a language model expects of a region, at known sites and elsewhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.cli.app import main
from cisgram.core.checks import ConfigError, DataError
from cisgram.explain.expected import Expected, expect
from cisgram.explain.sections import expected_section
from cisgram.genome.alphabet import encode
from cisgram.genome.interval import Interval
from cisgram.plot.sites import Site
from cisgram.prediction.masked import RegionMap, read_region
from cisgram.prediction.session import Session
from prediction.toy_session import gene_model, language_model, session, write_model

P = np.full((6, 4), 0.1)
P[range(6), [0, 1, 2, 3, 0, 1]] = [0.7, 0.7, 0.4, 0.7, 0.7, 0.7]
P[2], P[4] = [0.2, 0.2, 0.4, 0.2], [0.97, 0.01, 0.01, 0.01]
P[5] = np.nan
SITES = [
    Site("inside", Interval("c", 12, 15, "+")),
    Site("along", Interval("c", 12, 15, "-")),
    Site("over the end", Interval("c", 8, 12)),
    Site("elsewhere", Interval("d", 12, 15)),
]


def bits(*p: float) -> float:
    return 2 + sum(own * np.log2(own) for own in p)


SURE, HALF, MOST = (bits(*row) for row in P[[0, 2, 4]])


def by_hand(strand: str = "-") -> Expected:
    """The prediction ACGTA of ACCTG, and nothing of N."""
    region = Interval("c", 10, 16, strand)
    found = RegionMap(region, encode("ACCTGN"), P.astype(np.float32))
    return Expected(model="lm", map=found, known_sites=SITES)


@pytest.fixture(scope="module")
def lm(place: Path) -> Session:
    return session(language_model(), place)


def test_sites_are_read_along_their_own_strand() -> None:
    inside, along = by_hand().sites
    # Along strand - the bases 12 to 14 are positions 1 to 3 of the region: CCT, expected CGT.
    assert (inside.name, inside.dna, inside.expected) == ("inside", "AGG", "AcG")
    assert (along.name, along.dna, along.expected) == ("along", "CCT", "CgT")
    assert along.place == SITES[1].place
    assert inside.information == along.information == pytest.approx((2 * SURE + HALF) / 3)
    two = replace(by_hand(), known_sites=[Site("two", Interval("c", 13, 15, "+"))])
    assert [(site.dna, site.expected) for site in two.sites] == [("GG", "cG")]
    other = by_hand("+").sites[0]
    assert (other.dna, other.expected) == ("CTG", "gTA")


def test_bases_outside_sites_are_those_in_none() -> None:
    found = by_hand()
    # The site over the end has the positions 4 and 5; 0 is in none.
    assert found.information == pytest.approx(SURE)
    assert replace(found, known_sites=()).information == pytest.approx((3 * SURE + HALF + MOST) / 5)
    table = found.sites_table
    assert table.columns == ["site", "place", "DNA", "expected", "bits"]
    assert table["place"].to_list() == ["c:13-15(+)", "c:13-15(-)", ""]
    assert table.row(2) == ("elsewhere", "", "", "", pytest.approx(found.information))


def test_the_likeliest_base_stands_beside_the_majority_class() -> None:
    found = by_hand()
    assert (found.n_known, found.accuracy) == (5, pytest.approx(3 / 5))
    assert found.majority == ("C", pytest.approx(2 / 5))
    assert found.sentence == (
        "The base predicted likeliest is the true one at 60% of 5 bases; always predicting C, the "
        "commonest, is right at 40%."
    )
    plain = found.plain()
    assert (plain["region"], plain["majority_base"]) == ("c:11-16(-)", "C")
    assert [site["place"] for site in plain["sites"]] == ["c:13-15(+)", "c:13-15(-)"]


@pytest.mark.parametrize(("strand", "positions"), [("-", [16, 15, 11]), (".", [11, 12, 16])])
def test_a_row_is_a_base_along_the_strand(strand: str, positions: list[int]) -> None:
    table = by_hand(strand).table
    assert table.columns == [
        *("chrom", "position", "strand", "base"), "p_A", "p_C", "p_G", "p_T", "information"
    ]  # fmt: skip
    assert table["position"].to_list()[:2] + table["position"].to_list()[-1:] == positions
    sign = "-" if strand == "-" else "+"
    assert table.row(0) == ("c", positions[0], sign, "A", *np.float32([0.7, 0.1, 0.1, 0.1]),
                            pytest.approx(SURE))  # fmt: skip
    assert table.row(5)[3] == "N"
    assert np.isnan(table.row(5)[4:]).all()


def test_the_section_has_sites_where_there_are_some() -> None:
    section = expected_section(by_hand())
    assert (section.title, section.files) == ("Expected by lm", "expected.svg, .tsv")
    assert section.table is not None
    assert section.table.equals(by_hand().sites_table)
    assert expected_section(replace(by_hand(), known_sites=())).table is None


def test_every_base_is_predicted_from_the_others(lm: Session) -> None:
    region = Interval("c0", 590, 620, "-")
    found = expect(lm, "c0:591-620(-)", sites=SITES)
    expected = read_region(lm.model, lm.reference, region)
    np.testing.assert_array_equal(found.map.p, expected.p)
    np.testing.assert_array_equal(found.map.tokens, lm.reference.fetch(region))
    assert (found.model, found.known_sites) == ("toy", SITES)
    figure = found.plot()
    assert figure.get_suptitle() == "c0:591-620(-): bases predicted by toy, each masked"


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("c0:1-2,001", r"c0:1-2,001 has 2,001 bases; a figure holds 2,000 at most"),
        ("c0:1,990-2,010", "reaches past the 2,000 bases of c0"),
        ("c9:1-20", "c9 is not in"),
    ],
)
def test_regions_that_cannot_be_drawn_are_refused(lm: Session, region: str, message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        expect(lm, region)


def test_other_models_are_refused(place: Path) -> None:
    with pytest.raises(ConfigError, match=r"toy predicts word.* and is no language model"):
        expect(session(gene_model(), place), "c0:591-600")


def test_the_command_draws_and_writes_a_table(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    write_model(place, language_model(), "lm")
    (place / "sites.bed").write_text("c0\t600\t608\tTATA box\t0\t-\n")
    command = "explain logo --model lm --genome toy.fa --sites sites.bed --table t.tsv --out l.svg"
    assert main([*command.split(), "--region", "c0:591-620(-)"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "TATA box c0:601-608(-)" in said
    assert said.endswith("c0:591-620(-) is drawn in l.svg.")
    assert "<!-- TATA box ▸ -->" in (place / "l.svg").read_text()
    table = pl.read_csv(place / "t.tsv", separator="\t")
    assert table["position"].to_list() == list(range(620, 590, -1))
    sums = table.select(pl.sum_horizontal("p_A", "p_C", "p_G", "p_T")).to_series()
    assert sums.to_list() == pytest.approx([1] * 30, abs=1e-4)
