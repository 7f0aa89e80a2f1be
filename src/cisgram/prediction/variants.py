"""Score variants: what is read of a model with each alternate allele against the reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from cisgram.core.checks import check_range
from cisgram.core.progress import progress
from cisgram.core.results import Result
from cisgram.genome.alleles import allele_window
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.variant import Variant, check_reference
from cisgram.genome.vcf import read_sites
from cisgram.models.base import Model
from cisgram.prediction.batches import in_batches
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.language import MaskedLogRatio
from cisgram.prediction.readouts import Readout
from cisgram.prediction.reuse import ReuseConfig
from cisgram.prediction.sequences import Windows, window_of
from cisgram.prediction.session import Session, as_session
from cisgram.prediction.variant_checks import (
    PairRemarks,
    lost_genes,
    remarks_on,
    usable_variants,
    variants_of,
)
from cisgram.prediction.variant_writing import write_effects

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class VariantConfig:
    """Which genes a variant is scored for, and how."""

    reach: int = 1_000
    """Largest distance in bases between a variant and the body of a gene."""
    skip_bad: bool = False
    """Leave out and count the variants whose REF is not what the genome has; by default refuse."""
    reuse: ReuseConfig | None = None
    """Sizes, memory and cache."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_range(self.reach, "reach", low=0)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class VariantEffects(Result):
    """Effects of alternate alleles, on genes or as such."""

    variants: pl.DataFrame
    """Columns chrom, start (from 0), ref and alt among others, a row an alternate allele."""
    genes: tuple[str, ...]
    """Of `pairs`; empty where the readout is not of genes."""
    outputs: tuple[str, ...]
    """Names of the effects."""
    pairs: Int64[np.ndarray, "pairs 2"]
    """Rows of variant and gene, by variant; the second is -1 where the readout is not of genes."""
    effects: Float32[np.ndarray, "pairs outputs"]
    """Alternate allele against reference allele, as the readout defines it; NaN where it does not
    apply, as the masked log-ratio to insertions and deletions, or a gene that is not there."""
    source: Path | None = None
    """The VCF that the variants are from."""
    names: tuple[str, ...] = ()
    """What people call the genes; as `genes` by default."""
    n_symbolic: int = 0
    """Alternate alleles left out that name no other sequence of A C G T: `*`, `<DEL>`, `.`,
    ambiguous letters, and REF itself."""
    n_unknown: int = 0
    """Alternate alleles left out because the genome has N only in their REF."""
    n_bad: int = 0
    """Alternate alleles left out because their REF is not what the genome has."""
    remarks: PairRemarks = field(default_factory=PairRemarks)
    """Which pairs have no effect, and why."""

    @property
    def n_far(self) -> int:
        """Alternate alleles with no gene within reach."""
        return self.variants.height - len(set(self.pairs[:, 0].tolist()))

    @property
    def table(self) -> pl.DataFrame:
        """Columns chrom, pos, ref, alt, gene, name, output and effect, a row an output.

        `pos` counts from 1, as in VCF; alleles are those of the VCF. `gene` and its `name` are
        there where effects are on genes.
        """
        n_outputs = len(self.outputs)
        rows = self.variants[np.repeat(self.pairs[:, 0], n_outputs)]
        table = rows.select("chrom", (pl.col("start") + 1).alias("pos"), "ref", "alt")
        if self.genes:
            own = np.repeat(self.pairs[:, 1], n_outputs)
            table = table.with_columns(
                gene=pl.Series(self.genes, dtype=pl.String)[own],
                name=pl.Series(self.names or self.genes, dtype=pl.String)[own],
            )
        return table.with_columns(
            pl.Series("output", self.outputs * len(self.pairs), dtype=pl.String),
            pl.Series("effect", self.effects.reshape(-1)),
        )

    def plot(self) -> "Figure":
        """Draw the effects on the first output along the genome."""
        from cisgram.plot.variants import draw_effects

        places = self.variants[self.pairs[:, 0]]
        names = self.names or self.genes
        genes = [names[gene] for gene in self.pairs[:, 1].tolist()] if names else []
        return draw_effects(places, self.effects[:, 0], output=self.outputs[0], genes=genes)

    def write(self, path: Path | str) -> None:
        """Write the table, .parquet or tab-separated; or the VCF again with INFO/CISGRAM."""
        write_effects([self.table], path, source=self.source)


def score_variants(
    model: Session | Model | Path | str,
    variants: Path | str | pl.DataFrame,
    readout: Readout | str | None = None,
    *,
    genes: Sequence[str] | Mapping[str, Interval] | None = None,
    config: VariantConfig | None = None,
) -> VariantEffects:
    """Score alternate alleles, each by itself on the reference.

    With a readout of genes, a gene near a variant is read in the middle of a window with the
    reference and with the alternate allele in its place; `genome.alleles` says what indels move.
    With others, the window has the variant in its middle.

    Args:
        model: a session, a model, or the name of one.
        variants: a VCF or BCF, with people in it or without; or columns chrom, start (from 0), ref
            and alt.
        readout: what is read; by default `gene` where the model and genes allow it, `masked` for
            language models.
        genes: names of genes, or bodies by name; all of the annotation by default.
        config: which genes, and sizes.

    Raises:
        ConfigError: the model has no such readout, or no genome is known.
        DataError: a `ref` is not what the genome has, a file cannot be used, or a gene is unknown.
    """
    session, config = as_session(model), config or VariantConfig()
    chosen = choose_readout(session, readout)
    source = None if isinstance(variants, pl.DataFrame) else Path(variants)
    given = variants if isinstance(variants, pl.DataFrame) else read_sites(Path(variants))
    variants, counts = usable_variants(given, session.reference, skip_bad=config.skip_bad)
    if chosen.of_genes:
        if genes is None:
            genes = session.genes.places
        elif not isinstance(genes, Mapping):
            genes = session.genes.find(genes)
        pairs = near_pairs(session.reference, variants, genes, reach=config.reach)
        effects = score_pairs(
            session, variants, genes=genes, pairs=pairs, readout=chosen, config=config
        )
    else:
        genes = {}
        pairs = np.stack([np.arange(variants.height), np.full(variants.height, -1)], axis=1)
        effects = _without_genes(session, variants, chosen, config)
    return VariantEffects(
        variants=variants,
        genes=tuple(genes),
        names=tuple(session.gene_names(genes)),
        outputs=chosen.outputs,
        pairs=pairs,
        effects=effects,
        source=source,
        remarks=remarks_on(session.reference, variants, genes=genes, pairs=pairs),
        **counts,
    )


