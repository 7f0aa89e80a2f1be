"""Statistics of evaluations, each with an interval whose unit of resampling is said."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cisgram.core.metrics import Estimate, pearson, spearman

N_DRAWS = 1_000
Column = Float[np.ndarray, "rows"]


def resampled(
    measure: Callable[..., float],
    *columns: Shaped[np.ndarray, "rows"],
    groups: Shaped[np.ndarray, "rows"] | None = None,
    draws: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Return a measure of columns with the 95 % interval of a bootstrap over groups of rows.

    Args:
        measure: takes the columns and returns a number.
        columns: values of equal length.
        groups: rows of one group are drawn together, such as neighbours in a block of the genome;
            every row by itself by default.
        draws: bootstrap samples, `N_DRAWS` by default.
        seed: random seed.
    """
    n, draws = len(columns[0]), draws or N_DRAWS
    rng = np.random.default_rng(seed)
    if groups is None:
        picks = (rng.integers(0, n, n) for _ in range(draws))
    else:
        number = np.unique(groups, return_inverse=True)[1]
        members = np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1])
        drawn = (rng.integers(0, len(members), len(members)) for _ in range(draws))
        picks = (np.concatenate([members[own] for own in chosen]) for chosen in drawn)
    found = [measure(*(column[rows] for column in columns)) for rows in picks]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return Estimate(float(measure(*columns)), float(low), float(high))


def known_rows(*columns: Column) -> Bool[np.ndarray, "rows"]:
    """Say which rows are known in every column."""
    return ~np.any([np.isnan(column) for column in columns], axis=0)


def correlation(
    predicted: Column,
    measured: Column,
    *,
    groups: Int[np.ndarray, "rows"] | None = None,
    ranks: bool = False,
) -> tuple[Estimate, int]:
    """Return Pearson's r, or Spearman's, over the rows known in both, and how many they are."""
    rows = known_rows(predicted, measured)
    own = None if groups is None else groups[rows]
    of = spearman if ranks else pearson

    def measure(p: Column, m: Column) -> float:
        return float(of(p, m))

    found = resampled(measure, predicted[rows], measured[rows], groups=own)
    return found, int(rows.sum())


def right_directions(
    predicted: Column, measured: Column, *, groups: Int[np.ndarray, "rows"]
) -> Estimate:
    """Return how often predictions have the sign of what was measured.

    One too small for single precision says nothing, which is right half of the time.
    """
    right = (1 + np.sign(predicted) * np.sign(measured)) / 2

    def share(own: Column) -> float:
        return float(own.mean())

    return resampled(share, right, groups=groups)


def correlation_difference(first: Column, second: Column, measured: Column) -> tuple[Estimate, int]:
    """Return how much higher the first's Pearson r is, the same rows drawn for both."""
    rows = known_rows(first, second, measured)

    def measure(a: Column, b: Column, m: Column) -> float:
        return float(pearson(a, m) - pearson(b, m))

    found = resampled(measure, first[rows], second[rows], measured[rows])
    return found, int(rows.sum())


def auroc(scores: Column, positive: Bool[np.ndarray, "rows"]) -> float:
    """Return how often a positive is above a negative, ties counting half; NaN without both."""
    n_positive = int(positive.sum())
    n_negative = positive.size - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    _, number, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    above = ranks[number[positive]].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def auprc(scores: Column, positive: Bool[np.ndarray, "rows"]) -> float:
    """Return average precision; its null is the share of positives. NaN without positives."""
    n_positive = int(positive.sum())
    if not n_positive:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.r_[np.diff(scores[order]) != 0, True]  # of rows that share a score
    precision = hits[last] / (1 + np.flatnonzero(last))
    recall = hits[last] / n_positive
    return float((np.diff(recall, prepend=0) * precision).sum())
