"""What benchmarks/lm_motifs.py looks for, and what it is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lm_motif_sites import (
    AROUND_START,
    UPSTREAM,
    Genome,
    Sites,
    branch_points,
    factor_sites,
    splice_donors,
    start_codons,
    tata_boxes,
)

from cisgram.explain.motif_files import read_motifs
from cisgram.explain.motifs import Motif, both_strands
from cisgram.genome.alphabet import one_hot
from cisgram.genome.reference import Reference

Place = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
"""Usable places and distances, as `Element` has them."""

FACTORS = ("REB1", "ABF1", "RAP1")
DONOR, BRANCH, START, TATA = "GTATGT", "TACTAAC", "ATG", "TATAWAWR"


@dataclass(frozen=True)
class Element:
    """A kind of site."""

    name: str
    motif: Motif
    known: Sites
    usable: dict[str, np.ndarray]
    """(2, bases) by chromosome: where a match may begin, forward and reverse strand."""
    distance: dict[str, np.ndarray]
    """(2, bases): from the landmark along the strand; NaN where there is none."""
    landmark: str
    exact: bool
    """Whether background matches must be the same word; else they score alike."""
    truth: str
    n_listed: int
    """Sites before those were dropped that could not be placed or lie in copies."""


class Layout:
    """Chromosomes one after the other, so that a place is one number."""

    def __init__(self, tokens: Mapping[str, np.ndarray]) -> None:
        self.chromosomes = tuple(tokens)
        lengths = [len(contig) for contig in tokens.values()]
        self.offsets = dict(zip(tokens, np.cumsum([0, *lengths[:-1]]).tolist(), strict=True))
        self.total = sum(lengths)

    def join(self, by_chrom: Mapping[str, np.ndarray], fill: float) -> np.ndarray:
        """Join (2, bases) arrays; `fill` on chromosomes that have none."""
        joined = np.full((2, self.total), fill, dtype=next(iter(by_chrom.values())).dtype)
        for chrom, values in by_chrom.items():
            first = self.offsets[chrom]
            joined[:, first : first + values.shape[1]] = values
        return joined.ravel()

    def places(self, sites: Sites) -> np.ndarray:
        """Number the sites."""
        firsts = np.array([self.offsets[chrom] for chrom in sites.chrom], dtype=np.int64)
        return firsts + sites.start + self.total * sites.reverse

    def on(self, places: np.ndarray, chromosomes: Sequence[str], lengths: Mapping) -> np.ndarray:
        """Say which places lie on some chromosomes."""
        at = places % self.total
        return np.any(
            [
                (at >= self.offsets[name]) & (at < self.offsets[name] + len(lengths[name]))
                for name in chromosomes
            ],
            axis=0,
        )


def elements(reference: Reference, genome: Genome, data: Path) -> list[Element]:
    """Return every kind of site with the ones that are known."""
    jaspar = {
        motif.name: motif
        for motif in read_motifs(data / "motifs" / "JASPAR2026_CORE_fungi_latest.jaspar.gz")
    }
    upstream = _upstream(genome, UPSTREAM, both=True)
    found = []
    for factor in FACTORS:
        motif = jaspar[factor]
        sites, listed = factor_sites(
            reference,
            genome,
            data / "motifs" / "macisaac_conservedTFBS.gff.gz",
            data / "motifs" / "macisaac_yeast.v1.meme",
            motif=motif,
        )
        sites, place = _without_copies(genome, sites, upstream)
        truth = "bound in ChIP-chip and conserved (MacIsaac 2006)"
        found.append(
            Element(
                factor, motif, sites, *place, "start codon", exact=False, truth=truth,
                n_listed=listed,
            )
        )  # fmt: skip
    words = {
        "TATA box": (TATA, tata_boxes(genome, data / "tss" / "rhee2012-TATAboxes-cleaned.bed"),
                     _upstream(genome, AROUND_START, both=False), "start codon",
                     "TATA boxes of ChIP-exo complexes (Rhee and Pugh 2012)"),
        "start codon": (START, start_codons(genome), _around_starts(genome), "transcript start",
                        "annotated start codons of genes with a mapped transcript start"),
        "5' splice site": (DONOR, splice_donors(genome, len(DONOR)), _inside(genome),
                           "start codon", "annotated introns"),
        "branch point": (BRANCH, branch_points(genome, BRANCH), _inside(genome), "start codon",
                         "last TACTAAC of annotated introns"),
    }  # fmt: skip
    for name, (word, sites, place, landmark, truth) in words.items():
        motif, listed = Motif.from_consensus(name, word), len(sites)
        sites, place = _without_copies(genome, sites, place)
        found.append(
            Element(
                name, motif, sites, *place, landmark, exact=True, truth=truth,
                n_listed=listed,
            )
        )  # fmt: skip
    return found


def _without_copies(genome: Genome, sites: Sites, place: Place) -> tuple[Sites, Place]:
    """Leave out what the training chromosomes hold too."""
    usable = {chrom: own & ~genome.copied[chrom] for chrom, own in place[0].items()}
    rows = zip(sites.chrom, sites.start.tolist(), sites.reverse.tolist(), strict=True)
    kept = [row for row in rows if not genome.copied[row[0]][row[1]]]
    return Sites.of(kept), (usable, place[1])


def scores(element: Element, maps: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return log2 odds of the element's motif at every place, from predictions."""
    return {
        chrom: both_strands(element.motif, p, _background(p)).astype(np.float32)
        for chrom, p in maps.items()
    }


