"""Data sets that networks are trained on, by the kind that a recipe names."""

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import polars as pl
from jaxtyping import Int, Int64

import cisgram.data
from cisgram.core.checks import ConfigError, check_choice
from cisgram.data.outputs import Geometry, Outputs
from cisgram.genome.reference import Reference

SPLITS, WINDOWS = ("train", "valid", "test"), "windows.parquet"


class DataConfig(Protocol):
    """What the configuration of every data set says."""

    @property
    def n_species(self) -> int:
        """Genomes that batches name by number."""
        ...

    def for_geometry(self, geometry: Geometry) -> Self:
        """Return the same for networks that cut windows so."""
        ...

    def expected_outputs(self, geometry: Geometry) -> Outputs:
        """Return what a network will predict, as far as is known before any file is read."""
        ...

    def sources(self, directory: Path) -> dict[str, Any]:
        """Return SHA-256 of every file and what is held out, as a model's card has them."""
        ...


class DataSet(ABC):
    """Examples of training and validation, and what a network's output for them means."""

    config: Any
    outputs: Outputs
    """Columns that a network needs to predict it, with their scale."""
    n_train: int

    @abstractmethod
    def train_batch(self, examples: Int[np.ndarray, "batch"], rng: np.random.Generator) -> Any:
        """Return training examples by number, augmented with `rng`, as a tuple of arrays."""

    @abstractmethod
    def valid_batches(self, size: int) -> Iterator[tuple[int, Any]]:
        """Yield the validation examples in order: how many, and the batch."""

    def contigs(self) -> dict[str, dict[str, tuple[str, int, str]]]:
        """Return split, length and digest of the contigs it uses, by genome; none if not known."""
        return {}

    @abstractmethod
    def describe(self, examples: Int[np.ndarray, "batch"]) -> str:
        """Name training examples for a message."""


class WindowSet(DataSet):
    """A data set of windows, mapped from its directory."""

    path: Path
    windows: pl.DataFrame
    """A row a window: chrom, start, split and more."""

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """Travel to other processes as a path."""
        return type(self).open, (self.path,)

    @property
    @abstractmethod
    def named_references(self) -> Sequence[tuple[str, Reference]]:
        """Name and sequence of each genome; `genome` of the windows, if there, is its number."""

    def contigs(self) -> dict[str, dict[str, tuple[str, int, str]]]:
        """Return split, length and digest of the contigs that have windows, by genome."""
        numbers = pl.col("genome") if "genome" in self.windows.columns else pl.lit(0)
        used = self.windows.select(numbers.alias("genome"), "chrom", "split").unique(
            maintain_order=True
        )
        return {
            name: reference.facts(dict(used.filter(genome=number)["chrom", "split"].iter_rows()))
            for number, (name, reference) in enumerate(self.named_references)
        }

    @classmethod
    @abstractmethod
    def open(cls, path: Path | str) -> Self:
        """Open a finished directory."""

    def split(self, name: str) -> Int64[np.ndarray, "windows"]:
        """Return the row numbers of the windows of `train`, `valid` or `test`."""
        check_choice(name, SPLITS, "split")
        return np.flatnonzero(self.windows["split"] == name)


class DataKind(NamedTuple):
    """What is registered."""

    config: type[Any]
    build: Callable[..., DataSet]
    """`build(config, out, *, geometry, directory)` makes a directory."""
    open: Callable[[Path], DataSet]


_REGISTERED: dict[str, DataKind] = {}


def dataset(
    kind: str, config: type[Any], *, opens: Callable[[Path], DataSet]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the function that builds a kind of data set.

    Args:
        kind: what `kind` in `[data]` of a recipe calls it.
        config: frozen dataclass of the other fields of `[data]`.
        opens: opens what the function has made.
    """

    def register(build: Callable[..., Any]) -> Callable[..., Any]:
        known = _REGISTERED.get(kind)
        if known is not None and known.build.__qualname__ != build.__qualname__:
            raise ConfigError(f"there is a data set of kind {kind} already; choose another name.")
        _REGISTERED[kind] = DataKind(config, build, opens)
        return build

    return register


def data_kind(name: str, where: str) -> DataKind:
    """Return a registered kind; imports the modules of `cisgram.data`."""
    if name not in _REGISTERED:
        for module in pkgutil.iter_modules(cisgram.data.__path__, "cisgram.data."):
            import_module(module.name)
        check_choice(name, sorted(_REGISTERED), f"kind in {where}")
    return _REGISTERED[name]
