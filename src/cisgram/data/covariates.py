"""Covariates and populations of people."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float64

from cisgram.core.checks import ConfigError, DataError, check_unique, few
from cisgram.data.numeric_table import MISSING, TextLines

_PERSON = {"sample", "sampleid", "sample_id", "person", "individual", "individual_id", "iid",
           "#iid", "id", "name"}  # fmt: skip
_PLINK_MISSING = "-9"
_FEW_LEVELS = 10
_DECIMAL_COMMA = r"^[+-]?\d*,\d+$"


@dataclass(frozen=True, eq=False)
class Covariates:
    """What is known of each person besides genotypes and expression."""

    names: tuple[str, ...]
    """Short names; a level of a categorical covariate is `covariate=level`."""
    people: tuple[str, ...]
    values: Float64[np.ndarray, "people covariates"]
    """NaN where missing."""
    sources: tuple[str, ...]
    """The name in the file that each covariate comes from."""
    constant: tuple[str, ...]
    """Covariates of the file left out because everybody has the same value."""


def read_covariates(path: Path | str, *, people: Collection[str] | None = None) -> Covariates:
    """Read a table of covariates, separated by tabs or spaces, plain or gzipped.

    Rows are covariates, as in files for QTL mapping, or people: whichever way
    round more of `people` are found, or else the longer side is the people.
    A covariate with text in it becomes an indicator of each of its levels but
    the first; a constant one is left out. Names that are paths are cut to what
    tells them apart.

    Raises:
        DataError: a ragged or empty table, an infinite value, words among numbers, a -9
            that may stand for a missing value, or a person or covariate named twice.
    """
    cells = _cells(Path(path), "covariate table")
    if cells.shape[0] < 2 or cells.shape[1] < 2:
        raise DataError(f"covariate table {path} must name people and covariates; check it.")
    if cells[0, 0].lower() in ("fid", "#fid"):
        cells = cells[:, 1:]
    if not _people_in_header(cells, people):
        cells = cells.T
    everyone = tuple(str(name) for name in cells[0, 1:])
    check_unique(everyone, "person", f"covariate table {path}")
    sources = [str(name) for name in cells[1:, 0]]
    check_unique(sources, "covariate", f"covariate table {path}")
    columns: list[Float64[np.ndarray, "people"]] = []
    names: list[str] = []
    origin: list[str] = []
    constant: list[str] = []
    for source, name, row in zip(sources, _short_names(sources), cells[1:, 1:], strict=True):
        text = pl.Series([str(cell) for cell in row], dtype=pl.String)
        levels = _columns(name, text, f"covariate table {path}", source)
        for _, value in levels:
            if (infinite := np.isinf(value)).any():
                raise DataError(
                    f"covariate table {path} has an infinite {source} for "
                    f"{everyone[int(infinite.argmax())]}; correct it, or write NA."
                )
        kept = [(level, value) for level, value in levels if _varies(value)]
        if not kept:
            constant.append(source)
        for level, value in kept:
            names.append(level)
            origin.append(source)
            columns.append(value)
    values = np.column_stack(columns) if columns else np.empty((len(everyone), 0))
    return Covariates(tuple(names), everyone, values, tuple(origin), tuple(constant))


def read_populations(path: Path | str, *, column: str = "pop") -> dict[str, str]:
    """Read which population each person belongs to.

    With a header, as in the 1000 Genomes panel, `column` names the population, and
    the person is the column so named (`sample`, `IID`), or else the first. A table of
    two columns needs no header: the first is the person.

    Raises:
        DataError: a person is named twice, or a row is of another length.
        ConfigError: no such column is there.
    """
    cells = _cells(Path(path), "population table", row_names=False)
    header = [str(name).lower() for name in cells[0]]
    place = header.index(column.lower()) if column.lower() in header[1:] else -1
    named = [i for i, name in enumerate(header) if name in _PERSON and i != place]
    has_header = place > 0 or bool(named)
    who = named[0] if named else 0
    if place < 0:
        if cells.shape[1] != 2:
            raise ConfigError(
                f"population table {path} has no column {column}; it has {few(header, 6)}, "
                "name one of them."
            )
        place = 1 - who
    rows = cells[1:] if has_header else cells
    people = [str(person) for person in rows[:, who]]
    check_unique(people, "person", f"population table {path}")
    return {
        person: "" if str(name) in MISSING else str(name)
        for person, name in zip(people, rows[:, place], strict=True)
    }


def _cells(path: Path, what: str, *, row_names: bool = True) -> np.ndarray:
    """Read a small table as text, by tabs where the header has any, else by spaces.

    Empty columns at the end, as in the 1000 Genomes panel, are nothing. Rows one
    longer than the header begin with `row_names`, over which R writes no name; the
    quotes that it puts round text are taken off.
    """
    lines = TextLines(path, what)
    header = lines.take()
    try:
        rest = b"".join(lines.rest()).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{what} {path} is not a text file; check it.") from error
    separator = "\t" if "\t" in header else None
    names = header.rstrip().split(separator)
    rows = [line.split(separator) for line in rest.splitlines() if line.strip()]
    one_longer = {len(row) for row in rows} == {len(names) + 1}
    if row_names and one_longer and all(row[-1].strip() for row in rows):
        names = ["", *names]
    for number, row in enumerate(rows, start=2):
        while len(row) > len(names) and not row[-1].strip():
            row.pop()
        if len(row) != len(names):
            raise DataError(
                f"{what} {path} line {number} has {len(row)} columns and the header {len(names)}; "
                "it may be cut short."
            )
    return np.array(
        [[cell.strip().strip('"') for cell in row] for row in (names, *rows)], dtype=object
    )


def _people_in_header(cells: np.ndarray, people: Collection[str] | None) -> bool:
    if people is not None:
        known = set(people)
        in_header = len(known.intersection(cells[0, 1:]))
        in_column = len(known.intersection(cells[1:, 0]))
        if in_header != in_column:
            return in_header > in_column
    return cells.shape[1] >= cells.shape[0]


def _columns(
    name: str, text: pl.Series, where: str, source: str
) -> list[tuple[str, Float64[np.ndarray, "people"]]]:
    """Turn one covariate into a column of numbers, or one for each further level."""
    missing = text.is_in(MISSING)
    numbers = text.cast(pl.Float64, strict=False)
    _check_cells(text.filter(~missing), numbers.filter(~missing), where, source)
    if (numbers.is_not_null() | missing).all():
        values = numbers.fill_null(np.nan).to_numpy()
        return [(name, np.where(missing.to_numpy(), np.nan, values))]
    levels = sorted(text.filter(~missing).unique())
    return [
        (
            f"{name}={level}",
            np.where(missing.to_numpy(), np.nan, (text == level).cast(pl.Float64).to_numpy()),
        )
        for level in levels[1:]
    ]


def _check_cells(text: pl.Series, numbers: pl.Series, where: str, source: str) -> None:
    """Refuse cells from which nobody can tell a number, a category and a missing value."""
    words = text.filter(numbers.is_null()).unique(maintain_order=True)
    if (comma := words.filter(words.str.contains(_DECIMAL_COMMA))).len():
        raise DataError(f"{where} has {comma[0]!r} for {source}; write numbers with a point.")
    n_numbers = numbers.drop_nulls().n_unique()
    if 0 < words.len() <= n_numbers:
        raise DataError(
            f"{where} has {few([repr(word) for word in words])} for {source} beside {n_numbers:,} "
            "different numbers; write NA for a missing value, and words alone for categories."
        )
    if words.len() > max(_FEW_LEVELS, text.len() / 2):
        raise DataError(
            f"{where} has {words.len():,} different words for {source} of {text.len():,} people "
            f"({few(words.to_list())}), too many for categories; give numbers, or leave it out."
        )
    n_codes = int((text == _PLINK_MISSING).sum())
    if n_codes and int((numbers < 0).sum()) == n_codes:
        raise DataError(
            f"{where} has -9, PLINK's missing value, for {source} ({n_codes:,} times) and no "
            "other negative number; write NA, or -9.0 where it was measured."
        )


def _varies(values: Float64[np.ndarray, "people"]) -> bool:
    present = values[~np.isnan(values)]
    return present.size > 0 and bool((present != present[0]).any())


def _short_names(names: list[str]) -> list[str]:
    """Cut paths to their last part, less what all of them share in its middle.

    `/a/b/genes_1_1_svd_PC1` and `/a/b/genotypes_1_1_svd_PC1` become `genes_PC1`
    and `genotypes_PC1`; names that are no paths stay as they are.
    """
    if not all("/" in name for name in names):
        return names
    tails = [name.rsplit("/", 1)[1] for name in names]
    parts = [tail.split("_") for tail in tails]
    if len({len(part) for part in parts}) == 1 and len(parts[0]) > 2:
        told = [len(set(column)) > 1 for column in zip(*parts, strict=True)]
        told[0] = told[-1] = True
        cut = ["_".join(p for p, keep in zip(part, told, strict=True) if keep) for part in parts]
        if len(set(cut)) == len(cut):
            return cut
    return tails if len(set(tails)) == len(tails) else names
