"""Linear models of a gene's expression, learnt from training people alone.

Which SNPs are common enough, what a missing dosage is worth, the penalty and the weights: none of
it knows the people who are predicted.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from cisgram.core.checks import check_choice
from cisgram.core.ridge import fit_averaged_ridge, fit_ridge
from cisgram.personal.elastic_net import ElasticNetConfig, elastic_net_cv
from cisgram.personal.fit_config import MODELS
from cisgram.personal.single_effects import single_effects
from cisgram.personal.snp_prior import REACH, SnpPrior

_L1_RATIO = {"elastic-net": 0.5, "lasso": 1.0, "prior-elastic-net": 0.5}
_REACHES = (200_000, 20_000, 2_000)
"""Of the polygenic parts of the mixture, in bases."""
_TEMPERATURE = 2.0
"""Evidence for a reach is flattened, as models of one gene are all wrong in some way."""
_CONSTANT = 1e-6


@dataclass(frozen=True)
class LinearFit:
    """Target = intercept + sum of coefficient x dosage."""

    coefficients: Float64[np.ndarray, "snps"]
    """Weights per copy of the counted allele."""
    intercept: float
    """Value for a person with no copy of any counted allele."""
    strength: float
    """The penalty of elastic net and lasso, the REML heritability of ridge, averaged over reaches
    for the mixture; NaN for the top SNP."""
    cv_r2: float
    """Cross-validated R2 at the penalty chosen, on the data it was chosen with: optimistic, never
    the accuracy to report; NaN where nothing is cross-validated."""


def fit_linear(
    model: str,
    snps: Float32[np.ndarray, "snps people"],
    target: Float64[np.ndarray, "people"],
    *,
    folds: Int64[np.ndarray, "people"],
    prior: SnpPrior,
) -> LinearFit:
    """Fit one model on training people.

    Args:
        model: one of `MODELS`.
        snps: dosages, no missing value.
        target: finite numbers.
        folds: for the penalty of elastic net and lasso, 0 to n_folds - 1.
        prior: of the same SNPs, for the models that start from one.
    """
    check_choice(model, MODELS, "model")
    if model == "top-snp":
        return _fit_top_snp(snps, target)
    if model == "prior-mixture":
        return _fit_mixture(snps, target, prior)
    if model in ("ridge", "prior-ridge"):
        if model == "ridge":
            ridge = fit_ridge(snps, target)
        else:
            ridge = fit_averaged_ridge(snps, target, prior.scaled())
        return LinearFit(ridge.coefficients, ridge.intercept, ridge.heritability, np.nan)
    config = ElasticNetConfig(l1_ratio=_L1_RATIO[model])
    sizes = prior.scaled() if model == "prior-elastic-net" else None
    fit = elastic_net_cv(snps, target, folds, config=config, sizes=sizes)
    return LinearFit(fit.coefficients, fit.intercept, float(fit.strengths[fit.best]), fit.cv_r2)


def _fit_mixture(
    snps: Float32[np.ndarray, "snps people"],
    target: Float64[np.ndarray, "people"],
    prior: SnpPrior,
) -> LinearFit:
    """Average many small effects, whose reach the target chooses, with a sum of single effects.

    The reaches share weight by their evidence. A polygenic part misses large effects,
    and a sparse one many small effects: their mean predicts better than either.
    """
    fits = [fit_averaged_ridge(snps, target, prior.scaled(reach)) for reach in _REACHES]
    evidence = np.array([fit.log_evidence for fit in fits]) / _TEMPERATURE
    shares = np.exp(evidence - evidence.max())
    shares /= shares.sum()
    polygenic = shares @ np.array([fit.coefficients for fit in fits])
    sizes = prior.scaled(REACH)
    mean, spread = snps.mean(axis=1), snps.std(axis=1)
    near = np.flatnonzero((sizes > 0) & (spread > _CONSTANT))
    standardized = (snps[near] - mean[near, None]) / spread[near, None]
    sparse = np.zeros(len(snps))
    sparse[near] = single_effects(standardized, target - target.mean(), sizes[near]) / spread[near]
    coefficients = (polygenic + sparse) / 2
    heritability = float(shares @ [fit.heritability for fit in fits])
    return LinearFit(coefficients, float(target.mean() - mean @ coefficients), heritability, np.nan)


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


@dataclass(frozen=True)
class TrainedGene(LinearFit):
    """A linear model of one gene; coefficients are of the used SNPs."""

    used: Int64[np.ndarray, "snps"]
    """Columns of the window's SNPs that have a weight."""
    means: Float64[np.ndarray, "snps"]
    """Mean dosage among the training people: what a missing dosage is worth."""
    n_window: int
    """SNPs of the window that passed the filters in the training people."""

    def predict(
        self, dosages: Float32[np.ndarray, "people window_snps"]
    ) -> Float64[np.ndarray, "people"]:
        """Predict the target of anyone genotyped at the window's SNPs."""
        used = dosages[:, self.used].astype(np.float64)
        used = np.where(np.isnan(used), self.means, used)
        return self.intercept + used @ self.coefficients


