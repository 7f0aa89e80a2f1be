"""Saturation mutagenesis: every base of a region replaced by every other, one at a time.

A mutation changes little of what a network computes, and only that is computed again. The
numbers are those of the plain loop, up to rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from cisgram.core.checks import ConfigError, check_range
from cisgram.core.device import evaluating
from cisgram.core.progress import progress
from cisgram.explain.cones import Cones
from cisgram.explain.mutants import MutantOutputs, Recomputation, Segments, WholeWindows, Window
from cisgram.genome.alphabet import N
from cisgram.models.base import LayeredModel, Model, SplitModel

Reduce = Callable[[Tensor], Tensor]
"""What is kept of a model's output, (batch, ...) to (batch, ...)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mutagenesis:
    """Effects of every base of a region on a model's output."""

    effects: Float32[np.ndarray, "positions 4 ..."]
    """Output with A, C, G or T put in, minus that of the window as it is: 0 for the base that is
    there, NaN where that is N, as nobody knows what a mutation would replace."""
    reference: Float32[np.ndarray, "..."]
    """Output of the window as it is."""
    tokens: UInt8[np.ndarray, "positions"]
    """The bases that are there."""
    account: Recomputation

    def to_tangermeme(self) -> Float32[np.ndarray, "1 4 positions"]:
        """Return attributions as tangermeme does, which has positions last.

        They are `saturation_mutagenesis(..., hypothetical=True)` of tangermeme 1.6 for a batch of
        this one window: effects less their mean over the four bases, averaged over outputs. Of
        its raw outputs, `y0` is `reference[None]` and `y_hat[0, base, position]` is
        `reference + effects[position, base]`. It mutates N too, which is NaN here.
        """
        centred = self.effects - self.effects.mean(axis=1, keepdims=True)
        return centred.reshape(*centred.shape[:2], -1).mean(axis=2).T[None]


def saturation_mutagenesis(
    model: Model,
    tokens: UInt8[np.ndarray, "length"],
    *,
    start: int = 0,
    end: int | None = None,
    species: int = 0,
    reduce: Reduce | None = None,
    batch: int | None = None,
) -> Mutagenesis:
    """Put every other base at every position of a region and see what a model says.

    Args:
        model: any model. One that is a `LayeredModel` computes the changed rows of each layer
            alone, a `SplitModel` the changed features of its local part, and any other one
            reads each mutant whole.
        tokens: the window, A C G T N = 0 1 2 3 4.
        start: first position of the region.
        end: the position after its last; the window's end where None.
        species: number that the model knows the genome by.
        reduce: what to keep of a model's output, (batch, ...) to (batch, ...); the mean over
            everything but tracks, the last axis, where None.
        batch: mutants at once; where None, 4 windows, or as many changes as processor caches hold.

    Raises:
        ConfigError: the window's length does not suit the model, or the region is empty or
            reaches past the window.
    """
    model.check_length(len(tokens))
    end = len(tokens) if end is None else end
    if not 0 <= start < end <= len(tokens):
        raise ConfigError(
            f"start and end must name bases of the window of {len(tokens):,}, start before end; "
            f"got {start:,} and {end:,}."
        )
    if batch is not None:
        check_range(batch, "batch", low=1)
    runs = _known_runs(tokens, start, end)
    n_mutants = 3 * sum(len(run) for run in runs)
    with evaluating(model) as device, progress("mutating", n_mutants) as ticker:
        window = Window(
            tokens=np.array(tokens),  # torch takes no arrays that may not be written to
            species=species,
            reduce=reduce or mean_of_tracks,
            batch=batch,
            device=device,
        )
        found = way_of(model, window)
        reference = found.reference[0]
        shape = (end - start, 4, *reference.shape)
        effects = np.full(shape, np.nan, dtype=np.float32)
        for run in runs:
            effects[run - start, tokens[run]] = 0
        for mutants in found.of(runs):
            own = (mutants.outputs - reference).float().cpu().numpy()
            effects[mutants.positions - start, mutants.bases] = own
            ticker.advance(len(own))
    return Mutagenesis(
        effects=effects,
        reference=reference.float().cpu().numpy(),
        tokens=tokens[start:end].copy(),
        account=window.account,
    )


def way_of(model: Model, window: Window) -> MutantOutputs:
    """Return the way to compute mutants that reads least again."""
    if isinstance(model, LayeredModel):
        return Cones(model, window)
    return Segments(model, window) if isinstance(model, SplitModel) else WholeWindows(model, window)


def mean_of_tracks(output: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
    """Return the mean over everything between windows and tracks, which are the last axis."""
    return output.flatten(1, -2).mean(dim=1) if output.ndim > 2 else output


def one_number(reduce: Reduce) -> Reduce:
    """Return a function that does what `reduce` does, and refuses all but a number a window."""

    def checked(output: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch"]:
        numbers = reduce(output)
        if numbers.shape != output.shape[:1]:
            raise ConfigError(
                f"reduce must make one number a window, {tuple(output.shape[:1])}, of an output "
                f"of {tuple(output.shape)}; got {tuple(numbers.shape)}."
            )
        return numbers

    return checked


def _known_runs(
    tokens: UInt8[np.ndarray, "length"], start: int, end: int
) -> list[Int64[np.ndarray, "_"]]:
    """Return the positions of a region whose base is known, neighbours together."""
    known = start + np.flatnonzero(tokens[start:end] < N)
    runs = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    return [run for run in runs if len(run)]
