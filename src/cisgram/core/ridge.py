"""Ridge regression with its penalty from REML: the BLUP of a gene's cis SNPs, or of k-mers.

Target = mean + g + e with g ~ N(0, s_g^2 K), K the relatedness of people at
the SNPs of the window, and e ~ N(0, s_e^2): the variances that maximise the
restricted likelihood (Patterson and Thompson 1971) give the ridge penalty,
and the weights are those of the best linear unbiased prediction (Henderson
1975; the `blup` of FUSION, Gusev et al. 2016). What is said of SNPs and people
holds of any features and rows. One eigendecomposition serves
every variance ratio (Kang et al. 2008): of the people x people matrix, or of the
SNPs x SNPs one where there are more people than SNPs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from scipy.optimize import minimize_scalar

_LOWEST, _HIGHEST = 1e-4, 0.999
_GRID = 50
_HERITABILITIES = np.array([0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7])
_NULL = 1e-6
"""Eigenvalues below this share of the largest are rounding errors of 0."""


@dataclass(frozen=True)
class RidgeFit:
    """Weights of every SNP and the variance they were shrunk by."""

    coefficients: Float64[np.ndarray, "snps"]
    intercept: float
    heritability: float
    """Share of the target's variance given to the SNPs by REML, 0 to 1."""


def fit_ridge(
    snps: Float32[np.ndarray, "snps people"], target: Float64[np.ndarray, "people"]
) -> RidgeFit:
    """Fit every SNP at once, standardised, with the REML penalty.

    At the lowest heritability of the search (1e-4) the gene has no signal and
    all weights are 0.
    """
    basis, scaling, _ = _basis(snps, target, np.ones(len(snps)))
    heritability = _reml_heritability(basis.values, basis.squares)
    coefficients = np.zeros(len(snps))
    if heritability > _LOWEST * 1.01:
        shrinkage = heritability / (heritability * basis.values + 1 - heritability)
        coefficients = basis.weights(shrinkage) * scaling
    else:
        heritability = 0.0
    mean = snps.mean(axis=1)
    return RidgeFit(coefficients, float(target.mean() - mean @ coefficients), heritability)


@dataclass(frozen=True)
class AveragedRidge(RidgeFit):
    """Weights averaged over heritabilities, each by its likelihood."""

    log_evidence: float
    """Logarithm of the restricted likelihood, averaged over heritabilities; models of the same
    target differ by the logarithm of their Bayes factor."""


def fit_averaged_ridge(
    snps: Float32[np.ndarray, "snps people"],
    target: Float64[np.ndarray, "people"],
    sizes: Float64[np.ndarray, "snps"],
) -> AveragedRidge:
    """Fit SNPs whose effects are expected to differ in size, for every heritability at once.

    No heritability is chosen: a gene whose best one is 0 still has the weights that others give it.

    Args:
        snps: dosages, on any scale.
        target: finite numbers.
        sizes: standard deviations of the effects of standardised SNPs, relative to each other; a
            SNP of size 0 has weight 0.
    """
    kept = np.flatnonzero(sizes)
    snps_kept = snps if len(kept) == len(snps) else snps[kept]
    basis, scaling, mean = _basis(snps_kept, target, sizes[kept])
    variances = _HERITABILITIES[:, None] * basis.values + 1 - _HERITABILITIES[:, None]
    squared = np.maximum((basis.squares / variances).mean(axis=1), np.finfo(float).tiny)
    log_likelihoods = -0.5 * (len(basis.values) * np.log(squared) + np.log(variances).sum(axis=1))
    likelihoods = np.exp(log_likelihoods - log_likelihoods.max())
    shares = likelihoods / likelihoods.sum()
    coefficients = np.zeros(len(snps))
    shrinkage = (shares * _HERITABILITIES) @ (1 / variances)
    coefficients[kept] = basis.weights(shrinkage) * scaling
    return AveragedRidge(
        coefficients,
        float(target.mean() - mean @ coefficients[kept]),
        float(shares @ _HERITABILITIES),
        float(log_likelihoods.max() + np.log(likelihoods.mean())),
    )


