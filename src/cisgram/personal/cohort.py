"""A cohort: the same people's genotypes, expression and covariates, checked together."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from jaxtyping import Float64, Int

from cisgram.core.artifact import (
    Manifest,
    create_artifact,
    damage_errors,
    open_artifact,
    sha256,
)
from cisgram.core.checks import ConfigError, DataError, check_file
from cisgram.data.counts import tpm
from cisgram.data.covariates import Covariates, read_covariates, read_populations
from cisgram.data.expression import ExpressionTable, read_expression
from cisgram.data.splits import Relatives, families, find_relatives
from cisgram.genome.genes import read_genes
from cisgram.genome.genotypes import (
    Genotypes,
    Sources,
    genotype_files,
    genotype_people,
    import_genotypes,
    is_plink,
)
from cisgram.genome.pgen import plink_tables
from cisgram.genome.reference import open_reference
from cisgram.personal.cohort_checks import check_families, check_windows, match_people, place_genes
from cisgram.personal.cohort_options import DEFAULTS, ImportOptions

KIND = "cohort"
VERSION = 1
CIS_WINDOW = 1_000_000


@dataclass(frozen=True, eq=False)
class Cohort:
    """People with genotypes and expression; every gene in it can be modelled."""

    path: Path
    people: tuple[str, ...]
    populations: tuple[str, ...]
    """A name a person, empty where unknown."""
    families: Int[np.ndarray, "people"]
    """Relatives share a number, and folds must not separate them."""
    genotypes: Genotypes
    genes: pl.DataFrame
    """A row a gene: gene, name, chrom (as in the genotypes), start, end, tss, strand."""
    expression: Float64[np.ndarray, "genes people"]
    """As measured, memory-mapped; NaN missing."""
    covariates: Float64[np.ndarray, "people covariates"]
    covariate_names: tuple[str, ...]
    manifest: Manifest

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a finished import."""
        path = Path(path)
        manifest = open_artifact(path, kind=KIND, version=VERSION)
        with damage_errors(path):
            people = pl.read_parquet(path / "people.parquet", glob=False)
            names = tuple(people["person"].to_list())
            cohort = cls(
                path=path,
                people=names,
                populations=tuple(people["population"].to_list()),
                families=people["family"].to_numpy(),
                genotypes=Genotypes.open(path / "genotypes", names),
                genes=pl.read_parquet(path / "genes.parquet", glob=False),
                expression=np.load(path / "expression.npy", mmap_mode="r"),
                covariates=np.load(path / "covariates.npy"),
                covariate_names=tuple(manifest.metadata["account"]["covariates"]["names"]),
                manifest=manifest,
            )
        n_people, n_covariates = len(names), len(cohort.covariate_names)
        shapes = (cohort.expression.shape, cohort.covariates.shape)
        expected = ((cohort.genes.height, n_people), (n_people, n_covariates))
        if shapes != expected:
            raise DataError(f"{path} holds tables of {shapes}, not {expected}; import it again.")
        return cohort

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """Travel to other processes as a path."""
        return type(self).open, (self.path,)

    def cis_rows(self, gene_index: int, window: int) -> slice:
        """Return the rows of the variants in a gene's cis window.

        The window runs from `window` bases before the gene's start to `window`
        after its end, as PredictDB has it; a table that gives only the TSS makes
        that a gene of one base.
        """
        chrom, start, end = self.genes.select("chrom", "start", "end").row(gene_index)
        return self.genotypes.rows(chrom, max(0, start - window), end + window)


def import_cohort(
    genotypes: Sources,
    expression: Path | str,
    *,
    out: Path | str,
    covariates: Path | str | None = None,
    populations: Path | str | None = None,
    reference: Path | str | None = None,
    annotation: Path | str | None = None,
    options: ImportOptions = DEFAULTS,
) -> Cohort:
    """Read, match and check everything known of a cohort, and write it to `out`.

    Genotypes may be several files, of the same people and each with chromosomes of its own.
    Only people with genotypes, expression and (where given) all covariates are
    kept, and only genes that can be modelled; the manifest says how many were
    dropped and why. Values are stored as measured, or as transcripts per million
    where `options.counts` says that they are read counts.

    Raises:
        DataError: files that do not fit each other, or damaged ones; nothing is
            left at `out`.
        ConfigError: read counts without an annotation that has the exons of all genes.
    """
    out = Path(out)
    files = genotype_files(genotypes)
    given = {
        "genotypes": files[0],
        **{f"genotypes {number}": path for number, path in enumerate(files[1:], 2)},
        "expression": expression,
        "covariates": covariates,
        "populations": populations,
        "reference": reference,
        "annotation": annotation,
    }
    sources = {what: Path(path) for what, path in given.items() if path is not None}
    for what, path in sources.items():
        if what != "reference":
            check_file(path, what)
    metadata: dict[str, Any] = {"options": asdict(options)}
    artifact = create_artifact(out, kind=KIND, version=VERSION, metadata=metadata)
    with artifact as building:
        metadata["account"] = _fill(building, sources, options)
        metadata["sources"] = _describe_sources(sources)
    return Cohort.open(out)


