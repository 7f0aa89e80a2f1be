"""Shorkie's multi-resolution language model (Chao et al. 2025, bioRxiv 10.1101/2025.09.19.677475).

A stem at one base, residual blocks that halve the resolution, attention at the coarsest, and
U-Net blocks back up: to one base for the masked language model, to bins for tracks. The
defaults are the published sizes; anything smaller is the same network with other numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, check_fields
from cisgram.data.outputs import Geometry, Outputs
from cisgram.models.base import MASK, Bases, SplitModel, halo_of, rows_of
from cisgram.models.registry import architecture
from cisgram.nn.attention import TransformerBlock
from cisgram.nn.conv import Conv, ResidualBlock, UpBlock, gelu, max_pool
from cisgram.nn.init import lecun_normal_
from cisgram.nn.positions import CentralMasks

_N_LETTERS = 5
"""Input channels of the sequence itself: A, C, G, T and the flag of a masked base."""
_BLOCK_WIDTH = 5
"""Taps of each residual block's first convolution."""


@dataclass(frozen=True, kw_only=True)
class ShorkieConfig:
    """Sizes of the trunk; the published ones by default."""

    n_species: int = 165
    """Genomes that the input can name."""
    window: int = 16_384
    """Bases the model is made for; distances are told apart up to this."""
    stem_channels: int = 96
    """Filters of the first convolution, 11 bases wide."""
    channels: tuple[int, ...] = (96, 128, 160, 192, 256, 320, 384)
    """Of the residual blocks, each of which halves the resolution."""
    n_layers: int = 8
    """Transformer blocks."""
    n_heads: int = 4
    """Of attention."""
    key_size: int = 64
    """Of each head."""
    decoder_channels: tuple[int, ...] = (384, 384, 384, 384, 384, 384, 384)
    """Of the U-Net blocks, coarsest first; each doubles the resolution, up to single bases. The
    published model of tracks has three, which end at bins of 16 bases."""
    crop: int = 0
    """Bins left out at each end of the output; 64 in the published model of tracks."""
    conv_dropout: float = 0.05
    """In the residual blocks."""
    dropout: float = 0.2
    """In the transformer blocks."""

    def __post_init__(self) -> None:
        """Check every field; lists become tuples."""
        for name in ("channels", "decoder_channels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_fields(self, "channels", "decoder_channels", low=1)
        if not self.channels:
            raise ConfigError("channels must name at least one residual block; got none.")
        if not 1 <= len(self.decoder_channels) <= len(self.channels):
            raise ConfigError(
                f"decoder_channels must have 1 to {len(self.channels)} entries, as many as "
                f"channels at most; got {len(self.decoder_channels)}."
            )
        check_fields(self, "stem_channels", "n_layers", "n_heads", "key_size", low=1)
        check_fields(self, "n_species", "crop", low=0)
        if self.channels[-1] % self.n_heads:
            raise ConfigError(
                f"the last of channels must be a multiple of n_heads ({self.n_heads}); "
                f"got {self.channels[-1]}."
            )
        if self.window < 1 or self.window % self.pool:
            raise ConfigError(f"window must be a multiple of {self.pool}; got {self.window}.")
        self.geometry  # noqa: B018 - checks the window against resolution and crop

    @property
    def geometry(self) -> Geometry:
        """Window, and which of its bases the rows of the output stand for."""
        resolution = int(2 ** (len(self.channels) - len(self.decoder_channels)))
        return Geometry(window=self.window, resolution=resolution, margin=self.crop * resolution)

    @property
    def pool(self) -> int:
        """Bases of one position of attention."""
        return int(2 ** len(self.channels))

    @property
    def halo(self) -> int:
        """Bases on either side that a position before attention depends on, in whole positions."""
        blocks = [(_BLOCK_WIDTH, 2**depth) for depth in range(len(self.channels))]
        return halo_of([(Stem.width, 1), *blocks], multiple=self.pool)


class ShorkieTrunk(nn.Module):
    """Everything up to the last U-Net block."""

    def __init__(self, config: ShorkieConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Stem(config.stem_channels, config.n_species)
        sizes = (config.stem_channels, *config.channels)
        self.encoder = nn.ModuleList(
            ResidualBlock(n_in, n_out, width=_BLOCK_WIDTH, dropout=config.conv_dropout)
            for n_in, n_out in zip(sizes, config.channels, strict=False)
        )
        self.transformer = nn.ModuleList(
            TransformerBlock(
                config.channels[-1],
                n_heads=config.n_heads,
                key_size=config.key_size,
                distances=CentralMasks(config.window // config.pool),
                dropout=config.dropout,
            )
            for _ in range(config.n_layers)
        )
        sizes = (config.channels[-1], *config.decoder_channels)
        self.decoder = nn.ModuleList(
            UpBlock(n_in, n_skip, n_out)
            for n_in, n_skip, n_out in zip(
                sizes, reversed(config.channels), config.decoder_channels, strict=False
            )
        )

    def local(
        self, tokens: Bases, species: Int[Tensor, "batch"] | None
    ) -> tuple[Float[Tensor, "batch _bins _channels"], ...]:
        """Return the positions before attention, then what each U-Net block adds to them."""
        x = self.stem(tokens, species)
        skips: list[Tensor] = []
        for block in self.encoder:
            skips.append(block(x))
            x = max_pool(skips[-1])
        blocks = cast(Iterable[UpBlock], self.decoder)
        pairs = zip(blocks, reversed(skips), strict=False)
        return x, *(block.lift(skip) for block, skip in pairs)

    def mix(
        self, features: tuple[Float[Tensor, "batch _bins _channels"], ...]
    ) -> Float[Tensor, "batch bins channels"]:
        """Return features at the resolution of the last U-Net block."""
        x = features[0]
        for block in self.transformer:
            x = block(x)
        for block, lifted in zip(self.decoder, features[1:], strict=True):
            x = block(x, lifted)
        return x


class Stem(nn.Module):
    """The first convolution, over bases, mask flag and species.

    A species is a channel that is one everywhere. Its share of the output is the same at every
    base but for the window's ends, so it is worked out there and in one base between them.
    """

    width: ClassVar[int] = 11

    def __init__(self, channels: int, n_species: int) -> None:
        super().__init__()
        kernel = torch.empty(channels, _N_LETTERS + n_species, self.width)
        self.weight = nn.Parameter(lecun_normal_(kernel))
        self.bias = nn.Parameter(torch.zeros(channels))
        letters = torch.zeros(MASK + 1, _N_LETTERS)
        letters[:4, :4] = torch.eye(4)
        letters[MASK, 4] = 1
        self.letters: Tensor
        self.register_buffer("letters", letters, persistent=False)

    def forward(
        self, tokens: Bases, species: Int[Tensor, "batch"] | None
    ) -> Float[Tensor, "batch length channels"]:
        """Return one row of channels a base; N is a row of zeros, `MASK` its flag alone."""
        image = rows_of(tokens, self.letters).transpose(1, 2).unsqueeze(2)
        kernel = self.weight[:, :_N_LETTERS].unsqueeze(2)
        x = F.conv2d(image, kernel, self.bias, padding=(0, self.width // 2))
        x = x.squeeze(2).transpose(1, 2)
        if self.weight.shape[1] == _N_LETTERS:
            return x
        if species is None:
            species = torch.zeros(len(tokens), dtype=torch.int64, device=tokens.device)
        return x + self._of_species(species, tokens.shape[1]).to(x.dtype)

    def _of_species(
        self, species: Int[Tensor, "batch"], length: int
    ) -> Float[Tensor, "batch length channels"]:
        """Convolve a channel of ones by summing the taps that lie within the window."""
        taps = self.weight[:, _N_LETTERS:].permute(2, 1, 0)[:, species]
        margin, n = self.width // 2, min(length, self.width)
        inside = F.pad(taps.new_ones(n), (margin, margin)).unfold(0, self.width, 1)
        ends = torch.einsum("pt,tsc->spc", inside, taps)
        if n == length:
            return ends
        inner = ends[:, margin : margin + 1].expand(-1, length - 2 * margin, -1)
        return torch.cat([ends[:, :margin], inner, ends[:, margin + 1 :]], dim=1)


@architecture(
    "shorkie",
    ShorkieConfig,
    tiny={
        "n_species": 3,
        "window": 32,
        "stem_channels": 8,
        "channels": (8, 12),
        "decoder_channels": (12, 8),
        "n_layers": 1,
        "n_heads": 2,
        "key_size": 4,
        "conv_dropout": 0.0,
        "dropout": 0.0,
    },
)
class Shorkie(SplitModel):
    """Convolutions, attention and a U-Net, for bases or for tracks (Shorkie, Chao et al. 2025).

    13,665,828 parameters as the masked language model of 165 species, 14,253,567 with 5,215 tracks.
    """

    reads_masks = True
    stages = ("trunk.stem", "trunk.encoder.*", "trunk.transformer.*", "trunk.decoder.*")

    def __init__(self, config: ShorkieConfig, outputs: Outputs) -> None:
        super().__init__(config, outputs)
        self.multiple, self.halo = config.pool, config.halo
        self.n_levels = 1 + len(config.decoder_channels)
        self.trunk = ShorkieTrunk(config)
        self.embedding_layer = f"trunk.transformer.{config.n_layers - 1}"
        self.head = Conv(config.decoder_channels[-1], outputs.n_columns)

    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch _bins _channels"], ...]:
        """Return features before attention, of pieces of windows too."""
        return self.trunk.local(tokens, species)

    def mix(
        self, features: tuple[Float[Tensor, "batch _bins _channels"], ...]
    ) -> Float[Tensor, "batch bins columns"]:
        """Return the scores of every column, the bins at the ends of the window left out."""
        x, crop = self.trunk.mix(features), self.config.crop
        return self.head(gelu(x[:, crop : x.shape[1] - crop]))
