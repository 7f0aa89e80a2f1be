"""What known sites are compared with, and how, for benchmarks/lm_motifs.py and others."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from lm_motif_elements import Element, Layout
from lm_motif_maps import SEED

from cisgram.core.metrics import bootstrap_ci, bootstrap_difference
from cisgram.explain.backgrounds import matched, nearest_distance, share_beaten
from cisgram.explain.motifs import find_hits

DISTANCE, SAME, SHUFFLED = "same distance", "same sequence", "shuffled"
N_MATCHED = {DISTANCE: 20, SAME: 5, SHUFFLED: 20}
DISTANCE_TOLERANCE, SCORE_TOLERANCE, WORD_TOLERANCE = 10, 0.5, 0
HIT_P = 1e-4
CLEAR = 20
"""Bases that a background position keeps from known sites."""
MOST_CANDIDATES = 300_000


def same_distance(
    places: np.ndarray, usable: np.ndarray, distance: np.ndarray, *, rng: Any, total: int
) -> np.ndarray:
    """Draw positions as far from a landmark as each site, away from known ones."""
    candidates = np.flatnonzero(usable & ~np.isnan(distance))
    far = nearest_distance(candidates % total, places % total) > CLEAR
    candidates = candidates[far]
    if len(candidates) > MOST_CANDIDATES:
        candidates = rng.choice(candidates, MOST_CANDIDATES, replace=False)
    drawn = matched(
        distance[places],
        distance[candidates],
        n=N_MATCHED[DISTANCE],
        tolerance=DISTANCE_TOLERANCE,
        rng=rng,
    )
    return np.where(drawn >= 0, candidates[drawn], -1)


def same_sequence(
    element: Element,
    tokens: Mapping[str, np.ndarray],
    places: np.ndarray,
    usable: np.ndarray,
    *,
    rng: Any,
) -> np.ndarray:
    """Draw matches of the motif that are no known sites: the same word, or one that fits as well.

    Words are compared by the letters at the site, so that nothing but its surroundings differs.
    """
    layout = Layout(tokens)
    found, value = [], []
    for chrom, contig in tokens.items():
        if element.exact:
            words = _words(contig, element.motif.width)
            for strand in (0, 1):
                starts = np.arange(len(contig))
                found.append(layout.offsets[chrom] + starts + strand * layout.total)
                value.append(words[strand])
        else:
            hits = find_hits(element.motif, contig, p_value=HIT_P)
            found.append(layout.offsets[chrom] + hits.start + hits.reverse * layout.total)
            value.append(hits.score)
    candidates, values = np.concatenate(found), np.concatenate(value).astype(np.float64)
    at_site = dict(zip(candidates.tolist(), values.tolist(), strict=True))
    own = np.array([at_site.get(place, np.nan) for place in places.tolist()])
    kept = usable[candidates] & (values >= 0 if element.exact else True)
    kept &= nearest_distance(candidates % layout.total, places % layout.total) > CLEAR
    candidates, values = candidates[kept], values[kept]
    tolerance = WORD_TOLERANCE if element.exact else SCORE_TOLERANCE
    drawn = matched(own, values, n=N_MATCHED[SAME], tolerance=tolerance, rng=rng)
    drawn[np.isnan(own)] = -1
    return np.where(drawn >= 0, candidates[drawn], -1) if len(candidates) else drawn


def _words(tokens: np.ndarray, width: int) -> np.ndarray:
    """Number the word at each position, read on either strand; -1 at the end and at N."""
    found = np.full((2, len(tokens)), -1, dtype=np.int64)
    views = np.lib.stride_tricks.sliding_window_view(tokens, width).astype(np.int64)
    powers = 4 ** np.arange(width)[::-1]
    known = (views < 4).all(axis=1)
    found[0, : len(views)] = np.where(known, views @ powers, -1)
    found[1, : len(views)] = np.where(known, (3 - views) @ powers[::-1], -1)
    return found


def shares_beaten(own: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Compare each site with those of its background that could be read."""
    some = np.isfinite(own) & np.isfinite(rows).any(axis=1)
    # A background may lie on a chromosome that this source has not read; it is left out.
    filled = [
        share_beaten(own[i : i + 1], rows[i : i + 1, np.isfinite(rows[i])])[0]
        if some[i]
        else np.nan
        for i in range(len(own))
    ]
    return np.array(filled, dtype=np.float64)


def mean(values: np.ndarray) -> float | None:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else None


def interval(values: np.ndarray) -> list[float] | None:
    return list(bootstrap_ci(values, seed=SEED)) if np.isfinite(values).any() else None


def difference(first: np.ndarray, second: np.ndarray) -> list[float] | None:
    both = np.isfinite(first) & np.isfinite(second)
    return list(bootstrap_difference(first[both], second[both], seed=SEED)) if both.any() else None
