"""One gene, start to finish: the unit of work that runs in parallel."""

import time
import zlib
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64
from threadpoolctl import ThreadpoolController

from cisgram.data.normalize import TargetFit, expression_pcs
from cisgram.data.splits import (
    PopulationSplit,
    check_disjoint,
    person_folds,
    population_split,
)
from cisgram.genome.genotypes import allele_frequency, missing_rate
from cisgram.personal.accuracy import Accuracy, held_out_accuracy
from cisgram.personal.cohort import Cohort
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.journal import GeneRecord
from cisgram.personal.training import TrainedGene, train_gene

_FEWEST_TESTED = 4  # people; Fisher's z needs more than three
_READ_CALLS = 1 << 20
"""Calls of a window turned into dosages at a time."""


@dataclass(frozen=True)
class Split:
    """Who is learnt from, who is predicted, and how the strength is chosen."""

    train: Bool[np.ndarray, "people"]
    test: Bool[np.ndarray, "people"]
    """Nobody, for the final model."""
    folds: Int64[np.ndarray, "people"]
    """Inner fold of each training person."""
    target: TargetFit


@lru_cache(maxsize=1)
def _thread_pools() -> ThreadpoolController:
    """Find the linear algebra libraries once a process."""
    return ThreadpoolController()


class GeneFitter:
    """Fits genes of one cohort with one configuration; small to send to a worker.

    What all genes share (splits, covariate decompositions) is made once in each
    process, on first use.
    """

    def __init__(self, cohort: Path, config: FitConfig) -> None:
        """Remember what to fit."""
        self.cohort, self.config = cohort, config

    def __reduce__(self) -> tuple[type["GeneFitter"], tuple[Path, FitConfig]]:
        """Travel without what can be made again."""
        return GeneFitter, (self.cohort, self.config)

    @cached_property
    def _opened(self) -> Cohort:
        return Cohort.open(self.cohort)

    @cached_property
    def outer_folds(self) -> Int8[np.ndarray, "people"]:
        """Held-out fold of each person, -1 for those never held out."""
        cohort, config = self._opened, self.config
        if config.train_populations:
            return np.where(self._population_split().test, 0, -1).astype(np.int8)
        return person_folds(
            cohort.people,
            cohort.families,
            n_folds=config.n_outer_folds,
            seed=config.seed,
            populations=cohort.populations,
        )

    @cached_property
    def splits(self) -> list[Split]:
        """One split a held-out fold, then that of the final model.

        Across populations there is one split, and its model is the final one.
        """
        if self.config.train_populations:
            split = self._population_split()
            check_disjoint(split.train, split.test, self._opened.families)
            return [self._split(split.train, split.test, 0)]
        folds = self.outer_folds
        nested = [
            self._split(folds != fold, folds == fold, fold) for fold in range(folds.max() + 1)
        ]
        return [*nested, self._split(folds >= 0, folds < 0, len(nested))]

    def _population_split(self) -> PopulationSplit:
        return population_split(
            self._opened.populations,
            train=self.config.train_populations,
            test=self.config.test_populations,
        )

    def _split(
        self, train: Bool[np.ndarray, "people"], test: Bool[np.ndarray, "people"], number: int
    ) -> Split:
        """Prepare what all genes share; `number` tells the seeds of splits apart."""
        cohort, config = self._opened, self.config
        inner = np.zeros(len(train), np.int64)
        inner[train] = person_folds(
            [person for person, learnt in zip(cohort.people, train, strict=True) if learnt],
            cohort.families[train],
            n_folds=config.n_inner_folds,
            seed=config.seed + 1000 * (number + 1),
        )
        fitted_on = train if config.normalize_on == "training" else np.ones_like(train)
        covariates = cohort.covariates if config.use_covariates else np.empty((len(train), 0))
        if config.n_expression_pcs:
            pcs = expression_pcs(cohort.expression, fitted_on, config.n_expression_pcs)
            covariates = np.concatenate([covariates, pcs], axis=1)
        return Split(
            train, test, inner, TargetFit(covariates, fitted_on, transform=config.transform)
        )

    def __call__(self, gene: int) -> GeneRecord:
        """Fit one gene of the cohort, by its row.

        On one thread: the matrices are small, genes are what runs in parallel, and
        the result is then the same to the last bit on any executor.
        """
        with _thread_pools().limit(limits=1, user_api="blas"):
            return self._fit(gene)

    def _fit(self, gene: int) -> GeneRecord:
        started = time.perf_counter()
        cohort = self._opened
        expression = np.asarray(cohort.expression[gene], np.float64)
        rows, dosages = self._window(cohort, gene, ~np.isnan(expression))
        n_people = len(cohort.people)
        predicted, measured = np.full(n_people, np.nan), np.full(n_people, np.nan)
        final: TrainedGene | None = None
        for split in self.splits:
            target = split.target.target(expression)
            final = self._train(dosages, target, split)
            measured[split.test] = target[split.test]
            if final is not None and split.test.any():
                predicted[split.test] = final.predict(dosages[split.test])
        name = str(cohort.genes["gene"][gene])
        accuracy = self._accuracy(predicted, measured, name)
        row = {
            **cohort.genes.row(gene, named=True),
            "model": self.config.model,
            **_scores(accuracy),
            **_model_facts(final, accuracy),
            "seconds": time.perf_counter() - started,
        }
        return GeneRecord(row, _arrays(final, rows, predicted, measured))

    def _window(
        self, cohort: Cohort, gene: int, measured: Bool[np.ndarray, "people"]
    ) -> tuple[Int64[np.ndarray, "snps"], Float32[np.ndarray, "people snps"]]:
        """Read the SNPs of a window that can be common enough in a training set.

        The more people, the more of the variants are rare in all of them. Each
        split filters by its own training people; what has too few minor alleles in
        everybody has so in any of them, and need not be held.
        """
        config = self.config
        fewest = min(int((split.train & measured).sum()) for split in self.splits)
        needed = 2 * max(config.min_maf, 1e-9) * (1 - config.max_missing) * fewest
        window = cohort.cis_rows(gene, config.window)
        n_people = len(cohort.people)
        step = max(1, _READ_CALLS // n_people)
        rows, dosages = [np.empty(0, np.int64)], [np.empty((0, n_people), np.float32)]
        for start in range(window.start, window.stop, step):
            block = cohort.genotypes.dosages(slice(start, min(start + step, window.stop)))
            frequency = allele_frequency(block)
            minor = np.minimum(frequency, 1 - frequency) * (1 - missing_rate(block)) * 2 * n_people
            kept = np.flatnonzero(minor > 0.999 * needed)  # less than that is no rounding
            rows.append(start + kept)
            dosages.append(block.T[kept])
        found = np.concatenate(dosages).T
        if config.permutation is not None:
            name = str(cohort.genes["gene"][gene])
            rng = np.random.default_rng([config.permutation, zlib.crc32(name.encode())])
            found = found[rng.permutation(n_people)]
        return np.concatenate(rows), found

    def _train(
        self,
        dosages: Float32[np.ndarray, "people snps"],
        target: Float64[np.ndarray, "people"],
        split: Split,
    ) -> TrainedGene | None:
        return train_gene(
            self.config.model,
            dosages,
            target,
            train=split.train,
            folds=split.folds,
            min_maf=self.config.min_maf,
            max_missing=self.config.max_missing,
        )

    def _accuracy(
        self,
        predicted: Float64[np.ndarray, "people"],
        measured: Float64[np.ndarray, "people"],
        name: str,
    ) -> Accuracy | None:
        """Score a gene whose every fold could be fitted and compared."""
        for fold in range(self.outer_folds.max() + 1):
            member = (self.outer_folds == fold) & ~np.isnan(measured)
            if member.sum() < _FEWEST_TESTED or np.isnan(predicted[member]).any():
                return None
            if not np.ptp(measured[member]):
                return None
        return held_out_accuracy(predicted, measured, self.outer_folds, gene=name)


def _scores(accuracy: Accuracy | None) -> dict[str, Any]:
    """Give the held-out statistics, None where the gene could not be scored."""
    if accuracy is None:
        return dict.fromkeys(field.name for field in fields(Accuracy))
    return {key: _none_if_nan(value) for key, value in asdict(accuracy).items()}


def _model_facts(model: TrainedGene | None, accuracy: Accuracy | None) -> dict[str, Any]:
    """Describe the final model."""
    accepted = model is not None and len(model.used) > 0
    return {
        "n_snps_window": model.n_window if model else 0,
        "n_snps_model": len(model.used) if model else 0,
        "strength": _none_if_nan(model.strength) if model else None,
        "cv_r2": _none_if_nan(model.cv_r2) if model else None,
        "intercept": model.intercept if model else None,
        "accepted": accepted and accuracy is not None and accuracy.accepted,
    }


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else value


def _arrays(
    model: TrainedGene | None,
    rows: Int64[np.ndarray, "window_snps"],
    predicted: Float64[np.ndarray, "people"],
    measured: Float64[np.ndarray, "people"],
) -> dict[str, np.ndarray]:
    """Name the arrays of a record; `snps` are rows of the cohort's variants."""
    return {
        "snps": rows[model.used] if model else np.empty(0, np.int64),
        "weights": model.coefficients if model else np.empty(0),
        "means": model.means if model else np.empty(0),
        "predictions": predicted.astype(np.float32),
        "measured": measured.astype(np.float32),
    }
