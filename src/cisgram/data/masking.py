"""Which bases of a window are masked for a language model to predict, and what it sees instead."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from cisgram.core.checks import ConfigError, check_range
from cisgram.genome.alphabet import N


@dataclass(frozen=True, kw_only=True)
class MaskConfig:
    """How many bases are masked, and how."""

    rate: float = 0.15
    """Share of each window's known bases to be predicted."""
    max_rate: float | None = None
    """Where given, each window draws its share between `rate` and this."""
    random: float = 0.0
    """Of the bases to be predicted, the share shown as a random base (0.1 in BERT's split)."""
    unchanged: float = 0.0
    """Of the bases to be predicted, the share shown as they are (0.1 in BERT's split)."""

    def __post_init__(self) -> None:
        check_range(self.rate, "rate", low=0, high=1)
        check_range(self.random, "random", low=0, high=1)
        check_range(self.unchanged, "unchanged", low=0, high=1)
        if self.max_rate is not None:
            check_range(self.max_rate, "max_rate", low=self.rate, high=1)
        if self.random + self.unchanged > 1:
            raise ConfigError(
                f"random and unchanged must add up to 1 at most; got {self.random} and "
                f"{self.unchanged}."
            )


class MaskedWindows(NamedTuple):
    """What a masked language model is shown and asked."""

    shown: UInt8[np.ndarray, "batch length"]
    """Tokens as the model sees them where they are not masked."""
    hidden: Bool[np.ndarray, "batch length"]
    """Masked bases, flagged as such."""
    asked: Bool[np.ndarray, "batch length"]
    """Bases to be predicted: the masked ones, and those shown as random or unchanged."""


def corrupt(
    tokens: UInt8[np.ndarray, "batch length"], config: MaskConfig, rng: np.random.Generator
) -> MaskedWindows:
    """Choose the bases to be predicted, without replacement, never N (Devlin et al. 2019)."""
    batch = len(tokens)
    known = tokens != N
    rates = np.full(batch, config.rate)
    if config.max_rate is not None:
        rates = rng.uniform(config.rate, config.max_rate, batch)
    order = np.where(known, rng.random(tokens.shape, dtype=np.float32), np.float32(2))
    n_asked = (rates * known.sum(axis=1)).astype(np.int64)
    # The n-th smallest random number of a row is the last that is asked.
    last = np.sort(order, axis=1)[np.arange(batch), np.maximum(n_asked - 1, 0)]
    asked = (order <= last[:, None]) & (n_asked > 0)[:, None] & known
    if not config.random and not config.unchanged:
        return MaskedWindows(tokens, asked, asked)
    fate = rng.random(tokens.shape, dtype=np.float32)
    random = asked & (fate < config.random)
    hidden = asked & (fate >= config.random + config.unchanged)
    bases = rng.integers(0, 4, tokens.shape, dtype=np.uint8)
    return MaskedWindows(np.where(random, bases, tokens), hidden, asked)


def mask_once(
    length: int, n_passes: int, rng: np.random.Generator
) -> Bool[np.ndarray, "passes length"]:
    """Deal every position to exactly one of `n_passes` masks of equal size, at random.

    >>> masks = mask_once(10, 5, np.random.default_rng(0))
    >>> masks.sum(axis=0).tolist(), masks.sum(axis=1).tolist()
    ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2])
    """
    if not 1 <= n_passes <= length:
        raise ConfigError(f"passes must be between 1 and {length}; got {n_passes}.")
    deal = rng.permutation(length) % n_passes
    return deal == np.arange(n_passes)[:, None]
