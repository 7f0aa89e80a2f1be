"""Measured variants of yeast near genes: a reporter assay, and lead variants of local eQTLs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from cisgram.benchmark.base import Context
from cisgram.genome.alphabet import encode
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.vcf import read_sites

REACH = 1_500
"""Most bases between a lead variant and the start of its gene."""
WITHIN = 100
"""Most bases by which a control may be nearer or farther."""
BLOCK = 10_000
"""Bases of the genome that are drawn together."""
Genes = Mapping[str, Interval]


@dataclass(frozen=True, kw_only=True, eq=False)
class VariantSet:
    """Pairs of variant and gene, with what was measured."""

    variants: pl.DataFrame
    """chrom, start, ref, alt; each once."""
    pairs: Int64[np.ndarray, "pairs 2"]
    """Rows of variant and gene."""
    effect: Float64[np.ndarray, "pairs"]
    """Of the alternate allele (RM) against the reference (BY); NaN for controls."""
    positive: Bool[np.ndarray, "pairs"]
    negative: Bool[np.ndarray, "pairs"]
    distance: Int64[np.ndarray, "pairs"]
    """From the start of the gene's body."""
    block: Int64[np.ndarray, "pairs"]
    """Stretch of the genome, drawn together."""


def reporter_variants(context: Context, reference: Reference, genes: Genes) -> VariantSet:
    """Return promoter variants of Renganaath et al. 2020 (eLife 9:e62669), libraries together.

    Positives have an adjusted p below 0.05 in a library, negatives p above 0.5 in all.
    """
    path = context.file("variation", "renganaath2020_MPRA_variant_effects.tsv.gz")
    rows = (
        pl.read_csv(path, glob=False, separator="\t", infer_schema_length=None)
        .filter(pl.col("gene").is_in(list(genes)))
        .group_by("chr", "pos", "ref", "alt", "gene", maintain_order=True)
        .agg(
            effect=pl.col("logFC").mean(),
            least_p=pl.col("P.Value").min(),
            adjusted=pl.col("adj.P.Val").min(),
        )
        .with_columns(start=pl.col("pos") - 1)
        .rename({"chr": "chrom"})
    )
    rows = rows.filter(_fits(rows, reference))
    return _joined(rows, genes, rows["adjusted"] < 0.05, rows["least_p"] > 0.5)


def lead_variants(context: Context, reference: Reference, genes: Genes) -> VariantSet:
    """Return lead variants of local eQTLs of Albert et al. 2018 (eLife 7:e35471), with controls.

    A control lies as far from the start of a gene without a local eQTL, on the same contigs.
    """
    path = context.file("variation", "albert2018_local_eQTL.tsv.gz")
    table = pl.read_csv(path, glob=False, separator="\t", infer_schema_length=None)
    parts = pl.col("pmarker").str.extract_groups(r"^(chr\w+):(\d+)_([ACGT]+)/([ACGT]+)$")
    rows = table.filter(pl.col("gene").is_in(list(genes))).select(
        "gene", effect="r", chrom=parts.struct[0], start=parts.struct[1].cast(pl.Int64) - 1,
        ref=parts.struct[2], alt=parts.struct[3],
    ).drop_nulls("start")  # fmt: skip
    rows = rows.filter(_fits(rows, reference))
    rows = rows.filter(np.abs(_offsets(rows, genes)) <= REACH)
    free = {name: gene for name, gene in genes.items() if name not in set(table["gene"])}
    others = read_sites(context.file("variation", "BY_RM_variants.vcf.gz")).variants
    every = pl.concat([rows, _controls(rows, others, genes, free).select(rows.columns)])
    is_lead = pl.Series(np.arange(every.height) < rows.height)
    return _joined(every, genes, is_lead, ~is_lead)


VARIANT_SETS: dict[str, Callable[[Context, Reference, Genes], VariantSet]] = {
    "reporter": reporter_variants,
    "eQTL": lead_variants,
}


