"""Results that show themselves: as a table, as a figure, in a notebook."""

import io
import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import missing_extra

if TYPE_CHECKING:
    import pandas
    import polars as pl
    from matplotlib.figure import Figure


_COMPARING = ("effect", "low", "high", "null", "cosine")
"""Columns of numbers that are read by their sign first."""


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
            missing_extra("pandas", "pandas")
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
            table.write_csv(building, separator="\t", float_precision=5)


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
        missing_extra("anndata", "anndata")
    rows = pandas.DataFrame(obs.to_dict(as_series=False))
    rows.index = rows.index.astype(str)
    return anndata.AnnData(values, obs=rows, var=pandas.DataFrame(index=names))
