"""What a report shows, gathered from fits of one cohort on one task."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Float64

from cisgram.core.artifact import MANIFEST, is_artifact, open_artifact, sha256
from cisgram.core.checks import ConfigError, DataError, read_text
from cisgram.core.config import from_plain
from cisgram.personal import cohort
from cisgram.personal.evaluate import (
    ModelAccuracy,
    ModelDifference,
    evaluate_fits,
)
from cisgram.personal.fit import Fit
from cisgram.personal.fit_config import FitConfig

PLACE = ("gene", "name", "chrom", "start", "end", "tss", "strand")
"""Columns that say which gene a row is and where it lies (0-based, half-open, bp)."""
SCORES = ("pearson", "spearman", "r2", "p_value", "n_snps_window", "n_snps_model", "accepted")
"""Columns a model has for each gene, across held-out people."""
_BASELINE = "top-snp"
_PERMUTED = ", genotypes permuted"


@dataclass(frozen=True, kw_only=True)
class ModelResults:
    """One model's rows, in the order of `ReportData.genes`."""

    config: FitConfig
    scores: pl.DataFrame
    """Columns `SCORES`."""
    predictions: Float32[np.ndarray, "genes people"]
    """Held-out predictions, in sd of the residual; NaN where there is none."""
    weights: pl.DataFrame
    """gene, chrom, start (0-based), id, ref, alt, weight (sd per copy of alt), frequency."""

    def column(self, name: str) -> Float64[np.ndarray, "genes"]:
        """Return a column of `scores`, null as NaN."""
        return self.scores[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything on the page, before it is laid out."""

    title: str
    notes: tuple[str, ...]
    task: str
    people: tuple[str, ...]
    populations: tuple[str, ...]
    """A population for each person, "" when unknown."""
    held_out: Bool[np.ndarray, "people"]
    """Who was predicted: everybody, or the populations tested on."""
    genes: pl.DataFrame
    """Columns `PLACE`, a row a gene."""
    measured: Float32[np.ndarray, "genes people"]
    """The target as each person's held-out fold saw it, in sd; NaN missing."""
    models: tuple[ModelResults, ...]
    accuracies: tuple[ModelAccuracy, ...]
    """One a model, in their order, on `task`; the page leads with the first."""
    comparison: ModelDifference | None
    """The baseline minus the first model: top SNP, or else the last model; None for one model."""
    null_rates: tuple[float | None, ...]
    """Share of genes each model accepts when genotypes are permuted, over all permutations
    given; None when there is none."""
    other_tasks: tuple[ModelAccuracy, ...]
    covariates: tuple[str, ...]
    provenance: tuple[tuple[str, str], ...]


def gather(
    fits: Sequence[Fit],
    evaluation: Mapping[str, Any] | None = None,
    *,
    title: str = "Expression across people",
    notes: Sequence[str] = (),
) -> ReportData:
    """Bring fits of one cohort together; the first is the one the page leads with.

    `evaluation` is what `cisgram personal evaluate --json` wrote for any tasks. Its
    rows with permuted genotypes, pooled, give the null acceptance rates; its rows of other
    tasks are shown apart; those of the fits' own task are measured here anew.

    Raises:
        ConfigError: no fit, or two of the same model.
        DataError: the fits differ in more than the model, or `evaluation` lacks a column
            or permutes other people.
    """
    if not fits:
        raise ConfigError("a report needs at least one fit; name a fit directory.")
    names = [fit.config.model for fit in fits]
    if len(set(names)) < len(names):
        raise ConfigError(f"two fits are of one model ({', '.join(names)}); name one of each.")
    evaluated = evaluate_fits(fits)
    task = fits[0].task
    rows = _read_accuracies(evaluation)
    permuted = [row for row in rows if row.task == task + _PERMUTED]
    return ReportData(
        title=title,
        notes=tuple(notes),
        task=task,
        people=fits[0].people,
        populations=fits[0].populations,
        held_out=fits[0].folds >= 0,
        genes=fits[0].genes.select(PLACE),
        measured=fits[0].measured,
        models=tuple(
            ModelResults(
                config=fit.config,
                scores=fit.genes.select(SCORES),
                predictions=fit.predictions,
                weights=fit.weights,
            )
            for fit in fits
        ),
        accuracies=evaluated.models,
        comparison=_baseline(evaluated.differences),
        null_rates=tuple(_null_rate(model, permuted) for model in evaluated.models),
        other_tasks=tuple(row for row in rows if row.task not in (task, task + _PERMUTED)),
        covariates=_covariates(fits),
        provenance=_provenance(fits),
    )


def read_evaluations(paths: Sequence[Path]) -> dict[str, Any]:
    """Read what `cisgram personal evaluate --json` wrote, as one evaluation."""
    models: list[Any] = []
    for path in paths:
        text = read_text(path, "the evaluation")
        try:
            models += [dict(model) for model in json.loads(text)["models"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{path} is no evaluation; write it with cisgram personal evaluate --json."
            ) from error
    return {"models": models}


def _baseline(differences: Sequence[ModelDifference]) -> ModelDifference | None:
    named = [difference for difference in differences if difference.model == _BASELINE]
    return (named or [*differences[-1:], None])[0]


def _null_rate(model: ModelAccuracy, permuted: Sequence[ModelAccuracy]) -> float | None:
    """Pool the genes that a model accepts over its permutations, which hold out as many people."""
    rows = [row for row in permuted if row.model == model.model]
    for row in rows:
        if row.n_people != model.n_people:
            raise DataError(
                f"the evaluation's {row.model} with permuted genotypes predicts {row.n_people} "
                f"people and the fit {model.n_people}; permute the cohort of the fit."
            )
    return sum(row.n_accepted for row in rows) / sum(row.n_genes for row in rows) if rows else None


def _read_accuracies(evaluation: Mapping[str, Any] | None) -> list[ModelAccuracy]:
    """Read an evaluation's rows; refuse one that lacks a field."""
    rows: Sequence[Mapping[str, Any]] = (evaluation or {}).get("models", ())
    names = [field.name for field in fields(ModelAccuracy)]
    read: list[ModelAccuracy] = []
    for row in rows:
        lacking = [name for name in names if name not in row]
        if lacking:
            raise DataError(
                f"a model in the evaluation lacks {', '.join(lacking)}; "
                "write it again with cisgram personal evaluate --json."
            )
        known = {name: _with_nan(row[name]) for name in names}
        known["mean_cv_r2"] = row["mean_cv_r2"]
        read.append(from_plain(ModelAccuracy, known, "a model in the evaluation"))
    return read


def _with_nan(value: Any) -> Any:
    """Put NaN where JSON has null."""
    if isinstance(value, list):
        return [_with_nan(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _with_nan(item) for name, item in cast("dict[str, Any]", value).items()}
    return float("nan") if value is None else value


def _covariates(fits: Sequence[Fit]) -> tuple[str, ...]:
    """Name the covariates regressed out, where the cohort is at hand."""
    path = fits[0].cohort
    if not fits[0].config.use_covariates or not is_artifact(path, cohort.KIND):
        return ()
    manifest = open_artifact(path, kind=cohort.KIND, version=cohort.VERSION)
    return tuple(manifest.metadata["account"]["covariates"]["names"])


def _provenance(fits: Sequence[Fit]) -> tuple[tuple[str, str], ...]:
    cohort_hash = fits[0].manifest.metadata["run"]["cohort"]
    rows = [("cohort", f"{fits[0].cohort.name}, manifest sha256 {cohort_hash}")]
    for fit in fits:
        manifest = fit.path / MANIFEST
        digest = sha256(manifest) if manifest.is_file() else "not at hand"
        made = f"{fit.path.name}, fitted by cisgram {fit.manifest.cisgram}"
        rows.append((fit.config.model, f"{made}, manifest sha256 {digest}"))
    return tuple(rows)
