"""Models on mutants of one window, read whole, or the DNA around mutations read again."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Int64, Shaped, UInt8
from torch import Tensor

from cisgram.models.base import Model, SplitModel

_WINDOWS_AT_ONCE = 4


class Mutants(NamedTuple):
    """Windows that differ from one in a base, and what was kept of a model's output for them."""

    positions: Int64[np.ndarray, "mutants"]
    bases: UInt8[np.ndarray, "mutants"]
    outputs: Float[Tensor, "mutants ..."]


@dataclass(kw_only=True)
class Recomputation:
    """How much of a window was computed again for each mutant."""

    n_mutants: int = 0
    positions_computed: int = 0
    """Positions that the local part read, or that its layers computed where it has some."""
    positions_of_a_plain_loop: int = 0
    """The same, had every mutant been read from end to end."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """A window that mutants are made of, and what to keep of outputs."""

    tokens: UInt8[np.ndarray, "length"]
    species: int
    reduce: Callable[[Tensor], Tensor]
    batch: int | None
    """Mutants at once; None where the computation may choose."""
    device: torch.device
    """Of the model."""
    account: Recomputation = field(default_factory=Recomputation)

    def count(self, n_mutants: int, *, computed: int, of: int) -> None:
        """Count mutants, and the positions computed for each of them."""
        self.account.n_mutants += n_mutants
        self.account.positions_computed += n_mutants * computed
        self.account.positions_of_a_plain_loop += n_mutants * of

    def put(self, numbers: Shaped[np.ndarray, "*shape"]) -> Shaped[Tensor, "*shape"]:
        """Return numbers on the model's device."""
        return torch.from_numpy(np.ascontiguousarray(numbers)).to(self.device)

    def read(
        self, tokens: UInt8[np.ndarray, "batch length"]
    ) -> tuple[UInt8[Tensor, "batch length"], Int[Tensor, "batch"]]:
        """Return what models take: tokens and species."""
        species = torch.full((len(tokens),), self.species, device=self.device)
        return self.put(tokens), species


class MutantOutputs(ABC):
    """A way to compute outputs of mutants."""

    reference: Float[Tensor, "1 ..."]
    """What was kept of the output of the window as it is."""

    @abstractmethod
    def of(self, runs: list[Int64[np.ndarray, "_"]]) -> Iterator[Mutants]:
        """Yield the mutants of runs of neighbouring positions, three at each, batch by batch.

        The next batch may write over the outputs of the one before.
        """


class WholeWindows(MutantOutputs):
    """Reads every mutant from end to end."""

    def __init__(self, model: Model, window: Window) -> None:
        self.model, self.window = model, window
        self.reference = self._output(window.tokens[None])

    def of(self, runs: list[Int64[np.ndarray, "_"]]) -> Iterator[Mutants]:
        """Yield the mutants of runs of neighbouring positions, three at each, batch by batch."""
        length = len(self.window.tokens)
        for positions, bases in _batches(self.window, runs):
            tokens = np.tile(self.window.tokens, (len(positions), 1))
            tokens[np.arange(len(positions)), positions] = bases
            self.window.count(len(positions), computed=length, of=length)
            yield Mutants(positions, bases, self._output(tokens))

    def _output(self, tokens: UInt8[np.ndarray, "batch length"]) -> Float[Tensor, "batch ..."]:
        read, species = self.window.read(tokens)
        return self.window.reduce(self.model(read, species=species))


class Segments(MutantOutputs):
    """Reads the DNA around a mutation, and puts the features there into the window's.

    A mutation changes features within a halo of it, and those depend on bases within another. Near
    the ends of the window a segment is moved inside: its end is then the window's, and all
    segments have one length.
    """

    def __init__(self, model: SplitModel, window: Window) -> None:
        self.model, self.window = model, window
        length, unit = len(window.tokens), model.multiple
        self.kept = min(2 * model.halo + unit, length)
        self.read = min(4 * model.halo + unit, length)
        self.features = model.local(*window.read(window.tokens[None]))
        self.reference = window.reduce(model.mix(self.features))
        batch = window.batch or _WINDOWS_AT_ONCE
        self.windows = tuple(level.repeat(batch, 1, 1) for level in self.features)

    def of(self, runs: list[Int64[np.ndarray, "_"]]) -> Iterator[Mutants]:
        """Yield the mutants of runs of neighbouring positions, three at each, batch by batch."""
        length = len(self.window.tokens)
        for positions, bases in _batches(self.window, runs):
            self.window.count(len(positions), computed=self.read, of=length)
            places = self._paste(positions, bases)
            mixed = self.model.mix(tuple(own[: len(positions)] for own in self.windows))
            yield Mutants(positions, bases, self.window.reduce(mixed))
            for own, level, place in zip(self.windows, self.features, places, strict=True):
                own[_rows(place), place] = level[0, place]

    def _paste(
        self, positions: Int64[np.ndarray, "mutants"], bases: UInt8[np.ndarray, "mutants"]
    ) -> list[Int[Tensor, "mutants _"]]:
        """Put what mutations change into the windows; return where, level by level."""
        tokens, halo, unit = self.window.tokens, self.model.halo, self.model.multiple
        block = positions // unit * unit
        first = np.clip(block - 2 * halo, 0, len(tokens) - self.read)
        changed = np.clip(block - halo, 0, len(tokens) - self.kept)
        segments = tokens[first[:, None] + np.arange(self.read)]
        segments[np.arange(len(positions)), positions - first] = bases
        places: list[Int[Tensor, "mutants _"]] = []
        levels = self.model.local(*self.window.read(segments))
        for level, own in zip(levels, self.windows, strict=True):
            resolution = self.read // level.shape[1]
            bins = np.arange(self.kept // resolution)
            source = self.window.put(((changed - first) // resolution)[:, None] + bins)
            place = self.window.put((changed // resolution)[:, None] + bins)
            own[_rows(place), place] = level[_rows(place), source]
            places.append(place)
        return places


def _batches(
    window: Window, runs: list[Int64[np.ndarray, "_"]]
) -> Iterator[tuple[Int64[np.ndarray, "mutants"], UInt8[np.ndarray, "mutants"]]]:
    """Yield positions and the bases put there, three at each position."""
    if not runs:
        return
    places, size = np.concatenate(runs), window.batch or _WINDOWS_AT_ONCE
    positions = np.repeat(places, 3)
    bases = other_bases(window.tokens[places]).T.ravel()
    for first in range(0, len(positions), size):
        yield positions[first : first + size], bases[first : first + size]


def other_bases(present: UInt8[np.ndarray, "positions"]) -> UInt8[np.ndarray, "3 positions"]:
    """Return the three bases that are not there."""
    return (present + np.arange(1, 4, dtype=np.uint8)[:, None]) % np.uint8(4)


def _rows(places: Int[Tensor, "mutants bins"]) -> Int[Tensor, "mutants 1"]:
    """Number the mutants, for indexing beside their places."""
    return torch.arange(len(places), device=places.device)[:, None]
