"""Agreement of predicted with measured values, its uncertainty and its significance.

Every function takes rows: the last axis is the people (or whatever is compared) of one
gene, and a value is used only where both sides have one. Undefined results are NaN.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped
from scipy.special import chdtrc, erfc

from cisgram.core.checks import ConfigError, DataError, check_choice, check_range

Sides = Float[np.ndarray, "... people"]
"""What is compared: a row a gene, NaN where there is no value."""
Rows = Float64[np.ndarray, "... people"]
Used = Bool[np.ndarray, "... people"]
PerRow = Float64[np.ndarray, "..."]
"""A number for each row."""

Statistic = Literal["mean", "median"]

_ROUNDING = 1e-12  # a spread this small beside the values themselves is arithmetic noise
_BLOCK = 1 << 22  # bootstrap draws in memory at once


class Estimate(NamedTuple):
    """A number and the interval it may lie in."""

    value: float
    low: float
    high: float


def pearson(predicted: Sides, measured: Sides) -> PerRow:
    """Return the Pearson correlation of each row.

    A constant prediction tells people apart no better than chance and gets 0; constant
    measurements, or fewer than two people with both values, give NaN.

    >>> pearson(np.array([[1.0, 2.0, 4.0], [5.0, 5.0, 5.0]]), np.array([1.0, 2.0, 4.0]))
    array([1., 0.])
    """
    predicted, measured, used = _pairs(predicted, measured)
    r = _correlation(predicted, measured, used)
    return _where_defined(r, predicted, measured, used=used)


def spearman(predicted: Sides, measured: Sides) -> PerRow:
    """Return the Spearman correlation of each row, ties sharing their mean rank.

    Constant rows are treated as in `pearson`.
    """
    predicted, measured, used = _pairs(predicted, measured)
    r = _correlation(_ranks(predicted, used), _ranks(measured, used), used)
    return _where_defined(r, predicted, measured, used=used)


def r2(predicted: Sides, measured: Sides) -> PerRow:
    """Return 1 - RSS / TSS of each row: the share of variance explained, at most 1.

    It is negative where the prediction is worse than the row's mean, and is not the square
    of the correlation. Constant measurements give NaN.
    """
    predicted, measured, used = _pairs(predicted, measured)
    total = np.sum(_deviations(measured, used) ** 2, axis=-1, keepdims=True)
    residual = np.sum((measured - predicted) ** 2, axis=-1, keepdims=True)
    share = 1.0 - _ratio(residual, total)[..., 0]
    return np.where(_constant(measured, used), np.nan, share)


def fisher_z(r: Float[np.ndarray, "..."] | float, n: Int[np.ndarray, "..."] | int) -> PerRow:
    """Return the z-score of correlations over `n` people, atanh(r) sqrt(n - 3).

    Standard normal where nothing is correlated (Fisher 1921). NaN for three people or
    fewer; a perfect correlation gives a large finite score.
    """
    people = np.asarray(n, dtype=np.float64)
    bounded = np.clip(np.asarray(r, dtype=np.float64), -1 + 1e-15, 1 - 1e-15)
    return np.asarray(np.arctanh(bounded) * np.sqrt(np.where(people > 3, people - 3, np.nan)))


def stouffer(z: Float[np.ndarray, "... folds"]) -> PerRow:
    """Combine the z-scores of each row, sum(z) / sqrt(folds), over those that are not NaN.

    Standard normal when each is and they are independent (Stouffer et al. 1949).
    """
    used = ~np.isnan(z)
    total = np.where(used, z, 0.0).astype(np.float64).sum(axis=-1, keepdims=True)
    return _ratio(total, np.sqrt(used.sum(axis=-1, keepdims=True)))[..., 0]


def two_sided_p(z: Float[np.ndarray, "..."] | float) -> PerRow:
    """Return the probability that a standard normal is at least as far from 0 as `z`."""
    return np.asarray(erfc(np.abs(np.asarray(z, dtype=np.float64)) / math.sqrt(2)))


def fisher_combined_p(p: Float[np.ndarray, "... folds"]) -> PerRow:
    """Combine the p-values of each row by Fisher's method, over those that are not NaN.

    -2 sum(log p) is chi-squared with two degrees of freedom a fold (Fisher 1925).
    """
    used = ~np.isnan(p)
    degrees = 2 * used.sum(axis=-1)
    smallest = np.finfo(np.float64).tiny
    logs = np.log(np.clip(np.where(used, p, 1.0), smallest, 1.0), dtype=np.float64)
    return np.where(degrees > 0, chdtrc(degrees, -2 * logs.sum(axis=-1)), np.nan)


def bootstrap_ci(
    values: Float[np.ndarray, "genes"],
    *,
    seed: int,
    statistic: Statistic = "mean",
    n: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Return a mean or median and its percentile bootstrap interval (Efron 1979).

    NaN are left out of the `n` resamples, and one value has no interval (NaN). `level` is the
    probability that the interval covers.

    Raises:
        DataError: no value is left.
    """
    kept = np.asarray(values, dtype=np.float64)
    kept = kept[~np.isnan(kept)]
    summary = _summary(statistic)
    draws = _bootstrap(len(kept), lambda rows: summary(kept[rows]), seed=seed, n=n)
    return _percentiles(float(summary(kept)), draws, level)


