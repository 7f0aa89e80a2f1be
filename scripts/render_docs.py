"""Write the measured numbers of the docs from the results of the benchmarks.

    python scripts/render_docs.py [--check]

README.md and docs/*.md have regions `<!-- begin: FILE.TABLE -->` ... `<!-- end -->`. Each is
written anew from benchmarks/results/FILE.json, or says that it is not measured yet where the file
or the numbers it needs are absent. With --check nothing is written, and the exit code is 1
when a page is not up to date.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import accuracy_tables
import growth_tables
import lm_motif_tables
import lm_tables
import mutagenesis_tables
import reuse_tables
import speed_tables
import yeast_expression_tables
import yeast_motif_tables
import yeast_mpra_tables
import yeast_track_tables
from markdown_tables import NOT_MEASURED, Table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
REGION = re.compile(r"<!-- begin: (\S+) -->(.*?)<!-- end -->", re.DOTALL)
TABLES: dict[str, dict[str, Table]] = {
    **accuracy_tables.TABLES,
    **speed_tables.TABLES,
    **growth_tables.TABLES,
    **lm_tables.TABLES,
    **lm_motif_tables.TABLES,
    **mutagenesis_tables.TABLES,
    **reuse_tables.TABLES,
    **yeast_expression_tables.TABLES,
    **yeast_motif_tables.TABLES,
    **yeast_mpra_tables.TABLES,
    **yeast_track_tables.TABLES,
}


def pages(root: Path = ROOT) -> list[Path]:
    """Return the files that may have regions."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def render(text: str, results: Path = RESULTS) -> str:
    """Return a page with every region written anew.

    Raises:
        ValueError: a region that nothing can write, or one that does not end.
    """
    if text.count("<!-- begin: ") != len(REGION.findall(text)):
        raise ValueError("a region begins and does not end; write <!-- end --> after it")
    return REGION.sub(lambda found: _region(found[1], results), text)


def _region(name: str, results: Path) -> str:
    file, _, table = name.partition(".")
    if table not in TABLES.get(file, {}):
        raise ValueError(f"no table is called {name}; there are {', '.join(_names())}")
    path = results / f"{file}.json"
    result = json.loads(path.read_text()) if path.exists() else None
    written = NOT_MEASURED if result is None else TABLES[file][table].render(result)
    return f"<!-- begin: {name} -->\n{written}\n<!-- end -->"


def _names() -> list[str]:
    return [f"{file}.{table}" for file, tables in TABLES.items() for table in tables]


def main() -> int:
    """Render every page, or say which ones are not up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    stale = []
    for page in pages():
        text = page.read_text()
        rendered = render(text)
        if rendered != text:
            stale.append(page)
            if not options.check:
                page.write_text(rendered)
    for page in stale:
        print(f"{page.relative_to(ROOT)} {'is not up to date' if options.check else 'written'}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
