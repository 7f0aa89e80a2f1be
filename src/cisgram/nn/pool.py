"""Pooling of neighbours along a sequence."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class AttentionPool(nn.Module):
    """Weighs every two neighbours by a softmax of learned logits, for each channel by itself.

    It starts as something near to the larger of the two (Avsec et al. 2021).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.logits = nn.Linear(channels, channels, bias=False)
        with torch.no_grad():
            self.logits.weight.copy_(2 * torch.eye(channels))

    def forward(
        self, x: Float[Tensor, "batch length channels"]
    ) -> Float[Tensor, "batch half channels"]:
        """Return the weighted means; the length must be even."""
        pairs = x.unflatten(1, (-1, 2))
        weights = F.softmax(self.logits(x).unflatten(1, (-1, 2)), dim=2)
        return (pairs * weights).sum(dim=2)
