"""The elastic net by coordinate descent, all cross-validation folds in lockstep.

Minimises, for each training set and each strength of a falling sequence,

    1/(2n) ||y - b - X w||^2 + strength (l1_ratio ||w||_1 + (1 - l1_ratio)/2 ||w||_2^2)

(Zou and Hastie 2005, by the coordinate descent of Friedman, Hastie and
Tibshirani 2010). What makes it quick here:

* the folds walk down the strengths together, so that one matrix product gives
  every fold's gradient for every SNP, and each SNP is read once a strength;
* each fold works on the few SNPs that a sequential rule admits (their gradient
  reaches the penalty, or nearly); the product above then checks every SNP
  left out (Tibshirani et al. 2012), and violators are admitted and solved again;
* descent runs on the small Gram matrix of those SNPs, grown as they come;
* copies of a SNP are one variable (`DistinctSnps`);
* walking together, the folds know the cross-validation curve as it unfolds and
  stop when it has clearly turned up.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from cisgram.core.checks import ConfigError, check_range
from cisgram.personal.elastic_net_kernels import descend

_ADMIT = 0.98
"""SNPs whose gradient is within 2 % of the penalty join before they are needed."""
_SLACK = 1.001
"""A gradient counts as a violation beyond the penalty by more than rounding."""
_SAME = 1e-3
"""Largest difference between two standardised SNPs that count as copies, in sd."""
_STEPS_PAST_BEST = 10
_ERRORS_PAST_BEST = 2.0


@dataclass(frozen=True, kw_only=True)
class ElasticNetConfig:
    """How the path is walked."""

    l1_ratio: float = 0.5
    """Share of the absolute penalty, above 0 (near ridge) to 1 (lasso)."""
    n_strengths: int = 100
    """Length of the sequence of strengths."""
    strength_ratio: float = 0.01
    """Last strength over the first; the first is the smallest that keeps all weights 0."""
    tolerance: float = 1e-7
    """Descent ends when no move lowers the squared error by this share of its null value."""
    stop_early: bool = True
    """Leave the path once the cross-validated error has clearly passed its minimum."""
    collapse: bool = True
    """Solve perfectly correlated SNPs as one."""

    def __post_init__(self) -> None:
        check_range(self.l1_ratio, "l1_ratio", low=1e-3, high=1)
        check_range(self.n_strengths, "n_strengths", low=2)
        check_range(self.strength_ratio, "strength_ratio", low=1e-6, high=0.99)
        check_range(self.tolerance, "tolerance", low=1e-12, high=1e-2)


@dataclass(frozen=True)
class ElasticNetFit:
    """A cross-validated path and the model at its best strength."""

    strengths: Float64[np.ndarray, "strengths"]
    """Strengths walked, falling; shorter than asked when the path was left early."""
    cv_mse: Float64[np.ndarray, "strengths"]
    """Squared error over held-out people, a mean over people."""
    best: int
    coefficients: Float64[np.ndarray, "snps"]
    """Weights at the best strength, refitted on everybody, per unit of the input."""
    intercept: float
    cv_r2: float
    """1 - cv_mse / variance of the target, at the best strength."""


def elastic_net_cv(
    snps: Float32[np.ndarray, "snps people"],
    target: Float64[np.ndarray, "people"],
    folds: Int64[np.ndarray, "people"],
    *,
    config: ElasticNetConfig,
    sizes: Float64[np.ndarray, "snps"] | None = None,
) -> ElasticNetFit:
    """Choose a penalty by cross-validation and fit everybody with it.

    SNPs are finite, on any scale; they are standardised over all people given and centred within
    each fold, and a constant one gets weight 0. Held-out folds count from 0. A SNP of expected size
    s is penalised 1 / s times in absolute value and 1 / s^2 times in square; 0 leaves it out.
    """
    n_folds = int(folds.max(initial=-1)) + 1
    if n_folds < 2:
        raise ConfigError(f"cross-validation needs at least 2 folds; got {n_folds}.")
    mean, scale = snps.mean(axis=1), snps.std(axis=1)
    varying = scale > 1e-6
    if sizes is not None:
        varying &= sizes > 0
        # A standardised SNP times its size, so that one penalty holds for all.
        scale = (scale / np.where(varying, sizes, 1)).astype(np.float32)
        config = replace(config, collapse=False)  # copies have sizes of their own
    standardized = (snps[varying] - mean[varying, None]) / scale[varying, None]
    strengths, cv_mse, weights = _walk(standardized, target, folds, config)
    best = int(cv_mse.argmin())
    coefficients = np.zeros(len(snps))
    coefficients[varying] = weights / scale[varying]
    intercept = float(target.mean() - mean @ coefficients)
    variance = float(np.var(target))
    cv_r2 = 1 - float(cv_mse[best]) / variance if variance > 0 else 0.0
    return ElasticNetFit(strengths, cv_mse, best, coefficients, intercept, cv_r2)


def _walk(
    snps: Float32[np.ndarray, "snps people"],
    target: Float64[np.ndarray, "people"],
    folds: Int64[np.ndarray, "people"],
    config: ElasticNetConfig,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Walk the path on standardised SNPs; return strengths, errors and the best weights."""
    n_folds = int(folds.max()) + 1
    distinct = find_distinct(snps) if config.collapse and len(snps) else None
    if distinct is not None:
        ridge = (1 / distinct.copies).astype(np.float32)
        snps = snps[distinct.representatives]
    else:
        ridge = np.ones(len(snps), np.float32)
    trains = np.vstack([folds != fold for fold in range(n_folds)] + [np.ones(len(folds), bool)])
    lockstep = _Lockstep(snps, target, trains, ridge, config)

    errors = np.zeros((config.n_strengths, n_folds))
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for step, strength in enumerate(lockstep.strengths):
        lockstep.advance(float(strength))
        errors[step] = lockstep.held_out_errors(folds)
        kept.append(lockstep.problems[-1].sparse())
        if config.stop_early and _has_turned_up(errors[: step + 1]):
            break
    n_steps = len(kept)
    cv_mse = errors[:n_steps].sum(axis=1) / len(target)
    best = int(cv_mse.argmin())
    coefficients = np.zeros(len(snps))
    coefficients[kept[best][0]] = kept[best][1]
    if distinct is not None:
        coefficients = distinct.give_back(coefficients)
    return lockstep.strengths[:n_steps], cv_mse, coefficients


