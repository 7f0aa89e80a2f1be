"""How well one gene is predicted in people its model never saw."""

import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8

from cisgram.core import metrics
from cisgram.core.metrics import fisher_combined_p, stouffer, two_sided_p

MIN_PEARSON = 0.1
MAX_P_VALUE = 0.05


@dataclass(frozen=True)
class Accuracy:
    """Held-out accuracy of a gene, each statistic a mean over folds.

    Correlations are within folds, so that a fold's own mean cannot pass for
    accuracy. Acceptance is PredictDB's: mean Pearson above 0.1 and a Stouffer
    p-value below 0.05.
    """

    pearson: float
    """Mean over folds of Pearson's r (`rho_avg`); a constant prediction counts as 0."""
    pearson_sd: float
    """Standard deviation of r over folds; 0 for a single fold."""
    spearman: float
    """Mean over folds of Spearman's rho."""
    r2: float
    """Mean over folds of 1 - RSS/TSS; negative when worse than the fold's mean."""
    z: float
    """Stouffer's combination of atanh(r) sqrt(n - 3)."""
    p_value: float
    """Two-sided, from `z`."""
    fisher_p_value: float
    """Fisher's combination; a constant prediction draws a uniform p, seeded by the gene."""
    n_constant_folds: int
    """Folds whose prediction is the same for everybody."""

    @property
    def accepted(self) -> bool:
        """Say whether PredictDB would publish the model."""
        return self.pearson > MIN_PEARSON and self.p_value < MAX_P_VALUE


def held_out_accuracy(
    predicted: Float64[np.ndarray, "people"],
    measured: Float64[np.ndarray, "people"],
    folds: Int8[np.ndarray, "people"],
    *,
    gene: str,
) -> Accuracy:
    """Score held-out predictions fold by fold and combine the folds.

    Predictions are NaN for people not held out anywhere, whose fold is -1; measurements are NaN
    where the gene was not measured. The gene seeds the draw for constant predictions.
    """
    rows = np.unique(folds[folds >= 0])
    member = folds[None, :] == rows[:, None]
    by_fold = np.where(member, predicted[None, :], np.nan)
    truth = np.where(member, measured[None, :], np.nan)
    n = (~np.isnan(by_fold) & ~np.isnan(truth)).sum(axis=1)
    correlation = metrics.pearson(by_fold, truth)
    z = metrics.fisher_z(correlation, n)
    constant = np.nanmax(by_fold, axis=1) - np.nanmin(by_fold, axis=1) <= 1e-9
    p = np.asarray(two_sided_p(z))
    p[constant] = np.random.default_rng(zlib.crc32(gene.encode())).random(int(constant.sum()))
    combined = float(stouffer(z))
    return Accuracy(
        pearson=float(correlation.mean()),
        pearson_sd=float(correlation.std(ddof=1)) if len(rows) > 1 else 0.0,
        spearman=float(metrics.spearman(by_fold, truth).mean()),
        r2=float(metrics.r2(by_fold, truth).mean()),
        z=combined,
        p_value=float(two_sided_p(combined)),
        fisher_p_value=float(fisher_combined_p(p)),
        n_constant_folds=int(constant.sum()),
    )
