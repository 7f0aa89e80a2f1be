"""Shorkie's network of tracks (Chao et al. 2025, bioRxiv 10.1101/2025.09.19.677475).

The trunk of the language model up to bins of 16 bases, with a head for signal along the genome and,
where asked for, one for numbers that genes have.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from cisgram.core.checks import ConfigError, check_range
from cisgram.models.base import Bases, TrackModel
from cisgram.models.shorkie import ShorkieConfig, ShorkieTrunk
from cisgram.nn.conv import Conv, gelu


@dataclass(frozen=True, kw_only=True)
class ShorkieTracksConfig(ShorkieConfig):
    """Sizes of the model of tracks; the published ones by default."""

    decoder_channels: tuple[int, ...] = (384, 384, 384)
    """Of the U-Net blocks, coarsest first; three of them end at bins of 16 bases."""
    crop: int = 64
    """Bins left out at each end."""
    n_tracks: int = 5_215
    """Predicted for every bin."""
    n_values: int = 0
    """Numbers predicted for every gene; of each a column for genes on the strand that is read and
    one for genes on the other. A gene's number is the mean of its column over the gene's bins."""

    def __post_init__(self) -> None:
        """Check every field; lists become tuples."""
        super().__post_init__()
        check_range(self.crop, "crop", low=0)
        check_range(self.n_tracks, "n_tracks", low=1)
        check_range(self.n_values, "n_values", low=0)

    @property
    def resolution(self) -> int:
        """Bases of a bin."""
        return int(2 ** (len(self.channels) - len(self.decoder_channels)))


class ShorkieTracks(TrackModel):
    """Predicts tracks in bins from sequence; 14,253,567 numbers at 5,215 tracks."""

    kind = "shorkie"
    forward_methods: ClassVar[tuple[str, ...]] = ("scores",)

    def __init__(self, config: ShorkieTracksConfig) -> None:
        super().__init__()
        self.config, self.halo = config, config.halo
        self.window, self.multiple = config.window, config.pool
        self.resolution = config.resolution
        self.margin = config.crop * config.resolution
        self.n_columns = config.n_tracks + 2 * config.n_values
        self.n_levels = 1 + len(config.decoder_channels)
        if 2 * self.margin >= config.window:
            raise ConfigError(
                f"crop must leave bins of the window of {config.window:,} bases; got {config.crop}."
            )
        self.trunk = ShorkieTrunk(config)
        self.head = Conv(config.decoder_channels[-1], self.n_columns)

    def check_length(self, length: int) -> None:
        """Refuse windows that the architecture cannot take, or that are cropped away.

        Raises:
            ConfigError: `length` is no multiple of `multiple`, or no bin is left of it.
        """
        super().check_length(length)
        cropped = 2 * self.margin
        if length <= cropped:
            raise ConfigError(
                f"{self.kind} leaves out {cropped:,} bases of a window; got one of {length:,}."
            )

    def scores(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch bins columns"]:
        """Return `forward` before the softplus of its tracks, which losses are computed from."""
        self.check_length(tokens.shape[1])
        return self._scores(self.local(tokens, species))

    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch _bins _channels"], ...]:
        """Return features before attention, of pieces of windows too."""
        super().check_length(tokens.shape[1])
        return self.trunk.local(tokens, species)

    def mix(
        self, features: tuple[Float[Tensor, "batch _bins _channels"], ...]
    ) -> Float[Tensor, "batch bins columns"]:
        """Return the expected sum of each track in each bin, at least 0, and genes' columns.

        The columns of `n_values` come after the tracks: those of the strand that is read, then
        those of the other.
        """
        scores, n_tracks = self._scores(features), self.config.n_tracks
        if not self.config.n_values:
            return F.softplus(scores)
        return torch.cat([F.softplus(scores[..., :n_tracks]), scores[..., n_tracks:]], dim=-1)

    def _scores(
        self, features: tuple[Float[Tensor, "batch _bins _channels"], ...]
    ) -> Float[Tensor, "batch bins columns"]:
        x, crop = self.trunk.mix(features), self.config.crop
        return self.head(gelu(x[:, crop : x.shape[1] - crop]))
