"""AnnData files by the format's own rules; anndata reads them where it is installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.h5ad import write_h5ad

h5py = pytest.importorskip("h5py")
VALUES = np.arange(6, dtype=np.float32).reshape(3, 2)
OBS = pl.DataFrame({"name": ["a\tb", None, "ä"], "start": [1, 2, 3], "a/b": [0.5, 1.5, np.nan]})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_h5ad(tmp_path / "x.h5ad", VALUES, obs=OBS, var=["one", "two"])
    return tmp_path / "x.h5ad"


def test_parts_are_marked_as_the_format_says(written: Path) -> None:
    with h5py.File(written) as file:
        marks = {
            name: dict(file[name].attrs) for name in ("/", "X", "obs", "var", "obs/name", "uns")
        }
        kinds = {name: (m["encoding-type"], m["encoding-version"]) for name, m in marks.items()}
        assert kinds == {
            "/": ("anndata", "0.1.0"), "X": ("array", "0.2.0"), "obs": ("dataframe", "0.2.0"),
            "var": ("dataframe", "0.2.0"), "obs/name": ("string-array", "0.2.0"),
            "uns": ("dict", "0.1.0"),
        }  # fmt: skip
        assert (file["X"][()] == VALUES).all()
        assert marks["obs"]["_index"] == "_index"
        assert list(marks["obs"]["column-order"]) == ["name", "start", "a%2Fb"]
        assert file["obs/name"].asstr()[()].tolist() == ["a%09b", "", "ä"]
        assert file["obs/start"][()].tolist() == [1, 2, 3]
        assert file["var/_index"].asstr()[()].tolist() == ["one", "two"]


@pytest.mark.skipif(find_spec("anndata") is None, reason="needs anndata")
def test_anndata_reads_it(written: Path) -> None:
    import anndata  # pyright: ignore[reportMissingImports]

    found = anndata.read_h5ad(written)
    assert (found.X == VALUES).all()
    assert found.obs["start"].tolist() == [1, 2, 3]
    assert found.var_names.tolist() == ["one", "two"]