def _has_turned_up(errors: Float64[np.ndarray, "steps folds"]) -> bool:
    """Say whether the last error is clearly above the smallest one, well before it.

    Clearly: by two standard errors of the fold-by-fold difference.
    """
    best = int(errors.sum(axis=1).argmin())
    if len(errors) - 1 - best <= _STEPS_PAST_BEST:
        return False
    rise = errors[-1] - errors[best]
    return rise.sum() > _ERRORS_PAST_BEST * rise.std(ddof=1) * np.sqrt(len(rise))


class _Problem:
    """One training set: its working SNPs, their Gram matrix and weights."""

    def __init__(self, train: Bool[np.ndarray, "people"], target: np.ndarray, n_snps: int) -> None:
        self.train = train.astype(np.float32)
        self.n_people = np.float32(train.sum())
        self.mean = np.float32(target[train].mean())
        self.null_error = float(((target[train] - self.mean) ** 2).sum())
        self.inside = np.zeros(n_snps, bool)
        self.members = np.empty(0, np.int64)
        capacity = 128
        self.snps, self.centred = (np.empty((capacity, len(train)), np.float32) for _ in range(2))
        self.coefficients, self.ridge = np.zeros((2, capacity), np.float32)
        self.gram = np.zeros((capacity, capacity), np.float32)
        self.active = np.empty(capacity, np.int64)

    def _grow(self, n: int) -> None:
        """Make room for `n` more SNPs."""
        self.snps, self.centred = (
            np.pad(rows, ((0, n), (0, 0))) for rows in (self.snps, self.centred)
        )
        self.coefficients, self.ridge = (
            np.pad(values, (0, n)) for values in (self.coefficients, self.ridge)
        )
        self.gram = np.pad(self.gram, (0, n))
        self.active = np.empty(len(self.gram), np.int64)

    def admit(self, new: Int64[np.ndarray, "new"], snps: np.ndarray, ridge: np.ndarray) -> None:
        """Let SNPs into the working set."""
        n, end = len(self.members), len(self.members) + len(new)
        if end > len(self.gram):
            self._grow(max(len(self.gram), end - len(self.gram)))
        rows = snps[new]
        self.snps[n:end] = rows
        self.ridge[n:end] = ridge[new]
        rows = (rows - (rows @ self.train / self.n_people)[:, None]) * self.train
        self.centred[n:end] = rows
        block = rows @ self.centred[:end].T
        self.gram[n:end, :end] = block
        self.gram[:n, n:end] = block[:, :n].T
        self.members = np.concatenate([self.members, new])
        self.inside[new] = True

    def sparse(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the SNPs with a weight, and their weights."""
        (used,) = np.nonzero(self.coefficients[: len(self.members)])
        return self.members[used], self.coefficients[used].astype(np.float64)

    def fitted(self) -> Float32[np.ndarray, "people"]:
        """Return X w for everybody, in training or not."""
        (used,) = np.nonzero(self.coefficients[: len(self.members)])
        return self.coefficients[used] @ self.snps[used]


class _Lockstep:
    """All training sets at the same step of the path."""

    def __init__(
        self,
        snps: Float32[np.ndarray, "snps people"],
        target: Float64[np.ndarray, "people"],
        trains: Bool[np.ndarray, "problems people"],
        ridge: Float32[np.ndarray, "snps"],
        config: ElasticNetConfig,
    ) -> None:
        self.snps, self.ridge, self.config = snps, ridge, config
        self.target = target.astype(np.float32)
        self.problems = [_Problem(train, target, len(snps)) for train in trains]
        self.n_people = np.array([problem.n_people for problem in self.problems])
        self.predicted = np.zeros(trains.shape, np.float32)
        self.residuals = np.zeros(trains.shape, np.float32)
        for index in range(len(trains)):
            self._refresh(index)
        self.gradient = self.residuals @ snps.T
        self.before = self.gradient
        self.strengths = self._strengths(len(target))

    def _strengths(self, n_people: int) -> Float64[np.ndarray, "strengths"]:
        largest = float(np.abs(self.gradient[-1]).max(initial=0))
        first = max(largest / (n_people * self.config.l1_ratio), 1e-12)
        exponents = np.linspace(0, 1, self.config.n_strengths)
        return first * self.config.strength_ratio**exponents

    def _refresh(self, index: int) -> None:
        """Recompute predictions, with their intercept, and residuals of a problem."""
        problem = self.problems[index]
        fitted = problem.fitted()
        residual = self.target - fitted
        intercept = residual @ problem.train / problem.n_people
        self.predicted[index] = fitted + intercept
        self.residuals[index] = (residual - intercept) * problem.train

    def advance(self, strength: float) -> None:
        """Solve every problem at `strength`, starting where the last step ended."""
        config = self.config
        ratio = config.strength_ratio ** (1 / (config.n_strengths - 1))
        ahead = np.abs(self.gradient + np.float32(ratio) * (self.gradient - self.before))
        self.before = self.gradient.copy()
        penalty = (config.l1_ratio * strength * self.n_people)[:, None].astype(np.float32)
        admitted = ahead >= np.float32(_ADMIT) * penalty
        pending = np.arange(len(self.problems))
        while len(pending):
            for index in pending.tolist():
                self._solve(index, admitted[index], strength)
            self.gradient[pending] = self.residuals[pending] @ self.snps.T
            violating = np.abs(self.gradient[pending]) > np.float32(_SLACK) * penalty[pending]
            for row, index in enumerate(pending):
                violating[row] &= ~self.problems[index].inside
            admitted[pending] = violating
            pending = pending[violating.any(axis=1)]

    def _solve(self, index: int, admitted: Bool[np.ndarray, "snps"], strength: float) -> None:
        problem, config = self.problems[index], self.config
        (new,) = np.nonzero(admitted & ~problem.inside)
        if len(new):
            problem.admit(new, self.snps, self.ridge)
        if not len(problem.members):
            return
        scale = strength * float(problem.n_people)
        descend(
            problem.gram,
            self.gradient[index, problem.members],
            problem.coefficients,
            problem.ridge,
            problem.active,
            len(problem.members),
            np.float32(scale * config.l1_ratio),
            np.float32(scale * (1 - config.l1_ratio)),
            np.float32(config.tolerance * problem.null_error),
        )
        self._refresh(index)

    def held_out_errors(self, folds: Int64[np.ndarray, "people"]) -> Float64[np.ndarray, "folds"]:
        """Return the squared error of each fold's model on its held-out people."""
        own = self.predicted[folds, np.arange(len(folds))]
        squared = (self.target - own).astype(np.float64) ** 2
        return np.bincount(folds, weights=squared, minlength=len(self.problems) - 1)


@dataclass(frozen=True)
class DistinctSnps:
    """Perfectly correlated SNPs, solved as one variable and given back as many.

    In a cis window about half of the common SNPs repeat another one exactly, or with its alleles
    exchanged. The elastic net gives such copies equal shares of one weight `w`, so `m` copies are
    one variable whose squared penalty is `m (w / m)^2 = w^2 / m`: the solution is the same.
    """

    representatives: Int64[np.ndarray, "distinct"]
    """Row of the SNP that stands for each group."""
    group: Int64[np.ndarray, "snps"]
    sign: Float32[np.ndarray, "snps"]
    """1 where a SNP equals its representative, -1 where it mirrors it."""
    copies: Int64[np.ndarray, "distinct"]

    def give_back(
        self, coefficients: Float64[np.ndarray, "distinct"]
    ) -> Float64[np.ndarray, "snps"]:
        """Share each group's weight equally among its copies."""
        return self.sign * (coefficients / self.copies)[self.group]


def find_distinct(standardized: Float32[np.ndarray, "snps people"]) -> DistinctSnps:
    """Group the SNPs whose correlation is 1 or -1.

    Copies have the same projection, up to sign, on any fixed vector: SNPs are
    sorted by one such projection, and neighbours are compared in full.
    """
    n_snps, n_people = standardized.shape
    direction = np.random.default_rng(0).standard_normal(n_people)
    direction /= np.linalg.norm(direction)
    projection = np.abs(standardized @ direction)
    order = np.argsort(projection, kind="stable")
    near = np.diff(projection[order]) < _SAME
    same, sign_of_pair = _compare_neighbours(standardized, order, near)

    first = np.concatenate([[True], ~same])
    starts = np.flatnonzero(first)
    group_in_order = np.cumsum(first) - 1
    relative = np.cumprod(np.concatenate([[1.0], sign_of_pair]))
    group = np.empty(n_snps, np.int64)
    sign = np.empty(n_snps, np.float32)
    group[order] = group_in_order
    sign[order] = relative * relative[starts][group_in_order]
    copies = np.diff(np.append(starts, n_snps))
    return DistinctSnps(order[starts], group, sign, copies)


def _compare_neighbours(
    standardized: Float32[np.ndarray, "snps people"],
    order: Int64[np.ndarray, "snps"],
    near: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Say for each SNP but the first, in sorted order, whether it copies the one before."""
    same = np.zeros(len(near), bool)
    sign = np.ones(len(near))
    candidates = np.flatnonzero(near)
    left, right = standardized[order[candidates]], standardized[order[candidates + 1]]
    towards = np.where(np.einsum("sp,sp->s", left, right) < 0, -1, 1).astype(np.float32)
    same[candidates] = np.abs(left - towards[:, None] * right).max(axis=1, initial=0) < _SAME
    sign[candidates] = np.where(same[candidates], towards, 1)
    return same, sign
