"""Reads the needed columns of GWAS tables, and of GWAS in VCF, as text."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cisgram.core.checks import DataError
from cisgram.data.numeric_table import MISSING
from cisgram.genome.streams import read_lines
from cisgram.personal.gwas_columns import detect
from cisgram.personal.predictdb_reader import VARIANT_ID

_BOM = b"\xef\xbb\xbf"
_VCF = b"##fileformat=VCF"
_STUDY = {"beta": "ES", "se": "SE", "neg_log10_p": "LP", "n": "SS", "z": "EZ"}
_ROW_NAME = "row name"
_N_FIXED = 9
"""Columns of a VCF before those of its studies."""


@dataclass(frozen=True)
class _Text:
    """A table before anything knows what its columns mean."""

    path: Path
    content: bytes
    n_above: int
    """Lines above the first row."""
    separator: str
    quote: str | None
    header: list[str]
    first: list[str]
    """The cells of the first row."""

    def columns(self, places: Mapping[str, int]) -> pl.DataFrame:
        """Return some columns by their places, as text; null where missing."""
        try:
            lines = pl.scan_csv(
                self.content, separator=self.separator, has_header=False, skip_rows=self.n_above,
                quote_char=self.quote, null_values=list(MISSING), raise_if_empty=False,
                schema={str(place): pl.String for place in range(len(self.header))},
            )  # fmt: skip
            chosen = (pl.col(str(place)).alias(role) for role, place in places.items())
            return lines.select(chosen).with_columns(pl.all().str.strip_chars()).collect()
        except pl.exceptions.PolarsError as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise DataError(
                f"GWAS table {self.path} cannot be read ({reason}); check its lines."
            ) from error


def read_columns(path: Path, named: Mapping[str, str]) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the columns of an association as text, and the name of each in the file.

    The column `variant` has IDs such as `chr22:1000100:A:G`, where the first row has one.
    Lines above the header begin with `##` or are blank. R writes no name over its column of
    row names. In a VCF, the columns are the fields of its only study, and the effect is ALT's.

    Raises:
        DataError: it is no such table, or a column is missing.
    """
    text = _read(path)
    if text.content.startswith(_VCF):
        return _study(text)
    spelled = [place for place, cell in enumerate(text.first) if re.match(VARIANT_ID, cell)]
    found = detect(text.header, named, path, alleles_in_ids=bool(spelled))
    places = {role: text.header.index(name) for role, name in found.items()}
    return text.columns(places | dict(zip(("variant",), spelled, strict=False))), found


def _read(path: Path) -> _Text:
    content = b"".join(read_lines(path, "GWAS table")).removeprefix(_BOM)
    if not content.strip():
        raise DataError(f"GWAS table {path} is empty; make it again.")
    above = re.match(rb"(?:(?:##[^\n]*|[ \t\r]*)\n)*", content)
    start = above.end() if above else 0
    header, _, rest = content[start : start + (1 << 20)].partition(b"\n")
    if b"\0" in header:
        raise DataError(f"GWAS table {path} is no text; name a table of summary statistics.")
    separator = next((mark for mark in "\t,;" if mark.encode() in header), " ")
    if separator == " ":
        content = _single_spaced(content[start:])
        start = 0
        header, _, rest = content[: 1 << 20].partition(b"\n")
    first = rest.partition(b"\n")[0]
    quote = '"' if separator == "," or b'"' in header + first else None
    names, cells = (_cells(line, separator) for line in (header, first))
    last = _cells(content[-(1 << 20) :].rstrip(b"\r\n").rpartition(b"\n")[2], separator)
    if len(names) + 1 == len(cells) == len(last):
        names = [*names, ""] if not cells[-1] else [_ROW_NAME * (not cells[0].isdigit()), *names]
    return _Text(
        path,
        content if content.endswith(b"\n") else content + b"\n",
        content[:start].count(b"\n") + 1,
        separator,
        quote,
        [name.strip().lstrip("#") for name in names],
        cells,
    )


def _single_spaced(text: bytes) -> bytes:
    """Leave one space between columns and none at the ends of lines."""
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    text = text.replace(b"\r\n", b"\n").replace(b"\n ", b"\n").replace(b" \n", b"\n")
    return text.strip(b" ")


def _cells(line: bytes, separator: str) -> list[str]:
    text = line.decode(errors="replace").rstrip("\r\n")
    return next(csv.reader([text], delimiter=separator), [])


def _study(text: _Text) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the associations of the one study that a VCF has as its sample."""
    n_studies = len(text.header) - _N_FIXED
    if n_studies != 1:
        raise DataError(
            f"GWAS table {text.path} is a VCF of {max(n_studies, 0):,} studies; give a VCF of one."
        )
    fixed = {"chrom": 0, "position": 1, "id": 2, "ref": 3, "alt": 4}
    table = text.columns({**fixed, "format": _N_FIXED - 1, "study": _N_FIXED})
    parts: list[pl.DataFrame] = []
    found: dict[str, str] = {}
    for (form,), part in table.group_by("format", maintain_order=True):
        keys = str(form).split(":")
        there = {role: keys.index(key) for role, key in _STUDY.items() if key in keys}
        found |= {role: _STUDY[role] for role in there}
        values = pl.col("study").str.split_exact(":", len(keys) - 1).struct
        one = part.with_columns(values.field(f"field_{i}").alias(role) for role, i in there.items())
        parts.append(one.drop("format", "study"))
    if not ({"z"} <= set(found) or {"beta", "se"} <= set(found)):
        raise DataError(
            f"GWAS table {text.path} is a VCF without effects and standard errors (FORMAT ES and "
            "SE); give a GWAS."
        )
    joined = pl.concat(parts, how="diagonal")
    missing = pl.col(*found).is_in(MISSING)
    blank = pl.when(missing).then(None).otherwise(pl.col(*found)).name.keep()
    return joined.with_columns(blank), {role: text.header[i] for role, i in fixed.items()} | found
