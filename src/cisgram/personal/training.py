"""Train a gene's model on some people and predict others.

Everything learnt is learnt from the training people alone: which SNPs are
common enough, what a missing dosage is worth, the strength and the weights.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from cisgram.personal.linear import fit_linear


@dataclass(frozen=True)
class TrainedGene:
    """A linear model of one gene."""

    used: Int64[np.ndarray, "snps"]
    """Columns of the window's SNPs that have a weight."""
    coefficients: Float64[np.ndarray, "snps"]
    """Per copy of the alternate allele, on the scale of the target."""
    means: Float64[np.ndarray, "snps"]
    """Mean dosage among the training people: what a missing dosage is worth."""
    intercept: float
    strength: float
    cv_r2: float
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
    fit = fit_linear(model, snps, target[learn], folds=compact.astype(np.int64))
    used = np.flatnonzero(fit.coefficients)
    return TrainedGene(
        used=kept[used],
        coefficients=fit.coefficients[used],
        means=means[used],
        intercept=fit.intercept,
        strength=fit.strength,
        cv_r2=fit.cv_r2,
        n_window=len(kept),
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
