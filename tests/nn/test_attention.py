import pytest
import torch

from cisgram.nn.attention import RelativeAttention, TransformerBlock
from cisgram.nn.positions import CentralMasks


def brute_force(layer: RelativeAttention, x: torch.Tensor) -> torch.Tensor:
    """Attention one pair of positions at a time, distances looked up by their value."""
    n, heads = x.shape[1], layer.n_heads
    features = layer.distances(n).to(x.dtype)
    q, k, v = (p(x).unflatten(-1, (heads, -1)) for p in (layer.query, layer.key, layer.value))
    r = layer.distance(features).unflatten(-1, (heads, -1))
    rows = []
    for i in range(n):
        logits = torch.stack(
            [
                ((q[:, i] * q.shape[-1] ** -0.5 + layer.content_bias[:, 0]) * k[:, j]).sum(-1)
                + (
                    (q[:, i] * q.shape[-1] ** -0.5 + layer.position_bias[:, 0]) * r[j - i + n - 1]
                ).sum(-1)
                for j in range(n)
            ],
            dim=1,
        )
        rows.append((logits.softmax(1)[..., None] * v).sum(1).flatten(1))
    return layer.out(torch.stack(rows, dim=1))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_attention_is_that_of_every_pair(n):
    torch.manual_seed(0)
    layer = RelativeAttention(12, n_heads=3, key_size=5, distances=CentralMasks(8)).double().eval()
    with torch.no_grad():
        for value in layer.parameters():
            value.normal_()
    x = torch.randn(2, n, 12, dtype=torch.float64)
    torch.testing.assert_close(layer(x), brute_force(layer, x))


def test_block_starts_without_attention():
    torch.manual_seed(0)
    block = TransformerBlock(8, n_heads=2, key_size=4, distances=CentralMasks(4)).eval()
    x = torch.randn(1, 4, 8)
    hidden = torch.relu(block.feed1(block.feed_norm(x)))
    torch.testing.assert_close(block(x), x + block.feed2(hidden))
