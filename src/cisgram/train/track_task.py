"""Learn signal along a genome and numbers of genes."""

from typing import NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from cisgram.core.checks import few
from cisgram.core.device import evaluating
from cisgram.data.targets import Targets
from cisgram.genome.interval import Interval
from cisgram.models.shorkie_tracks import ShorkieTracks
from cisgram.nn.activations import log_softplus
from cisgram.nn.pool import mean_of_spans
from cisgram.train.losses import known_squared_error, poisson_multinomial


class TrackBatch(NamedTuple):
    """Windows and what they should give; `data.targets.TargetBatch` says more."""

    tokens: UInt8[Tensor, "batch length"]
    counts: Float[Tensor, "batch bins tracks"]
    gene_window: Int[Tensor, "genes"]
    gene_bins: Int[Tensor, "genes 2"]
    gene_opposes: Bool[Tensor, "genes"]
    values: Float[Tensor, "genes values"]

    def to(self, device: torch.device) -> "TrackBatch":
        """Return the same on another device."""
        return TrackBatch(*(value.to(device, non_blocking=True) for value in self))


class TrackTask:
    """Learn targets: a likelihood of counts, and squared errors of genes' numbers."""

    def __init__(
        self, targets: Targets, *, total_weight: float = 0.2, value_weight: float = 1.0
    ) -> None:
        self.targets = targets
        self._weights = (total_weight, value_weight)
        self._train, self._valid = targets.split("train"), targets.split("valid")
        self.n_train = len(self._train)

    def batch(self, examples: Int[np.ndarray, "batch"], rng: np.random.Generator) -> TrackBatch:
        """Return windows moved by up to half a tile, on a strand drawn for each."""
        geometry = self.targets.geometry
        reach = geometry.predicted // 2 // geometry.resolution
        shifts = rng.integers(-reach, reach + 1, len(examples)) * geometry.resolution
        strands = rng.choice(["+", "-"], len(examples))
        places = zip(self._train[examples].tolist(), strands, shifts.tolist(), strict=True)
        return self._read(
            [self.targets.interval(row, str(strand), shift=shift) for row, strand, shift in places]
        )

    def loss(self, model: nn.Module, batch: TrackBatch) -> Float[Tensor, ""]:
        """Return the loss of the tracks and, weighted, that of the genes."""
        total_weight, value_weight = self._weights
        n_tracks = batch.counts.shape[-1]
        scores = cast("ShorkieTracks", model).scores(batch.tokens).float()
        loss = poisson_multinomial(
            log_softplus(scores[..., :n_tracks]), batch.counts, total_weight=total_weight
        )
        if not batch.values.numel():
            return loss
        predicted = gene_values(
            scores[..., n_tracks:], batch.gene_window, batch.gene_bins, opposes=batch.gene_opposes
        )
        known = ~batch.values.isnan()
        return loss + value_weight * known_squared_error(predicted, batch.values, known)

    def describe(self, examples: Int[np.ndarray, "batch"]) -> str:
        """Name windows by contig and position."""
        rows = self._train[examples].tolist()
        return f"windows {few([str(self.targets.interval(row, '.')) for row in rows])}"

    def validate(self, model: nn.Module, batch: int) -> float:
        """Return the mean loss over the validation windows, on both strands."""
        places = [
            self.targets.interval(row, strand) for row in self._valid.tolist() for strand in "+-"
        ]
        total = 0.0
        with evaluating(model) as device:
            for first in range(0, len(places), batch):
                part = places[first : first + batch]
                total += self.loss(model, self._read(part).to(device)).item() * len(part)
        return total / len(places)

    def _read(self, intervals: list[Interval]) -> TrackBatch:
        return TrackBatch(*(torch.from_numpy(value) for value in self.targets.batch(intervals)))


def gene_values(
    columns: Float[Tensor, "batch bins twice_values"],
    window: Int[Tensor, "genes"],
    bins: Int[Tensor, "genes 2"],
    *,
    opposes: Bool[Tensor, "genes"],
) -> Float[Tensor, "genes values"]:
    """Return genes' numbers: the mean over a gene's bins of the columns of its strand."""
    means = mean_of_spans(columns, window, bins).unflatten(-1, (2, -1))
    return torch.where(opposes[:, None], means[:, 1], means[:, 0])
