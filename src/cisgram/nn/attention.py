"""Attention over the positions of a sequence."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cisgram.nn.conv import EPSILON
from cisgram.nn.init import he_normal_
from cisgram.nn.positions import Distances


class RelativeAttention(nn.Module):
    """Multi-head attention that knows how far and on which side every other position is.

    A logit is (q + u) k + (q + v) r, with r a projection of features of the distance and u, v
    learned biases (Dai et al. 2019, with the features that `distances` makes).
    """

    def __init__(
        self,
        channels: int,
        *,
        n_heads: int,
        key_size: int,
        distances: Distances,
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        self.n_heads, self.distances, self.attention_dropout = n_heads, distances, dropout
        keys = n_heads * key_size
        self.query = nn.Linear(channels, keys, bias=False)
        self.key = nn.Linear(channels, keys, bias=False)
        self.value = nn.Linear(channels, channels, bias=False)
        self.distance = nn.Linear(distances.n_features, keys, bias=False)
        self.out = nn.Linear(channels, channels)
        self.content_bias = nn.Parameter(torch.zeros(n_heads, 1, key_size))
        self.position_bias = nn.Parameter(torch.zeros(n_heads, 1, key_size))
        self.position_dropout = nn.Dropout(0.01)
        for projection in (self.query, self.key, self.value, self.distance):
            he_normal_(projection.weight)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, x: Float[Tensor, "batch positions channels"]
    ) -> Float[Tensor, "batch positions channels"]:
        """Mix positions, any number of them."""
        query, key, value = (
            self._heads(projection(x)) for projection in (self.query, self.key, self.value)
        )
        query = query * query.shape[-1] ** -0.5
        features = self.distances(x.shape[1]).to(x)
        distance = self._heads(self.distance(self.position_dropout(features)[None]))
        position_logits = (query + self.position_bias) @ distance.transpose(-1, -2)
        mixed = F.scaled_dot_product_attention(
            query + self.content_bias,
            key,
            value,
            attn_mask=_align(position_logits),
            dropout_p=self.attention_dropout if self.training else 0.0,
            scale=1.0,
        )
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _heads(
        self, x: Float[Tensor, "batch positions keys"]
    ) -> Float[Tensor, "batch heads positions key"]:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


class TransformerBlock(nn.Module):
    """Attention and a feed-forward layer of twice the channels, each with its norm before it."""

    def __init__(
        self,
        channels: int,
        *,
        n_heads: int,
        key_size: int,
        distances: Distances,
        dropout: float = 0.2,
        epsilon: float = EPSILON,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels, eps=epsilon)
        self.attention = RelativeAttention(
            channels, n_heads=n_heads, key_size=key_size, distances=distances
        )
        self.feed_norm = nn.LayerNorm(channels, eps=epsilon)
        self.feed1 = nn.Linear(channels, 2 * channels)
        self.feed2 = nn.Linear(2 * channels, channels)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.feed1, self.feed2):
            he_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, x: Float[Tensor, "batch positions channels"]
    ) -> Float[Tensor, "batch positions channels"]:
        """Return the refined positions."""
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        hidden = F.relu(self.dropout(self.feed1(self.feed_norm(x))))
        return x + self.dropout(self.feed2(hidden))


def _align(
    logits: Float[Tensor, "batch heads positions distances"],
) -> Float[Tensor, "batch heads positions positions"]:
    """Move row i left by its own position, so that column j is the distance j - i."""
    n = logits.shape[2]
    if n == 1:
        return logits
    # In the flat array one row's end and the next row's start lie side by side: rows read with
    # one step less than they were written slide by one each.
    flat = logits.flatten(2)[..., n - 1 : n - 1 + n * (2 * n - 2)]
    return flat.unflatten(-1, (n, 2 * n - 2))[..., :n]
