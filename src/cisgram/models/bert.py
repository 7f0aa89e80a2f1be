"""A BERT of DNA after DNABERT-2 (Zhou et al. 2024), over single bases, k-mers or byte pairs.

The network is MosaicBERT's (Portes et al. 2023): no embedding of positions but linear biases of
attention, gated feed-forward layers, norms after the sums, and output weights that are those of
the input. It takes windows of any length.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Int64, UInt8
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, check_fields
from cisgram.data.outputs import Geometry, Outputs
from cisgram.data.tokenizer import (
    FIRST_LETTER,
    FIRST_WORD,
    Special,
    TokenizerConfig,
    build_tokenizer,
)
from cisgram.models.base import MASK, Embedding, Model, output_of
from cisgram.models.registry import architecture
from cisgram.nn.alibi import NORM_EPSILON, AlibiBlock, alibi_bias, alibi_slopes

_INITIAL_SD = 0.02
"""Of every weight, as in BERT."""


@dataclass(frozen=True, kw_only=True)
class BertConfig:
    """Sizes of the network; the published ones by default, over 6-mers."""

    tokenizer: TokenizerConfig = field(default_factory=lambda: TokenizerConfig(kind="kmer"))
    """What a window is cut into."""
    n_species: int = 0
    """Genomes that the input can name."""
    window: int = 512
    """Bases the model is made for; it takes any number."""
    channels: int = 768
    """Of every token."""
    n_layers: int = 12
    """Transformer blocks."""
    n_heads: int = 12
    """Of attention; they share the channels."""
    feed_channels: int = 3_072
    """Inside the feed-forward layers, after their gate."""
    dropout: float = 0.1
    """After the embedding and in every block."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self, "n_species", low=0)
        check_fields(self, "window", "channels", "n_layers", "n_heads", "feed_channels", low=1)
        check_fields(self, "dropout", low=0, high=1)
        if self.channels % self.n_heads:
            raise ConfigError(
                f"channels must be a multiple of n_heads ({self.n_heads}); got {self.channels}."
            )

    @property
    def geometry(self) -> Geometry:
        """Window; every base has a row."""
        return Geometry(window=self.window)


class TokenBatch(NamedTuple):
    """Windows as a model of tokens reads them: `CLS`, tokens, `SEP`, and `PAD` to equal length."""

    ids: Int64[Tensor, "batch positions"]
    spans: Int64[Tensor, "batch positions 2"]
    """First base and the one after the last; of special tokens, a place without bases."""


