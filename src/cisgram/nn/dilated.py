"""Residual blocks of dilated convolutions along a sequence."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cisgram.nn.init import lecun_normal_


class DilatedConv(nn.Module):
    """A convolution whose taps lie `dilation` bases apart and that keeps the length.

    Its taps lie around each base, or, when causal, at the base and to its left.
    """

    def __init__(
        self, channels: int, *, width: int, dilation: int = 1, causal: bool = False
    ) -> None:
        super().__init__()
        reach = (width - 1) * dilation
        self.dilation = dilation
        self.padding = (reach, 0) if causal else (reach // 2, reach - reach // 2)
        self.weight = nn.Parameter(lecun_normal_(torch.empty(channels, channels, width)))

    def forward(
        self, x: Float[Tensor, "batch length channels"]
    ) -> Float[Tensor, "batch length channels"]:
        """Convolve; past the ends are zeros."""
        image = F.pad(x, (0, 0, *self.padding)).transpose(1, 2).unsqueeze(2)
        image = F.conv2d(image, self.weight.unsqueeze(2), dilation=(1, self.dilation))
        return image.squeeze(2).transpose(1, 2)


class DilatedBlock(nn.Module):
    """A dilated convolution and a feed-forward layer, each with its norm before it.

    The block of GPN as its authors now distribute it (Benegas et al. 2023); nothing has a bias.
    """

    def __init__(
        self,
        channels: int,
        *,
        width: int,
        dilation: int,
        feed_channels: int,
        dropout: float = 0.0,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.conv_norm = nn.LayerNorm(channels, bias=False)
        self.conv = DilatedConv(channels, width=width, dilation=dilation, causal=causal)
        self.mix = nn.Linear(channels, channels, bias=False)
        self.feed_norm = nn.LayerNorm(channels, bias=False)
        self.feed1 = nn.Linear(channels, feed_channels, bias=False)
        self.feed2 = nn.Linear(feed_channels, channels, bias=False)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.mix, self.feed1, self.feed2):
            lecun_normal_(layer.weight)

    def forward(
        self, x: Float[Tensor, "batch length channels"]
    ) -> Float[Tensor, "batch length channels"]:
        """Return the refined bases."""
        x = x + self.dropout(self.mix(F.gelu(self.conv(self.conv_norm(x)))))
        return x + self.dropout(self.feed2(F.gelu(self.feed1(self.feed_norm(x)))))
