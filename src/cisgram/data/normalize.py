"""Normalisation that learns from training people only.

Every object here is fitted on the people a model may see and then applied to
anyone, so that nothing measured on a held-out person can reach the model: not
through ranks, means, regression coefficients or principal components.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import ndtri

from cisgram.core.checks import ConfigError, DataError, check_choice

People = Float64[np.ndarray, "people"]
"""A number for each person."""
Train = Bool[np.ndarray, "people"]
"""Who is learnt from."""
Genes = Float64[np.ndarray, "*genes people"]

Transform = Literal["none", "log", "inverse-normal"]
TRANSFORMS: tuple[Transform, ...] = ("none", "log", "inverse-normal")
_CONSTANT = 1e-10
"""A spread below this share of the largest value is rounding, not signal."""


@dataclass(frozen=True, eq=False)
class InverseNormal:
    """Rank-based inverse normal transformation (Blom 1958) as a fitted map.

    Training values get the normal score of their average rank r among n,
    at probability (r - 3/8) / (n + 1/4). Other values lie on the line between
    their neighbours in training and stop at its ends.

    >>> InverseNormal.fit(np.array([3.0, 1.0, 2.0])).transform(np.array([2.0, 9.0])).round(3)
    array([0.   , 0.869])
    """

    knots: Float64[np.ndarray, "knots"]
    """The distinct training values, ascending."""
    scores: Float64[np.ndarray, "knots"]

    @classmethod
    def fit(cls, values: People) -> Self:
        """Learn the map from training people; NaN is left out."""
        observed = values[~np.isnan(values)]
        if observed.size == 0:
            raise DataError("no training person has a value; leave this gene out.")
        knots, counts = np.unique(observed, return_counts=True)
        ranks = np.cumsum(counts) - (counts - 1) / 2
        return cls(knots, ndtri((ranks - 0.375) / (observed.size + 0.25)))

    def transform(self, values: Float64[np.ndarray, "*people"]) -> Float64[np.ndarray, "*people"]:
        """Map anyone's values; NaN stays NaN."""
        return np.interp(values, self.knots, self.scores)


class CovariateProjector:
    """Least squares on covariates and an intercept, fitted on training people.

    The training design is decomposed once, so that a residual costs two thin
    matrix products whatever the number of genes. Covariates constant among the
    training people say nothing and are left out; collinear ones share their effect.
    """

    def __init__(self, covariates: Float64[np.ndarray, "people covariates"], train: Train) -> None:
        """Decompose the covariates of the training people."""
        self.train = train
        self._rows = np.flatnonzero(train)
        design = _design(covariates, train)
        left, singular, right = np.linalg.svd(design[train], full_matrices=False)
        rank = int((singular > singular.max(initial=0.0) * _CONSTANT).sum())
        if self._rows.size < rank + 2:
            raise ConfigError(
                f"{self._rows.size} training people are too few for {rank - 1} covariates; "
                "give fewer covariates or more people."
            )
        self._basis = np.ascontiguousarray(left[:, :rank])
        self._everyone = np.ascontiguousarray((design @ (right[:rank].T / singular[:rank])).T)
        self._covariates = covariates

    @property
    def rank(self) -> int:
        """Fitted coefficients, the intercept among them."""
        return self._basis.shape[1]

    def residual(self, values: Genes) -> Genes:
        """Subtract what the covariates explain, from everyone.

        A gene with missing values is fitted on the training people who have it;
        one with too few of them becomes NaN throughout.
        """
        result = self._subtract(values)
        if not np.isnan(result).any():
            return result
        for gene in np.ndindex(values.shape[:-1]):
            if np.isnan(values[gene]).any():
                result[gene] = self._residual_of_observed(values[gene])
        return result

    def _subtract(self, values: Genes) -> Genes:
        return values - (values[..., self._rows] @ self._basis) @ self._everyone

    def _residual_of_observed(self, values: People) -> People:
        try:
            inner = CovariateProjector(self._covariates, self.train & ~np.isnan(values))
        except ConfigError:
            return np.full_like(values, np.nan)
        return inner._subtract(values)


