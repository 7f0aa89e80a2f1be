"""What the site has beyond the files of `docs`: generated pages, and links that leave `docs`.

mkdocs.yml names this file under `hooks`; mkdocs calls its functions while it builds the site.
"""

import os
import re
from pathlib import Path

from cli_reference import reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ROOT_PAGES = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site that are files of the repository's root."""
COMMANDS = "<!-- commands -->"
LINK = re.compile(r"\]\(([^)\s:#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages whose files lie outside `docs`."""
    for uri, source in ROOT_PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / source).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """List the commands where they belong, and let every link lead to a page of the site."""
    uri = page.file.src_uri
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, reference())
    source = ROOT / ROOT_PAGES[uri] if uri in ROOT_PAGES else DOCS / uri
    return LINK.sub(lambda link: _site_link(link, source.parent, (DOCS / uri).parent), markdown)


def _site_link(link: re.Match[str], written_in: Path, shown_in: Path) -> str:
    target = Path(os.path.normpath(written_in / link[1]))
    for uri, source in ROOT_PAGES.items():
        if target == ROOT / source:
            target = DOCS / uri
    return f"]({os.path.relpath(target, shown_in)}{link[2] or ''})"
