"""Dilated convolutions at one base, after GPN (Benegas et al. 2023, PNAS 120:e2311219120).

The defaults are the sizes of the network that GPN's authors distribute. It takes windows of any
length. Read from the left alone, it is an autoregressive model instead of a masked one.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, check_range
from cisgram.genome.alphabet import N
from cisgram.models.base import (
    MASK,
    Bases,
    Embedding,
    LanguageModel,
    SplitModel,
    halo_of,
    hide,
    rows_of,
)
from cisgram.nn.dilated import DilatedBlock
from cisgram.nn.init import lecun_normal_


@dataclass(frozen=True, kw_only=True)
class DilatedConfig:
    """Sizes of the network; the published ones by default."""

    n_species: int = 0
    """Genomes that the input can name."""
    window: int = 512
    """Bases the model is made for; it takes any number."""
    channels: int = 512
    """Of every hidden base."""
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

    def __post_init__(self) -> None:
        """Check every field; lists become tuples."""
        object.__setattr__(self, "dilations", tuple(self.dilations))
        check_range(self.n_species, "n_species", low=0)
        sizes = ("window", "channels", "n_layers", "first_width", "width", "feed_channels")
        for name in sizes:
            check_range(getattr(self, name), name, low=1)
        for name in ("first_width", "width"):
            if getattr(self, name) % 2 == 0:
                raise ConfigError(f"{name} must be odd; got {getattr(self, name)}.")
        if not self.dilations:
            raise ConfigError("dilations must name at least one distance; got none.")
        for dilation in self.dilations:
            check_range(dilation, "dilations", low=1)
        check_range(self.dropout, "dropout", low=0, high=1)

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


class DilatedLM(LanguageModel, SplitModel):
    """Dilated convolutions of the GPN kind; 93,092,864 numbers by default.

    Past a window's ends are zeros. A causal model sees, when it predicts a base, only those
    before it, and an N before the window's first; a hidden base of its `embed` has seen itself and
    those before it.
    """

    kind = "dilated-lm"

    def __init__(self, config: DilatedConfig) -> None:
        super().__init__()
        self.config, self.causal = config, config.causal
        self.window, self.multiple, self.resolution = config.window, 1, 1
        self.receptive_field = 1 + sum((width - 1) * gap for width, gap in config.shapes)
        self.halo = self.receptive_field if config.causal else halo_of(config.shapes, multiple=1)
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
            _dense(channels, 4),
        )

    def logits(
        self,
        tokens: Bases,
        mask: Bool[Tensor, "batch length"] | None = None,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch length 4"]:
        """Return unnormalised log-probabilities of A, C, G and T at every base."""
        return self.mix(self.local(hide(tokens, mask), species))

    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch length channels"], ...]:
        """Return what each base is predicted from; a hidden base is the token `MASK`."""
        self.check_length(tokens.shape[1])
        seen = _after_unknown(tokens[:, :-1]) if self.config.causal else tokens
        return (self._hidden(seen, species),)

    def mix(
        self, features: tuple[Float[Tensor, "batch length channels"], ...]
    ) -> Float[Tensor, "batch length 4"]:
        """Return unnormalised log-probabilities of A, C, G and T at every base."""
        return self.head(features[0])

    def embed(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Embedding:
        """Return the bases after the last block, nothing masked."""
        length = tokens.shape[1]
        self.check_length(length)
        seen = _after_unknown(tokens) if self.config.causal else tokens
        values = self._hidden(seen, species)[:, -length:]
        starts = torch.arange(length, device=tokens.device)
        spans = torch.stack([starts, starts + 1], dim=-1)
        return Embedding(values, spans.expand(len(tokens), -1, -1))

    def _hidden(
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
