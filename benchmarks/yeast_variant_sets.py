"""Measured variants of yeast, for benchmarks/yeast_variants.py."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cisgram.core.metrics import spearman
from cisgram.genome.alphabet import encode
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.vcf import read_sites
from cisgram.models.checkpoint import load_model
from cisgram.models.registry import require_language_model
from cisgram.prediction.zero_shot import ZeroShotConfig, site_log_probabilities

REACH = 1_500
"""Most bases between a variant and the start of its gene."""
WITHIN = 100
"""Most bases by which a control may be nearer or farther."""
BLOCK = 10_000


@dataclass(frozen=True, kw_only=True)
class VariantSet:
    """Pairs of variant and gene, with what was measured."""

    variants: pl.DataFrame
    """chrom, start, ref, alt; each once."""
    pairs: np.ndarray
    """Rows of variant and gene."""
    effect: np.ndarray
    """Of the alternate allele (RM) against the reference (BY); NaN for controls."""
    positive: np.ndarray
    negative: np.ndarray
    distance: np.ndarray
    """From the first base of the gene's body."""
    block: np.ndarray
    """Stretch of the genome, drawn together."""

    def counts(self) -> dict[str, int]:
        """Return how many there are."""
        return {
            "pairs": len(self.pairs),
            "positives": int(self.positive.sum()),
            "negatives": int(self.negative.sum()),
        }

    def log_ratios(self, reference: Reference, language_model: str) -> np.ndarray:
        """Return log p(alt) - log p(ref), substitutions hidden in turn; NaN of other variants."""
        model = require_language_model(load_model(language_model)[0], language_model)
        snvs = self.variants.with_row_index("row").filter(
            (pl.col("ref").str.len_chars() == 1) & (pl.col("alt").str.len_chars() == 1)
        )
        contigs = {name: reference.contig(name) for name in snvs["chrom"].unique().sort()}
        sites = {
            name: np.unique(snvs.filter(pl.col("chrom") == name)["start"].to_numpy())
            for name in contigs
        }
        log_p = site_log_probabilities(model, contigs, sites, config=ZeroShotConfig())
        ratios = np.full(self.variants.height, np.nan)
        for row, chrom, start, ref, alt in snvs.select(
            "row", "chrom", "start", "ref", "alt"
        ).iter_rows():
            at = np.searchsorted(sites[chrom], start)
            ratios[row] = log_p[chrom][at, encode(alt)[0]] - log_p[chrom][at, encode(ref)[0]]
        return ratios[self.pairs[:, 0]]


def renganaath(data: Path, reference: Reference, genes: dict[str, Interval]) -> VariantSet:
    """Return the reporter assay's variants of the genes, both libraries together."""
    table = read_table(data / "variation" / "renganaath2020_MPRA_variant_effects.tsv.gz")
    rows = (
        table.filter(pl.col("gene").is_in(list(genes)))
        .group_by("chr", "pos", "ref", "alt", "gene", maintain_order=True)
        .agg(
            effect=pl.col("logFC").mean(),
            least_p=pl.col("P.Value").min(),
            adjusted=pl.col("adj.P.Val").min(),
        )
        .with_columns(start=pl.col("pos") - 1)
        .rename({"chr": "chrom"})
    )
    rows = rows.filter(fits(rows, reference))
    return joined(
        rows,
        genes,
        positive=(rows["adjusted"] < 0.05).to_numpy(),
        negative=(rows["least_p"] > 0.5).to_numpy(),
    )


def albert(data: Path, reference: Reference, genes: dict[str, Interval]) -> VariantSet:
    """Return peak markers of local eQTLs near their genes, with controls at like distance."""
    table = read_table(data / "variation" / "albert2018_local_eQTL.tsv.gz")
    with_eqtl = set(table["gene"])
    peaks = table.filter(pl.col("gene").is_in(list(genes))).select(
        "gene", effect="r", marker="pmarker"
    )
    parts = peaks["marker"].str.extract_groups(r"^(chr\w+):(\d+)_([ACGT]+)/([ACGT]+)$")
    rows = peaks.with_columns(
        chrom=parts.struct[0],
        start=parts.struct[1].cast(pl.Int64) - 1,
        ref=parts.struct[2],
        alt=parts.struct[3],
    ).drop("marker")
    rows = rows.filter(pl.col("start").is_not_null())
    rows = rows.filter(fits(rows, reference))
    rows = rows.filter(distances(rows, genes) <= REACH)
    free = {name: gene for name, gene in genes.items() if name not in with_eqtl}
    others = read_sites(data / "variation" / "BY_RM_variants.vcf.gz").variants
    matched = controls(rows, others, genes, free)
    every = pl.concat([rows.select(matched.columns), matched])
    is_peak = np.arange(every.height) < rows.height
    return joined(every, genes, positive=is_peak, negative=~is_peak)


