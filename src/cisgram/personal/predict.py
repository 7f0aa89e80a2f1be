"""Predicts the expression of people from their genotypes with linear models.

The prediction of a gene is the sum over its SNPs of weight times dosage of the effect allele
(PrediXcan, Gamazon et al. 2015, https://doi.org/10.1038/ng.3367).
"""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError, DataError
from cisgram.core.progress import progress
from cisgram.core.results import write_tsv
from cisgram.genome.genotypes import (
    Genotypes,
    Sources,
    genotype_files,
    import_genotypes,
    missing_rate,
)
from cisgram.genome.interval import Interval
from cisgram.personal.harmonize import Ambiguous, comparable_build, harmonize
from cisgram.personal.predictdb import WeightSet, people_rows

_MARGIN = 5_000_000  # bases; a SNP's positions in two assemblies are rarely further apart
_BLOCK = 1 << 24  # dosages in memory at once
_SUFFIXES = (".tsv", ".tsv.gz", ".parquet")


@dataclass(frozen=True)
class PersonalPrediction:
    """Predicted expression of people, and what it rests on."""

    genes: pl.DataFrame
    """A row a gene: `gene` and `name`."""
    people: tuple[str, ...]
    values: Float32[np.ndarray, "genes people"]
    """Residual z-scores when `centred`, raw sums otherwise; NaN where no SNP of the gene
    could be used."""
    account: pl.DataFrame
    """A row a gene: what `harmonize` counts, and `missing`, the share of its used dosages
    that were unknown and took their SNP's mean."""
    snps: pl.DataFrame
    """A row a SNP of a gene: what `Harmonized.listed` says, and `missing` likewise."""
    centred: bool
    """Whether the training means are known, so that 0 is the mean training person."""
    notes: tuple[str, ...]

    def write(self, path: Path | str) -> Path:
        """Write genes x people as TSV or Parquet, and beside it `NAME.account.tsv` by gene.

        The SNPs go to `NAME.snps.tsv`, whose path is returned.
        """
        path = Path(path)
        account, listed = files_beside(path)
        table = self.genes.hstack(pl.DataFrame(self.values, schema=self.people, orient="row"))
        files = atomic_file(path), atomic_file(account), atomic_file(listed)
        with files[0] as values, files[1] as counts, files[2] as snps:
            write_tsv(self.account, counts)
            write_tsv(self.snps, snps, null="NA")
            if path.suffix == ".parquet":
                table.write_parquet(values)
            elif path.suffix == ".tsv":
                write_tsv(table, values)
            else:
                with values.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, 0) as stream:
                    write_tsv(table, stream)
        return listed


def files_beside(path: Path) -> tuple[Path, Path]:
    """Return where a prediction's account and SNPs go: `NAME.account.tsv` and `NAME.snps.tsv`.

    Raises:
        ConfigError: the name ends in none of .tsv, .tsv.gz and .parquet.
    """
    suffix = next((s for s in _SUFFIXES if path.name.endswith(s)), None)
    if suffix is None:
        raise ConfigError(f"{path} must end in {', '.join(_SUFFIXES)}; rename it.")
    name = path.name.removesuffix(suffix)
    return path.with_name(f"{name}.account.tsv"), path.with_name(f"{name}.snps.tsv")


def predict_people(
    weights: WeightSet,
    genotypes: Genotypes,
    *,
    people: Sequence[str] | None = None,
    ambiguous: Ambiguous = "keep",
    build: str = "",
) -> PersonalPrediction:
    """Predict every gene of a model set for people of a genotype store, gene by gene.

    Models from a fit know their training people's mean dosages: they are subtracted, so a
    prediction is a residual z-score, and an unknown dosage or an absent SNP counts as the
    training mean. Models from a PredictDB file give raw sums, as PrediXcan does: an unknown
    dosage takes the mean of the people predicted and an absent SNP adds nothing.

    Args:
        weights: the models.
        genotypes: store with the people.
        people: whom to predict, in this order; all when None.
        ambiguous: what becomes of A/T and C/G SNPs, see `cisgram.personal.harmonize.Ambiguous`.
        build: assembly of the genotypes when known; the models must then name theirs.

    Raises:
        DataError: no more SNPs of the models than by chance are among the genotypes.
    """
    chosen = None
    if people is not None:
        chosen = people_rows(people, genotypes.people, genotypes.directory)
    what = f"genotypes {genotypes.directory}"
    return _predict(weights, genotypes, chosen, what=what, ambiguous=ambiguous, build=build)


