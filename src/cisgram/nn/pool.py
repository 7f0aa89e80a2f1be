"""Pooling of neighbours along a sequence."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
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


def mean_of_spans(
    x: Float[Tensor, "batch length channels"],
    row: Int[Tensor, "spans"],
    bounds: Int[Tensor, "spans 2"],
) -> Float[Tensor, "spans channels"]:
    """Return means over spans, each of a sequence of its own; `bounds` are first and past last.

    >>> x = torch.arange(6.0).view(1, 6, 1)
    >>> mean_of_spans(x, torch.tensor([0]), torch.tensor([[2, 5]]))
    tensor([[3.]])
    """
    places = torch.arange(x.shape[1], device=x.device)
    inside = (places >= bounds[:, :1]) & (places < bounds[:, 1:])
    weights = inside.to(x.dtype) / (bounds[:, 1:] - bounds[:, :1])
    return torch.einsum("sl,slc->sc", weights, x[row])


def mean_of_bins(
    x: Float[Tensor, "batch length channels"], size: int
) -> Float[Tensor, "batch bins channels"]:
    """Return the mean of every `size` neighbours.

    >>> mean_of_bins(torch.arange(4.0).view(1, 4, 1), 2).flatten().tolist()
    [0.5, 2.5]
    """
    return x if size == 1 else x.unflatten(1, (-1, size)).mean(dim=2)
