"""Numbers in the pages are those of the benchmarks, and links lead somewhere."""

import importlib
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from cisgram.data.registry import list_datasets

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
RESULTS = ROOT / "benchmarks" / "results"
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture
def render_docs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("render_docs")


def regions(text: str, waiting: list[str]) -> dict[str, str]:
    """Return what stands in each region, those that wait for a declaration left out."""
    found = re.findall(r"<!-- begin: (\S+) -->\n(.*?)\n?<!-- end -->", text, re.DOTALL)
    return {region: shown for region, shown in found if region.partition(".")[0] not in waiting}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_are_rendered_from_the_results(path: Path, render_docs: ModuleType) -> None:
    text = path.read_text()
    assert render_docs.render(text) == text, "run python scripts/render_docs.py"


def test_a_changed_result_makes_a_page_stale(render_docs: ModuleType, tmp_path: Path) -> None:
    for file in RESULTS.glob("*.json"):
        shutil.copy(file, tmp_path)
    page = (DOCS / "evaluations" / "geuvadis.md").read_text()
    assert render_docs.render(page, tmp_path) == page
    changed = json.loads((tmp_path / "geuvadis_linear.json").read_text())
    changed["models"][0]["mean_pearson"] += 0.1
    (tmp_path / "geuvadis_linear.json").write_text(json.dumps(changed))
    assert render_docs.render(page, tmp_path) != page


@pytest.mark.parametrize("content", [None, "{}", '{"models": [], "scaling": {}}'])
def test_what_is_not_measured_says_so(
    content: str | None, render_docs: ModuleType, tmp_path: Path
) -> None:
    declared, waiting = render_docs.declared()
    for region in declared:
        if content is not None:
            (tmp_path / f"{region.partition('.')[0]}.json").write_text(content)
    for path in PAGES:
        text = path.read_text()
        rendered = regions(render_docs.render(text, tmp_path), waiting)
        assert set(rendered.values()) <= {render_docs.NOT_MEASURED}
        assert rendered.keys() == regions(text, waiting).keys()


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_path_of_a_table_leads_somewhere(path: Path, render_docs: ModuleType) -> None:
    """A misspelt path would leave a column empty, or a region not measured."""
    for region, shown in regions(path.read_text(), render_docs.declared()[1]).items():
        assert render_docs.NOT_MEASURED not in shown, region
        for table in TABLE.findall(f"{shown}\n"):
            head, _, *rows = (
                [c.strip() for c in line.split("|")[1:-1]] for line in table.split("\n")[:-1]
            )
            for heading, column in zip(head, zip(*rows, strict=True), strict=True):
                assert any(column), f"{region}: {heading}"


def test_a_region_that_nothing_writes_is_refused(render_docs: ModuleType) -> None:
    with pytest.raises(ValueError, match="no table is called demo\\.nothing; there are"):
        render_docs.render("<!-- begin: demo.nothing -->\n<!-- end -->")
    with pytest.raises(ValueError, match="does not end"):
        render_docs.render("<!-- begin: demo.models -->\n")


def test_every_table_stands_on_a_page(render_docs: ModuleType) -> None:
    declared, waiting = render_docs.declared()
    shown = {region for path in PAGES for region in regions(path.read_text(), waiting)}
    assert shown == declared.keys()


def test_results_wait_only_while_nothing_is_declared(render_docs: ModuleType) -> None:
    declared, waiting = render_docs.declared()
    on_pages = {
        region.partition(".")[0] for path in PAGES for region in regions(path.read_text(), [])
    }
    assert set(waiting) <= on_pages - {region.partition(".")[0] for region in declared}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_with_numbers_say_how_to_measure_them_again(path: Path) -> None:
    text = path.read_text()
    for file in {region.partition(".")[0] for region in regions(text, [])}:
        assert f"benchmarks/results/{file}.json" in text or f"benchmarks/{file}.py" in text, (
            f"{name(path)} quotes {file} without its command"
        )


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.is_file(), f"{name(path)} links to {target}"
        if anchor:
            assert anchor in anchors(linked), f"{name(path)} links to {target}"


def anchors(path: Path) -> set[str]:
    """Return the anchors that headings get where the pages are read."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def test_the_page_on_data_names_every_data_set() -> None:
    page = (DOCS / "how-to" / "data.md").read_text()
    table = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    assert re.findall(r"`([\w.-]+)`", table) == sorted(
        (dataset.name for dataset in list_datasets()), key=table.index
    )
