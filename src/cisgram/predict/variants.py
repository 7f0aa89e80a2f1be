"""What variants do to the genes around them, as a model of tracks and genes sees it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from cisgram.core.checks import check_range
from cisgram.core.progress import progress
from cisgram.genome.allele_window import allele_window
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.variant import Variant, check_reference
from cisgram.predict.genes import GeneReadout, gene_window, read_gene
from cisgram.predict.reuse import ReuseConfig
from cisgram.predict.tracks import TrackReader

_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class VariantConfig:
    """Which genes a variant is scored for, and how."""

    reach: int = 1_000
    """Most bases between a variant and the body of a gene."""
    species: int = 0
    """Number that the model knows the genome by."""
    reuse: ReuseConfig | None = None
    """Sizes, memory and cache."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_range(self.reach, "reach", low=0)


class VariantScores(NamedTuple):
    """Effects of alternate alleles on genes."""

    variants: pl.DataFrame
    """Columns chrom, start (from 0), ref and alt among others, a row an alternate allele."""
    genes: list[str]
    outputs: tuple[str, ...]
    """Names of what is read of a gene."""
    pairs: Int64[np.ndarray, "pairs 2"]
    """Rows of variant and gene, by variant."""
    effects: Float32[np.ndarray, "pairs outputs"]
    """Alternate allele against reference allele: differences of the gene's numbers in their units,
    logSED of the tracks of its strand."""

    def table(self) -> pl.DataFrame:
        """Return chrom, pos, ref, alt, gene, track and effect, a row an output.

        `pos` counts from 1, as in VCF; alleles are those of the VCF.
        """
        n_outputs = len(self.outputs)
        rows = self.variants[np.repeat(self.pairs[:, 0], n_outputs)]
        genes = np.array(self.genes, dtype=object)[np.repeat(self.pairs[:, 1], n_outputs)]
        return rows.select("chrom", (pl.col("start") + 1).alias("pos"), "ref", "alt").with_columns(
            pl.Series("gene", genes, dtype=pl.String),
            pl.Series("track", self.outputs * len(self.pairs), dtype=pl.String),
            pl.Series("effect", self.effects.reshape(-1)),
        )


def score_variants(
    reader: TrackReader,
    reference: Reference,
    variants: pl.DataFrame,
    *,
    genes: Mapping[str, Interval],
    config: VariantConfig | None = None,
) -> VariantScores:
    """Score alternate alleles, each by itself on the reference, for the genes near them.

    A gene is read in the middle of a window with the reference and with each alternate allele in
    its place, on both strands; `genome.allele_window` says what indels move.

    Args:
        reader: the model.
        reference: the genome that the variants were called on.
        variants: columns chrom, start (from 0), ref and alt.
        genes: bodies of the genes on their strands, by name.
        config: which genes, and how.

    Raises:
        DataError: a `ref` is not what the reference has, or a gene lies on no contig.
    """
    config = config or VariantConfig()
    pairs = near_pairs(reference, variants, genes, reach=config.reach)
    return score_pairs(reader, reference, variants, genes=genes, pairs=pairs, config=config)


def score_pairs(
    reader: TrackReader,
    reference: Reference,
    variants: pl.DataFrame,
    *,
    genes: Mapping[str, Interval],
    pairs: Int64[np.ndarray, "pairs 2"],
    config: VariantConfig | None = None,
) -> VariantScores:
    """Score alternate alleles for chosen genes; arguments are those of `score_variants`.

    Args:
        reader: the model.
        reference: the genome that the variants were called on.
        variants: columns chrom, start (from 0), ref and alt.
        genes: bodies of the genes on their strands, by name.
        pairs: rows of variant and gene; `reach` has no part in it.
        config: how.

    Raises:
        DataError: a `ref` is not what the reference has, or a gene lies on no contig.
    """
    config = config or VariantConfig()
    check_reference(variants, reference, max_mismatch=0)
    bodies, outputs = list(genes.values()), reader.columns.of_a_gene
    effects = np.empty((len(pairs), len(outputs)), dtype=np.float32)
    with progress("scoring variants", len(pairs)) as ticker:
        for gene in np.unique(pairs[:, 1]).tolist():
            rows = np.flatnonzero(pairs[:, 1] == gene)
            for first in range(0, len(rows), _AT_ONCE):
                part = rows[first : first + _AT_ONCE]
                chosen = variants[pairs[part, 0]]
                effects[part] = _of_gene(reader, reference, chosen, bodies[gene], config)
                ticker.advance(len(part))
    return VariantScores(variants, list(genes), outputs, pairs, effects)


def near_pairs(
    reference: Reference, variants: pl.DataFrame, genes: Mapping[str, Interval], *, reach: int
) -> Int64[np.ndarray, "pairs 2"]:
    """Return rows of variants and of genes that lie within reach of each other, by variant."""
    starts = variants["start"].to_numpy()
    ends = starts + variants["ref"].str.len_bytes().to_numpy()
    contigs = variants["chrom"].map_elements(reference.names.resolve, return_dtype=pl.String)
    rows_of = {
        str(chrom): rows["row"].to_numpy()
        for (chrom,), rows in contigs.to_frame("chrom").with_row_index("row").group_by("chrom")
    }
    found = [np.empty((0, 2), dtype=np.int64)]
    for number, gene in enumerate(genes.values()):
        rows = rows_of.get(str(reference.names.resolve(gene.chrom)))
        if rows is None:
            continue
        close = (starts[rows] < gene.end + reach) & (ends[rows] > gene.start - reach)
        near = rows[close].astype(np.int64)
        found.append(np.stack([near, np.full(near.size, number)], axis=1))
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _of_gene(
    reader: TrackReader,
    reference: Reference,
    variants: pl.DataFrame,
    gene: Interval,
    config: VariantConfig,
) -> Float32[np.ndarray, "variants outputs"]:
    """Return the effects of variants on one gene."""
    place = gene_window(reader, reference, gene)
    body = gene.end if gene.strand == "-" else gene.start
    anchor = min(max(body, place.window.start), place.window.end)
    windows = [reference.fetch(place.window)]
    windows += [
        allele_window(reference, place.window, variant, anchor=anchor)
        for variant in _variants(variants)
    ]
    readout = GeneReadout(reader, place)
    read = read_gene(readout, np.stack(windows), species=config.species, config=config.reuse)
    return readout.effects(read[1:], read[0])


def _variants(table: pl.DataFrame) -> Iterator[Variant]:
    for chrom, start, ref, alt in table.select("chrom", "start", "ref", "alt").iter_rows():
        yield Variant(chrom, start, ref, alt)
