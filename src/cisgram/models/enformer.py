"""Enformer (Avsec et al. 2021, Nature Methods 18:1196): convolutions, then attention, to tracks.

The defaults are the published sizes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, check_fields
from cisgram.data.outputs import Geometry, Outputs
from cisgram.models.base import Bases, SplitModel, halo_of, rows_of
from cisgram.models.registry import architecture
from cisgram.nn.attention import TransformerBlock
from cisgram.nn.conv import BatchNorm, Conv
from cisgram.nn.pool import AttentionPool
from cisgram.nn.positions import EnformerDistances

EPSILON = 1e-5
"""Added to variances by every norm."""
_STEM_WIDTH, _TOWER_WIDTH = 15, 5


@dataclass(frozen=True, kw_only=True)
class EnformerConfig:
    """Sizes of the network; the published ones by default."""

    window: int = 196_608
    """Bases the model is made for; it takes others, but distances are scaled to the window."""
    channels: int = 1_536
    """Of every position of attention; the first convolution has half of them."""
    n_pools: int = 7
    """Halvings of the resolution, one in the stem and one after each block of the tower."""
    channel_multiple: int = 128
    """Channels of the tower's blocks grow evenly, rounded to this."""
    n_layers: int = 11
    """Transformer blocks."""
    n_heads: int = 8
    """Of attention."""
    key_size: int = 64
    """Of each head."""
    n_features: int = 192
    """Numbers that describe a distance."""
    dropout: float = 0.4
    """In the transformer blocks; an eighth of it before the head."""
    crop: int = 320
    """Bins left out at each end."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self, "window", "channels", "n_layers", "n_heads", "key_size", low=1)
        check_fields(self, "n_features", "channel_multiple", low=1)
        check_fields(self, "n_pools", low=2)
        check_fields(self, "crop", low=0)
        check_fields(self, "dropout", low=0, high=1)
        if self.n_features % 6:
            raise ConfigError(f"n_features must be a multiple of 6; got {self.n_features}.")
        if self.channels % self.n_heads or self.channels % 2:
            raise ConfigError(
                f"channels must be even and a multiple of n_heads ({self.n_heads}); "
                f"got {self.channels}."
            )
        self.geometry  # noqa: B018 - checks the window against resolution and crop

    @property
    def geometry(self) -> Geometry:
        """Window, and which of its bases the rows of the output stand for."""
        size = 2**self.n_pools
        return Geometry(window=self.window, resolution=size, margin=self.crop * size)

    @property
    def default_outputs(self) -> Outputs:
        """Tracks of the published human head, which have no names here."""
        names = tuple(f"track{number}" for number in range(5_313))
        return Outputs(
            row="bin",
            names=names,
            activation="softplus",
            resolution=self.geometry.resolution,
            margin=self.geometry.margin,
        )

    @property
    def tower(self) -> tuple[int, ...]:
        """Channels of the tower's blocks.

        >>> EnformerConfig().tower
        (768, 896, 1024, 1152, 1280, 1536)
        """
        n, first, unit = self.n_pools - 1, self.channels // 2, self.channel_multiple
        growth = 2 ** (1 / max(n - 1, 1))
        sizes = [round(first * growth**i / unit) * unit or unit for i in range(n - 1)]
        return (*sizes, self.channels)


@architecture(
    "enformer",
    EnformerConfig,
    tiny={
        "window": 64,
        "channels": 8,
        "n_pools": 2,
        "channel_multiple": 4,
        "n_layers": 1,
        "n_heads": 2,
        "key_size": 4,
        "n_features": 12,
        "crop": 1,
    },
)
class Enformer(SplitModel):
    """Convolutions, then attention, to tracks in bins (Enformer, Avsec et al. 2021)."""

    stages = ("stem_block", "tower.*", "transformer.*", "last")

    def __init__(self, config: EnformerConfig, outputs: Outputs) -> None:
        super().__init__(config, outputs)
        half, self.multiple = config.channels // 2, 2**config.n_pools
        self.embedding_layer = f"transformer.{config.n_layers - 1}"
        self.stem = Conv(4, half, width=_STEM_WIDTH)
        self.stem_block = PooledBlock(half)
        self.tower = nn.ModuleList()
        n_in = half
        for n_out in config.tower:
            self.tower.append(
                nn.Sequential(ConvBlock(n_in, n_out, width=_TOWER_WIDTH), PooledBlock(n_out))
            )
            n_in = n_out
        self.transformer = nn.ModuleList(
            TransformerBlock(
                config.channels,
                n_heads=config.n_heads,
                key_size=config.key_size,
                distances=EnformerDistances(config.n_features),
                dropout=config.dropout,
                epsilon=EPSILON,
            )
            for _ in range(config.n_layers)
        )
        self.last = ConvBlock(config.channels, 2 * config.channels)
        self.last_dropout = nn.Dropout(config.dropout / 8)
        self.head = Conv(2 * config.channels, outputs.n_columns)
        tower = [(_TOWER_WIDTH, 2**depth) for depth in range(1, config.n_pools)]
        self.halo = halo_of([(_STEM_WIDTH, 1), *tower], multiple=self.multiple)
        self.letters: Tensor
        self.register_buffer("letters", F.pad(torch.eye(4), (0, 0, 0, 1)), persistent=False)

    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch _bins _channels"], ...]:
        """Return the positions before attention; `species` is not looked at."""
        del species
        x = self.stem_block(self.stem(rows_of(tokens, self.letters)))
        for block in self.tower:
            x = block(x)
        return (x,)

    def mix(
        self, features: tuple[Float[Tensor, "batch _bins _channels"], ...]
    ) -> Float[Tensor, "batch bins columns"]:
        """Return the scores of every column, the bins at the ends of the window left out."""
        x, crop = features[0], self.config.crop
        for block in self.transformer:
            x = block(x)
        x = self.last(x[:, crop : x.shape[1] - crop])
        return self.head(sigmoid_gelu(self.last_dropout(x)))


class ConvBlock(nn.Module):
    """A pre-activated convolution."""

    def __init__(self, n_in: int, n_out: int, *, width: int = 1) -> None:
        super().__init__()
        self.norm = BatchNorm(n_in, epsilon=EPSILON)
        self.conv = Conv(n_in, n_out, width=width)

    def forward(self, x: Float[Tensor, "batch length in"]) -> Float[Tensor, "batch length out"]:
        """Normalise, activate and convolve."""
        return self.conv(sigmoid_gelu(self.norm(x)))


class PooledBlock(nn.Module):
    """Adds a block one base wide to its input, and halves the resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = ConvBlock(channels, channels)
        self.pool = AttentionPool(channels)

    def forward(
        self, x: Float[Tensor, "batch length channels"]
    ) -> Float[Tensor, "batch half channels"]:
        """Refine and pool."""
        return self.pool(x + self.block(x))


def sigmoid_gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the approximation of the Gaussian error linear unit that Enformer uses."""
    return x * torch.sigmoid(1.702 * x)
