"""Matrices as AnnData files (.h5ad), by version 0.1.0 of its format on disk; anndata is not needed.

https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import check_extra
from cisgram.core.results import encoded

_MAPPINGS = ("layers", "obsm", "obsp", "uns", "varm", "varp")
"""Parts of the file that are empty here."""


def write_h5ad(
    path: Path | str,
    values: Float[np.ndarray, "rows columns"],
    *,
    obs: pl.DataFrame,
    var: Sequence[str],
) -> None:
    """Write a matrix: observations are the rows of `obs`, variables the names of the columns.

    Observations are named by their number, as names of regions may repeat.

    Raises:
        ConfigError: h5py is not installed.
    """
    check_extra("h5py", "convert")
    import h5py

    with atomic_file(path) as building, h5py.File(building, "w") as file:
        _mark(file, "anndata", "0.1.0")
        file["X"] = values
        _mark(file["X"], "array", "0.2.0")
        numbers = pl.Series("_index", range(len(values))).cast(pl.String)
        text = h5py.string_dtype("utf-8")
        _table(file.create_group("obs"), obs, numbers, text)
        names = pl.Series("_index", var, dtype=pl.String)
        _table(file.create_group("var"), pl.DataFrame(), names, text)
        for name in _MAPPINGS:
            _mark(file.create_group(name), "dict", "0.1.0")


def _table(group: Any, table: pl.DataFrame, index: pl.Series, text: Any) -> None:
    _mark(group, "dataframe", "0.2.0")
    columns = {encoded(column, "/"): table[column] for column in table.columns}
    group.attrs["_index"] = index.name
    group.attrs["column-order"] = np.array(list(columns), dtype=text)
    for column, values in {index.name: index, **columns}.items():
        if values.dtype == pl.String:
            # A byte of 0 ends text in HDF5.
            texts = [encoded(value) for value in values.fill_null("")]
            group.create_dataset(column, data=texts, dtype=text)
            _mark(group[column], "string-array", "0.2.0")
        else:
            group[column] = values.to_numpy()
            _mark(group[column], "array", "0.2.0")


def _mark(place: Any, kind: str, version: str) -> None:
    place.attrs["encoding-type"], place.attrs["encoding-version"] = kind, version
