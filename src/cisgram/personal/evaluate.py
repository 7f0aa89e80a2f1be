"""Accuracy of models over genes, beside each other, with intervals."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64

from cisgram.core.checks import DataError, few
from cisgram.core.metrics import binomial_ci, bootstrap_ci, bootstrap_difference, pearson
from cisgram.personal.fit import Fit, fit_cohort

_SEED = 1
_FEWEST_PEOPLE = 10


@dataclass(frozen=True)
class PopulationAccuracy:
    """Accuracy within one population's held-out people."""

    population: str
    n_people: int
    mean_pearson: float
    ci95: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class ModelAccuracy:
    """A model over genes; every interval is a bootstrap over genes."""

    model: str
    task: str
    """Which question is answered: rows of different tasks do not compare."""
    n_genes: int
    n_unscored: int
    """Genes without a score: too few SNPs, or expression that does not vary."""
    n_people: int
    n_train: int
    """People learnt from, in the smallest fold."""
    mean_pearson: float
    ci95: tuple[float, float]
    """Of the mean Pearson correlation."""
    median_pearson: float
    median_ci95: tuple[float, float]
    mean_spearman: float
    mean_r2: float
    mean_r2_ci95: tuple[float, float]
    share_negative: float
    """Genes whose correlation is below 0."""
    n_accepted: int
    """PredictDB's rule: mean r > 0.1, p < 0.05, at least one SNP."""
    accepted_rate: float
    accepted_ci95: tuple[float, float]
    """Of the rate, Wilson's interval over genes."""
    mean_cv_r2: float | None
    """R2 on the folds that chose the strength: what tuning and scoring on the same
    people would have claimed; None for models without cross-validation."""
    mean_pearson_per_person: float
    """Task `per person, across genes`: the same predictions correlated over genes."""
    median_seconds: float
    """A gene, all folds, one thread."""
    populations: tuple[PopulationAccuracy, ...]


@dataclass(frozen=True)
class ModelDifference:
    """How much more accurate one model is than another, on the genes both have."""

    model: str
    baseline: str
    n_genes: int
    mean_difference: float
    ci95: tuple[float, float]
    share_better: float


@dataclass(frozen=True)
class Evaluation:
    """Models and their paired differences from the first one named."""

    models: tuple[ModelAccuracy, ...]
    differences: tuple[ModelDifference, ...]

    def as_dict(self) -> dict[str, Any]:
        """Give the plain data that `--json` writes."""
        return asdict(self)


def evaluate_fits(fits: Sequence[Fit]) -> Evaluation:
    """Summarise fits of the same cohort and task.

    Raises:
        DataError: no fit, fits of different tasks, people, genes or settings other than the
            model, or none scored.
    """
    if not fits:
        raise DataError("name at least one fit to evaluate.")
    for fit in fits[1:]:
        if fit.task != fits[0].task:
            raise DataError(
                f"{fit.path} answers '{fit.task}' and {fits[0].path} '{fits[0].task}'; "
                "evaluate them apart."
            )
        if fit.people != fits[0].people or not np.array_equal(fit.folds, fits[0].folds):
            raise DataError(
                f"{fit.path} and {fits[0].path} hold out different people; "
                "fit them on the same cohort with the same seed."
            )
        if fit.genes["gene"].to_list() != fits[0].genes["gene"].to_list():
            raise DataError(
                f"{fit.path} has {fit.genes.height:,} genes and {fits[0].path} "
                f"{fits[0].genes.height:,}, or others; fit the same --genes to compare."
            )
        _check_settings(fit, fits[0])
    models = tuple(summarize(fit) for fit in fits)
    return Evaluation(models, tuple(_difference(fit, fits[0]) for fit in fits[1:]))


def _check_settings(fit: Fit, first: Fit) -> None:
    """Refuse to compare models that had different targets or windows."""
    ours, theirs = (
        asdict(each.config)
        | {"cohort": each.manifest.metadata["run"]["cohort"], "model": "", "prior": ""}
        for each in (fit, first)
    )
    if differing := [name for name, value in ours.items() if value != theirs[name]]:
        raise DataError(
            f"{fit.path} and {first.path} were fitted with different {few(differing)}; "
            "compare fits that differ in the model or its prior only."
        )


def evaluate_across(
    fits: Sequence[Fit],
    *,
    train: Sequence[str],
    test: Sequence[str],
    executor: str = "processes",
    workers: int | None = None,
) -> Evaluation:
    """Train anew on some populations, with each fit's settings and genes; score others.

    The new fits are kept beside the old ones, and reused.

    Raises:
        ConfigError: populations that do not exist or overlap.
        DataError: another cohort is where a fit's was.
    """
    across: list[Fit] = []
    for fit in fits:
        fit.open_cohort()  # refuses another one in its place
        config = replace(fit.config, train_populations=tuple(train), test_populations=tuple(test))
        learners, others = config.train_populations, config.test_populations
        name = f"{fit.path.name}-train-{'+'.join(learners)}-test-{'+'.join(others)}"
        genes = fit.genes["gene"].to_list()
        out = fit.path.with_name(name)
        across.append(
            fit_cohort(fit.cohort, config, out, genes=genes, executor=executor, workers=workers)
        )
    return evaluate_fits(across)


