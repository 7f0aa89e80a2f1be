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
from jaxtyping import Float
from torch import Tensor, nn

from cisgram.core.checks import check_fields, check_odd
from cisgram.data.outputs import Geometry, Outputs
from cisgram.models.base import LayeredModel, halo_of
from cisgram.models.registry import architecture
from cisgram.nn.changes import ChangeLayer, Dense, ReluConv
from cisgram.nn.pool import mean_of_bins


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
    resolution: int = 1
    """Bases whose mean makes a row of the output, where there is one for more than a window."""
    crop: int = 0
    """Rows left out at each end of the output."""

    def __post_init__(self) -> None:
        """Check every field; lists become tuples."""
        object.__setattr__(self, "dilations", tuple(self.dilations))
        check_fields(self, "window", "channels", "first_width", "width", "dilations", low=1)
        check_fields(self, "crop", low=0)
        check_odd(self, "first_width", "width")
        self.geometry  # noqa: B018 - checks the window against resolution and crop

    @property
    def geometry(self) -> Geometry:
        """Window, and which of its bases the rows of the output stand for."""
        return Geometry(
            window=self.window, resolution=self.resolution, margin=self.crop * self.resolution
        )

    @property
    def default_outputs(self) -> Outputs:
        """One number of a window."""
        return Outputs(row="window", names=("output",))

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Taps and dilation of every convolution.

        >>> DilatedCNNConfig(dilations=(2, 4)).shapes
        ((21, 1), (3, 2), (3, 4))
        """
        return ((self.first_width, 1), *((self.width, gap) for gap in self.dilations))


@architecture(
    "dilated-cnn",
    DilatedCNNConfig,
    tiny={"window": 64, "channels": 6, "first_width": 5, "dilations": (2, 4)},
)
class DilatedCNN(LayeredModel):
    """Dilated convolutions, for numbers of a window or for tracks (BPNet's trunk).

    104,321 parameters by default.
    """

    row_kinds = ("base", "bin", "window")
    stages = ("convolutions.*",)

    def __init__(self, config: DilatedCNNConfig, outputs: Outputs) -> None:
        super().__init__(config, outputs)
        self.multiple = 1 if self.averages else config.resolution
        self.halo = halo_of(config.shapes, multiple=self.multiple)
        n_in = 4
        self.convolutions = nn.ModuleList()
        for number, (width, dilation) in enumerate(config.shapes):
            self.convolutions.append(
                ReluConv(n_in, config.channels, width=width, dilation=dilation, residual=number > 0)
            )
            n_in = config.channels
        self.head = Dense(config.channels, outputs.n_columns)
        self.register_buffer("letters", F.pad(torch.eye(4), (0, 0, 0, 1)), persistent=False)

    @property
    def layers(self) -> Sequence[ChangeLayer]:
        """The convolutions; and the head where every base has a row of the output."""
        convolutions = cast(Sequence[ChangeLayer], tuple(self.convolutions))
        return (*convolutions, self.head) if self._is_headed else convolutions

    @property
    def _is_headed(self) -> bool:
        return not self.averages and self.config.resolution == 1

    def mix(
        self, features: tuple[Float[Tensor, "batch length channels"], ...]
    ) -> Float[Tensor, "batch ... columns"]:
        """Return the scores of every column, of each window or of each row that is left of it."""
        (x,), crop = features, self.config.crop
        if self.averages:
            return self.head(x.mean(dim=1, keepdim=True))[:, 0]
        x = mean_of_bins(x, self.config.resolution)
        x = x[:, crop : x.shape[1] - crop]
        return x if self._is_headed else self.head(x)
