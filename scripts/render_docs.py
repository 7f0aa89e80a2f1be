"""Write the measured numbers of the docs from the results of the benchmarks.

    python scripts/render_docs.py [--check]

README.md and the pages of docs have regions `<!-- begin: FILE.TABLE -->` ... `<!-- end -->`. What
a region shows of benchmarks/results/FILE.json is declared in docs/tables.toml, which says how; what
is not in the file is not measured yet. With --check nothing is written, and the exit code is 1 when
a page is stale.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import reduce
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DECLARED = ROOT / "docs" / "tables.toml"
NOT_MEASURED = "Not measured yet."
REGION = re.compile(r"<!-- begin: (\S+) -->(.*?)<!-- end -->", re.DOTALL)
PLACEHOLDER = re.compile(r"\{([^{}:]*?)(?:/([\d.]+(?:e\d+)?))?(?::([^{}]*))?\}")
"""`{path}`, `{path:format}` or, of a value divided by a number, `{path/1e6:format}`."""
PICTURE = re.compile(r"(\+?)(,?)(?:0(\.0+)?)?([%e]?)")
BY_SIZE = {
    "short": ((100, ",.0f"), (10, ".1f"), (1, ".2f"), (0, ".2g")),
    "seconds": ((100, ",.0f"), (1, ".2f"), (0, ".3f")),
}
"""Named formats: the least size, and how Python writes a number of that size."""

Scopes = tuple[Any, ...]
"""Where paths are looked up: a row, then what the row lies in, out to the whole file."""


class MissingError(LookupError):
    """A result lacks a value."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """What a region shows; docs/tables.toml explains the fields."""

    path: str | list[str] = "rows.*"
    where: Mapping[str, Any] = field(default_factory=dict)
    sort: str = ""
    rows: str | list[str] = ""
    columns: str | Mapping[str, str] = ""
    cell: str = "{value:0.000 (ci)}"
    head: Sequence[str] = ()
    fixed: Sequence[Sequence[str]] = ()
    text: int = 1
    transpose: bool = False
    line: str = ""
    sentence: str = ""
    before: str = ""
    after: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def render(self, result: Any) -> str:
        """Return the text of the region, or that it is not measured."""
        whole: Scopes = (result, {"file": result})
        try:
            if self.sentence:
                return self.fill(self.sentence, whole)
            rows = self.read(whole)
            lines = [self.fill(self.line, row) for row in rows] if self.line else self.table(rows)
            around = [self.fill(text, rows[0]) for text in (self.before, self.after)]
            return "\n\n".join(filter(None, [around[0], "\n".join(lines), around[1]]))
        except MissingError:
            return NOT_MEASURED

    def read(self, whole: Scopes) -> list[Scopes]:
        """Return the rows that are shown."""
        found = [row for path in listed(self.path) for row in expand(whole, path)]
        for path, wanted in self.where.items():
            found = [row for row in found if lookup(row, path) in listed(wanted)]
        if not found:
            raise MissingError(self.path)
        if self.sort:
            path, falls = self.sort.lstrip("-"), self.sort.startswith("-")
            found.sort(key=lambda row: lookup(row, path), reverse=falls)
        return found

    def table(self, rows: list[Scopes]) -> list[str]:
        """Return the lines of a table of listed columns, or of a pivot."""
        if isinstance(self.columns, str):
            cells, n_text = self.pivot(rows), max(len(listed(self.rows)), self.text)
        else:
            cells, n_text = [[self.fill(heading, rows[0]) for heading in self.columns]], self.text
            cells += [[self.cell_of(text, row) for text in self.columns.values()] for row in rows]
        cells += self.fixed
        if self.transpose:
            cells = list(zip(*cells, strict=True))
        rule = "|" + "|".join(["---"] * n_text + ["---:"] * (len(cells[0]) - n_text)) + "|"
        lines = [f"| {' | '.join(row)} |" for row in cells]
        return [lines[0], rule, *lines[1:]]

    def pivot(self, rows: list[Scopes]) -> list[list[str]]:
        """Return the heading and the rows of a pivot."""
        axes = [self.columns, *listed(self.rows)]  # a path alone stands for its label
        over, *names = (text if "{" in text else f"{{{text}:label}}" for text in axes)
        columns = dict.fromkeys(self.fill(over, row) for row in self.ordered(rows, over))
        cells: dict[tuple[str, ...], dict[str, str]] = {}
        for row in self.ordered(rows, *names):
            key, column = tuple(self.fill(name, row) for name in names), self.fill(over, row)
            if column in cells.setdefault(key, {}):
                raise ValueError(f"{key} has two numbers for {column}; narrow where")
            cells[key][column] = self.cell_of(self.cell, row)
        head = [*(self.head or listed(self.rows)), *columns]
        return [head, *([*key, *(own.get(c, "") for c in columns)] for key, own in cells.items())]

    def ordered(self, rows: list[Scopes], *templates: str) -> list[Scopes]:
        """Return rows in the order of the lists in `where` of what the templates show."""
        shown = [path for text in templates for path, *_ in PLACEHOLDER.findall(text)]
        paths = [path for path in shown if isinstance(self.where.get(path), list)]
        return sorted(rows, key=lambda row: [self.where[p].index(lookup(row, p)) for p in paths])

    def cell_of(self, text: str, row: Scopes) -> str:
        """Fill a template; empty where the row lacks a value."""
        try:
            return self.fill(text, row).strip()
        except MissingError:
            return ""

    def fill(self, text: str, scopes: Scopes) -> str:
        """Return a template with a value for each placeholder."""
        return PLACEHOLDER.sub(lambda found: self.value(scopes, *found.groups()), text)

    def value(self, scopes: Scopes, path: str, unit: str | None, how: str | None) -> str:
        """Write a value; with ` (ci)` its interval, with ` to` a list as a range."""
        picture = (how or "").removesuffix(" (ci)").removesuffix(" to")

        def one(value: Any) -> str:
            if picture in ("", "label"):
                return str(self.labels.get(str(value), value) if picture else value)
            return number(value / float(unit or 1), picture)

        if (found := lookup(scopes, path)) is None:
            raise MissingError(path)
        found = listed(found)
        if how is None or not how.endswith(" (ci)"):
            return (", " if picture == (how or "") else " to ").join(map(one, found))
        beside = [".".join([*path.split(".")[:-1], end]) for end in ("low", "high")]
        value, *ends = found if found[1:] else [*found, *(lookup(scopes[:1], p) for p in beside)]
        return one(value) if None in ends else f"{one(value)} ({' to '.join(map(one, ends))})"


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def step_into(value: Any, step: str) -> Any:
    """Return what is under a key or a number; None where nothing is."""
    if isinstance(value, list):
        value = {str(i): item for i, item in enumerate(value)}
    return value.get(step) if isinstance(value, dict) else None


def lookup(scopes: Scopes, path: str) -> Any:
    """Return what a path leads to in the innermost scope that has it; None where none has."""
    found = (reduce(step_into, path.split("."), scope) for scope in scopes)
    return next((value for value in found if value is not None), None)


def expand(scopes: Scopes, path: str) -> Iterator[Scopes]:
    """Yield the scopes of every row that a path leads to."""
    step, _, rest = path.partition(".")
    value, name = scopes[0], step[1:] if step.startswith("*") else ""
    if not step:
        yield scopes
    elif not step.startswith("*"):
        if (inner := step_into(value, step)) is not None:
            yield from expand((inner, *scopes), rest)
    else:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            inner = item if isinstance(item, dict | list) else {"value": item}
            yield from expand((inner, {name: key}, *scopes), rest)


def number(value: float, picture: str) -> str:
    """Write a number as a picture shows it, with a true minus sign."""
    if picture in BY_SIZE:
        spec = next(spec for least, spec in BY_SIZE[picture] if abs(value) >= least)
    elif found := PICTURE.fullmatch(picture):
        sign, comma, places, kind = found.groups()
        spec = f"{sign}{comma}.{len(places or '.') - 1}{kind or 'f'}"
    else:
        raise ValueError(f"{picture!r} is no format of numbers; docs/tables.toml lists them")
    text = format(value, spec)
    if not re.search("[1-9]", text):
        return "0" if "e" in text else text.lstrip("+-")
    return f"−{text[1:]}" if text.startswith("-") else text


def declared(file: Path = DECLARED) -> tuple[dict[str, Region], list[str]]:
    """Return every region by its name, and the files whose regions wait for a declaration."""
    plain = tomllib.loads(file.read_text())
    labels, waiting = plain.pop("labels", {}), plain.pop("waiting", [])
    known, regions = {own.name for own in fields(Region)}, {}
    for stem, name in ((stem, name) for stem, part in plain.items() for name in part):
        own = plain[stem].get(plain[stem][name].pop("like", ""), {}) | plain[stem][name]
        if unknown := own.keys() - known:
            raise ValueError(f"[{stem}.{name}] of {file.name} has no field {min(unknown)}")
        regions[f"{stem}.{name}"] = Region(**own | {"labels": labels | own.get("labels", {})})
    return regions, waiting


def render(text: str, results: Path = RESULTS, file: Path = DECLARED) -> str:
    """Return a page with every region written anew."""
    if text.count("<!-- begin: ") != len(REGION.findall(text)):
        raise ValueError("a region begins and does not end; write <!-- end --> after it")
    regions, waiting = declared(file)

    def written(found: re.Match[str]) -> str:
        name, stem = found[1], found[1].partition(".")[0]
        if stem in waiting:
            return found[0]
        if name not in regions:
            raise ValueError(f"no table is called {name}; there are {', '.join(regions)}")
        path = results / f"{stem}.json"
        result = json.loads(path.read_text()) if path.exists() else {}
        return f"<!-- begin: {name} -->\n{regions[name].render(result)}\n<!-- end -->"

    return REGION.sub(written, text)


def main() -> int:
    """Render every page, or say which ones are not up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    stale = [page for page in pages if render(page.read_text()) != page.read_text()]
    for page in stale:
        if not options.check:
            page.write_text(render(page.read_text()))
        print(f"{page.relative_to(ROOT)} {'is not up to date' if options.check else 'written'}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
