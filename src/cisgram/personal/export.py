"""Writes models in the PredictDB format: tables, covariances and `phi` of a panel of people.

A PredictDB file is an SQLite database: `weights` has a row a gene and SNP, `extra` a row a
gene, and a gzipped text file beside it the covariances of the SNPs' dosages (Barbeira et
al. 2018, https://doi.org/10.1038/s41467-018-03621-1). Names with dots are quoted in SQL.
"""

import re
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError, DataError, check_range, check_suffix, few
from cisgram.genome.genotypes import Genotypes
from cisgram.personal.cohort import Cohort
from cisgram.personal.fit import Fit
from cisgram.personal.panel import Panel, open_panel, write_covariances
from cisgram.personal.predictdb import WeightSet, locate_snps, people_rows, training_people
from cisgram.personal.predictdb_reader import assembly, first_id

WEIGHT_SCALE = "residual z-score per copy of the effect allele"
"""What a weight fitted here means; written into the column `weight_scale` of `extra`."""

_MIXING = {"elastic-net": 0.5, "lasso": 1.0, "ridge": 0.0}
_FEW_NAMES = 3  # chromosomes named one by one


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    database: Path
    covariances: Path
    n_genes: int
    n_weights: int
    n_renamed: int
    """SNPs named by their variant ID because their own ID is missing or names two variants."""
    n_covered: int
    """Weights whose SNP the panel has."""
    notes: tuple[str, ...]
    """What `phi` stands for, and what is missing or looks wrong."""


def export_predictdb(
    fit: Fit,
    cohort: Cohort,
    out_db: Path | str,
    *,
    accepted_only: bool = True,
    build: str,
    panel: Path | str | None = None,
    share: float = 1.0,
) -> Exported:
    """Write the models of a fit as a PredictDB file and its covariances beside it.

    `OUT.db` gets the tables `weights extra construction sample_info`; `OUT.txt.gz` gets the
    covariance of the dosages among the training people, upper triangle with the diagonal,
    missing dosages at their SNP's mean. Weights are per copy of the alternate allele on the
    residual z-score scale (column `weight_scale` of `extra`). `pred.perf.R2` is the square
    of the mean correlation over folds, `pred.perf.qval` is Benjamini-Hochberg over all
    genes tested, `test_R2_avg` is 1 - RSS / TSS, and `phi` is what `cisgram.personal.panel` says.

    Args:
        fit: the models.
        cohort: what they were fitted on.
        out_db: where to write, ending in `.db`.
        accepted_only: leave out genes that failed the acceptance rule.
        build: assembly of the positions, such as `b37` or `GRCh38`.
        panel: genotypes of other people to take covariances and `phi` from.
        share: of a whole genome's heritability, what lies on the panel's SNPs.
    """
    out_db, covariances = Path(out_db), covariance_path(Path(out_db))
    share = check_range(share, "genome_share", low=0, high=1)
    if not re.fullmatch(r"b\d+|[A-Za-z]+\d[\w.-]*", assembly(build)):
        raise ConfigError(f"{build!r} is no assembly; name one such as b37, hg38 or sacCer3.")
    models = WeightSet.from_fit(fit, accepted_only=accepted_only)
    weights, n_renamed = _named(models.weights, cohort.genotypes, assembly(build), fit=fit)
    people = people_rows(training_people(fit), cohort.people, cohort.path)
    own = weights.select("gene", "row", "weight", name="rsid", swapped=pl.lit(value=False))
    wanted = replace(models, weights=weights.select(models.weights.columns))
    learnt = nullcontext(Panel(cohort.genotypes, people, own))
    with (
        learnt if panel is None else open_panel(panel, wanted) as chosen,
        atomic_file(out_db) as database,
        atomic_file(covariances) as text,
    ):
        phi = write_covariances(text, chosen, share=share)
        with _database(database, out_db) as base:
            _write_tables(base, models, weights, fit=fit)
            _write_phi(base, phi)
        counts = (models.genes.height, weights.height, n_renamed, chosen.snps.height)
        return Exported(out_db, covariances, *counts, _notes(chosen, phi, share))


def recalibrate_predictdb(
    models: Path | str,
    panel: Path | str,
    out_db: Path | str,
    *,
    build: str = "",
    share: float = 1.0,
) -> Exported:
    """Write a PredictDB file anew with the covariances and `phi` of a panel of people.

    All its tables are kept as they are. SNPs are matched as `cisgram.personal.harmonize` does, and
    covariances are those of the effect alleles; SNPs that the panel lacks have none.

    Args:
        models: the PredictDB file.
        panel: genotypes of the panel, a file that `import_genotypes` reads.
        out_db: where to write, ending in `.db`.
        build: assembly of the panel when known; the models must then name theirs.
        share: of a whole genome's heritability, what lies on the panel's SNPs.
    """
    out_db, covariances = Path(out_db), covariance_path(Path(out_db))
    share = check_range(share, "genome_share", low=0, high=1)
    weights = WeightSet.read(models)
    with (
        open_panel(panel, weights, build=build) as chosen,
        atomic_file(out_db) as database,
        atomic_file(covariances) as text,
    ):
        phi = write_covariances(text, chosen, share=share)
        with _database(database, out_db) as base, closing(sqlite3.connect(models)) as source:
            source.backup(base)
            _write_phi(base, phi)
        counts = (weights.genes.height, weights.weights.height, 0, chosen.snps.height)
        return Exported(out_db, covariances, *counts, _notes(chosen, phi, share))


def covariance_path(out_db: Path) -> Path:
    """Return where the covariances of a PredictDB file go: beside it, as `NAME.txt.gz`."""
    return check_suffix(out_db, ".db").with_suffix(".txt.gz")


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


def _write_tables(
    base: sqlite3.Connection, models: WeightSet, weights: pl.DataFrame, *, fit: Fit
) -> None:
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
        phi=nothing,
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


@contextmanager
def _database(path: Path, out_db: Path) -> Generator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path)) as base, base:
            base.execute("PRAGMA journal_mode = OFF")  # the file is temporary until it is whole
            yield base
    except sqlite3.Error as error:
        raise DataError(f"cannot write {out_db} ({error}); free some space.") from error


def _write_phi(base: sqlite3.Connection, phi: dict[str, float]) -> None:
    """Fill the column `phi` of `extra`: NULL where the panel has no SNP that varies."""
    columns = {row[1] for row in base.execute("PRAGMA table_info(extra)")}
    if "phi" not in columns:
        base.execute("ALTER TABLE extra ADD COLUMN phi REAL")
    base.execute("UPDATE extra SET phi = NULL")
    rows = [(value, gene) for gene, value in phi.items()]  # SQLite keeps NaN as NULL
    base.executemany("UPDATE extra SET phi = ? WHERE gene = ?", rows)


def _notes(panel: Panel, phi: dict[str, float], share: float) -> tuple[str, ...]:
    variants = panel.genotypes.variants
    names = variants["chrom"].unique(maintain_order=True)
    where = few(names) if len(names) <= _FEW_NAMES else f"{len(names)} chromosomes"
    of = "the heritability" if share == 1 else f"a genome of whose heritability {share:.1%} lies"
    stands = f"phi stands for {of} on the {variants.height:,} SNPs of {where} in the panel"
    if share == 1:
        stands += "; for that of a whole genome name their part of it by --genome-share"
    missing = sum(value != value for value in phi.values())
    lost = (f"{missing:,} genes do not vary in the panel and have no phi.",) if missing else ()
    return (*panel.notes, f"{stands}.", *lost)
