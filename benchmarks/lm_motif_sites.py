"""Where sites are known in the yeast genome, for benchmarks/lm_motifs.py."""

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cisgram.explain.motif_files import read_motifs
from cisgram.explain.motifs import Motif, both_strands, score_threshold
from cisgram.genome.alphabet import encode, one_hot, reverse_complement
from cisgram.genome.genes import read_genes
from cisgram.genome.reference import Reference

UPSTREAM = 600
"""Bases before a start codon that are taken for its promoter, genes left out."""
AROUND_START = 300
COPY = 24
"""Bases of a word that makes a stretch a copy of training sequence."""
FEWEST_INTRON = 30
ANCHORS = ("ABF1", "REB1", "RAP1", "CBF1", "GCN4", "MBP1", "UME6", "MCM1", "HAP1", "TEC1")
"""Factors whose motifs are sharp enough to find old coordinates in a newer assembly."""
FARTHEST, STEP_COST, NEAR = 1500, 30.0, 6


@dataclass(frozen=True)
class Sites:
    """Places of a motif: leftmost base, and whether it reads on the reverse strand."""

    chrom: np.ndarray
    start: np.ndarray
    reverse: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[tuple[str, int, bool]]) -> "Sites":
        """Make them of rows, each once."""
        ordered = sorted(set(rows))
        columns = list(zip(*ordered, strict=True)) or [(), (), ()]
        return cls(
            np.array(columns[0], dtype=object),
            np.array(columns[1], dtype=np.int64),
            np.array(columns[2], dtype=bool),
        )

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class Genome:
    """The evaluated chromosomes and what lies on them."""

    tokens: dict[str, np.ndarray]
    genes: pl.DataFrame
    """Protein-coding genes: gene, name, chrom, start, end, strand, tss (first base of the start
    codon) and transcript_start (first base of the transcript, null where not known)."""
    introns: pl.DataFrame
    """gene, chrom, start, end, strand."""
    genic: dict[str, np.ndarray]
    """Bases in a gene of any kind."""
    copied: dict[str, np.ndarray]
    """Bases in a word that the training chromosomes of this genome hold too."""


def read_genome(
    reference: Reference,
    gff: Path,
    tss: Path,
    *,
    chromosomes: Sequence[str],
    training: Sequence[np.ndarray],
) -> Genome:
    """Read genes, introns and transcript starts of the chromosomes."""
    tokens = {
        reference.names.require(name, reference.name): np.array(reference.contig(name))
        for name in chromosomes
    }
    annotation = read_genes(gff)
    starts = pl.read_csv(tss, separator="\t", null_values="").filter(pl.col("TSSType") == "5UTR")
    renamed = {name: reference.names.resolve(name) for name in annotation.genes["chrom"].unique()}
    every = annotation.genes.with_columns(pl.col("chrom").replace_strict(renamed)).filter(
        pl.col("chrom").is_in(list(tokens))
    )
    genes = (
        every.filter(pl.col("biotype") == "protein_coding")
        .join(
            starts.select("gene", transcript_start=pl.col("TSS") - 1).unique("gene"),
            on="gene",
            how="left",
            maintain_order="left",
        )
        .sort("chrom", "start")
    )
    genic = {name: np.zeros(len(contig), dtype=bool) for name, contig in tokens.items()}
    for chrom, start, end in every.select("chrom", "start", "end").iter_rows():
        genic[chrom][start:end] = True
    return Genome(
        tokens, genes, _introns(annotation.exons, genes), genic, _copied(tokens, training)
    )


