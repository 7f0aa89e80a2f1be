"""Do genotypes, expression and covariates speak of the same people and places?"""

import re
from collections.abc import Collection, Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int

from cisgram.core.checks import DataError, few
from cisgram.data.covariates import Covariates
from cisgram.data.expression import ExpressionTable
from cisgram.data.splits import Relatives
from cisgram.genome.chromosomes import ChromosomeNames

MIN_PEOPLE = 20
"""Fewer cannot be cross-validated in five folds that each say something."""


def match_people(
    genotyped: Sequence[str],
    table: ExpressionTable,
    *,
    covariates: Covariates | None,
    populations: dict[str, str],
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the people known to all files, in the order of the genotypes, and all counts.

    Raises:
        DataError: too few of them, showing names of each side that nearly match.
    """
    expressed = set(table.people)
    both = [person for person in genotyped if person in expressed]
    if len(both) < MIN_PEOPLE:
        raise DataError(_too_few_in_common(genotyped, table.people, len(both)))
    complete = _with_covariates(covariates, both)
    kept = tuple(person for person in both if person in complete)
    if len(kept) < MIN_PEOPLE:
        raise DataError(
            f"{len(both)} people have genotypes and expression and {len(kept)} of them all "
            f"covariates, and cross-validation needs at least {MIN_PEOPLE}; complete those of "
            f"{few(sorted(set(both) - complete), 2)}."
        )
    named = sum(1 for person in kept if populations.get(person))
    if populations and not named:
        raise DataError(
            f"the population table names none of the {len(kept)} people; it has "
            f"{few(list(populations), 2)} and the genotypes have {few(kept, 2)}."
        )
    return kept, {
        "n_genotyped": len(genotyped),
        "n_expressed": len(table.people),
        "n_genotyped_only": len(genotyped) - len(both),
        "n_expressed_only": len(table.people) - len(both),
        "n_without_covariates": len(both) - len(kept),
        "n_kept": len(kept),
        "n_without_population": len(kept) - named,
    }


def place_genes(
    table: ExpressionTable, values: Float64[np.ndarray, "genes people"], names: ChromosomeNames
) -> tuple[Bool[np.ndarray, "genes"], pl.DataFrame, pl.DataFrame]:
    """Return which genes can be modelled, these genes, and the others with the reason.

    Genes kept have the chromosome names of the genotypes.

    Raises:
        DataError: there are none.
    """
    resolved = [names.resolve(chrom) if chrom else None for chrom in table.genes["chrom"]]
    n_observed = (~np.isnan(values)).sum(axis=1)
    constant = np.fmax.reduce(values, axis=1) == np.fmin.reduce(values, axis=1)
    unplaced = table.genes.select(
        pl.any_horizontal(pl.col("chrom", "start", "end", "tss").is_null())
    ).to_series()
    reasons = [
        "no position in the table or the annotation" if lost
        else "chromosome without genotypes" if chrom is None
        else "no value in anybody" if n == 0
        else f"a value in fewer than {MIN_PEOPLE} people" if n < MIN_PEOPLE
        else "the same value in everybody" if same
        else ""
        for lost, chrom, n, same in zip(unplaced, resolved, n_observed, constant, strict=True)
    ]  # fmt: skip
    kept = np.array([not reason for reason in reasons])
    genes = table.genes.with_columns(chrom=pl.Series(resolved, dtype=pl.String)).filter(kept)
    dropped = table.genes.select("gene", reason=pl.Series(reasons, dtype=pl.String)).filter(~kept)
    if genes.is_empty():
        chromosomes = sorted({chrom for chrom in table.genes["chrom"] if chrom})
        raise DataError(
            f"no gene can be used ({_counts(dropped)}); genes are on {few(chromosomes)} and "
            f"genotypes on {few(names.known)}; correct the expression table."
        )
    return kept, genes, dropped


def check_windows(genes: pl.DataFrame, variants: pl.DataFrame, window: int) -> int:
    """Return how many genes have a variant within `window` bases; raise DataError for none."""
    with_variants = 0
    for (chrom,), some in genes.group_by("chrom"):
        starts = variants.filter(pl.col("chrom") == chrom)["start"].to_numpy()
        low = np.searchsorted(starts, some["start"].to_numpy() - window)
        high = np.searchsorted(starts, some["end"].to_numpy() + window)
        with_variants += int((high > low).sum())
    if not with_variants:
        raise DataError(
            f"no variant lies within {window:,} bases of any of the {genes.height} genes; "
            "bring genotypes and expression to the same genome build."
        )
    return with_variants


def check_families(families: Int[np.ndarray, "people"], relatives: Relatives) -> None:
    """Refuse families that no fold could be made of.

    SNPs of a short stretch are few independent ones, however many they are: pairs of strangers
    then pass the threshold, and chains of them link most of a large cohort.

    Raises:
        DataError: one family holds more than half of everybody.
    """
    largest = int(np.bincount(families).max())
    if largest > len(families) / 2:
        raise DataError(
            f"kinship at {relatives.n_snps:,} SNPs makes one family of {largest:,} of "
            f"{len(families):,} people, who could not be divided into folds; give genotypes of "
            "more chromosomes, a higher --kinship-threshold or --no-relatives."
        )


def _with_covariates(covariates: Covariates | None, people: Collection[str]) -> set[str]:
    """Return the people who have every covariate."""
    if covariates is None:
        return set(people)
    n_lacking = np.isnan(covariates.values).sum(axis=1)
    complete = {p for p, n in zip(covariates.people, n_lacking, strict=True) if n == 0}
    if not set(covariates.people) & set(people):
        raise DataError(
            f"the covariate table names none of the {len(people)} people; it has "
            f"{few(covariates.people, 2)} and the genotypes have {few(list(people), 2)}."
        )
    return complete & set(people)


def _too_few_in_common(genotyped: Sequence[str], expressed: Sequence[str], n: int) -> str:
    sides = (
        f"genotypes have {few(genotyped, 2)}, expression has {few(expressed, 2)}"
        f"{near_miss(genotyped, expressed) or '; give files of the same people'}"
    )
    if n == 0:
        return f"no person has both genotypes and expression; {sides}."
    return (
        f"only {n} people have both genotypes and expression, and cross-validation needs at least "
        f"{MIN_PEOPLE}; {sides}."
    )


def near_miss(genotyped: Sequence[str], expressed: Sequence[str]) -> str:
    """Name one pair of names that would be one person, were they spelled alike."""
    seen = {_spelling(person): person for person in expressed}
    exact = set(expressed)
    for person in genotyped:
        other = seen.get(_spelling(person))
        if other is not None and person not in exact:
            return f"; {person} and {other} look like the same person, so rename one side"
    return ""


def _spelling(person: str) -> str:
    """Reduce a name: case, separators, a name said twice, a GTEx sample to its donor."""
    plain = re.sub(r"[-._\s]+", "-", person.strip().lower())
    doubled = re.fullmatch(r"(?:0-)?(.+?)(?:-\1)?", plain)
    plain = doubled[1] if doubled else plain
    donor = re.match(r"gtex-[^-]+", plain)
    return donor[0] if donor else plain


def _counts(dropped: pl.DataFrame) -> str:
    counts = dropped.group_by("reason").len().sort("len", descending=True)
    return ", ".join(f"{n:,}: {reason}" for reason, n in counts.iter_rows())