def _basis(
    snps: Float32[np.ndarray, "snps people"],
    target: Float64[np.ndarray, "people"],
    sizes: Float64[np.ndarray, "snps"],
) -> "tuple[_Basis, Float64[np.ndarray, 'snps'], Float32[np.ndarray, 'snps']]":
    """Decompose relatedness; also return what turns weights to those of dosages, and mean dosages.

    SNPs are standardised and multiplied by their size; relatedness is their mean product.
    """
    mean, scale = snps.mean(axis=1), snps.std(axis=1)
    varying = scale > 1e-6
    inverse = np.where(varying, sizes / np.maximum(scale, 1e-6), 0)
    z = (snps - mean[:, None]) * inverse.astype(np.float32)[:, None]
    total = float((sizes[varying] ** 2).sum()) or 1.0
    decompose = _decompose_snps if len(z) < z.shape[1] else _decompose_people
    return decompose(z, target - target.mean(), total), inverse / total, mean


@dataclass(frozen=True)
class _Basis:
    """The directions in which relatedness is diagonal, and the target along them."""

    values: Float64[np.ndarray, "components"]
    """Eigenvalues of relatedness among the contrasts that say nothing of the mean."""
    squares: Float64[np.ndarray, "components"]
    """Squared projections of the target."""
    weights: Callable[[Float64[np.ndarray, "components"]], Float64[np.ndarray, "snps"]]
    """Standardised weights, times the sum of squared sizes, by the shrinkage of each component."""


def _decompose_people(
    z: Float32[np.ndarray, "snps people"], target: Float64[np.ndarray, "people"], total: float
) -> _Basis:
    """Decompose relatedness itself.

    Every row sums to 0, so the mean is one of possibly many null directions:
    raised above all others, it is the last eigenvector and can be left out.
    """
    relatedness = (z.T @ z).astype(np.float64) / total
    relatedness += (np.trace(relatedness) + 1) / len(relatedness)
    values, vectors = np.linalg.eigh(relatedness)
    values, vectors = np.maximum(values[:-1], 0), vectors[:, :-1]
    rotated = vectors.T @ target
    return _Basis(values, rotated**2, lambda shrinkage: z @ (vectors @ (shrinkage * rotated)))


def _decompose_snps(
    z: Float32[np.ndarray, "snps people"], target: Float64[np.ndarray, "people"], total: float
) -> _Basis:
    """Find the same from the products of SNPs, whose non-zero eigenvalues are the same.

    The contrasts that no SNP reaches have eigenvalue 0. Only the sum of the
    target's squares along them counts, and it is shared out evenly.
    """
    values, vectors = np.linalg.eigh((z @ z.T).astype(np.float64) / total)
    reached = values > _NULL * values.max(initial=0)
    values, vectors = values[reached], vectors[:, reached]
    products = vectors.T @ (z @ target.astype(np.float32))
    squares = products**2 / (values * total)
    n_others = z.shape[1] - 1 - len(values)
    rest = max(float(target @ target - squares.sum()), 0.0) / max(n_others, 1)
    return _Basis(
        np.concatenate([values, np.zeros(n_others)]),
        np.concatenate([squares, np.full(n_others, rest)]),
        lambda shrinkage: vectors @ (shrinkage[: len(products)] * products),
    )


def _reml_heritability(
    values: Float64[np.ndarray, "components"], squares: Float64[np.ndarray, "components"]
) -> float:
    """Maximise the profiled restricted likelihood over a grid, then around its best point."""
    if not squares.sum() > 0:
        return _LOWEST

    def loss(heritability: float) -> float:
        variances = heritability * values + 1 - heritability
        return float(len(values) * np.log((squares / variances).mean()) + np.log(variances).sum())

    grid = np.concatenate([[_LOWEST], np.linspace(0.005, _HIGHEST, _GRID)])
    losses = [loss(point) for point in grid]
    best = int(np.argmin(losses))
    if best == 0:
        return _LOWEST
    bounds = (grid[best - 1], grid[min(best + 1, len(grid) - 1)])
    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return float(found.x) if found.fun < losses[best] else float(grid[best])
