"""Which variants can be scored, and on which genes; what is left out is counted by its reason."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from cisgram.core.checks import DataError, few
from cisgram.genome.calls import VariantBlock
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.variant import MATCH, UNKNOWN, Variant, check_reference, n_shared, reference_fit

_PLACE = ("chrom", "start", "ref", "alt")
_KNOWN, _LETTERS = "^(?i:[ACGT]+)$", "^(?i:[ACGTN]+)$"


def usable_variants(
    given: pl.DataFrame | VariantBlock, reference: Reference, *, skip_bad: bool
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the variants whose two alleles are known, and how many others there are and why.

    Raises:
        DataError: a table lacks a column; or, unless they are skipped, a `ref` is not what the
            reference has.
    """
    if isinstance(given, pl.DataFrame):
        variants, n_without = given, 0
    else:
        variants = given.variants
        n_without = given.counts["n_symbolic_skipped"] + given.counts["n_no_alternate"]
    if missing := [name for name in _PLACE if name not in variants.columns]:
        raise DataError(
            f"variants must have columns {', '.join(_PLACE)}; {few(missing)} is missing."
        )
    other = pl.col("alt").str.contains(_KNOWN) & (pl.col("alt") != pl.col("ref"))
    named = variants.filter(other)
    fits = reference_fit(named, reference)
    is_letters = named["ref"].str.contains(_LETTERS).to_numpy()
    known = is_letters & (fits != UNKNOWN)
    bad = known & (fits != MATCH)
    if not skip_bad:
        remedy = ", or leave out the variants that do not fit with --skip-bad"
        check_reference(named.filter(known), reference, max_mismatch=0, remedy=remedy)
    return named.filter(known & ~bad), {
        "n_symbolic": variants.height - named.height + n_without,
        "n_unknown": int((~known).sum()),
        "n_bad": int(bad.sum()),
    }


@dataclass(frozen=True)
class PairRemarks:
    """What is to be said of pairs of a variant and a gene."""

    deleted: Counter[str] = field(default_factory=Counter[str])
    """Genes that variants delete whole, and the number of these; such pairs have no effect."""
    beyond: Counter[str] = field(default_factory=Counter[str])
    """Genes that reach past the ends of their contig, with their pairs, which have no effect."""
    strandless: Counter[str] = field(default_factory=Counter[str])
    """Genes that the annotation gives no strand, with their pairs; they are read as on `+`."""

    def add(self, other: "PairRemarks") -> None:
        """Count the pairs of another part of the variants as well."""
        self.deleted.update(other.deleted)
        self.beyond.update(other.beyond)
        self.strandless.update(other.strandless)


def remarks_on(
    reference: Reference,
    variants: pl.DataFrame,
    *,
    genes: Mapping[str, Interval],
    pairs: Int64[np.ndarray, "pairs 2"],
) -> PairRemarks:
    """Return what is to be said of pairs, each a row of a variant and a row of a gene."""
    if not genes:
        return PairRemarks()
    names = list(genes)
    deleted, beyond = lost_genes(reference, variants, genes=genes, pairs=pairs)
    strandless = np.array([body.strand == "." for body in genes.values()])[pairs[:, 1]]
    found = (deleted & ~beyond, beyond, strandless)
    return PairRemarks(*(Counter(names[gene] for gene in pairs[rows, 1]) for rows in found))


def lost_genes(
    reference: Reference,
    variants: pl.DataFrame,
    *,
    genes: Mapping[str, Interval],
    pairs: Int64[np.ndarray, "pairs 2"],
) -> tuple[Bool[np.ndarray, "pairs"], Bool[np.ndarray, "pairs"]]:
    """Say in which pairs the variant deletes the whole gene, and which genes leave their contig."""
    bodies = list(genes.values())
    starts, ends = (np.array([getattr(b, end) for b in bodies]) for end in ("start", "end"))
    beyond = np.array([not reference.holds(body) for body in bodies], dtype=bool)
    changed = np.array([_deleted(variant) for variant in variants_of(variants)]).reshape(-1, 2)
    rows, own = pairs.T
    deleted = (changed[rows, 0] <= starts[own]) & (changed[rows, 1] >= ends[own])
    return deleted, beyond[own]


def _deleted(variant: Variant) -> tuple[int, int]:
    """Return the bases that a variant takes out without as many in their place; or none."""
    ref, alt = variant.ref, variant.alt
    if len(alt) >= len(ref):
        return variant.start, variant.start
    left = n_shared(ref, alt)
    return variant.start + left, variant.end - n_shared(ref[left:][::-1], alt[left:][::-1])


def variants_of(table: pl.DataFrame) -> Iterator[Variant]:
    """Yield the rows of a table with columns chrom, start, ref and alt."""
    for chrom, start, ref, alt in table.select(_PLACE).iter_rows():
        yield Variant(chrom, start, ref, alt)
