"""Which patterns repeat where a language model is sure, found without a database.

Between genes, in introns and at first codons, stretches are cut out where the predictions say most,
aligned with one another, and gathered around those with most neighbours. Only then are the patterns
compared with JASPAR (Tomtom) and with known sites.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.language import FLANKS, HeldOut, Maps
from cisgram.benchmark.matched import shares_near
from cisgram.benchmark.seqlets import Pattern, PatternConfig, find_patterns, find_seqlets
from cisgram.benchmark.sites import (
    JASPAR,
    Element,
    Layout,
    genes_of,
    introns_of,
    yeast_elements,
)
from cisgram.explain.backgrounds import nearest_distance, rate_ratio
from cisgram.explain.motif_files import compare_motifs, read_motifs
from cisgram.explain.motifs import Motif
from cisgram.prediction.perplexity import information, relative_information

INTO_GENE = 30
"""Bases of a gene, from its start codon, that are searched with what precedes it."""
DENSITY = 3.0
"""Stretches in 1,000 searched bases; the threshold follows from it."""
TRIMMED = 0.1
"""Bits under which a position at an end of a pattern is cut off."""
MOST_PATTERNS = 10
CONFIG = PatternConfig()


@dataclass(frozen=True, eq=False)
class _Ground:
    """Where stretches are looked for, and what they are compared with."""

    layout: Layout
    searched: Bool[np.ndarray, "bases"]
    n_bases: tuple[int, int]
    """Searched, of real and of shuffled DNA."""
    elements: list[Element]
    jaspar: tuple[Motif, ...]


@evaluation(
    "yeast-patterns",
    suite="yeast",
    title="Which patterns repeat where a language model is sure of masked bases, and are they "
    "motifs?",
    needs="language",
)
def yeast_patterns(context: Context, rows: Rows) -> None:
    """Gather stretches of real and shuffled DNA into patterns, for models and k-mer counts."""
    held_out = HeldOut(context)
    layout = Layout(held_out.tokens)
    without, genic = (layout.join(own, fill=0) for own in (held_out.copied, held_out.genic))
    searched = _searched(context, held_out, layout, genic) & ~without
    first = layout.offsets[held_out.shortest]
    shuffled = searched[first : first + layout.lengths[held_out.shortest]]
    ground = _Ground(
        layout,
        searched,
        (int(searched.sum()), int(shuffled.sum())),
        yeast_elements(held_out, layout),
        read_motifs(context.file(*JASPAR)),
    )
    counted = {FLANKS: held_out.counted[FLANKS]}
    for name, maps in (held_out.models | counted).items():
        _add_source(ground, maps, held_out.shuffled[name], partial(rows.add, name))


def _searched(
    context: Context, held_out: HeldOut, layout: Layout, genic: Bool[np.ndarray, "bases"]
) -> Bool[np.ndarray, "bases"]:
    """Mark the bases between genes, in introns, and at the first codons of genes."""
    searched = layout.join({name: np.ones(n, np.bool_) for name, n in layout.lengths.items()}, 0)
    searched &= ~genic
    for intron in introns_of(layout, held_out.annotation):
        at = layout.offsets[intron.chrom]
        searched[at + intron.start : at + intron.end] = True
    for gene in genes_of(context, layout, held_out.annotation):
        low = gene.first - INTO_GENE + 1 if gene.reverse else gene.first
        at = layout.offsets[gene.chrom]
        searched[at + max(low, 0) : at + low + INTO_GENE] = True
    return searched


def _add_source(ground: _Ground, maps: Maps, shuffled: Maps, add: Callable[..., None]) -> None:
    """Add how many stretches there are, and the patterns that they make."""
    real = ground.layout.join(maps, fill=np.nan)
    mixed = ground.layout.join(shuffled, fill=np.nan)
    mean = real[ground.searched].mean(axis=0, dtype=np.float64)
    background = (mean + mean[::-1]) / 2
    score = relative_information(real, background)
    threshold = _threshold(score, ground)
    starts = _seqlets(score, ground, threshold)
    of_shuffled = _seqlets(relative_information(mixed, background), ground, threshold)
    add("threshold, bits", threshold, subset="stretches")
    _density(ground, (len(starts), len(of_shuffled)), partial(add, subset="stretches"))
    both = ((real, starts), (mixed, of_shuffled))
    stretches = [p[at : at + CONFIG.width] for p, own in both for at in own]
    found = find_patterns(np.array(stretches), background, config=CONFIG)[:MOST_PATTERNS]
    trimmed = [_trim(pattern.probabilities) for pattern in found]
    if not found:
        return
    p_values = compare_motifs([p for p, _ in trimmed], ground.jaspar).p_value
    for pattern, (p, skipped), likeness in zip(found, trimmed, p_values, strict=True):
        here = partial(add, subset=_letters(p))
        is_real = pattern.members < len(starts)
        n, best = int(is_real.sum()), int(likeness.argmin())
        _density(ground, (n, len(is_real) - n), here)
        here("bits", float(information(p).sum()), n=n)
        p_value = min(1.0, float(likeness[best]) * len(ground.jaspar))
        here("Tomtom p, corrected", p_value, output=ground.jaspar[best].name, n=n)
        middles = _middles(pattern, is_real, starts, skipped + len(p) / 2)
        for element in ground.elements:
            _on_known(ground, element, middles, partial(here, output=element.name))


def _seqlets(
    score: Float[np.ndarray, "bases"], ground: _Ground, threshold: float
) -> Int64[np.ndarray, "seqlets"]:
    return find_seqlets(score, ground.searched, threshold=threshold, config=CONFIG)


def _threshold(score: Float[np.ndarray, "bases"], ground: _Ground) -> float:
    """Return the information above which there are `DENSITY` stretches in 1,000 bases."""
    low, high = 0.0, 2.0
    for _ in range(12):
        middle = (low + high) / 2
        many = len(_seqlets(score, ground, middle)) > ground.n_bases[0] * DENSITY / 1000
        low, high = (middle, high) if many else (low, middle)
    return high


def _density(ground: _Ground, n: tuple[int, int], add: Callable[..., None]) -> None:
    """Add how many stretches there are, and how much rarer they are in shuffled DNA."""
    (real, mixed), (size, size_mixed) = n, ground.n_bases
    add("stretches", float(real), n=size)
    if real:
        ratio = rate_ratio(mixed, size_mixed, n_background=real, size_background=size)
        add("shuffled over real density", ratio, n=mixed)


def _middles(
    pattern: Pattern,
    is_real: Bool[np.ndarray, "members"],
    starts: Int64[np.ndarray, "seqlets"],
    middle: float,
) -> Int64[np.ndarray, "real"]:
    """Return the base on which the middle of the trimmed pattern lies, of each real member."""
    shift, width = pattern.shift[is_real], len(pattern.probabilities)
    turned = pattern.reverse[is_real]
    offset = np.where(turned, width - (middle - shift), middle - shift)
    return (starts[pattern.members[is_real]] + offset).astype(np.int64)


def _on_known(
    ground: _Ground,
    element: Element,
    middles: Int64[np.ndarray, "members"],
    add: Callable[..., None],
) -> None:
    """Add the share of members on known sites of an element, and the share by chance."""
    size = ground.layout.size
    known = np.unique(element.known % size) + element.motif.width / 2
    near = max(element.motif.width / 2, 4)
    places = np.where(element.usable[middles], middles, middles + size)
    places = places[element.usable[places] & ~np.isnan(element.distance[places])]
    if (nearest_distance(places % size, known) <= near).any():
        shares = shares_near(element, ground.layout, places, known=known, within=near)
        for chance, share in shares.items():
            add(f"on known sites{chance}", share, n=len(places))


def _trim(p: Float64[np.ndarray, "width 4"]) -> tuple[Float64[np.ndarray, "trimmed 4"], int]:
    """Cut off ends that say little, but keep five positions; and say how many in front."""
    strong = np.flatnonzero(information(p) >= TRIMMED)
    if not strong.size:
        return p, 0
    low, high = int(strong[0]), int(strong[-1]) + 1
    low = max(low - (max(5 - (high - low), 0) + 1) // 2, 0)
    return p[low : min(max(high, low + 5), len(p))], low


def _letters(p: Float64[np.ndarray, "width 4"]) -> str:
    """Write the likeliest base of each position, small where it is not twice the next."""
    ordered = np.sort(p, axis=1)
    sure = ordered[:, -1] >= 2 * ordered[:, -2]
    return "".join(
        "ACGT"[base] if clear else "acgt"[base]
        for base, clear in zip(p.argmax(axis=1), sure, strict=True)
    )
