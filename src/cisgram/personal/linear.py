"""The four linear models of a gene's expression, behind one call."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from cisgram.core.checks import check_choice
from cisgram.core.ridge import fit_ridge
from cisgram.personal.elastic_net import ElasticNetConfig, elastic_net_cv
from cisgram.personal.fit_config import MODELS

_L1_RATIO = {"elastic-net": 0.5, "lasso": 1.0}


@dataclass(frozen=True)
class LinearFit:
    """Target = intercept + sum of coefficient x dosage."""

    coefficients: Float64[np.ndarray, "snps"]
    """Weights per copy of the counted allele."""
    intercept: float
    """Value for a person with no copy of any counted allele."""
    strength: float
    """What shrinks the weights: the penalty's strength for elastic net and lasso,
    the REML heritability for ridge; NaN for the top SNP."""
    cv_r2: float
    """Cross-validated R2 at the strength chosen, on the data it was chosen with:
    optimistic, never the accuracy to report; NaN where nothing is cross-validated."""


def fit_linear(
    model: str,
    snps: Float32[np.ndarray, "snps people"],
    target: Float64[np.ndarray, "people"],
    *,
    folds: Int64[np.ndarray, "people"],
) -> LinearFit:
    """Fit one model on training people.

    Args:
        model: one of `MODELS`.
        snps: dosages, no missing value.
        target: finite numbers.
        folds: for the strength of elastic net and lasso, 0 to n_folds - 1.

    Raises:
        ConfigError: unknown model, or fewer than two folds where they are needed.
    """
    check_choice(model, MODELS, "model")
    if model == "top-snp":
        return _fit_top_snp(snps, target)
    if model == "ridge":
        ridge = fit_ridge(snps, target)
        return LinearFit(ridge.coefficients, ridge.intercept, ridge.heritability, np.nan)
    config = ElasticNetConfig(l1_ratio=_L1_RATIO[model])
    fit = elastic_net_cv(snps, target, folds, config=config)
    return LinearFit(fit.coefficients, fit.intercept, float(fit.strengths[fit.best]), fit.cv_r2)


def _fit_top_snp(
    snps: Float32[np.ndarray, "snps people"], target: Float64[np.ndarray, "people"]
) -> LinearFit:
    """Regress on the SNP with the largest correlation; the first of equals."""
    mean = snps.mean(axis=1)
    deviations = target - target.mean()
    covariance = (snps @ deviations.astype(np.float32)).astype(np.float64)
    squares = np.einsum("sp,sp->s", snps, snps) - len(target) * mean.astype(np.float64) ** 2
    varying = squares > 1e-6 * len(target)
    correlation = np.abs(covariance) / np.sqrt(np.where(varying, squares, np.inf))
    coefficients = np.zeros(len(snps))
    if len(snps) and varying.any():
        top = int(correlation.argmax())
        coefficients[top] = covariance[top] / squares[top]
    return LinearFit(coefficients, float(target.mean() - mean @ coefficients), np.nan, np.nan)