class TargetFit:
    """From raw expression to the residual z-scores a model is trained on.

    Transform, covariate regression and standardisation, each fitted on the
    training people: the order of PredictDB's GTEx v7 pipeline, without its
    fitting on everybody.
    """

    def __init__(
        self, covariates: Float64[np.ndarray, "people covariates"], train: Train, *, transform: str
    ) -> None:
        self.transform = check_choice(transform, TRANSFORMS, "transform")
        self.projector = CovariateProjector(covariates, train)

    def target(self, values: People) -> People:
        """Return everyone's residual z-scores for one gene.

        Missing values stay NaN. A gene that does not vary among the training
        people is centred and left unscaled; one with too few training values is
        NaN throughout.
        """
        train, nothing = self.projector.train, np.full_like(values, np.nan)
        if np.isnan(values[train]).all():
            return nothing
        if self.transform == "log":
            values = _log(values)
        elif self.transform == "inverse-normal":
            values = InverseNormal.fit(values[train]).transform(values)
        residual = self.projector.residual(values)
        seen = residual[train]
        seen = seen[~np.isnan(seen)]
        if seen.size < 2:
            return nothing
        mean, sd = float(seen.mean()), float(seen.std(ddof=1))
        if sd <= _CONSTANT * float(np.nanmax(np.abs(values[train]))):
            sd = 1.0
        return (residual - mean) / sd


def expression_pcs(
    values: Float64[np.ndarray, "genes people"], train: Train, n: int
) -> Float64[np.ndarray, "people pcs"]:
    """Return everyone's `n` principal components of expression, learnt from training people.

    Genes are standardised on training people, and those that do not vary among them are left
    out. A missing value counts as its gene's training mean. The sign makes each component's
    largest loading positive.

    Raises:
        ConfigError: more components than training people or genes allow.
    """
    seen = values[:, train]
    present = ~np.isnan(seen)
    n_present = present.sum(axis=1)
    mean = np.where(present, seen, 0.0).sum(axis=1) / np.maximum(n_present, 1)
    centred = np.where(present, seen - mean[:, None], 0.0)
    sd = np.sqrt((centred**2).sum(axis=1) / np.maximum(n_present - 1, 1))
    genes = (n_present > 1) & (sd > _CONSTANT * np.abs(centred + mean[:, None]).max(axis=1))
    most = min(int(train.sum()) - 1, int(genes.sum()))
    if not 0 < n <= most:
        raise ConfigError(
            f"n_expression_pcs must be between 1 and {most} for {int(train.sum())} training "
            f"people and {int(genes.sum())} varying genes; got {n}."
        )
    mean, sd = mean[genes, None], sd[genes, None]
    loadings = np.linalg.svd(centred[genes] / sd, full_matrices=False)[0][:, :n]
    largest = loadings[np.abs(loadings).argmax(axis=0), np.arange(n)]
    scaled = np.nan_to_num((values[genes] - mean) / sd, nan=0.0)
    return scaled.T @ (loadings * np.sign(largest))


def _design(
    covariates: Float64[np.ndarray, "people covariates"], train: Train
) -> Float64[np.ndarray, "people columns"]:
    """Return an intercept and the covariates that vary in training, on its scale."""
    seen = covariates[train]
    if not np.isfinite(covariates).all():
        raise DataError("covariates must be finite for everybody; drop the people without them.")
    if seen.shape[0] == 0:
        raise ConfigError("no person is in the training set; check the folds or populations.")
    mean, sd = seen.mean(axis=0), seen.std(axis=0)
    varies = sd > _CONSTANT * np.abs(seen).max(axis=0)
    scaled = (covariates[:, varies] - mean[varies]) / sd[varies]
    return np.column_stack([np.ones(covariates.shape[0]), scaled])


def _log(values: People) -> People:
    if (values <= -1).any():
        raise ConfigError(
            f"transform 'log' needs values above -1 and met {np.nanmin(values):g}; "
            "use 'inverse-normal' or 'none'."
        )
    return np.log1p(values)
