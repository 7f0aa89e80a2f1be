"""Weight files: linear models of many genes, written and read in the PredictDB format.

A PredictDB file is an SQLite database: `weights` has a row a gene and SNP, `extra` a row a
gene, and a gzipped text file beside it the covariances of the SNPs' dosages (Barbeira et
al. 2018, https://doi.org/10.1038/s41467-018-03621-1). Names with dots are quoted in SQL.
"""

import gzip
import itertools
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64
from scipy.stats import false_discovery_control

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError, DataError, check_suffix, few
from cisgram.core.progress import progress
from cisgram.genome.genotypes import Genotypes
from cisgram.personal.cohort import Cohort
from cisgram.personal.fit import Fit
from cisgram.personal.predictdb_reader import (
    GENE_SCHEMA,
    WEIGHT_SCHEMA,
    assembly,
    first_id,
    read_tables,
)

WEIGHT_SCALE = "residual z-score per copy of the effect allele"
"""What a weight fitted here means; written into the column `weight_scale` of `extra`."""

_MIXING = {"elastic-net": 0.5, "lasso": 1.0, "ridge": 0.0}


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


@dataclass(frozen=True)
class Exported:
    """What `export_predictdb` wrote."""

    database: Path
    covariances: Path
    n_genes: int
    n_weights: int
    n_renamed: int
    """SNPs named by their variant ID because their own ID is missing or names two variants."""


def export_predictdb(
    fit: Fit, cohort: Cohort, out_db: Path | str, *, accepted_only: bool = True, build: str
) -> Exported:
    """Write the models of a fit as a PredictDB file and its covariances beside it.

    `OUT.db` gets the tables `weights extra construction sample_info`; `OUT.txt.gz` gets the
    covariance of the dosages among the training people, upper triangle with the diagonal,
    missing dosages at their SNP's mean. Weights are per copy of the alternate allele on the
    residual z-score scale (column `weight_scale` of `extra`). `pred.perf.R2` is the square
    of the mean correlation over folds, `pred.perf.qval` is Benjamini-Hochberg over all
    genes tested, and `test_R2_avg` is 1 - RSS / TSS.

    `accepted_only` leaves out genes that failed the acceptance rule; `build` names the assembly of
    the positions, such as `b37` or `GRCh38`.
    """
    out_db = Path(out_db)
    covariances = covariance_path(out_db)
    if not re.fullmatch(r"b\d+|[A-Za-z]+\d[\w.-]*", assembly(build)):
        raise ConfigError(f"{build!r} is no assembly; name one such as b37, hg38 or sacCer3.")
    models = WeightSet.from_fit(fit, accepted_only=accepted_only)
    weights, n_renamed = _named(models.weights, cohort.genotypes, assembly(build), fit=fit)
    people = people_rows(training_people(fit), cohort.people, cohort.path)
    with atomic_file(out_db) as database, atomic_file(covariances) as text:
        try:
            with closing(sqlite3.connect(database)) as base, base:
                _write_tables(base, models, weights, fit=fit)
        except sqlite3.Error as error:
            raise DataError(f"cannot write {out_db} ({error}); free some space.") from error
        _write_covariances(text, weights, cohort.genotypes, people=people)
    return Exported(out_db, covariances, models.genes.height, weights.height, n_renamed)


def covariance_path(out_db: Path) -> Path:
    """Return where the covariances of a PredictDB file go: beside it, as `NAME.txt.gz`."""
    return check_suffix(out_db, ".db").with_suffix(".txt.gz")


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


def _named(
    weights: pl.DataFrame, genotypes: Genotypes, build: str, *, fit: Fit
) -> tuple[pl.DataFrame, int]:
    """Add each SNP's row in the cohort, its full variant ID and its unique name."""
    weights = locate_snps(weights.rename({"eff": "alt"}), genotypes, fit=fit)
    weights = weights.rename({"alt": "eff"})
    variants = genotypes.variants
    names = variants.select(id=first_id(pl.col("id"))).drop_nulls()
    names = names.join(weights, left_on="id", right_on="rsid", how="semi")
    repeated = names.group_by("id").len().filter(pl.col("len") > 1)["id"]
    bad = pl.col("rsid").is_null() | pl.col("rsid").is_in(repeated.implode())
    weights = weights.with_columns(var_id=pl.col("var_id") + f"_{build}").with_columns(bad=bad)
    n_renamed = weights.filter("bad")["var_id"].n_unique()
    rsid = pl.when("bad").then("var_id").otherwise("rsid")
    return weights.with_columns(rsid=rsid).drop("bad"), n_renamed


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