@architecture(
    "bert",
    BertConfig,
    tiny={
        "tokenizer": {"kind": "kmer", "k": 3},
        "window": 24,
        "channels": 8,
        "n_layers": 1,
        "n_heads": 2,
        "feed_channels": 8,
    },
)
class Bert(Model):
    """BERT over bases, k-mers or byte pairs, for bases (DNABERT-2, Zhou et al. 2024).

    117,074,176 parameters at 4,096 tokens and 2 species. It is trained to predict tokens
    (`token_logits`). `forward` translates that to bases where the cuts between tokens do not depend
    on the bases: with single bases and k-mers.
    """

    reads_weights, reads_masks = False, True
    forward_methods = ("token_logits",)
    stages = ("norm", "blocks.*")

    def __init__(self, config: BertConfig, outputs: Outputs) -> None:
        super().__init__(config, outputs)
        if not outputs.are_bases:
            raise ConfigError(f"{self.kind} is a language model; it predicts bases and no tracks.")
        self.tokenizer = build_tokenizer(config.tokenizer)
        self.embedding_layer = f"blocks.{config.n_layers - 1}"
        channels = config.channels
        self.words = nn.Embedding(self.tokenizer.vocabulary_size, channels)
        self.species = nn.Embedding(config.n_species, channels) if config.n_species else None
        self.norm = nn.LayerNorm(channels, eps=NORM_EPSILON)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            AlibiBlock(
                channels,
                n_heads=config.n_heads,
                feed_channels=config.feed_channels,
                dropout=config.dropout,
            )
            for _ in range(config.n_layers)
        )
        norm = nn.LayerNorm(channels, eps=NORM_EPSILON)
        self.head = nn.Sequential(nn.Linear(channels, channels), nn.GELU(), norm)
        self.head_bias = nn.Parameter(torch.zeros(self.tokenizer.vocabulary_size))
        self.slopes: Tensor
        self.register_buffer("slopes", alibi_slopes(config.n_heads), persistent=False)
        for name, value in self.named_parameters():
            if value.ndim > 1:
                nn.init.normal_(value, std=_INITIAL_SD)
            elif name.endswith("bias"):
                nn.init.zeros_(value)

    def tokenize(self, tokens: UInt8[Tensor, "batch length"]) -> TokenBatch:
        """Cut windows into tokens; one of which any base is masked becomes `Special.MASK`.

        A masked base is cut as a known one, as N would move the cuts.
        """
        length = tokens.shape[1]
        self.check_length(length)
        mask = tokens == MASK
        known = tokens.masked_fill(mask, 0)
        rows = [self.tokenizer.encode(row) for row in known.cpu().numpy()]
        n_positions = max(len(row.ids) for row in rows) + 2
        ids = np.full((len(rows), n_positions), Special.PAD, dtype=np.int64)
        spans = np.full((len(rows), n_positions, 2), length, dtype=np.int64)
        ids[:, 0], spans[:, 0] = Special.CLS, 0
        for number, row in enumerate(rows):
            end = 1 + len(row.ids)
            ids[number, 1:end], spans[number, 1:end] = row
            ids[number, end] = Special.SEP
        batch = TokenBatch(
            torch.from_numpy(ids).to(tokens.device), torch.from_numpy(spans).to(tokens.device)
        )
        n_before = F.pad(mask.cumsum(1), (1, 0))
        touched = n_before.gather(1, batch.spans[..., 1]) > n_before.gather(1, batch.spans[..., 0])
        return batch._replace(ids=batch.ids.masked_fill(touched, Special.MASK))

    def token_logits(
        self,
        ids: Int64[Tensor, "batch positions"],
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch positions vocabulary"]:
        """Return unnormalised log-probabilities of every token at every position of `tokenize`.

        Padded positions neither matter to others nor mean anything themselves.
        """
        return F.linear(self.head(self._encoded(ids, species)), self.words.weight, self.head_bias)

    def forward(
        self,
        tokens: UInt8[Tensor, "batch length"],
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch length 4"]:
        """Return unnormalised log-probabilities of A, C, G and T at every base.

        The network sees a k-mer or does not: all its bases are masked when one is. A base's
        probability is then that of the k-mers with it, among those that agree with the k-mer's
        other bases where they are not masked. Of overlapping k-mers the one counts that has the
        base nearest to its middle.

        Raises:
            ConfigError: tokens are byte pairs.
        """
        config = self.config.tokenizer
        if config.kind == "bpe":
            raise ConfigError(
                "byte pairs give no probabilities of single bases, because where they are cut "
                "depends on the masked base; use token_logits, or a tokenizer of kind base or kmer."
            )
        batch = self.tokenize(tokens)
        scores = self.token_logits(batch.ids, species)
        if config.kind == "base":
            return scores[:, 1:-1, FIRST_LETTER : FIRST_LETTER + 4]
        mask = tokens == MASK
        known = tokens.masked_fill(mask, 0)
        return _bases_of_kmers(scores, batch.spans, config.k, tokens=known, mask=mask)

    def embed(
        self,
        tokens: UInt8[Tensor, "batch length"],
        species: Int[Tensor, "batch"] | None = None,
        *,
        layer: str | None = None,
    ) -> Embedding:
        """Return the tokens after a layer, nothing masked, without `CLS`.

        Where a window has fewer tokens than another of the batch, zeros without bases follow.
        """
        ids, spans = self.tokenize(tokens)
        found = output_of(self, self.layer(layer), lambda: self.token_logits(ids, species))
        values, spans = found[:, 1:-1], spans[:, 1:-1]
        empty = spans[..., :1] == spans[..., 1:]
        return Embedding(values.masked_fill(empty, 0), spans)

    def _encoded(
        self, ids: Int64[Tensor, "batch positions"], species: Int[Tensor, "batch"] | None
    ) -> Float[Tensor, "batch positions channels"]:
        x = self.words(ids)
        if self.species is not None:
            if species is None:
                species = torch.zeros(len(ids), dtype=torch.int64, device=ids.device)
            x = x + self.species(species)[:, None]
        x = self.dropout(self.norm(x))
        bias = alibi_bias(self.slopes, ids == Special.PAD)
        for block in self.blocks:
            x = block(x, bias)
        return x


def _bases_of_kmers(
    scores: Float[Tensor, "batch positions vocabulary"],
    spans: Int64[Tensor, "batch positions 2"],
    k: int,
    *,
    tokens: UInt8[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
) -> Float[Tensor, "batch length 4"]:
    """Translate scores of k-mers and single letters to scores of bases."""
    scores = scores.float()
    n_bases = spans[..., 1] - spans[..., 0]
    is_kmer = n_bases == k
    rows = torch.arange(len(tokens), device=tokens.device)[:, None]
    windows = spans[..., :1] + torch.arange(k, device=tokens.device)
    row, position = is_kmer.nonzero(as_tuple=True)
    inside = windows[row, position]
    of_position = scores[:, :, None, FIRST_LETTER : FIRST_LETTER + 4].repeat(1, 1, k, 1)
    of_position[row, position] = _marginals(
        scores[row, position, FIRST_WORD:],
        tokens[row[:, None], inside].long(),
        ~mask[row[:, None], inside],
    )
    # The k-mer that has a base nearest to its middle writes last.
    position = torch.zeros_like(mask, dtype=torch.int64)
    place = torch.zeros_like(position)
    for offset in sorted(range(k), key=lambda offset: -abs(offset - (k - 1) / 2)):
        row, owner = (n_bases > offset).nonzero(as_tuple=True)
        position[row, windows[row, owner, offset]] = owner
        place[row, windows[row, owner, offset]] = offset
    return of_position[rows, position, place]


def _marginals(
    scores: Float[Tensor, "tokens kmers"],
    bases: Int64[Tensor, "tokens k"],
    visible: Bool[Tensor, "tokens k"],
) -> Float[Tensor, "tokens k 4"]:
    """Return the scores of each base of a k-mer, the others known, or summed over where masked."""
    k = bases.shape[1]
    if k == 1:
        return scores[:, None]
    half = k // 2
    left, right = scores, scores
    for place in reversed(range(half, k)):
        left = _without(
            left.unflatten(1, (-1, 4)).transpose(1, 2), bases[:, place], visible[:, place]
        )
    for place in range(half):
        right = _without(right.unflatten(1, (4, -1)), bases[:, place], visible[:, place])
    return torch.cat(
        [
            _marginals(left, bases[:, :half], visible[:, :half]),
            _marginals(right, bases[:, half:], visible[:, half:]),
        ],
        dim=1,
    )


def _without(
    scores: Float[Tensor, "tokens letters rest"],
    base: Int64[Tensor, "tokens"],
    visible: Bool[Tensor, "tokens"],
) -> Float[Tensor, "tokens rest"]:
    """Fix the base at one position, or sum over it where it is masked."""
    fixed = scores.take_along_dim(base[:, None, None], dim=1).squeeze(1)
    return torch.where(visible[:, None], fixed, scores.logsumexp(1))
