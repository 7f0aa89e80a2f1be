"""Dilated convolutions at one base, after GPN (Benegas et al. 2023, PNAS 120:e2311219120).

The defaults are the sizes of the network that GPN's authors distribute. It takes windows of any
length. Read from the left alone, it is an autoregressive model instead of a masked one.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, check_fields, check_odd
from cisgram.data.outputs import Geometry, Outputs
from cisgram.genome.alphabet import N
from cisgram.models.base import MASK, Bases, Embedding, SplitModel, halo_of, rows_of
from cisgram.models.registry import architecture
from cisgram.nn.dilated import DilatedBlock
from cisgram.nn.init import lecun_normal_
from cisgram.nn.pool import mean_of_bins


@dataclass(frozen=True, kw_only=True)
class DilatedConfig:
    """Sizes of the network; the published ones by default."""

    n_species: int = 0
    """Genomes that the input can name."""
    window: int = 512
    """Bases the model is made for; it takes any number."""
    channels: int = 512
    """Of every base."""
    n_layers: int = 25
    """Residual blocks."""
    first_width: int = 9
    """Taps of the first block's convolution."""
    width: int = 5
    """Taps of every other convolution."""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    """Bases between taps, block after block, and again from the first after the last."""
    feed_channels: int = 2_048
    """Inside the feed-forward layers."""
    dropout: float = 0.0
    """On what each layer adds."""
    causal: bool = False
    """Predict each base from those before it, instead of from those on both sides."""
    resolution: int = 1
    """Bases whose mean makes a row of the output."""
    crop: int = 0
    """Rows left out at each end of the output."""

    def __post_init__(self) -> None:
        """Check every field; lists become tuples."""
        object.__setattr__(self, "dilations", tuple(self.dilations))
        check_fields(self, "n_species", "crop", low=0)
        check_fields(self, "window", "channels", "n_layers", "feed_channels", low=1)
        check_fields(self, "first_width", "width", "dilations", low=1)
        check_fields(self, "dropout", low=0, high=1)
        check_odd(self, "first_width", "width")
        if not self.dilations:
            raise ConfigError("dilations must name at least one distance; got none.")
        if self.causal and self.resolution > 1:
            raise ConfigError(
                f"a causal model has a row for each base; got a resolution of {self.resolution}."
            )
        self.geometry  # noqa: B018 - checks the window against resolution and crop

    @property
    def geometry(self) -> Geometry:
        """Window, and which of its bases the rows of the output stand for."""
        return Geometry(
            window=self.window, resolution=self.resolution, margin=self.crop * self.resolution
        )

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Taps and dilation of every block's convolution.

        >>> DilatedConfig(n_layers=4, dilations=(1, 2, 4)).shapes
        ((9, 1), (5, 2), (5, 4), (5, 1))
        """
        return tuple(
            (self.width if layer else self.first_width, self.dilations[layer % len(self.dilations)])
            for layer in range(self.n_layers)
        )


@architecture(
    "dilated",
    DilatedConfig,
    tiny={
        "window": 32,
        "channels": 8,
        "n_layers": 4,
        "first_width": 5,
        "width": 3,
        "dilations": (1, 2),
        "feed_channels": 8,
    },
)
class Dilated(SplitModel):
    """Dilated convolutions at one base, for bases or for tracks (GPN, Benegas et al. 2023).

    93,092,864 parameters by default. Past a window's ends are zeros. A causal model sees, when it
    predicts a base, only those before it, and an N before the window's first; a position of its
    `embed` has seen its own base and those before it.
    """

    reads_masks = True
    stages = ("blocks.*", "norm")
    embedding_layer = "norm"

    def __init__(self, config: DilatedConfig, outputs: Outputs) -> None:
        super().__init__(config, outputs)
        self.causal, self.multiple = config.causal, config.resolution
        reach = 1 + sum((width - 1) * gap for width, gap in config.shapes)
        both = halo_of(config.shapes, multiple=config.resolution)
        self.halo = reach if config.causal else both
        channels = config.channels
        self.letters = _table(MASK + 1, channels)
        self.species = _table(config.n_species, channels) if config.n_species else None
        self.blocks = nn.ModuleList(
            DilatedBlock(
                channels,
                width=width,
                dilation=dilation,
                feed_channels=config.feed_channels,
                dropout=config.dropout,
                causal=config.causal,
            )
            for width, dilation in config.shapes
        )
        self.norm = nn.LayerNorm(channels, bias=False)
        self.head = nn.Sequential(
            _dense(channels, channels),
            nn.GELU(),
            nn.LayerNorm(channels, bias=False),
            _dense(channels, outputs.n_columns),
        )

    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch rows channels"], ...]:
        """Return what each row is predicted from."""
        seen = _after_unknown(tokens[:, :-1]) if self.causal else tokens
        return (mean_of_bins(self._encoded(seen, species), self.config.resolution),)

    def mix(
        self, features: tuple[Float[Tensor, "batch rows channels"], ...]
    ) -> Float[Tensor, "batch left columns"]:
        """Return the scores of every column, the rows at the ends of the window left out."""
        (x,), crop = features, self.config.crop
        return self.head(x[:, crop : x.shape[1] - crop])

    def embed(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
        *,
        layer: str | None = None,
    ) -> Embedding:
        """Return the output of a layer, nothing masked; of a causal model, of the last one."""
        if not self.causal:
            return super().embed(tokens, species, layer=layer)
        length = tokens.shape[1]
        if self.layer(layer) != self.embedding_layer:
            raise ConfigError(f"a causal {self.kind} is embedded by {self.embedding_layer} alone.")
        values = self._encoded(_after_unknown(tokens), species)[:, -length:]
        spans = self.spans_of(values, length, self.embedding_layer).to(tokens.device)
        return Embedding(values, spans.expand(len(tokens), -1, -1))

    def _encoded(
        self, seen: Bases, species: Int[Tensor, "batch"] | None
    ) -> Float[Tensor, "batch length channels"]:
        x = rows_of(seen, self.letters.weight)
        if self.species is not None:
            if species is None:
                species = torch.zeros(len(seen), dtype=torch.int64, device=seen.device)
            x = x + self.species(species)[:, None]
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


def _after_unknown(tokens: Bases) -> Tensor:
    """Return windows with an N before their first base, as `Bases`."""
    if tokens.is_floating_point():
        return F.pad(tokens, (0, 0, 1, 0))
    return F.pad(tokens, (1, 0), value=N)


def _table(rows: int, channels: int) -> nn.Embedding:
    """Return rows of length one on average, as long as the published one-hot rows."""
    table = nn.Embedding(rows, channels)
    nn.init.normal_(table.weight, std=channels**-0.5)
    return table


def _dense(n_in: int, n_out: int) -> nn.Linear:
    layer = nn.Linear(n_in, n_out, bias=False)
    lecun_normal_(layer.weight)
    return layer
