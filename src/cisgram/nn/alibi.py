"""Attention with linear biases (Press et al. 2022), in both directions, and blocks of it.

Nothing tells positions apart but a penalty that grows with their distance, at another rate in
every head, so windows may be longer than those of training.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

NORM_EPSILON = 1e-12
"""Added to variances by BERT's norms."""


def alibi_slopes(n_heads: int) -> Float[Tensor, "heads"]:
    """Return each head's penalty per position.

    A power of two takes 2^(-8 i / heads) with i from 1. Any other number takes those of the power
    below, and then every second one of the power above.

    >>> alibi_slopes(2).tolist()
    [0.0625, 0.00390625]
    """
    power = 2 ** int(math.log2(n_heads))
    exponents = [8 * (i + 1) / power for i in range(power)]
    exponents += [8 * (2 * i + 1) / (2 * power) for i in range(n_heads - power)]
    return torch.tensor([2**-exponent for exponent in exponents])


def alibi_bias(
    slopes: Float[Tensor, "heads"], padding: Bool[Tensor, "batch positions"]
) -> Float[Tensor, "some heads positions positions"]:
    """Return what is added to the logits of attention; minus infinity at padded positions.

    Without padding one matrix a head serves the whole batch.
    """
    positions = torch.arange(padding.shape[1], device=slopes.device)
    distances = (positions[:, None] - positions).abs()
    bias = -slopes[:, None, None] * distances
    if not padding.any():
        return bias[None]
    return bias.masked_fill(padding[:, None, None], float("-inf"))


class AlibiAttention(nn.Module):
    """Multi-head attention whose logits a bias is added to."""

    def __init__(self, channels: int, *, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.project = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(
        self,
        x: Float[Tensor, "batch positions channels"],
        bias: Float[Tensor, "some heads positions positions"],
    ) -> Float[Tensor, "batch positions channels"]:
        """Mix positions; `bias` comes from `alibi_bias`."""
        # Query, key and value of every head: (3, batch, heads, positions, channels of a head).
        heads = self.project(x).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = heads
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        return self.out(mixed.transpose(1, 2).flatten(2))


class AlibiBlock(nn.Module):
    """Attention and a gated feed-forward layer, each with its norm after the sum.

    The block of MosaicBERT (Portes et al. 2023), which DNABERT-2 took over; its gate is GEGLU
    (Shazeer 2020).
    """

    def __init__(
        self, channels: int, *, n_heads: int, feed_channels: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.attention = AlibiAttention(channels, n_heads=n_heads)
        self.attention_norm = nn.LayerNorm(channels, eps=NORM_EPSILON)
        self.feed1 = nn.Linear(channels, 2 * feed_channels, bias=False)
        self.feed2 = nn.Linear(feed_channels, channels)
        self.feed_norm = nn.LayerNorm(channels, eps=NORM_EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch positions channels"],
        bias: Float[Tensor, "some heads positions positions"],
    ) -> Float[Tensor, "batch positions channels"]:
        """Return the refined positions."""
        x = self.attention_norm(x + self.dropout(self.attention(x, bias)))
        gate, value = self.feed1(x).chunk(2, dim=-1)
        return self.feed_norm(x + self.feed2(self.dropout(F.gelu(gate) * value)))