def score_pairs(
    session: Session,
    variants: pl.DataFrame,
    *,
    genes: Mapping[str, Interval],
    pairs: Int64[np.ndarray, "pairs 2"],
    readout: Readout,
    config: VariantConfig | None = None,
) -> Float32[np.ndarray, "pairs outputs"]:
    """Return effects of alternate alleles on chosen genes; NaN on a gene that is not there.

    That is one which the variant deletes whole, or which reaches past the ends of its contig.
    `variants` have columns chrom, start (from 0), ref and alt; `genes` are bodies by name, on
    their strands; a pair is a row of a variant and a row of a gene.

    Raises:
        DataError: a `ref` is not what the reference has, or a gene lies on no contig.
    """
    config = config or VariantConfig()
    check_reference(variants, session.reference, max_mismatch=0)
    bodies = list(genes.values())
    effects = np.full((len(pairs), len(readout.outputs)), np.nan, dtype=np.float32)
    deleted, beyond = lost_genes(session.reference, variants, genes=genes, pairs=pairs)
    there = ~(deleted | beyond)
    with progress("scoring variants", int(there.sum())) as ticker:
        for gene in np.unique(pairs[there, 1]).tolist():
            rows = np.flatnonzero(there & (pairs[:, 1] == gene))
            for first in range(0, len(rows), _AT_ONCE):
                part = rows[first : first + _AT_ONCE]
                chosen = list(variants_of(variants[pairs[part, 0]]))
                effects[part] = _on_gene(session, chosen, bodies[gene], readout, config)
                ticker.advance(len(part))
    return effects


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


def _on_gene(
    session: Session,
    variants: list[Variant],
    gene: Interval,
    readout: Readout,
    config: VariantConfig,
) -> Float32[np.ndarray, "variants outputs"]:
    """Return the effects of variants on one gene, whose start stays where it is."""
    reference = session.reference
    window = window_of(gene, session.model, reference, inside=True)
    body = gene.end if gene.strand == "-" else gene.start
    anchor = min(max(body, window.start), window.end)
    tokens = [reference.fetch(window)]
    tokens += [allele_window(reference, window, variant, anchor=anchor) for variant in variants]
    span = np.array(window.locate(gene), dtype=np.int64)
    windows = Windows(np.stack(tokens), np.broadcast_to(span, (len(tokens), 2)))
    kept = readout.read(session.model, windows, species=session.species, config=config.reuse)
    return readout.effect(kept[1:], kept[0])


def _without_genes(
    session: Session, variants: pl.DataFrame, readout: Readout, config: VariantConfig
) -> Float32[np.ndarray, "variants outputs"]:
    if isinstance(readout, MaskedLogRatio):
        ratios = readout.ratios(session.model, session.reference, variants, species=session.species)
        return ratios[:, None]
    effects = np.empty((variants.height, len(readout.outputs)), dtype=np.float32)
    read = partial(readout.read, session.model, species=session.species, config=config.reuse)
    for part in in_batches(range(variants.height), _AT_ONCE, "scoring variants"):
        chosen = list(variants_of(variants[part.start : part.stop]))
        before, after = _both_alleles(session, chosen, readout)
        effects[part.start : part.stop] = readout.effect(read(after), read(before))
    return effects


def _both_alleles(
    session: Session, variants: list[Variant], readout: Readout
) -> tuple[Windows, Windows]:
    """Return windows with the reference and with the alternate alleles in their middle.

    The bases before an allele stay where they are.
    """
    before, after = list[np.ndarray](), list[np.ndarray]()
    spans = list[tuple[int, int]]()
    for variant in variants:
        window = _window_around(session, variant)
        before.append(session.reference.fetch(window))
        after.append(allele_window(session.reference, window, variant, anchor=variant.start))
        # As many bases of both alleles, so that a longer one is not the less likely for it.
        first = variant.start - window.start
        own = (first, first + max(len(variant.ref), len(variant.alt)))
        spans.append(own if readout.of_alleles else (0, window.length))
    bounds = np.array(spans, dtype=np.int64)
    return Windows(np.stack(before), bounds), Windows(np.stack(after), bounds)


def _window_around(session: Session, variant: Variant) -> Interval:
    """Return the window with a variant in its middle, or its start where it is a long one.

    At the end of a contig it lies further right, so that inserted bases are in it.
    """
    model, long = session.model, len(variant.ref) > session.model.window // 2
    place = Interval(variant.chrom, variant.start, variant.start + 1 if long else variant.end)
    window = window_of(place, model, session.reference, inside=True)
    beyond = variant.start + len(variant.alt) - window.end
    start = window.start + min(max(beyond, 0), variant.start - window.start)
    return Interval(window.chrom, start, start + window.length)
