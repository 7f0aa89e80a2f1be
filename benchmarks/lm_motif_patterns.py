"""Patterns found de novo in predictions, and logos of promoters, for benchmarks/lm_motifs.py."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lm_motif_elements import Element, Layout
from lm_motif_maps import SEED, Maps
from lm_motif_sites import UPSTREAM, Genome

from cisgram.benchmark.seqlets import Pattern, PatternConfig, find_patterns, find_seqlets
from cisgram.core.metrics import Estimate
from cisgram.explain.backgrounds import matched, nearest_distance, rate_ratio, share_ratio
from cisgram.explain.motif_files import compare_motifs
from cisgram.explain.motifs import Motif
from cisgram.genome.alphabet import decode, reverse_complement
from cisgram.prediction.maps import information, relative_information

INTO_GENE = 30
"""Bases of a gene, from its start codon, that are searched with what precedes it."""
DENSITY = 3.0
"""Stretches in 1,000 searched bases of real sequence; the threshold follows from it."""
TRIMMED = 0.1
"""Bits under which a position at an end of a pattern is cut off."""
MATCH_P = 0.01
N_CHANCE = 20


def searched(genome: Genome) -> dict[str, np.ndarray]:
    """Return the bases between genes, in introns, and at the first codons of genes."""
    found = {chrom: ~genic for chrom, genic in genome.genic.items()}
    for chrom, start, end in genome.introns.select("chrom", "start", "end").iter_rows():
        found[chrom][start:end] = True
    for chrom, tss, strand in genome.genes.select("chrom", "tss", "strand").iter_rows():
        low = tss - INTO_GENE + 1 if strand == "-" else tss
        found[chrom][max(low, 0) : low + INTO_GENE] = True
    return {chrom: own & ~genome.copied[chrom] for chrom, own in found.items()}


def patterns(
    genome: Genome,
    elements: Sequence[Element],
    jaspar: Sequence[Motif],
    *,
    real: Maps,
    shuffled: Maps,
) -> dict[str, Any]:
    """Gather stretches of high information of real and shuffled chromosomes into patterns."""
    config, usable = PatternConfig(), searched(genome)
    background = _mean(real, usable)
    bases = sum(int(usable[chrom].sum()) for chrom in real)
    scores = {chrom: relative_information(p, background) for chrom, p in real.items()}
    threshold = _threshold(scores, usable, n=round(bases * DENSITY / 1000), config=config)
    layout = Layout(genome.tokens)
    stretches, places, is_real = [], [], []
    for maps, truth in ((real, True), (shuffled, False)):
        for chrom, p in maps.items():
            score = scores[chrom] if truth else relative_information(p, background)
            starts = find_seqlets(score, usable[chrom], threshold=threshold, config=config)
            stretches += [p[start : start + config.width] for start in starts]
            places += (layout.offsets[chrom] + starts).tolist()
            is_real += [truth] * len(starts)
    found = find_patterns(np.array(stretches), background, config=config)
    sizes = (bases, sum(int(usable[chrom].sum()) for chrom in shuffled))
    at, truth = np.array(places), np.array(is_real)
    return {
        "n_bases": sizes[0],
        "n_bases_shuffled": sizes[1],
        "threshold_bits": threshold,
        "n_stretches": int(truth.sum()),
        "n_stretches_shuffled": int((~truth).sum()),
        "density_over_shuffled": _finite(
            rate_ratio(
                int(truth.sum()),
                sizes[0],
                n_background=int((~truth).sum()),
                size_background=sizes[1],
            )
        ),
        "patterns": _described(
            found, elements, jaspar, at=at, truth=truth, sizes=sizes, layout=layout
        ),
    }


def _mean(maps: Maps, usable: Mapping[str, np.ndarray]) -> np.ndarray:
    mean = np.mean(
        [p[usable[chrom]].mean(axis=0, dtype=np.float64) for chrom, p in maps.items()], 0
    )
    return (mean + mean[::-1]) / 2


def _threshold(
    scores: Mapping[str, np.ndarray],
    usable: Mapping[str, np.ndarray],
    *,
    n: int,
    config: PatternConfig,
) -> float:
    """Return the information above which there are `n` stretches."""
    low, high = 0.0, 2.0
    for _ in range(12):
        middle = (low + high) / 2
        count = sum(
            len(find_seqlets(score, usable[chrom], threshold=middle, config=config))
            for chrom, score in scores.items()
        )
        low, high = (middle, high) if count > n else (low, middle)
    return high


def _described(
    found: Sequence[Pattern],
    elements: Sequence[Element],
    jaspar: Sequence[Motif],
    *,
    at: np.ndarray,
    truth: np.ndarray,
    sizes: tuple[int, int],
    layout: Layout,
) -> list[dict[str, Any]]:
    trimmed = [_trim(pattern.probabilities) for pattern in found]
    if not trimmed:
        return []
    likeness = compare_motifs([p for p, _ in trimmed], jaspar).p_value
    rows = []
    for pattern, (p, first), p_values in zip(found, trimmed, likeness, strict=True):
        real = pattern.members[truth[pattern.members]]
        n_shuffled = len(pattern.members) - len(real)
        best = np.argsort(p_values)[:3]
        middle = first + len(p) / 2
        shift = pattern.shift[truth[pattern.members]]
        turned = pattern.reverse[truth[pattern.members]]
        width = len(pattern.probabilities)
        offset = np.where(turned, width - (middle - shift), middle - shift)
        rows.append(
            {
                "consensus": _letters(p),
                "bits": float(information(p).sum()),
                "probabilities": np.round(p, 3).tolist(),
                "n": len(real),
                "n_shuffled": n_shuffled,
                "over_shuffled": _finite(
                    rate_ratio(
                        len(real), sizes[0], n_background=n_shuffled, size_background=sizes[1]
                    )
                ),
                "jaspar": [
                    {
                        "name": jaspar[i].name,
                        "accession": jaspar[i].accession,
                        "p_value": float(p_values[i]),
                        "p_corrected": float(min(1, p_values[i] * len(jaspar))),
                    }
                    for i in best
                    if p_values[i] <= MATCH_P
                ],
                "known_sites": [
                    _placed(element, layout, at[real] + offset) for element in elements
                ],
            }
        )
    return rows


def _placed(element: Element, layout: Layout, middles: np.ndarray) -> dict[str, Any]:
    """Say how many members lie on known sites of an element, and how many would by chance."""
    half = element.motif.width / 2
    known = np.unique(layout.places(element.known) % layout.total) + half
    distance = layout.join(element.distance, fill=np.nan).reshape(2, -1)
    usable = layout.join(element.usable, fill=False).reshape(2, -1)
    flat = np.where(usable, distance, np.nan)
    own = np.nanmin(np.abs(flat[:, middles.astype(np.int64)]), axis=0, initial=np.inf)
    inside = np.isfinite(own)
    near = nearest_distance(middles, known) <= max(half, 4)
    result: dict[str, Any] = {
        "element": element.name,
        "n_inside": int(inside.sum()),
        "n_near": int(near.sum()),
        "n_known_found": int((nearest_distance(known, middles) <= max(half, 4)).sum()),
        "n_known": len(known),
    }
    rng = np.random.default_rng(SEED)
    nearest = np.nanmin(np.abs(flat), axis=0, initial=np.inf)
    chance = np.flatnonzero(np.isfinite(nearest))
    chance = chance if len(chance) < 300_000 else rng.choice(chance, 300_000, replace=False)
    drawn = matched(own[inside], nearest[chance], n=N_CHANCE, tolerance=10, rng=rng)
    good = drawn[:, 0] >= 0
    if not near.any() or not good.any():
        return result
    by_chance = nearest_distance(chance[drawn[good]].ravel() + 0.5, known) <= max(half, 4)
    by_chance = by_chance.reshape(-1, N_CHANCE)
    return result | {
        "chance_share": float(by_chance.mean()),
        "enrichment": _finite(share_ratio(near[inside][good], by_chance, seed=SEED)),
    }


def _trim(p: np.ndarray) -> tuple[np.ndarray, int]:
    """Cut off ends that say little, but keep five positions at least; and say how many in front."""
    strong = np.flatnonzero(information(p) >= TRIMMED)
    if not strong.size:
        return p, 0
    low, high = int(strong[0]), int(strong[-1]) + 1
    spare = max(5 - (high - low), 0)
    low = max(low - (spare + 1) // 2, 0)
    high = min(max(high, low + 5), len(p))
    return p[low:high], low


def _letters(p: np.ndarray) -> str:
    """Write the likeliest base of each position, small where it is not twice the next."""
    ordered = np.sort(p, axis=1)
    sure = ordered[:, -1] >= 2 * ordered[:, -2]
    return "".join(
        "ACGT"[base] if clear else "acgt"[base]
        for base, clear in zip(p.argmax(axis=1), sure, strict=True)
    )


def _finite(estimate: Estimate) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in estimate]


def logos(genome: Genome, elements: Sequence[Element], maps: Mapping[str, Maps]) -> list[dict]:
    """Return predictions for the promoter of each element that has most of its known sites."""
    chosen: dict[tuple[str, int], tuple[dict, str]] = {}
    for element in elements:
        best, most = None, 0
        for gene in genome.genes.iter_rows(named=True):
            start, end = _promoter(gene, genome)
            if (gene["chrom"], start) in chosen or start < 0:
                continue
            n = int(
                (
                    (element.known.chrom == gene["chrom"])
                    & (element.known.start >= start)
                    & (element.known.start < end)
                ).sum()
            )
            ribosomal = gene["name"].startswith(("RPL", "RPS"))
            if (n, ribosomal) > (most, False) and n > 0:
                best, most = gene, n
        if best is not None:
            chosen[best["chrom"], _promoter(best, genome)[0]] = (best, element.name)
    return [_logo(gene, why, genome, elements, maps=maps) for gene, why in chosen.values()]


def _promoter(gene: Mapping[str, Any], genome: Genome) -> tuple[int, int]:
    """Return what lies before a start codon and its first bases, up to the next gene."""
    genic, tss = genome.genic[gene["chrom"]], gene["tss"]
    if gene["strand"] == "-":
        after = genic[tss + 1 : tss + 1 + UPSTREAM]
        size = int(after.argmax()) if after.any() else UPSTREAM
        return tss + 1 - INTO_GENE, tss + 1 + size
    before = genic[max(tss - UPSTREAM, 0) : tss][::-1]
    size = int(before.argmax()) if before.any() else UPSTREAM
    return tss - size, tss + INTO_GENE


def _logo(
    gene: Mapping[str, Any],
    why: str,
    genome: Genome,
    elements: Sequence[Element],
    *,
    maps: Mapping[str, Maps],
) -> dict[str, Any]:
    chrom, minus = gene["chrom"], gene["strand"] == "-"
    start, end = _promoter(gene, genome)
    tokens = genome.tokens[chrom][start:end]
    known = []
    for element in elements:
        at = element.known.start[element.known.chrom == chrom]
        turned = element.known.reverse[element.known.chrom == chrom]
        for place, reverse in zip(at.tolist(), turned.tolist(), strict=True):
            if start <= place and place + element.motif.width <= end:
                first = end - place - element.motif.width if minus else place - start
                known.append(
                    {
                        "element": element.name,
                        "start": first,
                        "end": first + element.motif.width,
                        "reverse": reverse != minus,
                    }
                )
    shown = {
        source: own[chrom][start:end][::-1, ::-1] if minus else own[chrom][start:end]
        for source, own in maps.items()
        if chrom in own
    }
    return {
        "gene": gene["gene"],
        "name": gene["name"],
        "chosen_for": why,
        "chrom": chrom,
        "start": start,
        "end": end,
        "strand": gene["strand"],
        "sequence": decode(reverse_complement(tokens) if minus else tokens),
        "start_codon": end - start - INTO_GENE,
        "known": sorted(known, key=lambda site: site["start"]),
        "probabilities": {name: np.round(p, 3).tolist() for name, p in shown.items()},
        "information": {name: np.round(information(p), 3).tolist() for name, p in shown.items()},
    }
