"""Layered models on mutants of one window, followed from layer to layer.

What a mutation changes is a cone: one base, then in every layer some rows more on either side.
"""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from cisgram.explain.mutants import MutantOutputs, Mutants, Window, other_bases
from cisgram.models.base import LayeredModel
from cisgram.nn.changes import Change

_CACHE_BYTES = 4 * 2**20
"""What the mutants of a batch may take in any layer, so that caches of processors hold them."""


class Cones(MutantOutputs):
    """Computes in every layer only the rows that a mutation reaches, from what changes in them.

    The mutants of neighbouring positions go together: the same number of rows changes in each.
    """

    def __init__(self, model: LayeredModel, window: Window) -> None:
        self.letters, self.window = model.letters, window
        rows, reach = self._letters(window.tokens), 0
        self.changes: list[Change] = []
        self.sizes: list[tuple[int, int]] = []
        for layer in model.layers:
            reach += layer.reach
            change, rows = layer.remember(rows, reach=reach)
            self.changes.append(change)
            self.sizes.append((1 + 2 * reach, layer.n_out))
        self.mixed = (Averaged if model.averages else Pasted)(model, rows, reach=reach)
        self.reference = window.reduce(self.mixed.reference)
        each = 3 * max(self.mixed.n_each, *(width * n_out for width, n_out in self.sizes))
        batch = window.batch or 3 * (_CACHE_BYTES // (each * rows.element_size()))
        self.n_positions = max(batch // 3, 1)
        self.buffers = [
            rows.new_empty(3 * self.n_positions * width * n_out) for width, n_out in self.sizes
        ]

    def of(self, runs: list[Int64[np.ndarray, "_"]]) -> Iterator[Mutants]:
        """Yield the mutants of runs of neighbouring positions, three at each, batch by batch."""
        computed = sum(width for width, _ in self.sizes)
        of_plain = len(self.sizes) * len(self.window.tokens)
        for run in runs:
            for start in range(0, len(run), self.n_positions):
                positions = run[start : start + self.n_positions]
                present = self.window.tokens[positions]
                bases = other_bases(present)
                delta = self._letters(bases) - self._letters(present)
                self.window.count(bases.size, computed=computed, of=of_plain)
                first = int(positions[0])
                mixed = self.mixed(self._follow(delta[None], first), first)
                yield Mutants(np.tile(positions, 3), bases.ravel(), self.window.reduce(mixed))

    def _letters(self, bases: UInt8[np.ndarray, "*shape"]) -> Float[Tensor, "*shape letters"]:
        return self.letters[self.window.put(bases).int()]

    def _follow(
        self, delta: Float[Tensor, "1 3 positions letters"], first: int
    ) -> Float[Tensor, "width 3 positions channels"]:
        """Return what mutations change in the last layer's output."""
        n = delta.shape[2]
        stack = zip(self.changes, self.sizes, self.buffers, strict=True)
        for change, (width, n_out), buffer in stack:
            out = buffer[: width * 3 * n * n_out].view(width, 3, n, n_out)
            change(delta, first, out=out)
            delta = out
        return delta


class Averaged:
    """Finishes windows of a model that sees their means alone.

    One base moves the mean of a long window by little, so this is done in double precision.
    """

    n_each = 1
    """Numbers that a mutant takes."""

    def __init__(
        self, model: LayeredModel, rows: Float[Tensor, "length channels"], *, reach: int
    ) -> None:
        del reach
        self.model, self.length = deepcopy(model).double(), len(rows)
        self.mean = rows.mean(dim=0, dtype=torch.float64)
        self.reference = self.model.mix((self.mean[None, None],))

    def __call__(
        self, delta: Float[Tensor, "width 3 positions channels"], first: int
    ) -> Float[Tensor, "mutants ..."]:
        """Return outputs of windows in which the last layer's output has changed."""
        del first
        means = self.mean + delta.sum(dim=0).double() / self.length
        return self.model.mix((means.flatten(0, 1)[:, None],))


class Pasted:
    """Finishes windows in full, the rows that changed put in."""

    def __init__(
        self, model: LayeredModel, rows: Float[Tensor, "length channels"], *, reach: int
    ) -> None:
        self.model, self.inside = model, slice(reach, reach + len(rows))
        self.rows = F.pad(rows, (0, 0, reach, reach))
        self.n_each = self.rows.numel()
        self.reference = model.mix((rows[None],))

    def __call__(
        self, delta: Float[Tensor, "width 3 positions channels"], first: int
    ) -> Float[Tensor, "mutants ..."]:
        """Return outputs of windows in which the last layer's output has changed."""
        width, _, n_positions, _ = delta.shape
        windows = self.rows.repeat(3, n_positions, 1, 1)
        for number in range(n_positions):
            start = first + number
            windows[:, number, start : start + width] += delta[:, :, number].transpose(0, 1)
        return self.model.mix((windows[:, :, self.inside].flatten(0, 1),))
