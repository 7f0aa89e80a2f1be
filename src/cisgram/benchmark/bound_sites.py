"""Sites bound in ChIP-chip and conserved (MacIsaac et al. 2006), on today's assembly.

The published file counts bases of an assembly of 2005. Where these have moved to is found from the
sequence alone: along a chromosome the shift is constant but for few steps, under which the
published motifs of sharp factors match best. A site is then put where a motif fits best within a
few bases, and left out where it does not fit.
"""

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8

from cisgram.explain.motif_files import read_motifs
from cisgram.explain.motifs import Motif, base_frequencies, both_strands, score_threshold
from cisgram.genome.alphabet import N, one_hot
from cisgram.genome.chromosomes import ChromosomeNames

ANCHORS = ("ABF1", "REB1", "RAP1", "CBF1", "GCN4", "MBP1", "UME6", "MCM1", "HAP1", "TEC1")
"""Factors whose motifs are sharp enough to find old coordinates in a newer assembly."""
FARTHEST = 1_500
"""Largest shift between the assemblies, in bases."""
STEP_COST = 30.0
"""Bits that a step of the shift must gain."""
NEAR = 6
"""Bases around a shifted site in which the motif is put."""
FIT = 1e-3
"""Largest p-value of a motif where its site is."""


class _OldSite(NamedTuple):
    start: int
    end: int
    reverse: bool
    factor: str


def bound_sites(
    contigs: Mapping[str, UInt8[np.ndarray, "_"]], motif: Motif, *, gff: Path, published: Path
) -> Iterator[tuple[str, int, bool]]:
    """Yield contig, leftmost base and whether it is on the reverse strand, of a factor's sites.

    Args:
        contigs: tokens of chromosomes.
        motif: of the factor, called as in the files; sites are where it fits best.
        gff: the conserved sites.
        published: MEME file of the motifs that these were found by.
    """
    named = {own.name: own for own in read_motifs(published)}
    for chrom, sites in _old_sites(contigs, gff).items():
        tokens = contigs[chrom]
        own = [site for site in sites if site.factor == motif.name]
        anchors = [site for site in sites if site.factor in ANCHORS and site.factor in named]
        if not own or not anchors:
            continue
        background = base_frequencies(tokens)
        least = score_threshold(motif, FIT, background=background)
        fits = [_fit_at_shifts(tokens, site, named[site.factor]) for site in anchors]
        at_anchor, places = _shifts(np.array(fits)), np.array([site.start for site in anchors])
        for site in own:
            shift = int(at_anchor[np.abs(places - site.start).argmin()])
            low = max((site.start + site.end - motif.width) // 2 + shift - NEAR, 0)
            piece = one_hot(tokens[low : low + 2 * NEAR + motif.width], np.float64)
            scores = both_strands(motif, piece, background)[:, : 2 * NEAR + 1]
            strand, place = np.unravel_index(int(scores.argmax()), scores.shape)
            if scores[strand, place] >= least:
                yield chrom, low + int(place), bool(strand)


def _old_sites(
    contigs: Mapping[str, UInt8[np.ndarray, "_"]], gff: Path
) -> dict[str, list[_OldSite]]:
    names = ChromosomeNames(contigs)
    found: dict[str, list[_OldSite]] = {chrom: [] for chrom in contigs}
    with gzip.open(gff, "rt") as stream:
        for line in stream:
            fields = line.rstrip("\n").split("\t")
            chrom = names.resolve(fields[0])
            if chrom is not None:
                factor = fields[8].split()[1].strip(";")
                # The strand of the file is the opposite of the published motif's.
                site = _OldSite(int(fields[3]) - 1, int(fields[4]), fields[6] == "+", factor)
                found[chrom].append(site)
    return {chrom: sorted(sites) for chrom, sites in found.items()}


def _shifts(fits: Float64[np.ndarray, "anchors shifts"]) -> list[int]:
    """Return the shift of each anchor, by dynamic programming along the chromosome."""
    best, came = fits[0], np.zeros(fits.shape, dtype=np.int64)
    numbers = np.arange(fits.shape[1])
    for i in range(1, len(fits)):
        jump = int(best.argmax())
        came[i] = np.where(best >= best[jump] - STEP_COST, numbers, jump)
        best = np.maximum(best, best[jump] - STEP_COST) + fits[i]
    path = [int(best.argmax())]
    for i in range(len(fits) - 1, 0, -1):
        path.append(int(came[i, path[-1]]))
    return [number - FARTHEST for number in path[::-1]]


def _fit_at_shifts(
    tokens: UInt8[np.ndarray, "bases"], site: _OldSite, motif: Motif
) -> Float64[np.ndarray, "shifts"]:
    """Return how well the motif fits at each shift, between -4 and 10 bits."""
    slack = 1 + abs(site.end - site.start - motif.width)
    first = (site.start + site.end - motif.width) // 2 - FARTHEST - slack
    n = 2 * (FARTHEST + slack) + 1
    places = np.arange(first, first + n + motif.width - 1)
    inside = (places >= 0) & (places < len(tokens))
    letters = np.where(inside, tokens[places.clip(0, len(tokens) - 1)], N).astype(np.uint8)
    scores = both_strands(motif, one_hot(letters, np.float64))[int(site.reverse)][:n]
    windows = np.lib.stride_tricks.sliding_window_view(scores, 2 * slack + 1)
    return windows.max(axis=1).clip(-4, 10)
