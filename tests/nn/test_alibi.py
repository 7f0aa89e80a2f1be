import math

import numpy as np
import pytest
import torch

from cisgram.nn.alibi import AlibiAttention, AlibiBlock, alibi_bias, alibi_slopes


def no_padding(batch: int, positions: int) -> torch.Tensor:
    return torch.zeros(batch, positions, dtype=torch.bool)


def test_slopes_are_the_published_ones():
    assert alibi_slopes(8).tolist() == [2**-i for i in range(1, 9)]
    sixteen = [2 ** (-i / 2) for i in range(1, 17)]
    np.testing.assert_allclose(alibi_slopes(16), sixteen, rtol=1e-6)
    np.testing.assert_allclose(
        alibi_slopes(12), [2**-i for i in range(1, 9)] + sixteen[:8:2], rtol=1e-6
    )


@pytest.mark.parametrize("n_heads", [1, 3, 5, 6, 7, 12])
def test_every_head_has_a_slope_of_its_own(n_heads):
    slopes = alibi_slopes(n_heads)
    assert len(slopes) == len(set(slopes.tolist())) == n_heads
    assert ((slopes > 0) & (slopes < 1)).all()


def test_bias_is_the_distance_times_the_slope():
    bias = alibi_bias(torch.tensor([0.5, 0.25]), no_padding(3, 4))
    assert bias.shape == (1, 2, 4, 4)
    expected = [[-0.5 * abs(i - j) for j in range(4)] for i in range(4)]
    assert bias[0, 0].tolist() == expected
    torch.testing.assert_close(bias[0, 1], bias[0, 0] / 2)


def test_padding_is_never_looked_at():
    padding = torch.tensor([[False, False, True], [False, False, False]])
    bias = alibi_bias(torch.tensor([0.5]), padding)
    assert bias.shape == (2, 1, 3, 3)
    assert torch.isinf(bias[0, 0, :, 2]).all()
    assert torch.isfinite(bias[0, 0, :, :2]).all()
    assert torch.isfinite(bias[1]).all()


def slow_attention(layer: AlibiAttention, x: np.ndarray, slopes: list[float]) -> np.ndarray:
    """Attend head by head and position by position, in float64."""
    n, channels = x.shape
    size = channels // layer.n_heads
    weight, bias = (
        value.detach().double().numpy() for value in (layer.project.weight, layer.project.bias)
    )
    query, key, value = np.split(x @ weight.T + bias, 3, axis=1)
    mixed = np.zeros((n, channels))
    for head, slope in enumerate(slopes):
        own = slice(head * size, (head + 1) * size)
        for i in range(n):
            scores = [
                query[i, own] @ key[j, own] / math.sqrt(size) - slope * abs(i - j) for j in range(n)
            ]
            weights = np.exp(scores) / np.exp(scores).sum()
            mixed[i, own] = sum(weights[j] * value[j, own] for j in range(n))
    return mixed @ layer.out.weight.detach().double().numpy().T + layer.out.bias.detach().numpy()


@pytest.mark.parametrize("n_heads", [1, 3])
def test_attention_is_the_written_out_one(n_heads):
    torch.manual_seed(0)
    layer = AlibiAttention(12, n_heads=n_heads)
    x = torch.randn(2, 9, 12)
    slopes = alibi_slopes(n_heads)
    got = layer(x, alibi_bias(slopes, no_padding(2, 9))).detach().numpy()
    for row in range(2):
        expected = slow_attention(layer, x[row].double().numpy(), slopes.tolist())
        np.testing.assert_allclose(got[row], expected, atol=1e-5)


def test_a_mirrored_sequence_gives_the_mirrored_answer():
    torch.manual_seed(0)
    block = AlibiBlock(8, n_heads=2, feed_channels=16).eval()
    x, bias = torch.randn(1, 7, 8), alibi_bias(alibi_slopes(2), no_padding(1, 7))
    torch.testing.assert_close(block(x.flip(1), bias), block(x, bias).flip(1))


def test_what_a_block_returns_is_normalised():
    torch.manual_seed(0)
    block = AlibiBlock(16, n_heads=2, feed_channels=32).eval()
    out = block(10 * torch.randn(1, 5, 16), alibi_bias(alibi_slopes(2), no_padding(1, 5)))
    torch.testing.assert_close(out.mean(-1), torch.zeros(1, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(-1, correction=0), torch.ones(1, 5), atol=1e-4, rtol=0)