def bootstrap_difference(
    first: Float[np.ndarray, "genes"],
    second: Float[np.ndarray, "genes"],
    *,
    seed: int,
    statistic: Statistic = "mean",
    n: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Return how much larger the statistic of `first` is, with a paired bootstrap interval.

    Genes are resampled together, so what both share cancels; a gene with NaN on either
    side is left out. Options and errors are those of `bootstrap_ci`.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise DataError(
            f"a paired comparison needs the same genes on both sides; got {a.size:,} and "
            f"{b.size:,} values."
        )
    both = ~np.isnan(a) & ~np.isnan(b)
    a, b, summary = a[both], b[both], _summary(statistic)
    draws = _bootstrap(len(a), lambda rows: summary(a[rows]) - summary(b[rows]), seed=seed, n=n)
    return _percentiles(float(summary(a) - summary(b)), draws, level)


def binomial_ci(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return a proportion and its Wilson score interval (Wilson 1927)."""
    check_range(n, "n", low=1)
    check_range(successes, "successes", low=0, high=n)
    z = NormalDist().inv_cdf(0.5 + _check_level(level) / 2)
    share, scale = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half))


def _pairs(predicted: Sides, measured: Sides) -> tuple[Rows, Rows, Used]:
    """Broadcast both sides to float64, with 0 where either is NaN, and say where both are not."""
    if predicted.shape[-1:] != measured.shape[-1:]:
        raise DataError(
            f"predictions are for {predicted.shape[-1]:,} people and measurements for "
            f"{measured.shape[-1]:,}; give both for the same people."
        )
    predicted, measured = np.broadcast_arrays(predicted, measured)
    used = ~(np.isnan(predicted) | np.isnan(measured))
    zero = np.float64(0)
    return np.where(used, predicted, zero), np.where(used, measured, zero), used


def _correlation(predicted: Rows, measured: Rows, used: Used) -> PerRow:
    a, b = _scaled(_deviations(predicted, used)), _scaled(_deviations(measured, used))
    return np.clip(_ratio(_dot(a, b), np.sqrt(_dot(a, a) * _dot(b, b))), -1.0, 1.0)


def _dot(a: Rows, b: Rows) -> PerRow:
    return np.asarray(np.einsum("...p,...p->...", a, b))


def _where_defined(r: PerRow, predicted: Rows, measured: Rows, *, used: Used) -> PerRow:
    r = np.where(_constant(predicted, used), 0.0, r)
    return np.where(_constant(measured, used), np.nan, r)


def _deviations(values: Rows, used: Used) -> Rows:
    mean = _ratio(values.sum(axis=-1, keepdims=True), used.sum(axis=-1, keepdims=True))
    return np.where(used, values - mean, 0.0)


def _scaled(deviations: Rows) -> Rows:
    """Divide rows by their largest value, so that squares neither overflow nor vanish."""
    largest = np.abs(deviations).max(axis=-1, initial=0.0, keepdims=True)
    return deviations / np.where(largest == 0, 1.0, largest)


def _constant(values: Rows, used: Used) -> Bool[np.ndarray, "..."]:
    """Say which rows have one value only, up to rounding, or fewer than two values."""
    highest = np.where(used, values, -np.inf).max(axis=-1, initial=-np.inf)
    lowest = np.where(used, values, np.inf).min(axis=-1, initial=np.inf)
    magnitude = np.abs(values).max(axis=-1, initial=0.0)
    return np.asarray(~(highest - lowest > _ROUNDING * magnitude))


def _ranks(values: Rows, used: Used) -> Rows:
    """Rank each row from 1; ties share their mean rank, values not used rank last."""
    from scipy.stats import rankdata  # takes a third of a second to import

    return np.where(used, rankdata(np.where(used, values, np.inf), axis=-1), 0.0)


def _ratio(numerator: PerRow, denominator: Shaped[np.ndarray, "..."]) -> PerRow:
    """Divide; NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def _summary(statistic: str) -> Callable[[Float64[np.ndarray, "... genes"]], PerRow]:
    check_choice(statistic, ("mean", "median"), "statistic")
    reduce = np.mean if statistic == "mean" else np.median
    return lambda values: np.asarray(reduce(values, axis=-1), dtype=np.float64)


def _bootstrap(
    size: int,
    statistic: Callable[[Int[np.ndarray, "draws genes"]], Float64[np.ndarray, "draws"]],
    *,
    seed: int,
    n: int,
) -> Float64[np.ndarray, "draws"]:
    """Compute the statistic of `n` resamples, a block of them at a time."""
    check_range(n, "n", low=1)
    if not size:
        raise DataError("a bootstrap needs values; every one of them is missing.")
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // size)
    counts = [min(block, n - done) for done in range(0, n, block)]
    draws = np.concatenate([statistic(rng.integers(size, size=(k, size))) for k in counts])
    return draws if size > 1 else np.full(n, np.nan)


def _percentiles(value: float, draws: Float64[np.ndarray, "draws"], level: float) -> Estimate:
    tail = (1 - _check_level(level)) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def _check_level(level: float) -> float:
    if not 0 < level < 1:
        raise ConfigError(f"level must be above 0 and below 1; got {level:g}.")
    return level
