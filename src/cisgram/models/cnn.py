"""A small dilated convolutional network that predicts tracks from sequence.

A wide convolution, then residual ones whose taps lie ever further apart, as BPNet's trunk (Avsec
et al. 2021, Nature Genetics 53:354). The defaults are the sizes that tools of mutagenesis are
timed with: 64 filters, eight residual layers, 1,041 bases in sight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, check_range
from cisgram.models.base import Bases, LayeredModel, halo_of
from cisgram.nn.changes import ChangeLayer, Dense, ReluConv


@dataclass(frozen=True, kw_only=True)
class DilatedCNNConfig:
    """Sizes of the network."""

    window: int = 2_114
    """Bases the model is made for; it takes any number."""
    channels: int = 64
    """Filters of every convolution."""
    first_width: int = 21
    """Taps of the first convolution."""
    width: int = 3
    """Taps of the residual ones."""
    dilations: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128, 256)
    """Bases between the taps of each residual convolution."""
    n_tracks: int = 1
    """Predicted for a window, or for every base of it."""
    pooled: bool = True
    """Predict the tracks of a window from the mean over its bases; otherwise those of each base."""

    def __post_init__(self) -> None:
        """Check every field; lists become tuples."""
        object.__setattr__(self, "dilations", tuple(self.dilations))
        for name in ("window", "channels", "first_width", "width", "n_tracks"):
            check_range(getattr(self, name), name, low=1)
        for name in ("first_width", "width"):
            if getattr(self, name) % 2 == 0:
                raise ConfigError(f"{name} must be odd; got {getattr(self, name)}.")
        for dilation in self.dilations:
            check_range(dilation, "dilations", low=1)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Taps and dilation of every convolution.

        >>> DilatedCNNConfig(dilations=(2, 4)).shapes
        ((21, 1), (3, 2), (3, 4))
        """
        return ((self.first_width, 1), *((self.width, gap) for gap in self.dilations))


class DilatedCNN(LayeredModel):
    """Dilated convolutions to tracks of a window or of each base; 104,321 numbers by default."""

    kind = "dilated-cnn"

    def __init__(self, config: DilatedCNNConfig) -> None:
        super().__init__()
        self.config, self.averages = config, config.pooled
        self.window, self.multiple, self.resolution = config.window, 1, 1
        self.halo = halo_of(config.shapes, multiple=1)
        self.receptive_field = 1 + 2 * self.halo
        n_in = 4
        self.convolutions = nn.ModuleList()
        for number, (width, dilation) in enumerate(config.shapes):
            self.convolutions.append(
                ReluConv(n_in, config.channels, width=width, dilation=dilation, residual=number > 0)
            )
            n_in = config.channels
        self.head = Dense(config.channels, config.n_tracks)
        self.register_buffer("letters", F.pad(torch.eye(4), (0, 0, 0, 1)), persistent=False)

    @property
    def layers(self) -> Sequence[ChangeLayer]:
        """The convolutions; and the head where it predicts each base."""
        convolutions = cast(Sequence[ChangeLayer], tuple(self.convolutions))
        return convolutions if self.averages else (*convolutions, self.head)

    def forward(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch ... tracks"]:
        """Return the tracks of each window, or of each of its bases."""
        return self.mix(self.local(tokens, species))

    def mix(
        self, features: tuple[Float[Tensor, "batch length channels"], ...]
    ) -> Float[Tensor, "batch ... tracks"]:
        """Return the tracks of each window, or of each of its bases."""
        (x,) = features
        return self.head(x.mean(dim=1, keepdim=True))[:, 0] if self.averages else x
