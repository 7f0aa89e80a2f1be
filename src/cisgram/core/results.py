"""Results that show themselves: as a table, as a figure, in a notebook."""

import io
import math
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import missing_extra

if TYPE_CHECKING:
    from gzip import GzipFile

    import pandas
    import polars as pl
    from matplotlib.figure import Figure


_COMPARING = ("effect", "low", "high", "null", "cosine")
"""Columns of numbers that are read by their sign first."""
_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"
"""Characters that end a line or a cell somewhere, or steer a terminal."""


class Result(ABC):
    """Something that a verb returns: a table, and a figure of it."""

    @property
    @abstractmethod
    def table(self) -> "pl.DataFrame":
        """The result as a table."""

    @abstractmethod
    def plot(self) -> "Figure":
        """Return a figure of the result."""

    @property
    def columns(self) -> list[str]:
        """Names of the table's columns."""
        return self.table.columns

    def __len__(self) -> int:
        return self.table.height

    def __repr__(self) -> str:
        return f"{type(self).__name__}\n{self.table}"

    def _repr_html_(self) -> str:
        """Show the table and the figure in a notebook."""
        svg = io.StringIO()
        self.plot().savefig(svg, format="svg")
        drawn = svg.getvalue()
        return self.table._repr_html_() + drawn[drawn.index("<svg") :]  # pyright: ignore[reportPrivateUsage]

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the table for pandas."""
        try:
            import pandas
        except ImportError:
            missing_extra("pandas")
        return pandas.DataFrame(self.table.to_dict(as_series=False))

    def write(self, path: Path | str) -> None:
        """Write the table, .parquet or else tab-separated, whole or not at all."""
        write_table(self.table, path)


def write_table(table: "pl.DataFrame", path: Path | str) -> None:
    """Write a table, .parquet or else tab-separated, whole or not at all."""
    with atomic_file(path) as building:
        if Path(path).suffix == ".parquet":
            table.write_parquet(building)
        else:
            write_tsv(table, building, digits=5)


def write_tsv(
    table: "pl.DataFrame",
    out: "Path | IO[bytes] | GzipFile",
    *,
    null: str = "",
    digits: int | None = None,
    header: bool = True,
) -> None:
    """Write a table between tabs, a row a line: control characters of names become percent codes.

    `digits` is how many stand after the point; as many as needed by default. Later parts of a
    table have no `header`.
    """
    import polars as pl

    strings = [name for name, dtype in table.schema.items() if dtype == pl.String]
    odd = [name for name in strings if table[name].str.contains(_CONTROL).any()]
    cells = (pl.col(name).map_elements(encoded, return_dtype=pl.String) for name in odd)
    table = table.with_columns(cells).rename(encoded)
    table.write_csv(
        cast("Path | IO[bytes]", out),
        include_header=header,
        separator="\t",
        null_value=null,
        float_precision=digits,
    )


def encoded(text: str, reserved: str = "") -> str:
    r"""Write control characters, and those that a format reserves, as percent codes.

    >>> encoded("a\tb;c", ";")
    'a%09b%3Bc'
    """
    return re.sub(f"{_CONTROL}|[{re.escape(reserved)}]" if reserved else _CONTROL, _code, text)


def _code(found: "re.Match[str]") -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def cells_of(table: "pl.DataFrame") -> list[tuple[str, ...]]:
    """Return the rows of a table as text for people; what is not known is empty.

    Numbers have three digits of the largest of their column; those that compare have signs.

    >>> import polars as pl
    >>> cells_of(pl.DataFrame({"name": ["a", "b"], "effect": [0.0616, -0.5], "n": [1200, 3]}))
    [('a', '+0.062', '1,200'), ('b', '-0.500', '3')]
    """
    columns = [
        _cells(table[name].to_list(), sign="+" if name in _COMPARING else "")
        for name in table.columns
    ]
    return list(zip(*columns, strict=True))


def _cells(values: list[Any], *, sign: str) -> list[str]:
    known = [own for own in values if own is not None and own == own]
    largest = max((abs(own) for own in known if isinstance(own, float)), default=0.0)
    digits = min(max(2 - math.floor(math.log10(largest)), 0), 4) if largest else 0
    written: list[str] = []
    for own in values:
        if own is None or own != own:
            written.append("")
        elif isinstance(own, float):
            written.append(f"{own:{sign},.{digits}f}")
        else:
            written.append(f"{own:,}" if isinstance(own, int) else str(own))
    return written


def to_anndata(values: Any, obs: "pl.DataFrame", names: "list[str]") -> Any:
    """Return a matrix as AnnData: rows are observations, columns variables."""
    try:
        import anndata  # pyright: ignore[reportMissingImports]
        import pandas
    except ImportError:
        missing_extra("anndata")
    rows = pandas.DataFrame(obs.to_dict(as_series=False))
    rows.index = rows.index.astype(str)
    return anndata.AnnData(values, obs=rows, var=pandas.DataFrame(index=names))
