"""Convolution stacks along a sequence.

Every block takes and returns (batch, length, channels). Convolutions run as images of height
one, because channels-last images are what the fastest kernels of torch take as they are.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cisgram.nn.init import glorot_uniform_, lecun_normal_

EPSILON = 1e-3
"""Added to variances by every norm; Keras' default, which published weights were trained with."""


class Conv(nn.Module):
    """A convolution with an odd width that keeps the length."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        width: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.dilation, self.groups = dilation, groups
        self.weight = nn.Parameter(lecun_normal_(torch.empty(n_out, n_in // groups, width)))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None

    def forward(self, x: Float[Tensor, "batch length in"]) -> Float[Tensor, "batch length out"]:
        """Convolve; past the ends are zeros."""
        if self.weight.shape[-1] == 1 and self.groups == 1:
            return F.linear(x, self.weight.squeeze(-1), self.bias)
        margin = self.weight.shape[-1] // 2 * self.dilation
        image = F.conv2d(
            _image(x),
            self.weight.unsqueeze(2),
            self.bias,
            padding=(0, margin),
            dilation=(1, self.dilation),
            groups=self.groups,
        )
        return _sequence(image)


class BatchNorm(nn.BatchNorm2d):
    """Normalise each channel over the batch and the length."""

    def __init__(self, channels: int, *, momentum: float = 0.1, epsilon: float = EPSILON) -> None:
        super().__init__(channels, eps=epsilon, momentum=momentum)

    def forward(
        self, input: Float[Tensor, "batch length channels"]
    ) -> Float[Tensor, "batch length channels"]:
        """Normalise, with the batch's moments in training and the running ones otherwise."""
        return _sequence(super().forward(_image(input)))


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the tanh approximation of the Gaussian error linear unit."""
    return F.gelu(x, approximate="tanh")


class ResidualBlock(nn.Module):
    """Two pre-activated convolutions, the second added to the first under a learned scale.

    There is no path around the first. The scale starts at zero (Linder et al. 2025, Borzoi's
    family; widths of Shorkie, Chao et al. 2025).
    """

    def __init__(self, n_in: int, n_out: int, *, width: int = 5, dropout: float = 0.05) -> None:
        super().__init__()
        self.norm1 = BatchNorm(n_in)
        self.conv1 = Conv(n_in, n_out, width=width)
        self.norm2 = BatchNorm(n_out)
        self.conv2 = Conv(n_out, n_out)
        self.dropout = nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.zeros(n_out))

    def forward(self, x: Float[Tensor, "batch length in"]) -> Float[Tensor, "batch length out"]:
        """Return the block's output at the resolution of its input."""
        first = self.conv1(gelu(self.norm1(x)))
        second = self.dropout(self.conv2(gelu(self.norm2(first))))
        return first + self.scale * second


class UpBlock(nn.Module):
    """Double the resolution and add what the encoder knew there, as in a U-Net."""

    def __init__(self, n_in: int, n_skip: int, n_out: int) -> None:
        super().__init__()
        self.norm = BatchNorm(n_in)
        self.dense = Conv(n_in, n_out)
        self.skip_norm = BatchNorm(n_skip)
        self.skip_dense = Conv(n_skip, n_out)
        self.depthwise = Conv(n_out, n_out, width=3, groups=n_out, bias=False)
        self.pointwise = Conv(n_out, n_out)
        glorot_uniform_(self.depthwise.weight)
        glorot_uniform_(self.pointwise.weight)

    def lift(self, skip: Float[Tensor, "batch twice skip"]) -> Float[Tensor, "batch twice out"]:
        """Return what the encoder's features add, which knows nothing of the coarser ones."""
        return self.skip_dense(gelu(self.skip_norm(skip)))

    def forward(
        self,
        x: Float[Tensor, "batch length in"],
        lifted: Float[Tensor, "batch twice out"],
    ) -> Float[Tensor, "batch twice out"]:
        """Return features at the resolution of `lifted`, which is twice that of `x`."""
        coarse = self.dense(gelu(self.norm(x))).repeat_interleave(2, dim=1)
        return self.pointwise(self.depthwise(coarse + lifted))


def max_pool(x: Float[Tensor, "batch length channels"]) -> Float[Tensor, "batch half channels"]:
    """Return the larger of every two neighbours."""
    return _sequence(F.max_pool2d(_image(x), (1, 2)))


def _image(x: Float[Tensor, "batch length channels"]) -> Float[Tensor, "batch channels 1 length"]:
    return x.transpose(1, 2).unsqueeze(2)


def _sequence(
    image: Float[Tensor, "batch channels 1 length"],
) -> Float[Tensor, "batch length channels"]:
    return image.squeeze(2).transpose(1, 2)
