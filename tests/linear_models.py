"""Small cohorts and fits with known weights, for tests of weight files and their uses."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from cisgram.core.artifact import Manifest
from cisgram.genome.genotypes import Genotypes, import_genotypes
from cisgram.personal.cohort import Cohort
from cisgram.personal.fit import Fit
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.predictdb import WeightSet
from cisgram.personal.predictdb_reader import GENE_SCHEMA, WEIGHT_SCHEMA

Site = tuple[str, int, str, str, str]
"""chrom, 1-based position, ID, REF, ALT."""

_GT = {0: "0|0", 1: "0|1", 2: "1|1", -1: ".|."}
_MANIFEST = Manifest(kind="test", version=1, cisgram="0", metadata={}, files={})


def write_vcf(path: Path, sites: Sequence[Site], dosages: np.ndarray) -> Path:
    """Write calls, sites x people, -1 missing; people are p0, p1 ..."""
    people = "\t".join(f"p{i}" for i in range(dosages.shape[1]))
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="GT">']
    lines += [f"##contig=<ID={chrom}>" for chrom in dict.fromkeys(site[0] for site in sites)]
    lines.append(f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{people}")
    for (chrom, position, name, ref, alt), row in zip(sites, dosages, strict=True):
        calls = "\t".join(_GT[int(value)] for value in row)
        lines.append(f"{chrom}\t{position}\t{name}\t{ref}\t{alt}\t.\tPASS\t.\tGT\t{calls}")
    path.write_text("\n".join(lines) + "\n")
    return path


def make_store(directory: Path, sites: Sequence[Site], dosages: np.ndarray) -> Genotypes:
    """Write a VCF and import it."""
    directory.mkdir(parents=True, exist_ok=True)
    vcf = write_vcf(directory / "calls.vcf", sites, dosages)
    people, _ = import_genotypes(vcf, directory / "store")
    return Genotypes.open(directory / "store", people)


def make_cohort(genotypes: Genotypes, genes: pl.DataFrame, populations: Sequence[str]) -> Cohort:
    """Put a store into a cohort without expression."""
    n = len(genotypes.people)
    return Cohort(
        path=genotypes.directory.parent,
        people=genotypes.people,
        populations=tuple(populations),
        families=np.arange(n),
        genotypes=genotypes,
        genes=genes,
        expression=np.zeros((genes.height, n)),
        covariates=np.zeros((n, 0)),
        covariate_names=(),
        manifest=_MANIFEST,
    )


def make_fit(
    cohort: Cohort,
    models: dict[str, dict[int, float]],
    *,
    rejected: Sequence[str] = (),
    measured: np.ndarray | None = None,
    config: FitConfig | None = None,
) -> Fit:
    """Make the fit of given weights: gene -> row of the genotypes -> weight."""
    n, genes = len(cohort.people), list(models)
    rng = np.random.default_rng(1)
    parts = []
    for gene, weights in models.items():
        rows = np.array(sorted(weights), np.int64)
        means = np.nanmean(cohort.genotypes.dosages(rows), axis=0, dtype=np.float64)
        values = [weights[int(row)] for row in rows]
        parts.append(
            cohort.genotypes.variants[rows]
            .select(pl.lit(gene).alias("gene"), "chrom", "start", "id", "ref", "alt")
            .with_columns(
                weight=pl.Series(values, dtype=pl.Float64), mean=means, frequency=means / 2
            )
        )
    table = pl.DataFrame({"gene": genes}).join(cohort.genes, on="gene", how="left").with_columns(
        model=pl.lit("elastic-net"),
        pearson=pl.Series(rng.uniform(0.1, 0.6, len(genes))),
        pearson_sd=0.05,
        spearman=0.2,
        r2=0.1,
        z=4.0,
        p_value=pl.Series(rng.uniform(1e-6, 1e-2, len(genes))),
        fisher_p_value=pl.Series(rng.uniform(1e-6, 1e-2, len(genes))),
        n_snps_window=100,
        n_snps_model=pl.Series([len(m) for m in models.values()]),
        strength=0.1,
        accepted=~pl.col("gene").is_in(list(rejected)),
        n_constant_folds=0,
        seconds=0.1,
        cv_r2=0.08,
    )  # fmt: skip
    if measured is None:
        measured = np.zeros((len(genes), n), np.float32)
    return Fit(
        path=cohort.path / "fit",
        config=config or FitConfig(model="elastic-net"),
        cohort=cohort.path,
        people=cohort.people,
        populations=cohort.populations,
        folds=(np.arange(n) % 5).astype(np.int8),
        genes=table,
        weights=pl.concat(parts),
        predictions=np.zeros_like(measured),
        measured=measured,
        manifest=_MANIFEST,
    )


def make_weights(rows: Sequence[dict[str, object]], *, build: str = "") -> WeightSet:
    """Make a model set of rows `gene rsid var_id chrom start ref eff weight`; absent is null."""
    weights = pl.DataFrame(
        [{name: row.get(name) for name in WEIGHT_SCHEMA} for row in rows],
        schema=WEIGHT_SCHEMA,
    )
    counts = weights.group_by("gene", maintain_order=True).agg(n_snps_model=pl.len())
    genes = counts.with_columns(name=pl.col("gene"))
    empty = pl.DataFrame(schema=GENE_SCHEMA)
    return WeightSet(
        pl.concat([empty, genes], how="diagonal_relaxed"), weights, build=build, source="models"
    )
