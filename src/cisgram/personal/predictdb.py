"""Weights: linear models of many genes, from a fit or from a PredictDB file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64
from scipy.stats import false_discovery_control

from cisgram.core.checks import DataError, few
from cisgram.genome.genotypes import Genotypes
from cisgram.personal.fit import Fit
from cisgram.personal.predictdb_reader import (
    GENE_SCHEMA,
    WEIGHT_SCHEMA,
    first_id,
    read_tables,
)


@dataclass(frozen=True)
class WeightSet:
    """Linear models of many genes, from a fit or from a PredictDB file."""

    genes: pl.DataFrame
    """A row a gene with at least one SNP: `gene name gene_type n_snps_window n_snps_model`,
    `r2` (squared mean correlation over folds, `pred.perf.R2`), `p_value q_value phi`;
    null where not known."""
    weights: pl.DataFrame
    """A row a gene and SNP: `gene rsid var_id chrom start ref eff weight`, and `mean`, the
    training people's mean dosage of the effect allele; `start` is 0-based, null if unknown."""
    build: str = ""
    """Assembly named by the variant IDs, `b37` or `b38`; empty when they name none."""
    source: str = ""
    """Where the models are from, for messages."""
    learnt_from: frozenset[str] = frozenset()
    """People whose expression the models learnt; empty where unknown."""

    @property
    def centred(self) -> bool:
        """Whether every SNP's training mean is known, so that predictions are z-scores."""
        return self.weights["mean"].null_count() == 0

    @classmethod
    def from_fit(cls, fit: Fit, *, accepted_only: bool = True) -> "WeightSet":
        """Take the final models of a fit; the effect allele is the alternate allele.

        Raises:
            DataError: no gene is left, or the fit is of permuted genotypes.
        """
        check_real(fit)
        genes = fit.genes.with_columns(
            q_value=pl.Series(q_values(fit.genes["p_value"].cast(pl.Float64).to_numpy()))
        )
        if accepted_only:
            genes = genes.filter("accepted")
        weights = fit.weights.filter(pl.col("weight") != 0).join(genes, on="gene", how="semi")
        if weights.is_empty():
            kind = "accepted gene with a SNP" if accepted_only else "gene with a SNP"
            raise DataError(f"{fit.path} has no {kind} in its model; fit more genes or people.")
        biotype = pl.col("biotype") if "biotype" in genes.columns else pl.lit(None, pl.String)
        genes = genes.select(
            "gene", "name", "n_snps_window", "p_value", "q_value", gene_type=biotype,
            r2=pl.col("pearson") ** 2, phi=pl.lit(None, pl.Float64),
        )  # fmt: skip
        weights = weights.with_columns(
            rsid=first_id(pl.col("id")),
            var_id=pl.format("{}_{}_{}_{}", "chrom", pl.col("start") + 1, "ref", "alt"),
            ref=pl.col("ref").str.to_uppercase(),
            eff=pl.col("alt").str.to_uppercase(),
        )
        learnt_from = frozenset(training_people(fit))
        genes = _with_counts(genes, weights)
        return cls(genes, _shaped(weights), "", str(fit.path), learnt_from)

    @classmethod
    def read(cls, path: Path | str) -> "WeightSet":
        """Read a PredictDB file: GTEx v7 and v8 releases, older ones, and our own.

        Positions come from `varID`, or from `rsid` where that holds a variant ID. Genes of
        `extra` without weights are left out; genes known to `weights` alone are kept.
        """
        genes, weights, build = read_tables(path)
        return cls(_with_counts(genes, weights), _shaped(weights), build, str(path))


def check_real(fit: Fit) -> None:
    """Refuse a fit to permuted genotypes: it learnt other people's."""
    if fit.config.permutation is not None:
        raise DataError(f"{fit.path} was fitted to permuted genotypes; name a real fit.")


def q_values(p: Float64[np.ndarray, "genes"]) -> Float64[np.ndarray, "genes"]:
    """Return q-values of Benjamini-Hochberg over the genes that have a p-value; NaN elsewhere."""
    q = np.full(len(p), np.nan)
    known = ~np.isnan(p)
    q[known] = false_discovery_control(p[known]) if known.any() else []
    return q


def _with_counts(genes: pl.DataFrame, weights: pl.DataFrame) -> pl.DataFrame:
    counts = weights.group_by("gene", maintain_order=True).agg(n_snps_model=pl.len().cast(pl.Int64))
    known = genes.unique("gene", keep="first", maintain_order=True)
    known = known.drop("n_snps_model", strict=False).join(
        counts, on="gene", how="inner", maintain_order="left"
    )
    unknown = counts.join(known, on="gene", how="anti", maintain_order="left")
    together = pl.concat([known, unknown], how="diagonal_relaxed")
    together = together.with_columns(
        pl.selectors.float().fill_nan(None),
        name=pl.when(pl.col("name").fill_null("") == "").then("gene").otherwise("name"),
    )
    return together.select(pl.col(name).cast(kind) for name, kind in GENE_SCHEMA.items())


def _shaped(weights: pl.DataFrame) -> pl.DataFrame:
    return weights.select(pl.col(name).cast(kind) for name, kind in WEIGHT_SCHEMA.items())


def locate_snps(snps: pl.DataFrame, genotypes: Genotypes, *, fit: Fit) -> pl.DataFrame:
    """Add the column `row`: where each SNP of a fit is among its cohort's genotypes."""
    place = ["chrom", "start", "ref", "alt"]
    sites = genotypes.variants.lazy().with_row_index("row")
    sites = sites.select(*place, pl.col("row").cast(pl.Int64))
    sites = sites.join(snps.lazy(), on=place, how="semi")
    sites = sites.unique(place, keep="first", maintain_order=True).collect()
    snps = snps.join(sites, on=place, how="left", maintain_order="left")
    lost = snps.filter(pl.col("row").is_null())
    if not lost.is_empty():
        first = lost.row(0, named=True)
        raise DataError(
            f"{lost.height:,} SNPs of {fit.path} are not in this cohort, the first at "
            f"{first['chrom']}:{first['start'] + 1}; name the cohort it was fitted on."
        )
    return snps


def training_people(fit: Fit) -> tuple[str, ...]:
    """Return the people whom the final models learnt from."""
    learners = fit.config.train_populations
    return tuple(
        person
        for person, population in zip(fit.people, fit.populations, strict=True)
        if not learners or population in learners
    )


def people_rows(
    wanted: Sequence[str], known: Sequence[str], where: Path | str
) -> Int64[np.ndarray, "people"]:
    """Return the positions of people among the known.

    Raises:
        DataError: naming the first who are not among them, or nobody is wanted.
    """
    if not wanted:
        raise DataError("the list of people is empty; name at least one.")
    rows = {person: row for row, person in enumerate(known)}
    lost = [person for person in wanted if person not in rows]
    if lost:
        raise DataError(
            f"{len(lost):,} people are not in {where} ({few(lost)}); check the names or the path."
        )
    return np.array([rows[person] for person in wanted], np.int64)


def centre_dosages(dosages: Any) -> Float64[np.ndarray, "people snps"]:
    """Subtract each SNP's mean over the people it is known for; unknown dosages become 0."""
    dosages = np.asarray(dosages, np.float64)
    known = ~np.isnan(dosages)
    total = np.where(known, dosages, 0.0).sum(axis=0)
    mean = total / np.maximum(known.sum(axis=0), 1)
    return np.where(known, dosages - mean, 0.0)
