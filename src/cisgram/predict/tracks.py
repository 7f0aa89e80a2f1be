"""Models of tracks and genes, and what their outputs mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from cisgram.core.checks import ConfigError
from cisgram.core.device import best_device
from cisgram.genome.alphabet import reverse_complement
from cisgram.models.base import TrackModel
from cisgram.models.checkpoint import load_model
from cisgram.predict.reuse import ReuseConfig, predict_sequences


class Columns(NamedTuple):
    """What the outputs of a model are."""

    tracks: tuple[str, ...]
    """Names of the tracks; `name+` is the strand that is read."""
    values: tuple[str, ...]
    """Names of the numbers of genes; each has a column a strand, after the tracks."""
    upstream: tuple[int, ...]
    """For each track, bases before a gene's body in which the gene's signal may lie already."""

    @property
    def partner(self) -> Int64[np.ndarray, "columns"]:
        """For each column, that of the same signal on the other strand; itself without strand.

        >>> Columns(("tss+", "tss-", "mnase"), ("tpm",), (300, 300, 0)).partner
        array([1, 0, 2, 4, 3])
        """
        places = {name: number for number, name in enumerate(self.tracks)}
        other = {"+": "-", "-": "+"}
        of_tracks = [
            places.get(name[:-1] + other.get(name[-1], name[-1]), number)
            for number, name in enumerate(self.tracks)
        ]
        n, n_tracks = len(self.values), len(self.tracks)
        of_values = [*range(n_tracks + n, n_tracks + 2 * n), *range(n_tracks, n_tracks + n)]
        return np.array(of_tracks + of_values, dtype=np.int64)

    @property
    def of_a_gene(self) -> tuple[str, ...]:
        """Names of what is read of a gene: its numbers, then tracks of its strand or of none.

        >>> Columns(("tss+", "tss-", "mnase"), ("tpm",), (300, 300, 0)).of_a_gene
        ('tpm', 'tss+', 'mnase')
        """
        return (*self.values, *(name for name in self.tracks if not name.endswith("-")))


class Reading(NamedTuple):
    """What a model says of windows, the mean over both strands, in units of what it learnt."""

    tracks: Float32[np.ndarray, "windows bins tracks"]
    """Counts of a bin."""
    values: Float32[np.ndarray, "windows bins strands values"]
    """Of genes on the strand that was asked for and of those on the other; a gene's number is the
    mean over its bins."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """What the targets of a network were scaled by."""

    power: float
    """Counts were raised to this."""
    track_means: Float32[np.ndarray, "tracks"]
    """And then divided by these."""
    value_moments: Float32[np.ndarray, "values 2"]
    """Means and standard deviations of genes' numbers."""

    @classmethod
    def of(cls, scaling: Mapping[str, Any], columns: Columns) -> Self:
        """Take it from what a card says."""
        return cls(
            power=scaling["power"],
            track_means=np.array([scaling["tracks"][t] for t in columns.tracks], np.float32),
            value_moments=np.array(
                [scaling["values"][v] for v in columns.values], np.float32
            ).reshape(-1, 2),
        )

    def undone(
        self, output: Float[Tensor, "batch bins columns"]
    ) -> Float[Tensor, "batch bins columns"]:
        """Return counts, and genes' numbers in their units, of a network's output."""
        n_tracks = len(self.track_means)
        means, moments = (
            torch.from_numpy(scale).to(output) for scale in (self.track_means, self.value_moments)
        )
        counts = (output[..., :n_tracks] * means).pow(1 / self.power)
        values = output[..., n_tracks:].unflatten(-1, (2, -1)) * moments[:, 1] + moments[:, 0]
        return torch.cat([counts, values.flatten(-2)], dim=-1)


@dataclass(frozen=True, eq=False)
class TrackReader:
    """A trained model of tracks and genes with what its targets were scaled by."""

    model: TrackModel
    columns: Columns
    scales: tuple[Scale, ...]
    """Of each member of an ensemble; of a single network one."""
    card: dict[str, Any]

    @classmethod
    def open(cls, name: Path | str) -> Self:
        """Open packaged weights, a model's directory or a run of `cisgram train`.

        Raises:
            DataError: there is no such model, or it is damaged.
            ConfigError: it predicts no tracks, or its card does not say which.
        """
        model, card = load_model(name)
        if not isinstance(model, TrackModel) or not {"columns", "scaling"} <= set(card):
            raise ConfigError(
                f"{name} is a {model.kind} that names no tracks; name a run of `cisgram train`."
            )
        scaling, columns = card["scaling"], card["columns"]
        if lacking := [field for field in Columns._fields if field not in columns]:
            raise ConfigError(
                f"the card of {name} lacks {', '.join(lacking)} of its columns, as models of "
                "earlier versions do; train it again."
            )
        named = Columns(*(tuple(columns[name]) for name in Columns._fields))
        of_members = scaling if isinstance(scaling, list) else [scaling]
        scales = tuple(Scale.of(own, named) for own in of_members)
        return cls(model.to(best_device()), named, scales, card)

    @property
    def margin(self) -> int:
        """Bases at each end of a window of which nothing is predicted."""
        return self.model.margin

    @property
    def n_bins(self) -> int:
        """Bins of a window."""
        return (self.model.window - 2 * self.margin) // self.model.resolution

    def read(
        self,
        windows: UInt8[np.ndarray, "windows length"],
        *,
        species: int = 0,
        config: ReuseConfig | None = None,
    ) -> Reading:
        """Predict windows and their reverse complements; bins and strands are those given."""
        both = np.stack([windows, reverse_complement(windows)])
        read = predict_sequences(
            self.model, both, species=species, reduce=self.in_units, config=config
        ).values
        mean = (read[0] + read[1][:, ::-1, self.columns.partner]) / 2
        n_tracks = len(self.columns.tracks)
        values = mean[..., n_tracks:].reshape(*mean.shape[:2], 2, len(self.columns.values))
        return Reading(mean[..., :n_tracks], values)

    def in_units(
        self, output: Float[Tensor, "batch bins columns"]
    ) -> Float[Tensor, "batch bins _columns"]:
        """Return an output in counts and in units of the genes' numbers, the mean of members."""
        members = output.unflatten(-1, (len(self.scales), -1)).unbind(-2)
        units = [scale.undone(own) for scale, own in zip(self.scales, members, strict=True)]
        return torch.stack(units).mean(dim=0)