def _fill(building: Path, sources: dict[str, Path], options: ImportOptions) -> dict[str, Any]:
    """Write the tables of a cohort and return the account of what was kept."""
    files = [path for what, path in sources.items() if what.startswith("genotypes")]
    genotyped = genotype_people(files)
    table = _read_table(sources, options)
    covariates, labels, reference = None, dict[str, str](), None
    if "covariates" in sources:
        known = {*genotyped, *table.people}
        covariates = read_covariates(sources["covariates"], people=known)
    if "populations" in sources:
        labels = read_populations(sources["populations"], column=options.population_column)
    wanted, account = match_people(genotyped, table, covariates=covariates, populations=labels)
    if "reference" in sources:
        reference = open_reference(sources["reference"])
    people, counts = import_genotypes(
        files,
        building / "genotypes",
        people=wanted,
        reference=reference,
        dosage_field=options.dosage_field,
    )
    stored = Genotypes.open(building / "genotypes", people)
    genes_account = _write_genes(building, table, stored) | {"tpm": options.counts}
    relatives, groups = None, np.arange(len(people))
    if options.relatives:
        relatives = find_relatives(stored, threshold=options.kinship_threshold)
        groups = families(relatives, len(people))
        check_families(groups, relatives)
    pl.DataFrame(
        {"person": people, "population": [labels.get(p, "") for p in people], "family": groups}
    ).write_parquet(building / "people.parquet")
    return {
        "people": account,
        "genes": genes_account,
        "genotypes": asdict(counts),
        "covariates": _write_covariates(building, covariates, people),
        "relatives": _relatives_account(relatives, people),
    }


def _read_table(sources: dict[str, Path], options: ImportOptions) -> ExpressionTable:
    """Read the expression, as transcripts per million where it holds counts."""
    annotation = read_genes(sources["annotation"]) if "annotation" in sources else None
    table = read_expression(sources["expression"], annotation=annotation)
    if not options.counts:
        return table
    if annotation is None:
        raise ConfigError("--counts needs the lengths of the genes; give a GTF or GFF3 annotation.")
    return tpm(table, annotation)


def _write_genes(building: Path, table: ExpressionTable, genotypes: Genotypes) -> dict[str, Any]:
    column = {person: i for i, person in enumerate(table.people)}
    values = table.values[:, [column[person] for person in genotypes.people]]
    kept, genes, dropped = place_genes(table, values, genotypes.names)
    with_variants = check_windows(genes, genotypes.variants, CIS_WINDOW)
    genes.write_parquet(building / "genes.parquet")
    dropped.write_parquet(building / "genes_dropped.parquet")
    np.save(building / "expression.npy", np.ascontiguousarray(values[kept]))
    return {
        "n_read": table.genes.height,
        "n_kept": genes.height,
        "n_with_variants": with_variants,
        "dropped": dict(sorted(dropped.group_by("reason").len().iter_rows())),
    }


def _write_covariates(
    building: Path, covariates: Covariates | None, people: tuple[str, ...]
) -> dict[str, Any]:
    if covariates is None:
        np.save(building / "covariates.npy", np.empty((len(people), 0)))
        return {"names": [], "sources": [], "constant": []}
    row = {person: i for i, person in enumerate(covariates.people)}
    values = covariates.values[[row[person] for person in people]]
    varies = values.min(axis=0) < values.max(axis=0)
    np.save(building / "covariates.npy", np.ascontiguousarray(values[:, varies]))
    named = list(zip(covariates.names, covariates.sources, varies, strict=True))
    return {
        "names": tuple(name for name, _, varied in named if varied),
        "sources": tuple(source for _, source, varied in named if varied),
        "constant": (*covariates.constant, *(name for name, _, varied in named if not varied)),
    }


def _relatives_account(relatives: Relatives | None, people: tuple[str, ...]) -> dict[str, Any]:
    if relatives is None:
        return {"n_snps": 0, "estimated": False, "pairs": []}
    pairs = zip(relatives.first, relatives.second, relatives.kinship, strict=True)
    return {
        "n_snps": relatives.n_snps,
        "estimated": relatives.estimated,
        "pairs": [[people[i], people[j], round(float(k), 3)] for i, j, k in pairs],
    }


def _describe_sources(sources: dict[str, Path]) -> dict[str, Any]:
    """Name every file so that it can be found and recognised again."""
    files = dict(sources)
    for what, path in sources.items():
        if what.startswith("genotypes") and is_plink(path):
            files |= {f"{what} {file.suffix}": file for file in plink_tables(path)}
    return {
        what: {
            "path": path.resolve(),
            "bytes": path.stat().st_size if path.is_file() else None,
            "sha256": sha256(path) if path.is_file() else None,
        }
        for what, path in files.items()
    }