def _write_tables(
    base: sqlite3.Connection, models: WeightSet, weights: pl.DataFrame, *, fit: Fit
) -> None:
    base.execute("PRAGMA journal_mode = OFF")  # the file is temporary until it is whole
    names = {"var_id": "varID", "ref": "ref_allele", "eff": "eff_allele"}
    columns = ("gene", "rsid", "varID", "ref_allele", "eff_allele", "weight")
    _table(base, "weights", weights.rename(names).select(columns))
    _table(base, "extra", _extra(models, fit))
    chromosomes = weights["chrom"].unique(maintain_order=True)
    construction = pl.DataFrame({"chromosome": chromosomes, "cv_seed": fit.config.seed})
    _table(base, "construction", construction)
    populations = sorted({*(fit.config.train_populations or fit.populations)} - {""})
    sample = {
        "n_samples": len(training_people(fit)),
        "population": ",".join(populations) or "unknown",
        "tissue": "unknown",
    }
    _table(base, "sample_info", pl.DataFrame([sample]))
    base.execute("CREATE INDEX weights_rsid ON weights (rsid)")
    base.execute("CREATE INDEX weights_gene ON weights (gene)")
    base.execute("CREATE INDEX weights_rsid_gene ON weights (rsid, gene)")
    base.execute("CREATE INDEX gene_model_summary ON extra (gene)")


def _extra(models: WeightSet, fit: Fit) -> pl.DataFrame:
    """The gene table under PredictDB's names; NULL where nothing of the kind was measured."""
    columns = ["gene", "strength", "pearson", "pearson_sd", "z", "cv_r2", "fisher_p_value"]
    measured = fit.genes.select(*columns, test_r2="r2")
    genes = models.genes.join(measured, on="gene", how="left", maintain_order="left")
    nothing = pl.lit(None, pl.Float64)
    return genes.select(
        gene="gene",
        genename="name",
        gene_type="gene_type",
        alpha=pl.lit(_MIXING.get(fit.config.model), pl.Float64),
        n_snps_in_window="n_snps_window",
        **{"n.snps.in.model": "n_snps_model"},
        lambda_min_mse="strength",
        test_R2_avg="test_r2",
        test_R2_sd=nothing,
        cv_R2_avg="cv_r2",
        cv_R2_sd=nothing,
        in_sample_R2=nothing,
        nested_cv_fisher_pval="fisher_p_value",
        rho_avg="pearson",
        rho_se="pearson_sd",  # PredictDB's rho_se is the sd over folds
        rho_zscore="z",
        **{"pred.perf.R2": "r2", "pred.perf.pval": "p_value", "pred.perf.qval": "q_value"},
        weight_scale=pl.lit(WEIGHT_SCALE),
    )


def _table(base: sqlite3.Connection, name: str, rows: pl.DataFrame) -> None:
    kinds: dict[object, str] = {pl.String: "TEXT", pl.Float64: "REAL"}
    columns = ", ".join(
        f'"{column}" {kinds.get(type(kind), "INTEGER")}' for column, kind in rows.schema.items()
    )
    base.execute(f"CREATE TABLE {name} ({columns})")
    marks = ", ".join("?" * rows.width)
    rows = rows.with_columns(pl.selectors.float().fill_nan(None))
    base.executemany(f"INSERT INTO {name} VALUES ({marks})", rows.iter_rows())


def _write_covariances(
    path: Path, weights: pl.DataFrame, genotypes: Genotypes, *, people: Int64[np.ndarray, "people"]
) -> None:
    for names in (weights["gene"], weights["rsid"]):
        if (odd := names.filter(names.str.contains(r"\s"))).len():
            raise DataError(
                f"{odd[0]!r} has a blank in it, and blanks separate the columns of covariances; "
                "rename it."
            )
    genes = weights.partition_by("gene", maintain_order=True)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream,
        progress("covariances of genes", len(genes)) as ticker,
    ):
        stream.write(b"GENE RSID1 RSID2 VALUE\n")
        for snps in genes:
            dosages = genotypes.dosages(snps["row"].to_numpy(), people)
            for lines in _covariance_lines(snps["gene"][0], snps["rsid"].to_list(), dosages):
                stream.write(lines.encode())
            ticker.advance()


def _covariance_lines(gene: str, names: list[str], dosages: Any) -> Iterator[str]:
    """Yield one text a SNP: its covariance with itself and with every later SNP."""
    centred = centre_dosages(dosages)
    scale = max(len(centred) - 1, 1)
    for i, name in enumerate(names):
        values = centred[:, i] @ centred[:, i:] / scale
        rows = zip(itertools.repeat(f"{gene} {name}"), names[i:], values, strict=False)
        yield "".join(f"{head} {other} {value:.10g}\n" for head, other, value in rows)


def centre_dosages(dosages: Any) -> Float64[np.ndarray, "people snps"]:
    """Subtract each SNP's mean over the people it is known for; unknown dosages become 0."""
    dosages = np.asarray(dosages, np.float64)
    known = ~np.isnan(dosages)
    total = np.where(known, dosages, 0.0).sum(axis=0)
    mean = total / np.maximum(known.sum(axis=0), 1)
    return np.where(known, dosages - mean, 0.0)