def _copied(tokens: dict[str, np.ndarray], training: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Mark every base of a word of `COPY` bases that stands on a training chromosome."""
    known = np.sort(
        np.concatenate(
            [_keys(own) for contig in training for own in (contig, reverse_complement(contig))]
        )
    )
    found = {}
    for chrom, contig in tokens.items():
        keys = _keys(contig)
        hit = known[np.searchsorted(known, keys).clip(0, len(known) - 1)] == keys
        depth = np.convolve(hit, np.ones(COPY, dtype=np.int32))
        found[chrom] = depth > 0
    return found


def _keys(tokens: np.ndarray) -> np.ndarray:
    """Number the words of `COPY` bases; the genome has no N."""
    keys = np.zeros(len(tokens) - COPY + 1, dtype=np.int64)
    for i in range(COPY):
        keys = keys * 4 + (tokens[i : i + len(keys)] & 3)
    return keys


def _introns(exons: pl.DataFrame, genes: pl.DataFrame) -> pl.DataFrame:
    between = (
        exons.filter(pl.col("gene").is_in(genes["gene"].to_list()))
        .sort("transcript", "start")
        .with_columns(after=pl.col("start").shift(-1).over("transcript"))
        .filter(pl.col("after") - pl.col("end") >= FEWEST_INTRON)
    )
    return between.select("gene", start="end", end="after").join(
        genes.select("gene", "chrom", "strand"), on="gene", maintain_order="left"
    )


def word_sites(genome: Genome, word: str) -> Sites:
    """Return every occurrence of a word on either strand."""
    rows = []
    for chrom, tokens in genome.tokens.items():
        for reverse in (False, True):
            letters = encode(word)
            letters = reverse_complement(letters) if reverse else letters
            views = np.lib.stride_tricks.sliding_window_view(tokens, len(letters))
            found = np.flatnonzero((views == letters).all(axis=1))
            rows += [(chrom, int(start), reverse) for start in found]
    return Sites.of(rows)


def start_codons(genome: Genome) -> Sites:
    """Return annotated start codons that are ATG, of genes whose transcript start is known."""
    rows = []
    for chrom, tss, strand, known in genome.genes.select(
        "chrom", "tss", "strand", "transcript_start"
    ).iter_rows():
        reverse = strand == "-"
        start = tss - 2 if reverse else tss
        word = genome.tokens[chrom][start : start + 3]
        word = reverse_complement(word) if reverse else word
        if known is not None and word.tolist() == [0, 3, 2]:
            rows.append((chrom, start, reverse))
    return Sites.of(rows)


def splice_donors(genome: Genome, width: int) -> Sites:
    """Return the first bases of annotated introns."""
    return Sites.of(
        (chrom, end - width if strand == "-" else start, strand == "-")
        for chrom, start, end, strand in genome.introns.select(
            "chrom", "start", "end", "strand"
        ).iter_rows()
    )


def branch_points(genome: Genome, word: str) -> Sites:
    """Return the last exact word in each annotated intron that has one."""
    everywhere = word_sites(genome, word)
    rows = []
    for chrom, start, end, strand in genome.introns.select(
        "chrom", "start", "end", "strand"
    ).iter_rows():
        reverse = strand == "-"
        inside = (
            (everywhere.chrom == chrom)
            & (everywhere.reverse == reverse)
            & (everywhere.start >= start)
            & (everywhere.start + len(word) <= end)
        )
        places = everywhere.start[inside]
        if len(places):
            rows.append((chrom, int(places.min() if reverse else places.max()), reverse))
    return Sites.of(rows)


def tata_boxes(genome: Genome, bed: Path) -> Sites:
    """Return the TATA boxes of Rhee and Pugh (2012)."""
    table = pl.read_csv(bed, separator="\t", has_header=False)
    return Sites.of(
        (row[0], row[1], row[5] == "-") for row in table.iter_rows() if row[0] in genome.tokens
    )


@dataclass(frozen=True)
class OldSite:
    """A line of the conserved sites, in the coordinates of 2005."""

    factor: str
    start: int
    end: int
    reverse: bool


def factor_sites(
    reference: Reference, genome: Genome, gff: Path, meme: Path, *, motif: Motif
) -> tuple[Sites, int]:
    """Return the conserved bound sites of MacIsaac et al. (2006), in today's coordinates.

    The file counts bases of an assembly of 2005. Where these have moved to is found from the
    sequence alone: along a chromosome the shift is constant but for few steps, under which the
    published motifs of sharp factors match best. A site is then put where the given motif fits
    best within a few bases, and dropped where it does not fit at all.

    Returns:
        the sites, and how many there were before any was dropped.
    """
    published = {published.name: published for published in read_motifs(meme)}
    rows, total = [], 0
    for chrom, sites in _old_sites(reference, genome, gff).items():
        tokens = genome.tokens[chrom]
        background = np.bincount(tokens, minlength=5)[:4] / len(tokens)
        known = [site for site in sites if site.factor == motif.name]
        total += len(known)
        shifts = _shifts(tokens, sites, published)
        least = score_threshold(motif, 1e-3, background=background)
        for site in known:
            middle = (site.start + site.end - motif.width) // 2 + shifts[site.start]
            low = max(middle - NEAR, 0)
            piece = one_hot(tokens[low : middle + NEAR + motif.width + 1], np.float64)
            scores = both_strands(motif, piece, background)[:, : 2 * NEAR + 1]
            strand, place = np.unravel_index(int(scores.argmax()), scores.shape)
            if scores[strand, place] >= least:
                rows.append((chrom, low + int(place), bool(strand)))
    return Sites.of(rows), total


def _old_sites(reference: Reference, genome: Genome, gff: Path) -> dict[str, list[OldSite]]:
    found: dict[str, list[OldSite]] = {chrom: [] for chrom in genome.tokens}
    with gzip.open(gff, "rt") as stream:
        for line in stream:
            fields = line.rstrip("\n").split("\t")
            chrom = reference.names.require(fields[0], reference.name)
            if chrom in found:
                factor = fields[8].split()[1].strip(";")
                # The strand of the file is the opposite of the published motif's.
                found[chrom].append(
                    OldSite(factor, int(fields[3]) - 1, int(fields[4]), fields[6] == "+")
                )
    return {chrom: sorted(sites, key=lambda site: site.start) for chrom, sites in found.items()}


def _shifts(
    tokens: np.ndarray, sites: Sequence[OldSite], published: dict[str, Motif]
) -> dict[int, int]:
    """Return the shift of each site's start, by dynamic programming along the chromosome."""
    anchors = [site for site in sites if site.factor in ANCHORS]
    fits = np.array([_fit_at_shifts(tokens, site, published[site.factor]) for site in anchors])
    best, came = fits[0], np.zeros(fits.shape, dtype=np.int64)
    shifts = np.arange(fits.shape[1])
    for i in range(1, len(anchors)):
        jump = int(best.argmax())
        came[i] = np.where(best >= best[jump] - STEP_COST, shifts, jump)
        best = np.maximum(best, best[jump] - STEP_COST) + fits[i]
    path = [int(best.argmax())]
    for i in range(len(anchors) - 1, 0, -1):
        path.append(int(came[i, path[-1]]))
    places = np.array([anchor.start for anchor in anchors])
    at_anchor = np.array(path[::-1]) - FARTHEST
    return {site.start: int(at_anchor[np.abs(places - site.start).argmin()]) for site in sites}


def _fit_at_shifts(tokens: np.ndarray, site: OldSite, motif: Motif) -> np.ndarray:
    """Return how well the motif fits at each shift, one base of slack, between -4 and 10 bits."""
    slack = 1 + abs(site.end - site.start - motif.width)
    first = (site.start + site.end - motif.width) // 2 - FARTHEST - slack
    n = 2 * (FARTHEST + slack) + 1
    places = np.arange(first, first + n + motif.width - 1)
    inside = (places >= 0) & (places < len(tokens))
    letters = np.where(inside, tokens[places.clip(0, len(tokens) - 1)], 4).astype(np.uint8)
    scores = both_strands(motif, one_hot(letters, np.float64))[int(site.reverse)][:n]
    scores = np.lib.stride_tricks.sliding_window_view(scores, 2 * slack + 1).max(axis=1)
    return scores.clip(-4, 10)
