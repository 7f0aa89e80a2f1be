"""What known sites are compared with: places at the same distance, and the same sequence elsewhere.

Backgrounds are (sites, n) places, rows of -1 where fewer than n are alike.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped

from cisgram.benchmark.language import SEED
from cisgram.benchmark.sites import Element, Layout
from cisgram.core.metrics import Estimate, binomial_ci, bootstrap_ci
from cisgram.explain.backgrounds import matched, nearest_distance, share_beaten
from cisgram.explain.motifs import find_hits

DISTANCE, SEQUENCE = "same distance", "same sequence"
N_DISTANCE, N_SEQUENCE, N_CHANCE = 20, 5, 20
DISTANCE_TOLERANCE = 10
"""Bases by which distances from the landmark may differ."""
SCORE_TOLERANCE = 0.5
"""Bits by which scores of a motif may differ."""
HIT_P = 1e-4
CLEAR = 20
"""Bases that a background place keeps from known sites."""
MOST_CANDIDATES = 300_000

Places = Int64[np.ndarray, "sites n"]


def backgrounds(element: Element, layout: Layout) -> dict[str, Places]:
    """Return both backgrounds of an element's known sites."""
    return {
        DISTANCE: same_distance(element, layout, element.known, n=N_DISTANCE),
        SEQUENCE: same_sequence(element, layout),
    }


def same_distance(
    element: Element,
    layout: Layout,
    places: Int64[np.ndarray, "sites"],
    *,
    n: int,
    clear: int = CLEAR,
) -> Places:
    """Draw places as far from a landmark as others, over `clear` bases from known sites."""
    rng = np.random.default_rng(SEED)
    candidates = np.flatnonzero(element.usable & ~np.isnan(element.distance))
    candidates = candidates[_away(candidates, element, layout) > clear]
    if len(candidates) > MOST_CANDIDATES:
        candidates = rng.choice(candidates, MOST_CANDIDATES, replace=False)
    own, others = element.distance[places], element.distance[candidates]
    drawn = matched(own, others, n=n, tolerance=DISTANCE_TOLERANCE, rng=rng)
    return np.where(drawn >= 0, candidates[drawn], -1)


def same_sequence(element: Element, layout: Layout) -> Places:
    """Draw matches of the motif that are no known sites: the same k-mer, or one that fits as well.

    They are compared by the bases at the site, so that nothing but the surroundings differs.
    """
    if element.exact:
        candidates, values = _kmers(layout, element.motif.width)
    else:
        hits = find_hits(element.motif, layout.tokens, p_value=HIT_P)
        candidates, values = hits.start + hits.reverse * layout.size, hits.score
    at_site = dict(zip(candidates.tolist(), values.tolist(), strict=True))
    own = np.array([at_site.get(place, np.nan) for place in element.known.tolist()])
    kept = element.usable[candidates] & (_away(candidates, element, layout) > CLEAR)
    candidates, values = candidates[kept], values[kept]
    tolerance = 0 if element.exact else SCORE_TOLERANCE
    rng = np.random.default_rng(SEED)
    drawn = matched(own, values, n=N_SEQUENCE, tolerance=tolerance, rng=rng)
    drawn[np.isnan(own)] = -1
    return np.where(drawn >= 0, candidates[drawn], -1) if len(candidates) else drawn


def shares_beaten(
    values: Float[np.ndarray, "places"], sites: Int64[np.ndarray, "sites"], others: Places
) -> Float64[np.ndarray, "sites"]:
    """Return the share of its background above which each site scores, ties counting half.

    The mean is the area under the ROC curve within matched sets. Places whose value is NaN count
    for nothing; NaN where a site or all of its background is.
    """
    own, rows = values[sites], np.where(others >= 0, values[others], np.nan)
    found = np.full(len(sites), np.nan)
    for i in np.flatnonzero(np.isfinite(own) & np.isfinite(rows).any(axis=1)):
        found[i] = share_beaten(own[i : i + 1], rows[i : i + 1, np.isfinite(rows[i])])[0]
    return found


def shares_near(
    element: Element,
    layout: Layout,
    places: Int64[np.ndarray, "places"],
    *,
    known: Shaped[np.ndarray, "known"],
    within: float,
) -> dict[str, Estimate]:
    """Return the share of places within some bases of known ones, and of places drawn by chance.

    Those are as far from landmarks. Keys end the name of a metric; there is no chance where nothing
    is alike.
    """

    def near(own: Int64[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
        return nearest_distance(own.ravel() % layout.size, known).reshape(own.shape) <= within

    found = {"": binomial_ci(int(near(places).sum()), len(places))}
    drawn = same_distance(element, layout, places, n=N_CHANCE, clear=-1)
    drawn = drawn[drawn[:, 0] >= 0]
    if len(drawn):
        found[", by chance"] = bootstrap_ci(near(drawn).mean(axis=1), seed=SEED)
    return found


def _away(
    places: Int64[np.ndarray, "places"], element: Element, layout: Layout
) -> Float64[np.ndarray, "places"]:
    """Return the bases between places and the nearest known site, whatever the strand."""
    return nearest_distance(places % layout.size, element.known % layout.size)


def _kmers(
    layout: Layout, width: int
) -> tuple[Int64[np.ndarray, "kmers"], Float64[np.ndarray, "kmers"]]:
    """Return places and numbers of k-mers of both strands, none across N."""
    views = np.lib.stride_tricks.sliding_window_view(layout.tokens, width).astype(np.int64)
    powers = 4 ** np.arange(width)[::-1]
    known = np.flatnonzero((views < 4).all(axis=1))
    numbers = (views[known] @ powers, (3 - views[known]) @ powers[::-1])
    places = np.concatenate([known, known + layout.size])
    return places, np.concatenate(numbers).astype(np.float64)
