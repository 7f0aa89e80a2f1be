"""The page of one gene: from the command to a browser."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from prediction.toy_reader import write_toy_model

from cisgram.cli.app import main
from cisgram.core.metrics import pearson
from cisgram.explain.gene_maps import importance
from cisgram.models.checkpoint import save_model
from models.tiny import tiny_lm

ALWAYS = {
    f"{part}.{kind}" for part in ("tracks", "effects", "gradients") for kind in ("npz", "svg")
}
EXPECTED, WORDS = {"expected.tsv", "expected.svg"}, {"words.tsv", "words.svg"}
HITS = {"hits.tsv", "hits.svg"}
MOTIFS = ">M1 AnyA\nA [ 20 ]\nC [ 0 ]\nG [ 0 ]\nT [ 0 ]\n>M2 NoSite\n" + "".join(
    f"{base} [ {' '.join(['20' if base == 'C' else '0'] * 12)} ]\n" for base in "ACGT"
)
WORD = ("--word", "TATA=TATAAA", "--distances", "20", "--promoter", "40", "--n-genes", "2")
FEW = ("--n-backgrounds", "1", "--n-nulls", "1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("secret")
    write_toy_model(place)
    (place / "motifs.jaspar").write_text(MOTIFS)
    save_model(place / "lm", tiny_lm(), card={"held_out": {"test": ["c3"]}})
    (place / "sites.bed").write_text("c0\t590\t596\tTATA <box>\t0\t-\nc0\t593\t598\tnear\t0\t+\n")
    return place


def explain(place: Path, *more: str, out: Path) -> int:
    words = ["explain", "report", "--model", str(place / "model"), "--out", str(out)]
    words += ["--genome", str(place / "toy.fa"), "--annotation", str(place / "toy.gff3")]
    return main([*words, "--region", "c0:581-600(-)", "--gene", "c0_15", *more])


@pytest.fixture(scope="module")
def whole(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a page with everything."""
    out = tmp_path_factory.mktemp("whole") / "page"
    more = ("--language-model", str(place / "lm"), "--sites", str(place / "sites.bed"))
    more += ("--scan", str(place / "motifs.jaspar"))
    assert explain(place, *more, *WORD, *FEW, out=out) == 0
    return out


def test_every_explanation_is_written_drawn_and_on_the_page(whole, place):
    names = {path.name for path in whole.iterdir()}
    assert names == ALWAYS | HITS | EXPECTED | WORDS | {"report.html"}
    page = (whole / "report.html").read_text()
    titles = re.findall(r"<h3.*?>(.*?)</h3>", page)
    assert len(titles) == page.count("<svg ") == 6
    assert "http://" not in page
    assert "https://" not in page
    assert str(place) not in page
    assert "<script" not in page
    assert "TATA &lt;box&gt;" in page
    assert "TATA <box>" not in page
    identifiers = re.findall(r' id="(.*?)"', page)
    assert len(set(identifiers)) == len(identifiers)
    for target in re.findall(r'href="#(.*?)"', page):
        assert target in identifiers
    assert pl.read_csv(whole / "expected.tsv", separator="\t").height == 20
    assert pl.read_csv(whole / "words.tsv", separator="\t")["word"].to_list() == ["TATA"]


def test_numbers_on_the_page_are_those_of_the_arrays(whole):
    page = " ".join((whole / "report.html").read_text().split())
    with np.load(whole / "effects.npz") as map_, np.load(whole / "gradients.npz") as slopes:
        effects, contributions = map_["effects"], slopes["contributions"]
    r = float(pearson(contributions, importance(effects)))
    assert f"<i>r</i> = {r:.2f}</b>; over single changes".replace("-", "−") in page
    inside = np.zeros(20, dtype=bool)
    inside[2:10] = True  # 590 to 598 of 580 to 600, from the right
    for said, sizes in (
        ("strongest change weighs", np.abs(effects).max(axis=1)),
        ("adds or takes", np.abs(contributions)),
    ):
        means = [f"{sizes[part].mean():.3f}" for part in (inside, ~inside)]
        assert f"{said} {means[0]} on average" in page
        assert f"{means[1]} on the others" in page


def test_motifs_are_those_that_the_dna_holds(whole):
    table = pl.read_csv(whole / "hits.tsv", separator="\t")
    with np.load(whole / "effects.npz") as arrays:
        tokens = arrays["tokens"]
    assert set(table["motif"]) == {"AnyA"}
    assert table.height == np.isin(tokens, [0, 3]).sum()
    # Of a region read along -, its last base is the first of the chromosome.
    minus = table.filter(pl.col("strand") == "-")["start"].to_numpy()
    assert sorted(599 - minus) == np.flatnonzero(tokens == 0).tolist()
    page = (whole / "report.html").read_text()
    assert f"{table.height} matches" in page


def test_nothing_is_said_of_what_was_not_named(place, tmp_path, capsys):
    assert explain(place, out=tmp_path / "out") == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == ALWAYS | {"report.html"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg ") == 3
    for words in ("Motifs", "known site", "language model", "Words", "violet"):
        assert words not in page
    assert "Its card does not say which DNA was held out" in page
    said = " ".join(capsys.readouterr().out.split())
    assert "model predicts worth" in said
    assert "Gradients and changes correlate at" in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--language-model", "model"), "model is"),
        (("--language-model", "none"), "there is no model"),
        (("--n-genes", "4"), "options of words and no words"),
        (("--word", "TATA=TATAAA", "--distances", "600"), "must lie within the 500 bases"),
        (("--sites", "toy.fa"), "is no table"),
        (("--scan", "sites.bed"), "neither JASPAR nor MEME"),
        (("--track", "tss"), "track must be"),
    ],
)
def test_what_cannot_be_used_is_refused_and_leaves_nothing(
    place, tmp_path, capsys, monkeypatch, more, message
):
    monkeypatch.chdir(place)
    monkeypatch.setattr("cisgram.report.gene_section.write_signal_part", None)
    assert explain(place, *more, out=tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in " ".join(error.split())
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_directory_is_refused_at_once(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("cisgram.report.gene_section.write_signal_part", None)
    (tmp_path / "out").write_text("mine")
    assert explain(place, out=tmp_path / "out") == 2
    assert "cannot write" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.whole
@pytest.mark.parametrize("size", [(1320, 900), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_the_screen_and_can_be_read(browser: Any, whole: Path, size, scheme):
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
    )
    page, complaints, requests = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    address = (whole / "report.html").as_uri()
    page.goto(address)
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    for svg in page.locator(".picture svg").all():
        wide = float(svg.evaluate("svg => getComputedStyle(svg).getPropertyValue('--wide')"))
        shown = svg.bounding_box()["width"]
        assert wide - 1 <= shown <= 1.4 * wide + 1
    # Pictures keep their own ink, which is made for white paper.
    ink = page.locator(".picture svg text").first.evaluate("text => getComputedStyle(text).fill")
    assert ink == "rgb(17, 17, 17)"
    context.close()
