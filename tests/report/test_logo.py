import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cisgram.cli.app import main
from cisgram.genome.alphabet import encode
from cisgram.genome.interval import Interval
from cisgram.models.checkpoint import save_model
from cisgram.prediction.maps import RegionMap
from cisgram.report.logo import LogoConfig, logo_svg
from cisgram.report.region import read_sites
from cisgram.report.sites import Site
from models.tiny import tiny_lm

SVG = "{http://www.w3.org/2000/svg}"
SURE = np.array([[0.97, 0.01, 0.01, 0.01], [0.5, 0.5, 0, 0], [0.25] * 4, [np.nan] * 4])


def drawn(strand: str = "+", **more) -> ET.Element:
    region = Interval("c", 100, 104, strand)
    found = RegionMap(region, encode("ATGN"), SURE.astype(np.float32))
    return ET.fromstring(logo_svg(found, title="a < b", **more))


def heights(svg: ET.Element) -> list[tuple[str, float]]:
    uses = svg.findall(f"{SVG}use")
    return [(use.get("href"), float(use.get("transform").split()[-1][:-1])) for use in uses]


def test_letters_are_as_high_as_their_share_of_the_information():
    svg = drawn(config=LogoConfig(bits=100))
    entropy = -(0.97 * np.log2(0.97) + 3 * 0.01 * np.log2(0.01))
    own = dict(heights(svg)[:4])
    assert own["#A"] == pytest.approx(97 * (2 - entropy), abs=0.01)
    # One bit shared by two letters, nothing where every base is as likely or unknown.
    assert sorted(heights(svg)[4:]) == [("#A", 50.0), ("#C", 50.0)]
    assert svg.findtext(f"{SVG}title") == "a < b"


def test_the_dna_is_bold_where_no_other_base_is_likelier():
    letters = [text for text in drawn().findall(f"{SVG}text") if text.get("fill", "")[0] == "#"]
    shown = {text.text: text.get("font-weight") for text in letters if len(text.text) == 1}
    assert (shown["A"], shown["T"]) == ("700", None)


@pytest.mark.parametrize(
    ("strand", "site", "x", "label"),
    [
        ("+", Interval("c", 101, 103, "+"), 10, "s ▸"),
        ("+", Interval("c", 101, 103, "-"), 10, "◂ s"),
        ("-", Interval("c", 100, 102, "-"), 20, "s ▸"),
        ("-", Interval("c", 90, 101, "+"), 30, "◂ s"),
    ],
)
def test_sites_stand_over_their_bases_and_point_along_their_strand(strand, site, x, label):
    config = LogoConfig(margin=0, base=10)
    svg = drawn(strand, sites=[Site("s", site), Site("far", Interval("c", 0, 9))], config=config)
    (box,) = [rect for rect in svg.findall(f"{SVG}rect") if rect.get("x")]
    assert float(box.get("x")) == x
    assert label in {text.text for text in svg.findall(f"{SVG}text")}
    assert ("101" if strand == "+" else "104") in {t.text for t in svg.findall(f"{SVG}text")}


def test_a_region_is_drawn_and_written_from_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CISGRAM_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    (tmp_path / "g.fa").write_text(">c1\n" + "".join(rng.choice(list("ACGT"), 300)) + "\n")
    (tmp_path / "s.bed").write_text("c1\t120\t128\tTATA box\t0\t-\n")
    save_model(tmp_path / "m", tiny_lm(), card={})
    words = "--model m --fasta g.fa --sites s.bed --table t.tsv --out l.svg --region"
    assert main(["lm", "logo", *words.split(), "c1:101-150(-)"]) == 0
    assert "c1:101-150(-) is drawn in l.svg" in capsys.readouterr().out
    assert "◂" not in (tmp_path / "l.svg").read_text()
    header, first, *_ = (tmp_path / "t.tsv").read_text().splitlines()
    assert header.split("\t")[:4] == ["chrom", "position", "strand", "base"]
    assert header.split("\t")[4:] == ["p_A", "p_C", "p_G", "p_T", "information"]
    assert first.split()[:3] == ["c1", "150", "-"]


def test_sites_are_read_along_their_own_strand():
    p = np.full((6, 4), 0.1)
    p[range(6), [0, 1, 2, 3, 0, 1]] = [0.7, 0.7, 0.4, 0.7, 0.7, 0.7]
    found = RegionMap(Interval("c", 10, 16, "-"), encode("ACCTNG"), p.astype(np.float32))
    sites = [
        Site("inside", Interval("c", 12, 15, "+")),
        Site("along", Interval("c", 12, 15, "-")),
        Site("over the end", Interval("c", 8, 12)),
        Site("elsewhere", Interval("d", 12, 15)),
    ]
    reading = read_sites(found, sites)
    # Along the minus strand bases 12 to 14 are CTN's columns, positions 1 to 3 of the region.
    assert [(site.name, site.dna, site.expected) for site in reading.sites] == [
        ("inside", "AGG", "AcG"),
        ("along", "CCT", "CgT"),
    ]
    assert reading.n_known == 5
    assert reading.right == pytest.approx(3 / 5)
    assert (reading.commonest, reading.right_by_commonest) == ("C", pytest.approx(2 / 5))
