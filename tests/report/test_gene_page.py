"""The page of one gene: from the command to a browser."""

import io
import re
from html import unescape
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import polars as pl
import pytest

from cisgram.cli.app import main
from cisgram.core.metrics import pearson
from cisgram.models.hub import save_model
from prediction.toy_session import gene_model, language_model, write_genome, write_model

ALWAYS = {"signal.npz", "signal.svg", "mutagenesis.npz", "mutagenesis.svg", "attribution.npz"}
ALWAYS |= {"attribution.svg", "report.html"}
MORE = {
    f"{part}.{kind}" for part in ("motifs", "expected", "insertions") for kind in ("tsv", "svg")
}
MOTIFS = ">M1 AnyA\nA [ 20 ]\nC [ 0 ]\nG [ 0 ]\nT [ 0 ]\n>M2 NoSite\n" + "".join(
    f"{base} [ {' '.join(['20' if base == 'C' else '0'] * 12)} ]\n" for base in "ACGT"
)
MOTIF = "--motif TATA=TATAAA --distances 20 --promoter 30 --n-backgrounds 1 --n-nulls 1 --n-genes 2"
WHOLE = f"--language-model lm --sites sites.bed --scan motifs.jaspar {MOTIF}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("secret")
    write_genome(place)
    write_model(place, gene_model())
    save_model(place / "lm", language_model(), card={})
    (place / "motifs.jaspar").write_text(MOTIFS)
    (place / "sites.bed").write_text("c0\t590\t596\tTATA <box>\t0\t-\nc0\t593\t598\tnear\t0\t+\n")
    return place


def explain(place: Path, more: str, *, out: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        command = "explain report --model model --genome toy.fa --annotation genes.gff3 "
        command += f"--region c0:581-600(-) --gene LEF1 {more}"
        return main([*command.split(), "--out", str(out)])


@pytest.fixture(scope="module")
def whole(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a page with everything."""
    out = tmp_path_factory.mktemp("whole") / "page"
    assert explain(place, WHOLE, out=out) == 0
    return out


@pytest.fixture(scope="module")
def page(whole: Path) -> str:
    return (whole / "report.html").read_text()


def words_of(page: str) -> str:
    """Return the text of a page, as people read it."""
    return " ".join(unescape(re.sub("<svg.*?</svg>|<style.*?</style>|<.*?>", "", page, flags=re.S))
                    .split())  # fmt: skip


def test_every_section_is_written_drawn_and_on_the_page(whole: Path, page: str) -> None:
    assert {path.name for path in whole.iterdir()} == ALWAYS | MORE
    sections = re.findall(r'<h3 id="gene-(.*?)">', page)
    assert sections == ["signal", "mutagenesis", "motifs", "attribution", "expected", "insertions"]
    assert page.count("<svg ") == 6
    listed = re.findall("<dt>(.*?)</dt>", page)
    files = {f"{names.split('.')[0]}{end}" for names in listed
             for end in re.findall(r"\.\w+", names)}  # fmt: skip
    assert files == (ALWAYS | MORE) - {"report.html"}


def test_the_page_is_self_contained(place: Path, page: str) -> None:
    for address in ("http://", "https://", "<script", str(place)):
        assert address not in page
    identifiers = re.findall(r' id="(.*?)"', page)
    assert len(set(identifiers)) == len(identifiers)
    assert set(re.findall(r'href="#(.*?)"', page)) <= set(identifiers)


def test_names_are_written_and_not_obeyed(page: str) -> None:
    assert "TATA &lt;box&gt;" in page
    assert "TATA <box>" not in page


def test_numbers_on_the_page_are_those_of_the_arrays(whole: Path, page: str) -> None:
    words = words_of(page)
    with np.load(whole / "mutagenesis.npz") as found, np.load(whole / "attribution.npz") as slopes:
        effects, own, contributions = (
            found["effects"],
            found["contributions"],
            slopes["contributions"],
        )
    assert f"correlation with mutagenesis is {float(pearson(contributions, own)):.2f} over" in words
    inside = np.zeros(20, dtype=bool)
    inside[2:10] = True  # 590 to 598 of 580 to 600, from the right
    for said, sizes in (
        ("The strongest change of a base has an absolute effect of", np.abs(effects).max(axis=1)),
        ("Absolute contributions are", np.abs(contributions)),
    ):
        first, second = (f"{sizes[part].mean():.3f}" for part in (inside, ~inside))
        assert f"{said} {first} on average in known sites, {second} elsewhere." in words


def test_tables_on_the_page_are_those_of_the_files(whole: Path, page: str) -> None:
    (table,) = re.findall('aria-label="Motif insertion, as a table">(.*?)</table>', page, re.S)
    heads = re.findall(r'<th scope="col"(.*?)>(.*?)</th>', table)
    assert [name for _, name in heads] == ["motif", "distance", "effect", "low", "high", "null"]
    assert [bool(text) for text, _ in heads] == [True, *[False] * 5]
    cells = [cell.replace("−", "-").replace("+", "") for cell in re.findall("<td.*?>(.*?)<", table)]
    (row,) = pl.read_csv(whole / "insertions.tsv", separator="\t").rows(named=True)
    assert cells[:2] == ["TATA", "20"] == [row["motif"], str(row["distance"])]
    numbers = [row[name] for name in ("effect", "low", "high", "null")]
    assert [float(cell) for cell in cells[2:]] == pytest.approx(numbers, abs=1e-4)
    assert pl.read_csv(whole / "expected.tsv", separator="\t").height == 20


def test_nothing_is_said_of_what_was_not_requested(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(place, "", out=tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == ALWAYS
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg ") == 3
    body = words_of(page[: page.index('<section id="limits"')])
    for word in ("Motif", "known site", "language model", "Expected", "Violet", "nan"):
        assert word not in body
    assert "LEF1 (left) from DNA alone" in body
    assert "Its card does not say which DNA was held out" in body
    assert "The predicted worth, log2 worth, is" in body
    assert "Every base of c0:581-600(-) is explained, along strand −." in body
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("model predicts worth of LEF1 at ")
    assert "Their correlation with mutagenesis is" in said
    assert "report.html" in said.replace(" ", "")  # the path may be wrapped


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--language-model model", "model predicts word"),
        ("--n-genes 4", "options of motif insertion and no motifs"),
        ("--motif TATA=TATAAA --distances 600", "reaches past the 500 bases|needs two with"),
        ("--output tss", "output must be one of"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_computed(
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: str,
    message: str,
) -> None:
    monkeypatch.setattr("cisgram.explain.gene.region_signal", None)
    assert explain(place, more, out=tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert re.search(message, " ".join(error.split()))
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.whole
@pytest.mark.parametrize("size", [(1320, 900), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_the_screen_and_can_be_read(
    browser: Any, whole: Path, size: tuple[int, int], scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
    )
    page = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
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
        shown = svg.bounding_box()
        if size == (390, 844):
            assert (shown["x"], shown["x"] + shown["width"]) == (16, 374)  # none of it is cut
        else:
            assert wide - 1 <= shown["width"] <= 1.4 * wide + 1
    pixels = matplotlib.image.imread(io.BytesIO(page.locator(".picture svg").first.screenshot()))
    paper = pixels[20, 20, :3].mean()  # in the margin
    assert paper == 1 if scheme == "light" else paper < 0.15
    context.close()
