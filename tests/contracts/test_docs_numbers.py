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
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RESULTS = ROOT / "benchmarks" / "results"


def name(path: Path) -> str:
    return path.name


@pytest.fixture
def render_docs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that renders; its neighbours are imported as it does."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("render_docs")


def regions(text: str) -> list[str]:
    return re.findall(r"<!-- begin: (\S+) -->", text)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_are_rendered_from_the_results(path: Path, render_docs: ModuleType) -> None:
    text = path.read_text()
    assert render_docs.render(text) == text, "run python scripts/render_docs.py"


def test_a_changed_result_makes_a_page_stale(render_docs: ModuleType, tmp_path: Path) -> None:
    for file in RESULTS.glob("*.json"):
        shutil.copy(file, tmp_path)
    page = (ROOT / "docs" / "personal.md").read_text()
    assert render_docs.render(page, tmp_path) == page
    changed = json.loads((tmp_path / "geuvadis_linear.json").read_text())
    changed["models"][0]["mean_pearson"] += 0.1
    (tmp_path / "geuvadis_linear.json").write_text(json.dumps(changed))
    assert render_docs.render(page, tmp_path) != page


@pytest.mark.parametrize("content", [None, "{}", '{"models": [], "strength_ratio": {"0.01": {}}}'])
def test_what_is_not_measured_says_so(
    content: str | None, render_docs: ModuleType, tmp_path: Path
) -> None:
    for file in render_docs.TABLES:
        if content is not None:
            (tmp_path / f"{file}.json").write_text(content)
    for path in PAGES:
        rendered = render_docs.render(path.read_text(), tmp_path)
        found = re.findall(r"<!-- begin: \S+ -->\n(.*?)\n<!-- end -->", rendered, re.DOTALL)
        assert set(found) <= {render_docs.NOT_MEASURED}
        assert len(found) == len(regions(rendered))


def test_a_region_that_nothing_writes_is_refused(render_docs: ModuleType) -> None:
    with pytest.raises(ValueError, match="no table is called demo\\.nothing; there are"):
        render_docs.render("<!-- begin: demo.nothing -->\n<!-- end -->")
    with pytest.raises(ValueError, match="does not end"):
        render_docs.render("<!-- begin: demo.printed -->\n")


def test_every_table_stands_on_a_page(render_docs: ModuleType) -> None:
    written = {f"{file}.{table}" for file, tables in render_docs.TABLES.items() for table in tables}
    assert {region for path in PAGES for region in regions(path.read_text())} == written


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_with_numbers_say_how_to_measure_them_again(path: Path) -> None:
    text = path.read_text()
    for file in {region.partition(".")[0] for region in regions(text)}:
        assert f"benchmarks/results/{file}.json" in text or f"benchmarks/{file}.py" in text, (
            f"{path.name} quotes {file} without its command"
        )


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.is_file(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in anchors(linked), f"{path.name} links to {target}"


def anchors(path: Path) -> set[str]:
    """Return the anchors that headings get where the pages are read."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([^)\s]+)\)", index))


def test_the_page_on_data_names_every_data_set() -> None:
    page = (ROOT / "docs" / "data.md").read_text()
    table = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    assert re.findall(r"`([\w.-]+)`", table) == sorted(
        (dataset.name for dataset in list_datasets()), key=table.index
    )
