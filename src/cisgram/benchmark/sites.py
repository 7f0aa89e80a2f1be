"""Known sites of regulation in the yeast genome: where they are, and where else they could be.

Contigs are joined one after another, so that a base is one number; a place is a base on a strand.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64, Shaped, UInt8

from cisgram.benchmark.base import Context
from cisgram.benchmark.bound_sites import bound_sites
from cisgram.benchmark.language import HeldOut
from cisgram.explain.motif_files import read_motifs
from cisgram.explain.motifs import Motif
from cisgram.genome.alphabet import N, encode, reverse_complement
from cisgram.genome.genes import Annotation

FACTORS = ("REB1", "ABF1", "RAP1")
JASPAR = ("motifs", "JASPAR2026_CORE_fungi_latest.jaspar.gz")
DONOR, BRANCH, START, TATA = "GTATGT", "TACTAAC", "ATG", "TATAWAWR"
UPSTREAM, AROUND_START, FEWEST_INTRON = 600, 300, 30
_GAP = 64


class Layout:
    """Contigs one after another, N between them."""

    def __init__(self, contigs: Mapping[str, UInt8[np.ndarray, "_"]]) -> None:
        self.contigs = contigs
        self.lengths = {name: len(tokens) for name, tokens in contigs.items()}
        padded = np.array([*self.lengths.values()]) + _GAP
        self.offsets = dict(zip(contigs, np.cumsum([0, *padded[:-1]]).tolist(), strict=True))
        self.size = int(padded.sum())
        """Bases, gaps included; a place on the reverse strand is its leftmost base plus this."""
        self.tokens = self.join(contigs, N)

    def join(
        self, by_contig: Mapping[str, Shaped[np.ndarray, "..."]], fill: float
    ) -> Shaped[np.ndarray, "..."]:
        """Join arrays of contigs; `fill` in gaps and on contigs that have none."""
        first = next(iter(by_contig.values()))
        joined = np.full((self.size, *first.shape[1:]), fill, dtype=first.dtype)
        for name, values in by_contig.items():
            joined[self.offsets[name] : self.offsets[name] + len(values)] = values
        return joined

    def places(self, rows: Iterable[tuple[str, int, bool]]) -> Int64[np.ndarray, "places"]:
        """Number contigs, leftmost bases and reverse strands, in rising order, each once."""
        numbers = {self.offsets[name] + at + self.size * reverse for name, at, reverse in rows}
        return np.array(sorted(numbers), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Element:
    """A kind of site."""

    name: str
    motif: Motif
    known: Int64[np.ndarray, "sites"]
    """Places."""
    usable: Bool[np.ndarray, "places"]
    """Where a match may begin, over both strands."""
    distance: Float32[np.ndarray, "places"]
    """From the landmark along its strand; NaN where there is none."""
    exact: bool
    """Whether background matches must be the same k-mer; else they score alike."""


class CodingGene(NamedTuple):
    """A protein-coding gene of the contigs."""

    chrom: str
    reverse: bool
    first: int
    """First base of the start codon."""
    length: int
    transcript: int | None
    """First base of the transcript, where it is known."""


class _Space:
    """Where sites of a kind may be, and how far from a landmark."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.usable = np.zeros((2, layout.size), dtype=np.bool_)
        self.distance = np.full((2, layout.size), np.nan, dtype=np.float32)

    def mark(
        self, gene: CodingGene, low: int, high: int, *, landmark: int, both: bool = False
    ) -> None:
        """Make bases `low` to `high` of a gene usable; of two landmarks the nearer counts."""
        sign = -1 if gene.reverse else 1
        bases = gene.first + sign * np.arange(low, high)
        bases = bases[(bases >= 0) & (bases < self.layout.lengths[gene.chrom])]
        fresh = (sign * (bases - landmark)).astype(np.float32)
        at = bases + self.layout.offsets[gene.chrom]
        for strand in (0, 1) if both else (int(gene.reverse),):
            self.usable[strand, at] = True
            here = self.distance[strand, at]
            nearer = np.isnan(here) | (np.abs(fresh) < np.abs(here))
            self.distance[strand, at[nearer]] = fresh[nearer]


