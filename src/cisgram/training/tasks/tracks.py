"""Predict signal along a genome and the targets of its genes."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, check_range
from cisgram.models.base import Model
from cisgram.nn.activations import log_softplus
from cisgram.nn.pool import mean_of_spans
from cisgram.training.losses import known_squared_error, poisson_multinomial
from cisgram.training.task import Task, task


@dataclass(frozen=True, kw_only=True)
class TracksConfig:
    """Weights of the parts of the loss."""

    total_weight: float = 0.2
    """Of how much signal a window has, against where it lies."""
    gene_weight: float = 1.0
    """Of gene targets, against the signal."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_range(self.total_weight, "total_weight", low=0)
        check_range(self.gene_weight, "gene_weight", low=0)


@task("tracks", TracksConfig)
class TracksTask(Task):
    """A likelihood of counts in bins, and squared errors of gene targets."""

    def check(self, model: Model) -> None:
        """Refuse models that have no rows of bins, and data sets without signal."""
        if model.outputs.are_bases:
            raise ConfigError(
                "the tracks task needs a data set of tracks; this one is of bases, for the masked "
                "task."
            )
        if model.outputs.row not in ("bin", "base"):
            raise ConfigError(
                f"the tracks task needs a model with rows along its window; a {model.kind} here "
                f"has one for each {model.outputs.row}."
            )

    def loss(self, model: nn.Module, batch: Any) -> Float[Tensor, ""]:
        """Return the loss of the tracks and, weighted, that of the genes of a `TargetBatch`."""
        counts, values = batch.counts, batch.values
        n_tracks = counts.shape[-1]
        scores = model(batch.tokens).float()
        loss = poisson_multinomial(
            log_softplus(scores[..., :n_tracks]), counts, total_weight=self.config.total_weight
        )
        if not values.numel():
            return loss
        predicted = gene_values(
            scores[..., n_tracks:], batch.gene_window, batch.gene_bins, opposes=batch.gene_opposes
        )
        known = ~values.isnan()
        return loss + self.config.gene_weight * known_squared_error(predicted, values, known)


def gene_values(
    columns: Float[Tensor, "batch bins twice_targets"],
    window: Int[Tensor, "genes"],
    bins: Int[Tensor, "genes 2"],
    *,
    opposes: Bool[Tensor, "genes"],
) -> Float[Tensor, "genes targets"]:
    """Return gene targets: the mean over a gene's bins of the columns of its strand."""
    means = mean_of_spans(columns, window, bins).unflatten(-1, (2, -1))
    return torch.where(opposes[:, None], means[:, 1], means[:, 0])
