"""The section of a gene in a report of fits, and the gene on a page of its own."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from matplotlib.figure import Figure

from cisgram.core.checks import DataError
from cisgram.explain.gene import GeneExplanation
from cisgram.explain.sections import Section
from cisgram.personal.fit import Fit
from cisgram.report.html import build_report, write_gene_page

HOSTILE = "</script><b>a</b> & 'b'"


def draw() -> Figure:
    figure = Figure()
    figure.text(0.5, 0.5, "drawn")
    return figure


def a_section(name: str, **more: Any) -> Section:
    options: dict[str, Any] = {"title": f"Title of {name}", "sentence": f"Sentence of {name}."}
    return Section(name=name, draw=draw, caption=f"Caption of {name}.", **(options | more))


def a_gene(*sections: Section, **more: Any) -> GeneExplanation:
    options: dict[str, Any] = {
        "model": "toy",
        "held_out": "It says nothing.",
        "gene": "YNL243W",
        "name": "SLA2",
        "region": "chrXIV:1-9",
        "output": "worth",
        "units": "log2 reads",
        "predictions": {"worth": -2.345, "age": 1.0},
    }
    return GeneExplanation(sections=sections, **(options | more))


TABLE = pl.DataFrame({"site": ["Abf1", ""], "in_sites": [1, 2], "effect": [-0.1234, float("nan")]})


@pytest.fixture(scope="module")
def page(make_fits: Callable[..., list[Fit]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of fits with a gene of two sections."""
    out = tmp_path_factory.mktemp("report") / "page.html"
    fits = make_fits(n_genes=20, n_people=80, models=("lasso", "top-snp"))
    gene = a_gene(a_section("one", table=TABLE, facts={"a": 1}), a_section("two", table=TABLE[:0]))
    build_report(fits, None, out, gene=gene)
    return out.read_text(encoding="utf-8")


def test_a_report_has_a_section_of_its_gene(page: str) -> None:
    assert '<a href="#gene">From sequence</a>' in page
    assert "SLA2, from its sequence" in page
    text = " ".join(page.split())
    assert "toy predicts the gene SLA2 (YNL243W) from DNA alone. It says nothing." in text
    assert "The predicted worth, log2 reads, is −2.345. Every base of chrXIV:1-9 is explained." in (
        text
    )
    for name in ("one", "two"):
        for part in ("Title", "Sentence", "Caption"):
            assert f"{part} of {name}" in page


def test_pictures_beside_each_other_have_names_of_their_own(page: str) -> None:
    identifiers = re.findall(r' id="(.*?)"', page)
    assert len(set(identifiers)) == len(identifiers)
    assert {"one-figure_1", "two-figure_1"} <= set(identifiers)
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_tables_are_written_with_true_minus_signs(page: str) -> None:
    assert "Title of one, as a table" in page
    assert "Title of two, as a table" not in page
    (table,) = re.findall('<table class="changes">(.*?)</table>', page, re.S)
    assert re.findall(r'<th scope="col"(.*?)>(.*?)</th>', table) == [
        (' class="text"', "site"), ("", "in sites"), ("", "effect")
    ]  # fmt: skip
    assert re.findall("<td.*?>(.*?)</td>", table) == ["Abf1", "1", "−0.123", "–", "2", "–"]


def test_a_report_without_a_gene_has_none(
    make_fits: Callable[..., list[Fit]], tmp_path: Path
) -> None:
    fits = make_fits(n_genes=20, n_people=80, models=("lasso", "top-snp"))
    build_report(fits, None, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "From sequence" not in page
    assert 'id="gene"' not in page


def test_hostile_names_are_text(tmp_path: Path) -> None:
    section = a_section(
        "one", title=HOSTILE, sentence=HOSTILE, table=pl.DataFrame({HOSTILE: [HOSTILE]})
    )
    gene = a_gene(section, name=HOSTILE, model=HOSTILE, output="worth", held_out=HOSTILE)
    out = write_gene_page(gene, tmp_path / "new" / "page")
    page = out.read_text(encoding="utf-8")
    assert out == tmp_path / "new" / "page" / "report.html"
    assert "<b>a" not in page
    assert "</script" not in page
    assert page.count("&lt;b&gt;a&lt;/b&gt; &amp; &#39;b&#39;") >= 8


def test_a_gene_is_a_prediction_in_a_sentence_and_facts() -> None:
    gene = a_gene(a_section("one", facts={"a": 1}), a_section("two"))
    assert gene.headline == "toy predicts worth of SLA2 at -2.35."
    plain = gene.plain()
    assert plain["one"] == {"a": 1}
    assert "two" not in plain
    assert json.loads(json.dumps(plain))["predictions"] == {"worth": -2.345, "age": 1.0}


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match=r"cannot write .*page: a part of the path is a file"):
        write_gene_page(a_gene(a_section("one")), tmp_path / "file" / "page")
    assert (tmp_path / "file").read_text() == "mine"
