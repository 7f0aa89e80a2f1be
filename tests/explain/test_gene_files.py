from pathlib import Path

import numpy as np
import pytest
from prediction.toy_reader import GENES, toy_reader, write_toy_model

from cisgram.cli.app import main
from cisgram.explain.gene_gradients import attribute_to_gene
from cisgram.explain.gene_maps import mutate_for_gene
from cisgram.genome.interval import Interval


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_toy_model(tmp_path)
    return tmp_path


def explain(place: Path, command: str, *more: str, out: str = "map.npz") -> int:
    words = ["explain", command, "--model", str(place / "model"), "--out", str(place / out)]
    words += ["--genome", str(place / "toy.fa"), "--annotation", str(place / "genes.gff3")]
    return main([*words, *more])


def test_effects_are_written_drawn_and_summed_up(place, capsys):
    (place / "sites.bed").write_text("c0\t590\t596\tTATA box\t0\t-\n")
    figure = ("--figure", str(place / "map.png"), "--sites", str(place / "sites.bed"))
    assert explain(place, "ism", "--region", "c0:581-600", *figure) == 0
    said = " ".join(capsys.readouterr().out.split())
    with np.load(place / "map.npz") as found:
        arrays = dict(found)
    reader, reference = toy_reader(), write_toy_model(place / "again")
    expected = mutate_for_gene(reader, reference, Interval("c0", 580, 600), gene=GENES["left"])
    assert arrays["effects"].shape == (20, 4)
    np.testing.assert_allclose(arrays["effects"], expected.of("worth"), rtol=1e-3, atol=1e-6)
    assert arrays["all_effects"].shape == (20, 4, 2)
    assert (str(arrays["gene"]), str(arrays["track"])) == ("left", "worth")
    at = abs(arrays["effects"]).max(axis=1).argmax()
    own = "ACGT"[arrays["tokens"][at]]
    assert f"left, worth: the strongest of 60 changes is c0:{581 + at} {own}>" in said
    assert (place / "map.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("steps", [None, 3])
def test_gradients_are_written_drawn_and_summed_up(place, capsys, steps):
    more = ["--region", "c0:581-600(-)", "--track", "word+", "--figure", str(place / "map.svg")]
    more += [] if steps is None else ["--steps", str(steps)]
    assert explain(place, "gradients", *more) == 0
    said = " ".join(capsys.readouterr().out.split())
    with np.load(place / "map.npz") as found:
        arrays = dict(found)
    reader, reference = toy_reader(), write_toy_model(place / "again")
    expected = attribute_to_gene(
        reader, reference, GENES["left"], output="word+", n_steps=steps
    ).within(Interval("c0", 580, 600, "-"))
    np.testing.assert_allclose(arrays["hypothetical"], expected.hypothetical, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(
        arrays["contributions"], expected.contributions, rtol=1e-3, atol=1e-7
    )
    np.testing.assert_array_equal(arrays["tokens"], expected.tokens)
    assert float(arrays["reference"]) == pytest.approx(expected.reference, rel=1e-4)
    assert (str(arrays["gene"]), str(arrays["region"])) == ("left", "c0:581-600(-)")
    at = abs(arrays["contributions"]).argmax()
    own = "ACGT"[arrays["tokens"][at]]
    assert f"left, word+: the strongest of 20 bases is c0:{600 - at} {own}, " in said
    assert ("whole window is off by" in said) == (steps is not None)
    assert np.isnan(arrays["completeness_gap"]) == (steps is None)
    assert int(arrays["n_steps"]) == (steps or 0)
    assert "by integrated gradients" in title(place) or steps is None


def title(place: Path) -> str:
    """Comments of the picture hold what its paths write."""
    return (place / "map.svg").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--region", "c0:581-600", "--gene", "up"), "has no gene up"),
        (("--region", "c0:581-600", "--track", "tss"), "track must be"),
        (("--region", "c0:1,950-2,050"), "reaches past the 2,000 bases of c0"),
        (("--region", "c0:581-600", "--figure", "map.jpg"), "must end in .png"),
        (("--region", "c0:1,000-1,010", "--gene", "LEF1"), "reaches outside"),
    ],
)
@pytest.mark.parametrize("command", ["ism", "gradients"])
def test_what_cannot_be_explained_is_one_sentence(place, capsys, command, more, message):
    assert explain(place, command, *more) == 2
    error = capsys.readouterr().err
    assert message in " ".join(error.split())
    assert error.count("\n") == 1
    assert not (place / "map.npz").exists()


def test_what_cannot_be_written_is_refused_before_anything_is_computed(place, capsys):
    for command in ("ism", "gradients"):
        assert explain(place, command, "--region", "c0:581-600", out="map.txt") == 2
        assert "map.txt must end in .npz; rename it." in " ".join(capsys.readouterr().err.split())
    assert explain(place, "gradients", "--region", "c0:581-600", "--steps", "0") == 2
    assert "steps must be at least 1; got 0." in capsys.readouterr().err


def test_sites_that_cannot_be_drawn_leave_no_file(place, capsys):
    (place / "sites.bed").write_text("no table\n")
    sites = ("--sites", str(place / "sites.bed"))
    assert explain(place, "ism", "--region", "c0:581-600", *sites) == 2
    assert "add --figure" in capsys.readouterr().err
    assert (
        explain(place, "ism", "--region", "c0:581-600", *sites, "--figure", str(place / "map.png"))
        == 2
    )
    assert "is no table" in " ".join(capsys.readouterr().err.split())
    assert not list(place.glob("map.*"))
