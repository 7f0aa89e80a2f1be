"""One gene, start to finish: the unit of work that runs in parallel."""

import time
import zlib
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64
from threadpoolctl import ThreadpoolController

from cisgram.core.journal import Record
from cisgram.data.normalize import TargetFit, expression_pcs
from cisgram.data.splits import check_disjoint, person_folds, population_split
from cisgram.genome.genotypes import allele_frequency, missing_rate
from cisgram.personal.accuracy import Accuracy, held_out_accuracy
from cisgram.personal.cohort import Cohort
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.linear import TrainedGene, train_gene
from cisgram.personal.snp_prior import SnpPrior, read_weights

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
        self.cohort, self.config = cohort, config

    def __reduce__(self) -> tuple[type["GeneFitter"], tuple[Path, FitConfig]]:
        """Travel without what can be made again."""
        return GeneFitter, (self.cohort, self.config)

    @cached_property
    def _opened(self) -> Cohort:
        return Cohort.open(self.cohort)

    @cached_property
    def _weights(self) -> Float64[np.ndarray, "variants"]:
        """Weight of every variant of the cohort, beside its distance to a TSS."""
        genotypes = self._opened.genotypes
        if not self.config.prior:
            return np.ones(genotypes.variants.height)
        return read_weights(self.config.prior, genotypes.variants, genotypes.names)

    @cached_property
    def outer_folds(self) -> Int8[np.ndarray, "people"]:
        """Held-out fold of each person, -1 for those never held out."""
        cohort, config = self._opened, self.config
        if config.train_populations:
            train, test = config.train_populations, config.test_populations
            split = population_split(cohort.populations, train=train, test=test)
            check_disjoint(split.train, split.test, cohort.families)
            return np.where(split.test, 0, -1).astype(np.int8)
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
        folds = self.outer_folds
        if learners := self.config.train_populations:
            return [self._split(np.isin(self._opened.populations, learners), folds == 0, 0)]
        nested = [
            self._split(folds != fold, folds == fold, fold) for fold in range(folds.max() + 1)
        ]
        return [*nested, self._split(folds >= 0, folds < 0, len(nested))]

    def _split(
        self, train: Bool[np.ndarray, "people"], test: Bool[np.ndarray, "people"], number: int
    ) -> Split:
        """Prepare what all genes share; `number` tells the seeds of splits apart."""
        cohort, config = self._opened, self.config
        train = self._at_most(train, number)
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

    def _at_most(
        self, train: Bool[np.ndarray, "people"], number: int
    ) -> Bool[np.ndarray, "people"]:
        """Draw as many of the training people as may be learnt from."""
        most, people = self.config.max_people, np.flatnonzero(train)
        if most is None or len(people) <= most:
            return train
        drawn = np.random.default_rng([self.config.seed, number]).choice(
            people, most, replace=False
        )
        return np.isin(np.arange(len(train)), drawn)

    def __call__(self, gene: int) -> Record:
        """Fit one gene of the cohort, by its row.

        On one thread: the matrices are small, genes are what runs in parallel, and
        the result is then the same to the last bit on any executor.
        """
        with _thread_pools().limit(limits=1, user_api="blas"):
            return self._fit(gene)

    def _fit(self, gene: int) -> Record:
        started = time.perf_counter()
        cohort = self._opened
        expression = np.asarray(cohort.expression[gene], np.float64)
        rows, dosages = self._window(cohort, gene, ~np.isnan(expression))
        prior = self._prior(cohort, gene, rows)
        n_people = len(cohort.people)
        predicted, measured = np.full(n_people, np.nan), np.full(n_people, np.nan)
        final: TrainedGene | None = None
        for split in self.splits:
            target = split.target.target(expression)
            final = train_gene(
                self.config.model,
                dosages,
                target,
                train=split.train,
                folds=split.folds,
                prior=prior,
                min_maf=self.config.min_maf,
                max_missing=self.config.max_missing,
            )
            measured[split.test] = target[split.test]
            if final is not None and split.test.any():
                predicted[split.test] = final.predict(dosages[split.test])
        name = str(cohort.genes["gene"][gene])
        accuracy = self._accuracy(predicted, measured, name)
        scores = asdict(accuracy) if accuracy else dict.fromkeys(Accuracy.__dataclass_fields__)
        facts = scores | {
            "n_snps_window": final.n_window if final else 0,
            "n_snps_model": len(final.used) if final else 0,
            "strength": final.strength if final else None,
            "cv_r2": final.cv_r2 if final else None,
            "intercept": final.intercept if final else None,
            "accepted": bool(final and len(final.used) and accuracy and accuracy.accepted),
            "seconds": time.perf_counter() - started,
        }
        known = {
            name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in facts.items()
        }
        row = cohort.genes.row(gene, named=True) | {"model": self.config.model} | known
        arrays = {
            # rows of the cohort's variants
            "snps": rows[final.used] if final else np.empty(0, np.int64),
            "weights": final.coefficients if final else np.empty(0),
            "means": final.means if final else np.empty(0),
            "predictions": predicted.astype(np.float32),
            "measured": measured.astype(np.float32),
        }
        return Record(row, arrays)

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

    def _prior(self, cohort: Cohort, gene: int, rows: Int64[np.ndarray, "snps"]) -> SnpPrior:
        starts = cohort.genotypes.variants["start"].gather(rows).to_numpy()
        distance = np.abs(starts - cohort.genes["tss"][gene]).astype(np.float64)
        return SnpPrior(distance, self._weights[rows])

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
