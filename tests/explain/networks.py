"""Networks of every kind, on windows of which some bases are unknown."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from cisgram.genome.alphabet import N
from models.tiny import awake, tiny, tiny_cnn, tiny_dilated, tiny_enformer, tiny_lm, tiny_tracks

_MAKE: dict[str, Any] = {
    "pooled": lambda: tiny_cnn(pooled=True),
    "per base": lambda: tiny_cnn(pooled=False),
    "tracks": tiny_tracks,
    "enformer": tiny_enformer,
    "dilated": lambda: tiny_dilated(causal=False),
    "causal": lambda: tiny_dilated(causal=True),
    "shorkie-lm": lambda: awake(tiny_lm()),
    "no local part": lambda: tiny("bert"),
}
EVERY = pytest.mark.parametrize("name", _MAKE)


@cache
def network(name: str) -> Any:
    """Return a network, built once."""
    return _MAKE[name]()


def sequence(seed: int = 0, length: int = 40) -> np.ndarray:
    """Return bases, a tenth of them unknown."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, length, dtype=np.uint8)
    tokens[rng.random(length) < 0.1] = N
    return tokens


def first(output: torch.Tensor) -> torch.Tensor:
    """A number that all of the output has a say in, more of it to the right."""
    flat = output.flatten(1)
    return flat @ torch.linspace(0, 1, flat.shape[1], dtype=flat.dtype)
