"""Large text tables: a header, leading text columns, then a number a person."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float64

from cisgram.core.checks import DataError, check_unique
from cisgram.genome.streams import read_lines

MISSING = ("", ".", "-", "NA", "na", "N/A", "n/a", "NaN", "nan", "NAN", "-nan", "NULL", "null",
           "None", "<NA>", "#N/A", "#NA")  # fmt: skip
"""How tables of every kind write that there is no value."""


@dataclass(frozen=True, eq=False)
class NumericTable:
    """A table as read, before anything knows what its columns mean."""

    text: pl.DataFrame
    """The leading columns, as strings."""
    columns: tuple[str, ...]
    values: Float64[np.ndarray, "rows columns"]
    """NaN where missing."""


class TextLines:
    """The lines of a plain or gzipped file: some taken one by one, the rest in blocks."""

    def __init__(self, path: Path, what: str) -> None:
        """Open lazily: damage is reported where it is met."""
        self.path, self.what = path, what
        self.n_taken = 0
        self._blocks = (block.replace(b"\r\n", b"\n") for block in read_lines(path, what))
        self._block = b""

    def take(self) -> str:
        """Return the next line."""
        if not self._block:
            self._block = next(self._blocks, b"")
        if not self._block:
            raise DataError(f"{self.what} {self.path} ends after {self.n_taken} lines; check it.")
        line, _, self._block = self._block.partition(b"\n")
        self.n_taken += 1
        try:
            return line.decode("utf-8-sig" if self.n_taken == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.what} {self.path} is not a text file; check it.") from error

    def rest(self) -> Iterator[bytes]:
        """Yield what is left, in blocks of whole lines, less blank lines at the end."""
        blank = b""
        for block in chain((self._block,), self._blocks):
            text = block.rstrip(b"\n")
            if text:
                yield b"%b%b\n" % (blank, text)
                blank = block[len(text) + 1 :]
            else:
                blank += block


def read_numeric_table(
    lines: TextLines,
    header: list[str],
    *,
    n_leading: Callable[[list[str], pl.DataFrame], int],
) -> NumericTable:
    """Read the rows below a header; `n_leading` looks at the first of them.

    Raises:
        DataError: a row of another length, a value that is no number, or no rows.
    """
    where = f"{lines.what} {lines.path}"
    check_unique(header, "column", where)
    if len(header) < 2:
        raise DataError(f"{where} must be separated by tabs; its header has a single column.")
    texts: list[pl.DataFrame] = []
    numbers: list[Float64[np.ndarray, "rows columns"]] = []
    line, leading = lines.n_taken + 1, 0
    for block in lines.rest():
        frame = _parse(block, header, where, line)
        if not texts:
            leading = n_leading(header, frame)
        text = frame.select(header[:leading])
        numbers.append(to_numbers(frame.select(header[leading:]), where, first_row=line))
        texts.append(text)
        line += frame.height
    if not texts:
        raise DataError(f"{where} has a header and no rows; check how it was made.")
    return NumericTable(pl.concat(texts), tuple(header[leading:]), np.concatenate(numbers))


def to_numbers(
    frame: pl.DataFrame, where: str, *, first_row: int
) -> Float64[np.ndarray, "rows columns"]:
    """Turn columns of text into numbers, NaN where missing; rows count from `first_row`."""
    numbers = frame.select(pl.all().cast(pl.Float64, strict=False).fill_null(np.nan))
    values = np.array(numbers.to_numpy(), order="C")
    for column in np.flatnonzero(~np.isfinite(values).all(axis=0)):
        series = frame.to_series(int(column))
        text = series.cast(pl.String).str.strip_chars().fill_null("")
        missing = text.is_in(MISSING).to_numpy()
        again = text.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        wrong = ~missing & ~np.isfinite(again)
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(
                f"{where} must hold finite numbers; {series[row]!r} stands in line "
                f"{first_row + row}, column {series.name}."
            )
        values[:, column] = np.where(missing, np.nan, again)
    return values


def _parse(block: bytes, header: list[str], where: str, line: int) -> pl.DataFrame:
    for offset, row in enumerate(block.splitlines()):
        width = row.count(b"\t") + 1
        if width != len(header):
            raise DataError(
                f"{where} line {line + offset} has {width} columns and the header {len(header)}; "
                "it may be cut short, or not be separated by tabs."
            )
    try:
        return pl.read_csv(
            block,
            separator="\t",
            has_header=False,
            new_columns=header,
            infer_schema=False,
            quote_char=None,
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{where} is no text table ({error}); check it.") from error
