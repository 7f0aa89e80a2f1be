"""How surprised a language model is by DNA, every base masked once."""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Float64, UInt8

from cisgram.core.checks import ConfigError
from cisgram.core.metrics import Estimate
from cisgram.genome.alphabet import N
from cisgram.models.base import Model
from cisgram.prediction.masked import MaskingConfig, read_contigs

_LEAST = 1e-12  # below any probability that matters; keeps logarithms finite


def surprise(
    model: Model,
    contigs: Mapping[str, UInt8[np.ndarray, "_"]],
    *,
    species: int = 0,
    config: MaskingConfig | None = None,
) -> dict[str, Float64[np.ndarray, "_"]]:
    """Return -log p of every base of every contig in nats, NaN at N; `read_contigs` says how."""
    found = {name: np.full(len(tokens), np.nan) for name, tokens in contigs.items()}
    for name, start, log_p in read_contigs(model, contigs, species=species, config=config):
        tokens = contigs[name][start : start + len(log_p)]
        known = np.flatnonzero(tokens < N)
        found[name][start + known] = -log_p[known, tokens[known]]
    return found


def perplexity(nats: Float64[np.ndarray, "bases"]) -> float:
    """Return exp of the mean surprise of the known bases; NaN where there are none."""
    known = nats[~np.isnan(nats)]
    return float(np.exp(known.mean())) if known.size else math.nan


def perplexity_interval(
    nats: Mapping[str, Float64[np.ndarray, "_"]],
    *,
    block: int = 10_000,
    draws: int = 2_000,
    seed: int = 0,
) -> Estimate:
    """Return perplexity and its 95 % interval, blocks of neighbouring bases drawn together."""
    sums, counts = _blocks(nats, block)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(sums), (draws, len(sums)))
    means = np.exp(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(np.exp(sums.sum() / counts.sum())), float(low), float(high))


def ratio_interval(
    nats: Mapping[str, Float64[np.ndarray, "_"]],
    baseline: Mapping[str, Float64[np.ndarray, "_"]],
    *,
    block: int = 10_000,
    draws: int = 2_000,
    seed: int = 0,
) -> Estimate:
    """Return perplexity over a baseline's on the same bases, with its 95 % block interval."""
    both = {name: nats[name] - baseline[name] for name in nats}
    return perplexity_interval(both, block=block, draws=draws, seed=seed)


def information(p: Float[np.ndarray, "bases 4"]) -> Float64[np.ndarray, "bases"]:
    """Return how sure each prediction is, 2 - entropy, in bits from 0 to 2.

    >>> information(np.array([[1.0, 0, 0, 0], [0.5, 0, 0, 0.5], [0.25, 0.25, 0.25, 0.25]]))
    array([2., 1., 0.])
    """
    return relative_information(p, np.full(4, 0.25))


def relative_information(
    p: Float[np.ndarray, "bases 4"], background: Float[np.ndarray, "4"]
) -> Float64[np.ndarray, "bases"]:
    """Return the relative entropy of each prediction to background frequencies, in bits.

    >>> float(relative_information(np.array([[0.3, 0.2, 0.2, 0.3]]), np.full(4, 0.25))[0]) < 0.03
    True
    """
    p = np.asarray(p, dtype=np.float64)
    surprise = np.log2(np.maximum(p, _LEAST)) - np.log2(np.maximum(background, _LEAST))
    return np.asarray(np.maximum((p * surprise).sum(axis=-1), 0))


def _blocks(
    nats: Mapping[str, Float64[np.ndarray, "_"]], block: int
) -> tuple[Float64[np.ndarray, "blocks"], Float64[np.ndarray, "blocks"]]:
    parts = [
        values[start : start + block]
        for values in nats.values()
        for start in range(0, len(values), block)
    ]
    sums = np.array([np.nansum(part) for part in parts])
    counts = np.array([np.count_nonzero(~np.isnan(part)) for part in parts], dtype=np.float64)
    if not counts.sum():
        raise ConfigError("perplexity needs known bases; the sequence holds none.")
    return sums[counts > 0], counts[counts > 0]