def train_gene(
    model: str,
    dosages: Float32[np.ndarray, "people snps"],
    target: Float64[np.ndarray, "people"],
    *,
    train: Bool[np.ndarray, "people"],
    folds: Int64[np.ndarray, "people"],
    prior: SnpPrior,
    min_maf: float,
    max_missing: float,
) -> TrainedGene | None:
    """Fit a model on the training people who have the gene measured.

    Args:
        model: see `fit_linear`.
        dosages: alternate-allele dosages of everybody, NaN missing.
        target: normalised expression of everybody, NaN missing.
        train: the people to learn from.
        folds: cross-validation fold of every training person; others are ignored.
        prior: of the same SNPs.
        min_maf: lowest minor allele frequency among the training people.
        max_missing: largest share of the training people without a dosage.

    Returns:
        None when fewer than two SNPs pass, or the target does not vary.
    """
    learn = train & ~np.isnan(target)
    snps = np.compress(learn, dosages.T, axis=1)  # `dosages[learn]` would need turning round
    kept, means, snps = _common_snps(snps, min_maf, max_missing)
    if len(kept) < 2 or not np.ptp(target[learn]) > 0:
        return None
    _, compact = np.unique(folds[learn], return_inverse=True)
    fit = fit_linear(
        model, snps, target[learn], folds=compact.astype(np.int64), prior=prior.at(kept)
    )
    used = np.flatnonzero(fit.coefficients)
    weights = fit.coefficients[used]
    return TrainedGene(
        weights, fit.intercept, fit.strength, fit.cv_r2, kept[used], means[used], len(kept)
    )


def _common_snps(
    snps: Float32[np.ndarray, "snps people"], min_maf: float, max_missing: float
) -> tuple[
    Int64[np.ndarray, "kept"], Float64[np.ndarray, "kept"], Float32[np.ndarray, "kept people"]
]:
    """Drop rare, constant and poorly called SNPs; fill gaps with the mean dosage."""
    sums = snps.sum(axis=1)
    gaps = np.isnan(sums)
    called = np.full(len(snps), snps.shape[1])
    if gaps.any():
        called[gaps] = (~np.isnan(snps[gaps])).sum(axis=1)
        sums[gaps] = np.nansum(snps[gaps], axis=1)
    means = sums / np.maximum(called, 1).astype(np.float64)
    frequency = means / 2
    common = np.minimum(frequency, 1 - frequency) >= max(min_maf, 1e-9)
    common &= called >= (1 - max_missing) * snps.shape[1]
    kept = np.flatnonzero(common)
    chosen = snps[kept]
    for row in np.flatnonzero(gaps[kept]):
        chosen[row][np.isnan(chosen[row])] = means[kept[row]]
    return kept, means[kept], chosen