def predict_file(
    weights: WeightSet,
    source: Sources,
    *,
    people: Sequence[str] | None = None,
    dosage_field: bool = False,
    ambiguous: Ambiguous = "keep",
    build: str = "",
) -> PersonalPrediction:
    """Predict people of VCF, BCF or PLINK files, as `predict_people` does, or from their DS field.

    Several files are of the same people and have a chromosome or more each. The genotypes go
    through a temporary store. Where all models lie on one chromosome, only the region they span is
    stored, with a margin so that SNPs of another assembly are found by ID.
    """
    files, build = genotype_files(source), comparable_build(weights, build)
    with TemporaryDirectory(prefix="cisgram-") as directory:
        store = Path(directory)
        names, counts = import_genotypes(
            files, store, people=people, dosage_field=dosage_field, region=_span(weights)
        )
        genotypes = Genotypes.open(store, names)
        what = f"genotypes {', '.join(map(str, files))}"
        done = _predict(weights, genotypes, None, what=what, ambiguous=ambiguous, build=build)
    if n := counts.n_dosages_from_calls:
        note = f"GT stands in for {n:,} dosages without DS in the {counts.n_kept:,} variants read."
        done = replace(done, notes=(*done.notes, note))
    return done


def _span(weights: WeightSet) -> Interval | None:
    """Return the region of all SNPs, where they are all placed on one chromosome."""
    chromosomes, starts = weights.weights["chrom"], weights.weights["start"]
    if starts.null_count() or chromosomes.n_unique() != 1:
        return None
    low, high = starts.to_numpy().min(), starts.to_numpy().max()
    return Interval(chromosomes[0], max(0, int(low) - _MARGIN), int(high) + _MARGIN)


def _predict(
    weights: WeightSet,
    genotypes: Genotypes,
    people: Int64[np.ndarray, "people"] | None,
    *,
    what: str,
    ambiguous: Ambiguous,
    build: str,
) -> PersonalPrediction:
    found = harmonize(weights, genotypes.variants, what=what, ambiguous=ambiguous, build=build)
    names = genotypes.people
    chosen = names if people is None else tuple(names[row] for row in people)
    genes = weights.genes.select("gene", "name")
    if clash := sorted({*genes.columns} & {*chosen}):
        raise DataError(
            f"{what} have a person named {clash[0]}, as a column of the prediction is; rename them."
        )
    values = np.full((genes.height, len(chosen)), np.nan, np.float32)
    missing = np.full(genes.height, np.nan)
    where = {gene: index for index, gene in enumerate(genes["gene"])}
    absent = np.full(found.snps.height, np.nan)
    usable = found.snps.with_row_index("snp").filter(pl.col("row").is_not_null()).sort("row")
    parts = usable.partition_by("gene", maintain_order=True)
    with progress("predicting genes", len(parts)) as ticker:
        for part in parts:
            total = np.zeros(len(chosen))
            for some in part.iter_slices(max(1, _BLOCK // len(chosen))):
                dosages = genotypes.dosages(some["row"].cast(pl.Int64).to_numpy(), people)
                total += _sum_dosages(dosages, some, centred=weights.centred)
                absent[some["snp"].to_numpy()] = missing_rate(dosages)
            index = where[part["gene"][0]]
            values[index], missing[index] = total, absent[part["snp"].to_numpy()].mean()
            ticker.advance()
    account = found.account.with_columns(missing=pl.Series(missing, nan_to_null=True))
    notes = found.notes
    if n_learnt := len(weights.learnt_from.intersection(chosen)):
        notes += (
            f"{n_learnt:,} of {len(chosen):,} people were learnt from: accuracy in them would "
            "flatter; the fit holds their held-out predictions.",
        )
    snps = found.listed(pl.Series("missing", absent, nan_to_null=True))
    return PersonalPrediction(genes, chosen, values, account, snps, weights.centred, notes)


def _sum_dosages(
    dosages: Float32[np.ndarray, "people snps"], snps: pl.DataFrame, *, centred: bool
) -> Float64[np.ndarray, "people"]:
    """Sum weight times dosage, an unknown dosage at its SNP's mean."""
    means = snps["mean"].to_numpy()
    effect = np.where(snps["swapped"].to_numpy(), 2.0 - dosages, dosages).astype(np.float64)
    unknown = np.isnan(effect)
    known = np.maximum((~unknown).sum(axis=0), 1)
    observed = np.where(unknown, 0.0, effect).sum(axis=0) / known
    effect = np.where(unknown, np.where(np.isnan(means), observed, means), effect)
    if centred:
        effect -= means
    return effect @ snps["weight"].to_numpy()