def sequence_scores(element: Element, tokens: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return log2 odds of the element's motif at every place, from the sequence itself."""
    return scores(element, {chrom: one_hot(t, np.float32) for chrom, t in tokens.items()})


def _background(p: np.ndarray) -> np.ndarray:
    mean = np.nanmean(p, axis=0, dtype=np.float64)
    return (mean + mean[::-1]) / (2 * mean.sum())


def _empty(genome: Genome) -> Place:
    usable = {chrom: np.zeros((2, len(t)), dtype=bool) for chrom, t in genome.tokens.items()}
    distance = {
        chrom: np.full((2, len(t)), np.nan, dtype=np.float32) for chrom, t in genome.tokens.items()
    }
    return usable, distance


def _mark(place: Place, chrom: str, strands: Sequence[int], start: int, values: np.ndarray) -> None:
    """Make a stretch usable; where it was already, the nearer landmark counts."""
    usable, distance = place
    skipped = max(-start, 0)
    end = min(start + len(values), usable[chrom].shape[1])
    for strand in strands:
        usable[chrom][strand, start + skipped : end] = True
        here = distance[chrom][strand, start + skipped : end]
        fresh = values[skipped : skipped + len(here)].astype(np.float32)
        nearer = np.isnan(here) | (np.abs(fresh) < np.abs(here))
        here[nearer] = fresh[nearer]


def _upstream(genome: Genome, size: int, *, both: bool) -> Place:
    place = _empty(genome)
    for chrom, tss, strand in genome.genes.select("chrom", "tss", "strand").iter_rows():
        minus = strand == "-"
        distances = np.arange(1, size + 1) if minus else np.arange(size, 0, -1)
        strands = (0, 1) if both else (int(minus),)
        _mark(place, chrom, strands, tss + 1 if minus else tss - size, -distances)
    for chrom, genic in genome.genic.items():
        place[0][chrom][:, genic] = False
    return place


def _around_starts(genome: Genome) -> Place:
    place = _empty(genome)
    columns = genome.genes.drop_nulls("transcript_start").select(
        "chrom", "tss", "strand", "transcript_start"
    )
    for chrom, tss, strand, transcript in columns.iter_rows():
        start = tss - AROUND_START
        positions = np.arange(start, tss + AROUND_START)
        minus = strand == "-"
        values = transcript - 2 - positions if minus else positions - transcript
        _mark(place, chrom, (int(minus),), start, values)
    return place


def _inside(genome: Genome) -> Place:
    place = _empty(genome)
    for chrom, start, end, strand in genome.genes.select(
        "chrom", "start", "end", "strand"
    ).iter_rows():
        minus = strand == "-"
        values = np.arange(end - start)
        _mark(place, chrom, (int(minus),), start, values[::-1] if minus else values)
    return place
