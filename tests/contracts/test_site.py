"""The site: every page is in it, it builds without a warning, and it works from a disk."""

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from cyclopts import App

from cisgram.cli.app import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
API = sorted((DOCS / "reference" / "api").glob("*.md"))
PHONE = {"width": 390, "height": 844}
FITS = "document.documentElement.scrollWidth <= innerWidth"
OF_THE_ROOT = {"contributing.md", "changelog.md"}
"""Pages that the site makes of files beside `docs`."""


class _Config(yaml.SafeLoader):
    """Reads mkdocs.yml; what Python makes of a value is nothing here."""


_Config.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def nav_pages(entries: list[Any]) -> Iterator[str]:
    """Yield the pages that a navigation names, in order."""
    for entry in entries:
        for target in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(target, str):
                yield target
            else:
                yield from nav_pages(target)


def test_every_page_is_in_the_navigation_once() -> None:
    nav = list(nav_pages(yaml.load((ROOT / "mkdocs.yml").read_text(), _Config)["nav"]))
    files = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(nav) == sorted(files | OF_THE_ROOT)


def documented(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what an API page documents, each with the members that are picked from it."""
    for block in re.finditer(r"^::: (\S+)\n((?: .*\n)*)", text, re.MULTILINE):
        options = yaml.safe_load(block[2]) or {}
        yield block[1], options.get("options", {}).get("members", [])


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_names_of_the_api_pages_resolve(path: Path) -> None:
    for name, members in documented(path.read_text()):
        documented_object = pkgutil.resolve_name(name)
        assert documented_object.__doc__, name
        for member in members:
            assert getattr(documented_object, member).__doc__, f"{name}.{member}"


def test_the_api_pages_name_modules() -> None:
    named = [name for path in API for name, _ in documented(path.read_text())]
    assert "cisgram.genome.interval" in named
    assert len(named) == len(set(named))


@pytest.fixture
def cli_reference(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("cli_reference")


def commands(node: App, words: tuple[str, ...] = ("cisgram",)) -> Iterator[tuple[str, App]]:
    """Yield every command with the words that call it."""
    if node.default_command is not None:
        yield " ".join(words), node
    for name in node:
        if not name.startswith("-"):
            yield from commands(node[name], (*words, name))


def test_the_reference_has_every_command_and_option(cli_reference: ModuleType) -> None:
    sections = dict(re.findall(r"^#+ `(.*)`\n([^#]*)", cli_reference.reference(), re.MULTILINE))
    for words, node in commands(app):
        shown = [argument for argument in node.assemble_argument_collection() if argument.show]
        entries = re.findall(r"^`([\w-]+).*`\n:   \S", sections[words], re.MULTILINE)
        assert entries == [argument.name for argument in shown], words


def test_the_reference_says_choices_defaults_and_negatives(cli_reference: ModuleType) -> None:
    text = cli_reference.reference()
    assert "*One of `none`, `log`, `inverse-normal`.* *Default: `inverse-normal`.*" in text
    assert "`--relatives / --no-relatives`" in text
    assert "*Default: `--relatives`.*" in text
    assert "`--parts TEXT...`" in text
    assert "cisgram personal fit COHORT --out PATH [OPTIONS]" in text


def test_doctests_become_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("griffe", reason="needs pip install 'cisgram[docs]'")
    monkeypatch.syspath_prepend(ROOT / "scripts")
    with_examples = importlib.import_module("docs_examples").with_examples
    plain = "Count.\n\nRaises:\n    ValueError: never."
    assert with_examples(plain) == plain
    assert (
        with_examples(f"{plain}\n\n>>> 1 + 1\n2") == f"{plain}\n\nExamples:\n    >>> 1 + 1\n    2"
    )


class _Page(HTMLParser):
    """Anchors of a page, what it links to and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values["id"]} if "id" in values else set()
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag in {"link", "script", "img", "iframe"}:
            self.loads += [values[name] for name in ("href", "src") if name in values]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built where no warning is let pass."""
    pytest.importorskip("mkdocs", reason="needs pip install 'cisgram[docs]'")
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", out],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Page]:
    return {path: _Page(path.read_text()) for path in site.rglob("*.html")}


@pytest.mark.whole
def test_links_of_the_site_lead_somewhere(site: Path, pages: dict[Path, _Page]) -> None:
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in {"http", "https"} or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.relative_to(site)} links to {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path.name}: {link}"


@pytest.mark.whole
def test_the_site_loads_nothing_from_elsewhere(site: Path, pages: dict[Path, _Page]) -> None:
    for path, page in pages.items():
        assert not [load for load in page.loads if "//" in load], path.relative_to(site)
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", style.read_text()), style.name


@pytest.mark.whole
def test_every_public_name_is_on_the_site(site: Path) -> None:
    api = (site / "reference" / "api").glob("*.html")
    text = "".join(path.read_text() for path in api)
    for name in ("genome.interval.Interval.parse", "personal.fit.Fit", "core.checks.DataError"):
        assert f'id="cisgram.{name}"' in text


@pytest.mark.whole
def test_the_site_works_from_a_disk(site: Path, browser: Any) -> None:
    """Nothing but files is asked for, search finds, and no page is wider than a phone."""
    errors = importlib.import_module("playwright.sync_api")
    page = browser.new_page(viewport=PHONE)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    index = json.loads((site / "search" / "search_index.json").read_text())
    for name in sorted({entry["location"].partition("#")[0] for entry in index["docs"]}):
        page.goto((site / name).as_uri())
        try:  # the page's script wraps wide tables a moment after it has loaded
            page.wait_for_function(FITS, timeout=3_000)
        except errors.TimeoutError:
            pytest.fail(f"{name} is wider than a phone")
    page.goto(f"{(site / 'index.html').as_uri()}?q=elastic+net")
    found = page.locator(".md-search-result__item").first
    found.wait_for(state="attached", timeout=10_000)
    assert "lastic" in (found.text_content() or "")
    assert not [words for words in said if not words.startswith(("file:", "data:", "blob:"))]
    page.close()
