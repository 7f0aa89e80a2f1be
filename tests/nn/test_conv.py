import pytest
import torch
import torch.nn.functional as F

from cisgram.nn.conv import BatchNorm, Conv, ResidualBlock, UpBlock, max_pool


@pytest.mark.parametrize(("width", "groups"), [(1, 1), (5, 1), (3, 4)])
def test_conv_is_torchs_with_channels_last(width, groups):
    torch.manual_seed(0)
    conv = Conv(4, 8, width=width, groups=groups)
    x = torch.randn(2, 10, 4)
    expected = F.conv1d(
        x.transpose(1, 2), conv.weight, conv.bias, padding=width // 2, groups=groups
    )
    torch.testing.assert_close(conv(x), expected.transpose(1, 2))


def test_batch_norm_takes_moments_over_batch_and_length():
    torch.manual_seed(0)
    norm = BatchNorm(3, momentum=1.0)
    x = torch.randn(4, 50, 3) * torch.tensor([1.0, 2.0, 3.0]) + 5
    y = norm(x)
    torch.testing.assert_close(y.mean((0, 1)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(norm.running_mean, x.mean((0, 1)))
    torch.testing.assert_close(norm.running_var, x.flatten(0, 1).var(0))
    norm.eval()
    deviation = (norm.running_var + 1e-3).sqrt()
    torch.testing.assert_close(norm(x), (x - norm.running_mean) / deviation)


def test_residual_block_begins_as_its_first_convolution():
    torch.manual_seed(0)
    block = ResidualBlock(4, 6).eval()
    x = torch.randn(2, 12, 4)
    first = block.conv1(F.gelu(block.norm1(x), approximate="tanh"))
    torch.testing.assert_close(block(x), first)
    with torch.no_grad():
        block.scale.fill_(2.0)
    second = block.conv2(F.gelu(block.norm2(first), approximate="tanh"))
    torch.testing.assert_close(block(x), first + 2 * second)


def test_up_block_gives_both_halves_the_coarse_value():
    torch.manual_seed(0)
    block = UpBlock(4, 3, 5).eval()
    with torch.no_grad():
        block.skip_dense.weight.zero_()
        block.depthwise.weight.zero_()
        block.depthwise.weight[:, 0, 1] = 1
    y = block(torch.randn(2, 6, 4), block.lift(torch.randn(2, 12, 3)))
    assert y.shape == (2, 12, 5)
    torch.testing.assert_close(y[:, ::2], y[:, 1::2])


def test_max_pool_keeps_the_larger_neighbour():
    x = torch.tensor([[[1.0, 8.0], [3.0, 2.0], [5.0, 5.0], [4.0, 9.0]]])
    assert max_pool(x).tolist() == [[[3.0, 8.0], [5.0, 9.0]]]