def yeast_elements(held_out: HeldOut, layout: Layout) -> list[Element]:
    """Return every kind of site with those that are known, outside copies of training DNA.

    No site of a promoter is in a gene.
    """
    context, annotation = held_out.context, held_out.annotation
    without, genic = (layout.join(own, fill=0) for own in (held_out.copied, held_out.genic))
    genes = genes_of(context, layout, annotation)
    introns = introns_of(layout, annotation)
    upstream, starts, inside = (_Space(layout) for _ in range(3))
    for gene in genes:
        upstream.mark(gene, -UPSTREAM, 0, landmark=gene.first, both=True)
        inside.mark(gene, 0, gene.length, landmark=gene.first)
        if gene.transcript is not None:
            starts.mark(gene, -AROUND_START, AROUND_START, landmark=gene.transcript)
    upstream.usable[:, genic] = False
    boxes = _Space(layout)
    for gene in genes:
        boxes.mark(gene, -AROUND_START, 0, landmark=gene.first)
    boxes.usable[:, genic] = False
    found: list[tuple[str, Motif, Int64[np.ndarray, "sites"], _Space]] = []
    jaspar = {motif.name: motif for motif in read_motifs(context.file(*JASPAR))}
    conserved = context.file("motifs", "macisaac_conservedTFBS.gff.gz")
    published = context.file("motifs", "macisaac_yeast.v1.meme")
    for motif in (jaspar[name] for name in FACTORS):
        known = layout.places(
            bound_sites(layout.contigs, motif, gff=conserved, published=published)
        )
        found.append((motif.name, motif, known, upstream))
    for name, letters, rows, space in (
        ("TATA box", TATA, _tata_boxes(context, layout), boxes),
        ("start codon", START, _start_codons(layout, genes), starts),
        ("5' splice site", DONOR, _donors(introns), inside),
        ("branch point", BRANCH, _branch_points(layout, introns), inside),
    ):
        found.append((name, Motif.from_consensus(name, letters), layout.places(rows), space))
    return [
        Element(
            name,
            motif,
            known[~without[known % layout.size]],
            (space.usable & ~without).ravel(),
            space.distance.ravel(),
            exact=name not in FACTORS,
        )
        for name, motif, known, space in found
    ]


def genes_of(context: Context, layout: Layout, annotation: Annotation) -> list[CodingGene]:
    """Return the protein-coding genes of the contigs."""
    starts = pl.read_csv(context.file("tss", "albert_TSS_per_gene.tsv.gz"), separator="\t")
    mapped = starts.filter(pl.col("TSSType") == "5UTR").select("gene", at=pl.col("TSS") - 1)
    table = annotation.genes.filter(
        (pl.col("biotype") == "protein_coding") & pl.col("chrom").is_in(list(layout.lengths))
    ).join(mapped.unique("gene"), on="gene", how="left", maintain_order="left")
    return [
        CodingGene(
            row["chrom"], row["strand"] == "-", row["tss"], row["end"] - row["start"], row["at"]
        )
        for row in table.iter_rows(named=True)
    ]


class Intron(NamedTuple):
    """An intron of a protein-coding gene, 0-based and half-open."""

    chrom: str
    start: int
    end: int
    reverse: bool


def introns_of(layout: Layout, annotation: Annotation) -> list[Intron]:
    """Return the introns of protein-coding genes of the contigs."""
    coding = annotation.genes.filter(
        (pl.col("biotype") == "protein_coding") & pl.col("chrom").is_in(list(layout.lengths))
    )
    between = (
        annotation.exons.join(coding.select("gene"), on="gene", how="semi")
        .sort("transcript", "start")
        .with_columns(after=pl.col("start").shift(-1).over("transcript"))
        .filter(pl.col("after") - pl.col("end") >= FEWEST_INTRON)
    )
    return [
        Intron(chrom, start, end, strand == "-")
        for chrom, start, end, strand in between.select(
            "chrom", "end", "after", "strand"
        ).iter_rows()
    ]


def _start_codons(layout: Layout, genes: Sequence[CodingGene]) -> Iterable[tuple[str, int, bool]]:
    """Yield start codons that are ATG, of genes whose transcript start is known."""
    for gene in genes:
        start = gene.first - 2 if gene.reverse else gene.first
        at = layout.offsets[gene.chrom] + start
        codon = layout.tokens[at : at + 3]
        codon = reverse_complement(codon) if gene.reverse else codon
        if gene.transcript is not None and np.array_equal(codon, encode(START)):
            yield gene.chrom, start, gene.reverse


def _donors(introns: Sequence[Intron]) -> Iterable[tuple[str, int, bool]]:
    """Yield the first bases of introns."""
    for chrom, start, end, reverse in introns:
        yield chrom, end - len(DONOR) if reverse else start, reverse


def _branch_points(layout: Layout, introns: Sequence[Intron]) -> Iterable[tuple[str, int, bool]]:
    """Yield the last exact branch point of each intron that has one."""
    for chrom, start, end, reverse in introns:
        at = layout.offsets[chrom]
        tokens = layout.tokens[at + start : at + end]
        own = reverse_complement(tokens) if reverse else tokens
        views = np.lib.stride_tricks.sliding_window_view(own, len(BRANCH))
        places = np.flatnonzero((views == encode(BRANCH)).all(axis=1))
        if places.size:
            last = int(places[-1])
            yield chrom, end - last - len(BRANCH) if reverse else start + last, reverse


def _tata_boxes(context: Context, layout: Layout) -> Iterable[tuple[str, int, bool]]:
    """Yield TATA boxes under complexes found by ChIP-exo (Rhee and Pugh 2012)."""
    path = context.file("tss", "rhee2012-TATAboxes-cleaned.bed")
    for row in pl.read_csv(path, separator="\t", has_header=False).iter_rows():
        chrom = context.reference.names.resolve(row[0])
        if chrom in layout.lengths:
            yield chrom, row[1], row[5] == "-"