def controls(
    peaks: pl.DataFrame, others: pl.DataFrame, genes: dict[str, Interval], free: dict[str, Interval]
) -> pl.DataFrame:
    """Return for each peak a variant as far from the start of a gene without a local eQTL."""
    pool = [
        (gene, start - beginning(body) if body.strand == "+" else beginning(body) - start, row)
        for chrom, rows in others.with_row_index("row").group_by("chrom", maintain_order=True)
        for gene, body in free.items()
        if body.chrom == chrom[0]
        for row, start in rows.filter(
            (pl.col("start") - beginning(body)).abs() <= REACH + WITHIN
        ).select("row", "start").iter_rows()
    ]  # fmt: skip
    offset = np.array([place for _, place, _ in pool])
    used: set[int] = set()
    found: list[tuple[str, None, str, int, str, str]] = []
    for gene, start in peaks.select("gene", "start").iter_rows():
        body = genes[gene]
        own = start - beginning(body) if body.strand == "+" else beginning(body) - start
        near = np.argsort(np.abs(offset - own), kind="stable")
        pick = next((n for n in near.tolist() if n not in used), None)
        if pick is None or abs(offset[pick] - own) > WITHIN:
            continue
        used.add(pick)
        row = others.row(pool[pick][2], named=True)
        found.append((pool[pick][0], None, row["chrom"], row["start"], row["ref"], row["alt"]))
    schema = {
        "gene": pl.String, "effect": pl.Float64, "chrom": pl.String,
        "start": pl.Int64, "ref": pl.String, "alt": pl.String,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema, orient="row")


def sign_checks(data: Path) -> dict:
    """Say that both sets' signs are RM against BY, by other measurements of the same genes."""
    folder = data / "variation"
    peaks = read_table(folder / "albert2018_local_eQTL.tsv.gz")
    ase = peaks.with_columns(pl.col("ASE").cast(pl.Float64, strict=False)).drop_nulls("ASE")
    genotypes = read_table(folder / "smith2008_BYxRM_genotypes.tsv.gz")
    expression = read_table(folder / "smith2008_BYxRM_expression_glucose.tsv.gz")
    positions = read_table(folder / "smith2008_gene_positions.tsv.gz").unique("gene")
    people = [name for name in expression.columns if name in set(genotypes.columns)]
    markers = genotypes.select("chromosome", "position").to_numpy()
    is_by = genotypes.select(people).to_numpy().astype(float)
    measured = {
        row[0]: np.array(row[1:], float) for row in expression.select("gene", *people).rows()
    }
    r_of = dict(peaks.select("gene", "r").iter_rows())
    pairs = []
    for gene, chromosome, start in positions.select("gene", "Chromsome", "Start_coord").iter_rows():
        if gene not in r_of or gene not in measured:
            continue
        here = np.flatnonzero(markers[:, 0] == int(chromosome))
        nearest = here[np.abs(markers[here, 1] - int(start)).argmin()]
        values, by = measured[gene], is_by[nearest] == 1
        pairs.append((r_of[gene], np.nanmean(values[~by]) - np.nanmean(values[by])))
    both = np.array(pairs)
    both = both[~np.isnan(both).any(axis=1)]
    return {
        "Albert's r and RM - BY of Smith and Kruglyak 2008": {
            "spearman": float(spearman(both[:, 0], both[:, 1])), "genes": len(both),
        },
        "Albert's r and allele-specific expression": {
            "spearman": float(spearman(ase["r"].to_numpy(), ase["ASE"].to_numpy())),
            "genes": ase.height,
        },
    }  # fmt: skip


def joined(
    rows: pl.DataFrame, genes: dict[str, Interval], *, positive: np.ndarray, negative: np.ndarray
) -> VariantSet:
    """Join rows of chrom, start, ref, alt, gene and effect."""
    keys = ["chrom", "start", "ref", "alt"]
    variants = rows.select(keys).unique(maintain_order=True).with_row_index("variant")
    numbers = rows.join(variants, on=keys, how="left", maintain_order="left")["variant"].to_numpy()
    place_of = {name: number for number, name in enumerate(genes)}
    gene = np.array([place_of[name] for name in rows["gene"]])
    chrom = rows["chrom"].rank("dense").to_numpy().astype(np.int64)
    return VariantSet(
        variants=variants.drop("variant"),
        pairs=np.stack([numbers, gene], axis=1).astype(np.int64),
        effect=rows["effect"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        positive=positive,
        negative=negative,
        distance=distances(rows, genes),
        block=chrom * 10**6 + rows["start"].to_numpy() // BLOCK,
    )


def pooled(sets: list[VariantSet]) -> VariantSet:
    """Return sets of different chromosomes as one; genes are numbered by set no more."""
    firsts = np.cumsum([0, *(own.variants.height for own in sets[:-1])])
    return VariantSet(
        variants=pl.concat([own.variants for own in sets]),
        pairs=np.concatenate(
            [own.pairs + np.array([first, 0]) for own, first in zip(sets, firsts, strict=True)]
        ),
        effect=np.concatenate([own.effect for own in sets]),
        positive=np.concatenate([own.positive for own in sets]),
        negative=np.concatenate([own.negative for own in sets]),
        distance=np.concatenate([own.distance for own in sets]),
        block=np.concatenate([own.block + number * 10**9 for number, own in enumerate(sets)]),
    )


def beginning(gene: Interval) -> int:
    """Return the boundary at the gene's start."""
    return gene.end if gene.strand == "-" else gene.start


def distances(rows: pl.DataFrame, genes: dict[str, Interval]) -> np.ndarray:
    """Return bases between variants and the starts of their genes."""
    return np.array(
        [abs(start - beginning(genes[gene])) for gene, start in rows.select("gene", "start").rows()]
    )


def fits(rows: pl.DataFrame, reference: Reference) -> np.ndarray:
    """Say where `ref` is what the reference has."""
    return np.array(
        [
            np.array_equal(reference.contig(chrom)[start : start + len(ref)], encode(ref))
            for chrom, start, ref in rows.select("chrom", "start", "ref").iter_rows()
        ],
        dtype=bool,
    )


def read_table(path: Path) -> pl.DataFrame:
    """Read a tab-separated table."""
    return pl.read_csv(path, separator="\t", infer_schema_length=None)
