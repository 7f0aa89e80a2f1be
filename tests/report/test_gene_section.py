import numpy as np
import pytest
from prediction.toy_reader import GENES

from cisgram.explain.gene_maps import GeneMap, importance
from cisgram.explain.region_options import RegionOptions
from cisgram.genome.interval import Interval
from cisgram.report.base_figure import BasePicture, draw_bases
from cisgram.report.gene_changes import contrast_sites, strongest_changes
from cisgram.report.gene_section import make_gene_section
from cisgram.report.sites import Site


@pytest.mark.parametrize(("strand", "position"), [("+", 103), ("-", 118)])
def test_the_strongest_changes_are_named_by_place_and_site(strand, position):
    effects = np.zeros((20, 4, 1), np.float32)
    effects[2, 3], effects[5, 1] = -0.5, 0.2
    found = GeneMap(
        region=Interval("c0", 100, 120, strand),
        gene=GENES["left"],
        tokens=np.zeros(20, np.uint8),
        outputs=("worth",),
        effects=effects,
        reference=np.zeros(1, np.float32),
    )
    sites = [Site("Reb1", Interval("c0", position - 1, position)), Site("no", Interval("c1", 0, 9))]
    first, second = strongest_changes(found, "worth", sites=sites, n=2)
    assert first == (position, "A", "T", -0.5, "Reb1")
    assert (second.alternative, round(second.effect, 3), second.site) == ("C", 0.2, "")


def test_nothing_that_does_nothing_is_among_the_strongest():
    effects = np.zeros((4, 4, 1), np.float32)
    effects[1, 2], effects[3] = 0.5, np.nan
    found = GeneMap(
        region=Interval("c0", 100, 104),
        gene=GENES["left"],
        tokens=np.array([0, 0, 0, 4], np.uint8),
        outputs=("worth",),
        effects=effects,
        reference=np.zeros(1, np.float32),
    )
    assert [change.position for change in strongest_changes(found, "worth", sites=[], n=3)] == [102]


@pytest.mark.parametrize(("strand", "means"), [("+", (1.5, 4.0)), ("-", (4.0, 1.5))])
def test_known_sites_are_set_against_the_rest(strand, means):
    sizes = np.array([1, 2, np.nan, 4], np.float32)
    sites = [Site("a", Interval("c0", 90, 101)), Site("b", Interval("c0", 100, 102, "-"))]
    found = contrast_sites(sizes, Interval("c0", 100, 104, strand), sites)
    assert found == pytest.approx(means)


def test_without_sites_everything_is_elsewhere():
    found = contrast_sites(np.ones(4, np.float32), Interval("c0", 100, 104), [])
    assert np.isnan(found.in_sites)
    assert found.elsewhere == 1


def test_a_base_matters_by_the_mean_of_its_changes():
    effects = np.array([[0, -0.3, -0.3, -0.6]], np.float32)
    np.testing.assert_allclose(importance(effects), [0.4])


def test_a_line_of_bases_is_drawn_once_each(tmp_path):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, 130).astype(np.uint8)
    tokens[3] = 4
    effects = rng.normal(size=(130, 4)).astype(np.float32)
    effects[3] = np.nan
    picture = BasePicture(
        region=Interval("c0", 0, 130),
        tokens=tokens,
        heights=importance(effects),
        heights_are="importance",
        effects=effects,
        effects_are="effect",
        title="toy",
        sites=[Site("Reb1", Interval("c0", 120, 128, "-"))],
    )
    draw_bases(picture, tmp_path / "toy.svg")
    text = (tmp_path / "toy.svg").read_text()
    letters = text.count("fill: #1b8a3d") + text.count("fill: #2257b8")
    letters += text.count("fill: #c77700") + text.count("fill: #c62f2f")
    assert letters == 129
    assert text.count("◂ Reb1") >= 1


@pytest.mark.whole
def test_a_gene_is_read_from_the_packaged_genome(tmp_path, monkeypatch):
    monkeypatch.setenv("CISGRAM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "sites.bed").write_text("chrXIV\t187958\t187966\tTATA box\t0\t+\n")
    found = make_gene_section(
        RegionOptions(
            model="cisgram/yeast-expression", region="chrXIV:187,957-187,968", gene="SLA2"
        ),
        out=tmp_path / "out",
        sites=tmp_path / "sites.bed",
        language_model="cisgram/yeast-lm",
    )
    assert (found.name, found.track, len(found.bases.strongest)) == ("SLA2", "rnaseq_wt", 5)
    assert found.bases.changes.in_sites > found.bases.changes.elsewhere
    assert found.bases.agreement.bases > 0.5
    assert found.held_out.startswith("By its card it learnt nothing from chrXII, chrXIV")
    assert found.expected is not None
    assert [site.name for site in found.expected.reading.sites] == ["TATA box"]
    assert list(found.pictures) == ["tracks", "effects", "gradients", "expected"]
    assert all(picture.startswith("<svg") for picture in found.pictures.values())
    assert found.plain()["expected"]["reading"]["n_known"] == 12
    assert "SUI1" in (tmp_path / "out" / "tracks.svg").read_text()
    with np.load(tmp_path / "out" / "effects.npz") as arrays:
        assert arrays["effects"].shape == (12, 4)
