"""A network of somebody else, in as many shapes as there are ways to write one."""

from typing import Any

import torch
from torch import nn

from cisgram.models.wrapped import wrap_network
from models.tiny import random_windows

LENGTH = 60
DNA = "".join("ACGT"[base] for base in random_windows(1, LENGTH)[0])


class Network(nn.Module):
    """A convolution to 6 channels, a head to two outputs, and what may be made of them."""

    def __init__(self, shape: str = "window", *, layout: str = "channels-first") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.shape, self.layout = shape, layout
        self.table = nn.Embedding(5, 4) if layout == "tokens" else None
        self.conv = nn.Conv1d(4, 6, 5, padding=2)
        self.norm = nn.BatchNorm1d(6)
        self.act = nn.Sequential(nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> Any:
        if self.table is not None:
            x = self.table(x)
        if self.layout != "channels-first":
            x = x.transpose(1, 2)
        x = self.head(self.act(self.norm(self.conv(x))).transpose(1, 2))
        match self.shape:
            case "window":
                return x.mean(dim=1)
            case "binned":
                x = x.unflatten(1, (-1, 4)).mean(dim=2)
            case "cropped":
                x = x[:, 7:-7]
            case "both":
                pooled = x.mean(dim=1)
                return {"window": pooled, "base": self._laid_out(x)}
            case "tuple":
                return self._laid_out(x), x.mean(dim=1), None
            case "scalar":
                return x[..., :1].mean(dim=1).squeeze()
        return self._laid_out(x)

    def _laid_out(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2) if self.layout == "channels-first" else x


def wrapped(network: nn.Module, **changes: Any) -> Any:
    return wrap_network(network, **{"outputs": ["a", "b"], "window": LENGTH} | changes)
