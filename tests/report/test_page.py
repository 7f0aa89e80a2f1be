"""The page itself, in a browser that may not reach any network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cisgram.core.checks import DataError
from cisgram.personal.fit import Fit
from cisgram.report.data import gather
from cisgram.report.html import build_report, render
from report.synthetic import across_populations

pytestmark = pytest.mark.whole
DESKTOP, PHONE = (1320, 900), (390, 844)
LIMIT = 5_000_000


@dataclass
class Visit:
    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def report(make_fits: Callable[..., list[Fit]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    build_report(make_fits(), None, out, title="Made-up people")
    return out


@pytest.fixture(scope="module")
def small(make_fits: Callable[..., list[Fit]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "small.html"
    build_report(make_fits(n_genes=120), None, out)
    return out


@pytest.fixture
def visit(browser: Any, small: Path) -> Iterator[Callable[..., Visit]]:
    contexts: list[Any] = []

    def open_page(
        size: tuple[int, int] = DESKTOP,
        scheme: str = "light",
        fragment: str = "",
        path: Path = small,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
        )
        contexts.append(context)
        visit = Visit(context.new_page())
        visit.page.set_default_timeout(10_000)
        visit.page.on("console", lambda message: visit.complaints.append(message.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.goto(path.as_uri() + fragment)
        return visit

    yield open_page
    for context in contexts:
        context.close()


def test_is_one_file_below_the_limit(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert len(text.encode()) < LIMIT
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_loads_quietly_and_fits_the_screen(
    visit: Callable[..., Visit], report: Path, size: tuple[int, int], scheme: str
) -> None:
    seen = visit(size, scheme, path=report)
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith("data:")] == [report.as_uri()]
    width = seen.page.evaluate("document.documentElement.scrollWidth")
    assert width == size[0]
    for name in ("models", "distribution", "scatter", "locus", "populations", "compare"):
        figure = seen.page.locator(f"#figure-{name}")
        assert figure.locator("line, path, rect").count() > 3, name
        assert len(figure.get_attribute("aria-label")) > 30, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(visit: Callable[..., Visit], scheme: str) -> None:
    page = visit(scheme=scheme).page
    for selector in ("h1", ".lede", ".task", "#gene-rows td", "figcaption", "#gene-place", "nav a"):
        assert page.evaluate(_CONTRAST, selector) >= 4.5, selector


def test_sorts_by_any_column(visit: Callable[..., Visit]) -> None:
    page = visit().page
    assert _column(page, "pearson") == sorted(_column(page, "pearson"), reverse=True)
    for column in ("spearman", "r2", "snps"):
        _head(page, column).click()
        assert _column(page, column) == sorted(_column(page, column), reverse=True)
        _head(page, column).click()
        assert _column(page, column) == sorted(_column(page, column))
    _head(page, "gene").click()
    assert page.locator("#gene-rows a").all_inner_texts()[:3] == ["GENE0", "GENE1", "GENE2"]


def test_filters_by_text_accuracy_and_acceptance(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.fill("#filter-text", "gene10")
    names = page.locator("#gene-rows a").all_inner_texts()
    assert set(names) == {"GENE10", *(f"GENE10{i}" for i in range(10))}
    page.fill("#filter-text", "")
    page.fill("#filter-least", "0.5")
    assert min(_column(page, "pearson")) >= 0.5
    page.fill("#filter-least", "-1")
    everything = page.inner_text("#count")
    page.check("#filter-accepted")
    assert page.inner_text("#count") != everything
    page.fill("#filter-text", "no such gene")
    assert page.locator("#gene-rows tr").count() == 0


def test_a_gene_bar_is_drawn_where_more_than_the_tss_is_known(
    visit: Callable[..., Visit], make_fits: Callable[..., list[Fit]], tmp_path: Path
) -> None:
    tss = pl.col("tss")
    fits = [
        replace(fit, genes=fit.genes.with_columns(start=tss, end=tss + 1))
        for fit in make_fits(n_genes=120)
    ]
    build_report(fits, None, tmp_path / "tss.html")
    for page, n in ((visit().page, 1), (visit(path=tmp_path / "tss.html").page, 0)):
        assert page.locator("#figure-locus .body").count() == n
        assert page.inner_text("#locus-caption").count("Grey bar") == n
        assert page.locator("#figure-locus .tss.line").count() == 1


def test_genes_have_both_names_and_bars_a_key(visit: Callable[..., Visit]) -> None:
    page = visit().page
    first = page.locator("#gene-rows tr").first
    names = (first.locator("a").inner_text(), first.locator(".identifier").inner_text())
    assert names[0].startswith("GENE")
    assert names[1].startswith("ENSG")
    page.fill("#filter-text", names[1])
    assert page.locator("#gene-rows a").all_inner_texts() == [names[0]]
    r, bar = float(first.locator("td").nth(2).inner_text()), "e => e.getBoundingClientRect().width"
    key = page.locator("#bar-key .meter").first.evaluate(bar)
    assert first.locator(".meter").evaluate(bar) / key == pytest.approx(r / 0.5, abs=0.05)
    assert page.locator(".genes").get_attribute("aria-describedby") == "count bar-key"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_printed_it_fits_the_paper_in_dark_ink(visit: Callable[..., Visit], scheme: str) -> None:
    page = visit((718, 1000), scheme).page  # A4 less margins of 1 cm
    page.emulate_media(media="print", color_scheme=scheme)
    off = "() => [...document.querySelectorAll('td, th, p, svg')].filter((e) => "
    off += "e.getBoundingClientRect().right > 720).map((e) => e.outerHTML.slice(0, 80))"
    assert page.evaluate(off) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 718
    assert page.evaluate(_CUT) == []
    for selector in ("h1", "#gene-rows td", ".identifier", "figcaption"):
        assert page.evaluate(_CONTRAST, selector) >= 4.5, selector
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".switcher").is_visible()


def test_turns_pages(visit: Callable[..., Visit]) -> None:
    page = visit().page
    first = page.locator("#gene-rows a").all_inner_texts()
    page.click("#page-on")
    assert not set(first) & set(page.locator("#gene-rows a").all_inner_texts())
    page.click("#page-back")
    assert page.locator("#gene-rows a").all_inner_texts() == first


def test_a_gene_shows_its_people_and_snps(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.locator("#gene-rows tr").nth(4).click()
    name = page.locator("#gene-rows a").nth(4).inner_text()
    page.wait_for_function(f"document.getElementById('gene-title').textContent === '{name}'")
    assert "gene=ENSG" in page.url
    points = page.locator("#figure-scatter .pop").evaluate_all(
        "paths => paths.map(path => (path.getAttribute('d').match(/M/g) || []).length)"
    )
    assert 340 < sum(points) <= 358
    assert page.locator("#legend button").count() == 4
    assert "r = " in page.inner_text("#gene-words")
    assert page.locator("#figure-locus circle").count() == 34
    page.focus("#figure-locus")
    page.keyboard.press("ArrowRight")
    assert "effect allele" in page.inner_text("#locus-tip")


def test_a_population_can_be_seen_alone(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.locator("#legend button").first.click()
    assert page.locator("#figure-scatter .pop.faded").count() == 3


def test_the_address_names_gene_and_model(visit: Callable[..., Visit]) -> None:
    page = visit(fragment="#gene=ENSG00000100007.8&model=top-snp").page
    assert page.inner_text("#gene-title") == "GENE7"
    assert page.locator("#figure-locus circle").count() == 1
    page.locator("#switcher span", has_text="lasso").click()
    assert page.url.endswith("#gene=ENSG00000100007.8&model=lasso")
    assert page.locator("#figure-locus circle").count() == 18


def test_the_keyboard_reaches_genes_and_models(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.locator("#gene-rows a").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    name = page.locator("#gene-rows a").nth(1).inner_text()
    page.wait_for_function(f"document.getElementById('gene-title').textContent === '{name}'")
    page.locator("#switcher input").first.focus()
    page.keyboard.press("ArrowRight")
    assert "model=lasso" in page.url


def test_the_table_downloads(visit: Callable[..., Visit], tmp_path: Path) -> None:
    page = visit().page
    page.fill("#filter-least", "0.3")
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "genes.tsv")
    table = pl.read_csv(tmp_path / "genes.tsv", separator="\t")
    assert download.value.suggested_filename == "genes-elastic-net.tsv"
    assert f"{table.height} of 120 genes" in page.inner_text("#count")
    assert table["pearson"].min() >= 0.3


def test_names_cannot_become_markup(
    visit: Callable[..., Visit], make_fits: Callable[..., list[Fit]], tmp_path: Path
) -> None:
    hostile = "</script><script>document.title='taken'</script>"
    fits = make_fits(n_genes=12, n_people=60, models=("elastic-net",))
    names = pl.Series("name", [hostile] * 12)
    fit = replace(fits[0], genes=fits[0].genes.with_columns(names))
    fit = replace(fit, weights=fit.weights.with_columns(pl.lit(hostile).alias("id")))
    fit = replace(fit, populations=(hostile,) * 60)
    out = tmp_path / "hostile.html"
    build_report([fit], None, out, title=hostile, notes=[hostile])
    seen = visit(path=out)
    assert seen.complaints == []
    assert seen.page.title() == hostile
    assert seen.page.inner_text("#gene-title") == hostile
    assert seen.page.locator("script").count() == 2


@pytest.mark.slow
def test_twenty_thousand_genes_stay_small_and_quick(
    visit: Callable[..., Visit], make_fits: Callable[..., list[Fit]], tmp_path: Path
) -> None:
    out = tmp_path / "large.html"
    build_report(make_fits(20_000, 60, models=("top-snp", "lasso")), None, out)
    assert out.stat().st_size < LIMIT
    page = visit(path=out).page
    assert "genes with the largest |r|" in page.inner_text("#genes")
    took = page.evaluate(
        "() => { const start = performance.now();"
        " document.querySelector('th[data-column=spearman] button').click();"
        " return performance.now() - start; }"
    )
    assert took < 1000
    page.fill("#filter-text", "GENE19999")
    assert page.locator("#gene-rows tr").count() == 1


def test_says_what_was_leaked_or_permuted(make_fits: Callable[..., list[Fit]]) -> None:
    fit = make_fits(n_genes=12, n_people=60, models=("lasso",))[0]
    config = replace(fit.config, normalize_on="everyone", permutation=3)
    page = render(gather([replace(fit, config=config)]))
    assert "Leaked on purpose" in page
    assert "these numbers are too good" in page
    assert "given another person's genotypes" in page
    for claim in ("Fitted on training people only", "had not seen", "standardised on training"):
        assert claim not in page
        assert claim in render(gather([fit]))


def test_one_gene_claims_no_interval(make_fits: Callable[..., list[Fit]]) -> None:
    two = [replace(fit, genes=fit.genes[:1]) for fit in make_fits(n_genes=12, n_people=60)[:2]]
    one = [replace(f, predictions=f.predictions[:1], measured=f.measured[:1]) for f in two]
    page = render(gather(one))
    assert "one gene has no interval over genes" in page
    assert "one gene does not tell the two apart" in page
    assert "people apart by their genotypes" not in page


def test_says_how_each_model_chooses(make_fits: Callable[..., list[Fit]]) -> None:
    fits = make_fits(n_genes=12, n_people=60)
    page = render(gather(fits))
    assert "the penalty of elastic net and lasso by cross-validation" in page
    page = render(gather(fits[2:]))
    assert "the penalty of ridge (BLUP) by REML" in page
    assert "the top SNP by its correlation with expression" in page
    assert "cross-validation" not in page


def test_speaks_of_no_folds_across_populations(
    visit: Callable[..., Visit], make_fits: Callable[..., list[Fit]], tmp_path: Path
) -> None:
    fits = [across_populations(fit) for fit in make_fits(n_genes=12, n_people=120)]
    genes = fits[0].genes.with_columns(pl.lit(-12.224).alias("r2"))
    build_report([replace(fits[0], genes=genes), *fits[1:]], None, tmp_path / "across.html")
    page = visit(PHONE, path=tmp_path / "across.html").page
    assert _column(page, "r2") == [-12.224] * 10
    words = page.inner_text("main")
    assert "held-out people with r = " in words
    assert "(FIN)" in words
    assert "over folds" not in words
    assert "last model" not in words
    assert page.locator("#legend button").count() == 1


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_labels_stay_in_their_figures_and_apart(
    visit: Callable[..., Visit], size: tuple[int, int]
) -> None:
    page = visit(size).page
    assert page.evaluate(_CUT) == []
    ticks = page.locator("#figure-locus text.muted[text-anchor=middle]")
    assert ticks.count() >= 3


def test_leaves_nothing_where_it_cannot_write(
    make_fits: Callable[..., list[Fit]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    fits = make_fits(n_genes=12, n_people=60, models=("lasso",))
    with pytest.raises((DataError, OSError)):
        build_report(fits, None, tmp_path / "file" / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


_CONTRAST = """(selector) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let element = document.querySelector(selector);
  const ink = light(parse(getComputedStyle(element).color).slice(0, 3));
  const behind = () => parse(getComputedStyle(element).backgroundColor);
  while (behind()[3] === 0) element = element.parentElement;
  const paper = light(behind().slice(0, 3));
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
}"""


_CUT = """() => {
  const cut = [];
  for (const figure of document.querySelectorAll("svg")) {
    const whole = figure.getBoundingClientRect();
    const labels = [...figure.querySelectorAll("text")].map(
      (text) => [text.textContent, text.getBoundingClientRect()]);
    labels.forEach(([text, box], i) => {
      if (box.left < whole.left - 2 || box.right > whole.right + 2) cut.push([figure.id, text]);
      for (const [other, next] of labels.slice(i + 1)) {
        const across = Math.min(box.right, next.right) - Math.max(box.left, next.left);
        const down = Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top);
        if (across > 1 && down > 3) cut.push([figure.id, text, other]);
      }
    });
  }
  return cut;
}"""


def _head(page: Any, column: str) -> Any:
    return page.locator(f"th[data-column={column}] button")


def _column(page: Any, column: str) -> list[float]:
    heads = page.locator("#gene-head th").evaluate_all("heads => heads.map(h => h.dataset.column)")
    cells = page.locator(f"#gene-rows td:nth-child({heads.index(column) + 1})").all_inner_texts()
    return [float(cell.replace("−", "-").replace(",", "")) for cell in cells]