def pooled(sets: list[VariantSet]) -> VariantSet:
    """Return sets of different contigs as one; genes are numbered by set no more."""
    firsts = np.cumsum([0, *(own.variants.height for own in sets[:-1])])
    pairs = [own.pairs + np.array([first, 0]) for own, first in zip(sets, firsts, strict=True)]
    blocks = [own.block + number * 10**9 for number, own in enumerate(sets)]
    return VariantSet(
        variants=pl.concat([own.variants for own in sets]),
        pairs=np.concatenate(pairs),
        effect=np.concatenate([own.effect for own in sets]),
        positive=np.concatenate([own.positive for own in sets]),
        negative=np.concatenate([own.negative for own in sets]),
        distance=np.concatenate([own.distance for own in sets]),
        block=np.concatenate(blocks),
    )


def _controls(leads: pl.DataFrame, others: pl.DataFrame, genes: Genes, free: Genes) -> pl.DataFrame:
    """Return for each lead variant another one as far from the start of a free gene, each once."""
    others = others.select("chrom", "start", "ref", "alt")
    pairs = pl.concat(
        others.filter(
            pl.col("chrom") == body.chrom,
            (pl.col("start") - _beginning(body)).abs() <= REACH + WITHIN,
        ).with_columns(gene=pl.lit(gene))
        for gene, body in free.items()
    )
    pairs = pairs.sort("chrom", "start", "gene")
    offsets, used, found = _offsets(pairs, free), np.zeros(pairs.height, np.bool_), list[int]()
    for own in _offsets(leads, genes).tolist():
        far = np.where(used, np.inf, np.abs(offsets - own))
        pick = int(np.argmin(far))
        if far[pick] <= WITHIN:
            used[pick] = True
            found.append(pick)
    return pairs[found].with_columns(effect=pl.lit(None, pl.Float64))


def _joined(
    rows: pl.DataFrame, genes: Genes, positive: pl.Series, negative: pl.Series
) -> VariantSet:
    """Join rows of chrom, start, ref, alt, gene and effect."""
    keys = ["chrom", "start", "ref", "alt"]
    variants = rows.select(keys).unique(maintain_order=True).with_row_index("variant")
    numbers = rows.join(variants, on=keys, how="left", maintain_order="left")["variant"].to_numpy()
    place_of = {name: number for number, name in enumerate(genes)}
    gene = np.array([place_of[name] for name in rows["gene"]], dtype=np.int64)
    chrom = rows["chrom"].rank("dense").to_numpy().astype(np.int64)
    return VariantSet(
        variants=variants.drop("variant"),
        pairs=np.stack([numbers.astype(np.int64), gene], axis=1),
        effect=rows["effect"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        positive=positive.to_numpy(),
        negative=negative.to_numpy(),
        distance=np.abs(_offsets(rows, genes)),
        block=chrom * 10**6 + rows["start"].to_numpy() // BLOCK,
    )


def _beginning(gene: Interval) -> int:
    return gene.end if gene.strand == "-" else gene.start


def _offsets(rows: pl.DataFrame, genes: Genes) -> Int64[np.ndarray, "rows"]:
    """Return bases from the start of each row's gene to its variant, along the gene."""
    found = [
        _beginning(genes[gene]) - start if genes[gene].strand == "-"
        else start - _beginning(genes[gene])
        for gene, start in rows.select("gene", "start").iter_rows()
    ]  # fmt: skip
    return np.array(found, dtype=np.int64)


def _fits(rows: pl.DataFrame, reference: Reference) -> Bool[np.ndarray, "rows"]:
    """Say where `ref` is what the reference has."""
    found = [
        np.array_equal(reference.contig(chrom)[start : start + len(ref)], encode(ref))
        for chrom, start, ref in rows.select("chrom", "start", "ref").iter_rows()
    ]
    return np.array(found, dtype=np.bool_)