def summarize(fit: Fit) -> ModelAccuracy:
    """Summarise one fit over its genes."""
    scored = fit.genes.filter(pl.col("pearson").is_not_null())
    if scored.is_empty():
        raise DataError(
            f"{fit.path} has no gene that could be scored; it needs SNPs in the cis window and "
            "expression that varies in every fold."
        )
    r = scored["pearson"].to_numpy()
    mean, median = bootstrap_ci(r, seed=_SEED), bootstrap_ci(r, seed=_SEED, statistic="median")
    explained = bootstrap_ci(scored["r2"].to_numpy(), seed=_SEED)
    n_accepted = int(scored["accepted"].sum())
    rate = binomial_ci(n_accepted, len(scored))
    cv_r2 = scored["cv_r2"].drop_nulls()
    held_out = fit.folds >= 0
    return ModelAccuracy(
        model=fit.config.label,
        task=fit.task,
        n_genes=len(scored),
        n_unscored=len(fit.genes) - len(scored),
        n_people=int(held_out.sum()),
        n_train=_smallest_training(fit),
        mean_pearson=mean.value,
        ci95=(mean.low, mean.high),
        median_pearson=median.value,
        median_ci95=(median.low, median.high),
        mean_spearman=float(scored["spearman"].to_numpy().mean()),
        mean_r2=explained.value,
        mean_r2_ci95=(explained.low, explained.high),
        share_negative=float((r < 0).mean()),
        n_accepted=n_accepted,
        accepted_rate=rate.value,
        accepted_ci95=(rate.low, rate.high),
        mean_cv_r2=float(cv_r2.to_numpy().mean()) if len(cv_r2) else None,
        mean_pearson_per_person=_per_person(fit),
        median_seconds=float(np.median(scored["seconds"].to_numpy())),
        populations=_by_population(fit),
    )


def population_pearson(fit: Fit, population: str) -> Float64[np.ndarray, "genes"]:
    """Correlate each gene within one population's held-out people; NaN where unscored.

    Folds are pooled: with few people of a population in a fold, a mean over
    folds would be mostly noise.
    """
    member = (np.array(fit.populations) == population) & (fit.folds >= 0)
    return pearson(fit.predictions[:, member], fit.measured[:, member])


def _smallest_training(fit: Fit) -> int:
    """Count the people learnt from in the fold that has fewest."""
    if fit.config.train_populations:
        n_train = int(np.isin(fit.populations, fit.config.train_populations).sum())
        return min(fit.config.max_people or n_train, n_train)
    most = fit.config.max_people or len(fit.folds)
    return min(most, int(len(fit.folds) - np.bincount(fit.folds).max()))


def _per_person(fit: Fit) -> float:
    member = fit.folds >= 0
    predicted, measured = fit.predictions[:, member].T, fit.measured[:, member].T
    r = pearson(np.ascontiguousarray(predicted), np.ascontiguousarray(measured))
    known = r[~np.isnan(r)]
    return float(known.mean()) if known.size else float("nan")


def _by_population(fit: Fit) -> tuple[PopulationAccuracy, ...]:
    """Score each named population of at least ten held-out people."""
    rows: list[PopulationAccuracy] = []
    labels = np.array(fit.populations)[fit.folds >= 0]
    for population in sorted({*labels.tolist()} - {""}):
        n_people = int((labels == population).sum())
        if n_people < _FEWEST_PEOPLE:
            continue
        mean = bootstrap_ci(population_pearson(fit, population), seed=_SEED)
        rows.append(PopulationAccuracy(population, n_people, mean.value, (mean.low, mean.high)))
    return tuple(rows)


def _difference(fit: Fit, baseline: Fit) -> ModelDifference:
    joined = fit.genes.join(baseline.genes, on="gene", suffix="_baseline").drop_nulls(
        ["pearson", "pearson_baseline"]
    )
    ours, theirs = joined["pearson"].to_numpy(), joined["pearson_baseline"].to_numpy()
    difference = bootstrap_difference(ours, theirs, seed=_SEED)
    return ModelDifference(
        model=fit.config.label,
        baseline=baseline.config.label,
        n_genes=len(joined),
        mean_difference=difference.value,
        ci95=(difference.low, difference.high),
        share_better=float((ours > theirs).mean()),
    )
