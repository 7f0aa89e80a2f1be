import numpy as np
import pytest
import torch

from cisgram.nn.dilated import DilatedBlock, DilatedConv


def slow_convolution(x: np.ndarray, kernel: np.ndarray, *, dilation: int, causal: bool):
    """Sum over taps, one base and one channel after the other."""
    batch, length, _ = x.shape
    n_out, n_in, width = kernel.shape
    first = -(width - 1) * dilation if causal else -(width // 2) * dilation
    out = np.zeros((batch, length, n_out))
    for row in range(batch):
        for base in range(length):
            for tap in range(width):
                seen = base + first + tap * dilation
                if 0 <= seen < length:
                    for channel in range(n_in):
                        out[row, base] += x[row, seen, channel] * kernel[:, channel, tap]
    return out


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("width", "dilation", "length"), [(1, 1, 5), (3, 4, 20), (9, 2, 7)])
def test_convolution_is_a_sum_over_taps(width, dilation, length, causal):
    torch.manual_seed(0)
    conv = DilatedConv(3, width=width, dilation=dilation, causal=causal)
    x = torch.randn(2, length, 3)
    expected = slow_convolution(
        x.numpy(), conv.weight.detach().numpy(), dilation=dilation, causal=causal
    )
    np.testing.assert_allclose(conv(x).detach().numpy(), expected, atol=1e-5)


def test_a_block_adds_to_what_it_is_given():
    torch.manual_seed(0)
    block = DilatedBlock(8, width=5, dilation=2, feed_channels=16)
    x = torch.randn(2, 30, 8)
    assert not torch.allclose(block(x), x)
    torch.nn.init.zeros_(block.mix.weight)
    torch.nn.init.zeros_(block.feed2.weight)
    torch.testing.assert_close(block(x), x)


def test_dropout_is_for_training():
    torch.manual_seed(0)
    block = DilatedBlock(8, width=3, dilation=1, feed_channels=16, dropout=0.5)
    x = torch.randn(1, 10, 8)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))
