"""Whether known sites stand out in predictions, for benchmarks/lm_motifs.py."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from lm_motif_elements import Element, Layout, scores, sequence_scores
from lm_motif_maps import MODEL, SEED, Maps

from cisgram.core.metrics import Estimate, binomial_ci, bootstrap_ci, bootstrap_difference
from cisgram.explain.backgrounds import (
    matched,
    nearest_distance,
    rate_ratio,
    share_beaten,
    share_ratio,
)
from cisgram.explain.motifs import find_hits
from cisgram.explain.seqlets import core_means
from cisgram.predict.maps import information

ODDS, INFORMATION = "odds", "information"
DISTANCE, SAME, SHUFFLED = "same distance", "same sequence", "shuffled"
N_MATCHED = {DISTANCE: 20, SAME: 5, SHUFFLED: 20}
DISTANCE_TOLERANCE, SCORE_TOLERANCE, WORD_TOLERANCE = 10, 0.5, 0
HIT_P = 1e-4
CLEAR, NEAR = 20, 5
"""Bases that a background position keeps from known sites; that a call may be off."""
MOST_CANDIDATES = 300_000
SEQUENCE = "sequence alone"


class Sources:
    """Maps of every source, real and shuffled, and the chromosomes that each has."""

    def __init__(
        self,
        tokens: Mapping[str, np.ndarray],
        real: Mapping[str, Maps],
        shuffled: Mapping[str, Maps],
    ) -> None:
        self.tokens, self.real, self.shuffled = tokens, real, shuffled
        self.layout = Layout(tokens)

    def on(self, places: np.ndarray, maps: Maps) -> np.ndarray:
        """Say which places lie on chromosomes that the maps have."""
        return self.layout.on(places, list(maps), self.tokens)


def test_element(element: Element, sources: Sources) -> dict[str, Any]:
    """Test one kind of site against every background, in every source."""
    layout, rng = sources.layout, np.random.default_rng(SEED)

    def join(by_chrom: Mapping[str, np.ndarray]) -> np.ndarray:
        return layout.join(by_chrom, fill=np.nan)

    places = layout.places(element.known)
    usable = layout.join(element.usable, fill=False)
    distance = join(element.distance)
    backgrounds = {
        DISTANCE: _same_distance(places, usable, distance, rng=rng, total=layout.total),
        SAME: _same_sequence(element, sources, places, usable, rng=rng),
    }
    sequence = join(sequence_scores(element, sources.tokens))
    result: dict[str, Any] = {
        "name": element.name,
        "motif": element.motif.accession,
        "consensus": element.motif.consensus,
        "truth": element.truth,
        "landmark": element.landmark,
        "n_listed": element.n_listed,
        "n_known": len(places),
        "n_usable": int(usable.sum()),
        "n_matched": {name: int((rows[:, 0] >= 0).sum()) for name, rows in backgrounds.items()},
        "sources": {
            SEQUENCE: _calls(
                element, sources, sequence, sources.real[MODEL], usable=usable, distance=distance
            )
        },
    }
    odds = {source: join(scores(element, maps)) for source, maps in sources.real.items()}
    mixed = {source: join(scores(element, maps)) for source, maps in sources.shuffled.items()}
    beaten: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for source, maps in sources.real.items():
        found = _calls(element, sources, odds[source], maps, usable=usable, distance=distance)
        shuffled = sources.shuffled.get(source)
        values = {
            ODDS: (odds[source], mixed.get(source)),
            INFORMATION: (
                join(_information(element, maps)),
                join(_information(element, shuffled)) if shuffled else None,
            ),
        }
        beaten[source] = {}
        for statistic, (flat, of_shuffled) in values.items():
            found[statistic], beaten[source][statistic] = _against(
                flat, of_shuffled, places=places, backgrounds=backgrounds
            )
        result["sources"][source] = found
    result["model_minus"] = _model_minus(beaten)
    result["in_shuffled"] = {
        source: _in_shuffled(
            odds[source], flat, usable=usable, n=len(places), width=element.motif.width
        )
        for source, flat in mixed.items()
    }
    return result


def _model_minus(beaten: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]) -> dict[str, Any]:
    """Return how much larger the areas of the model are than those of every other source."""
    return {
        source: {
            statistic: {
                name: _difference(beaten[MODEL][statistic][name], share)
                for name, share in own.items()
                if name in beaten[MODEL][statistic]
            }
            for statistic, own in by_statistic.items()
        }
        for source, by_statistic in beaten.items()
        if source != MODEL
    }


def _against(
    flat: np.ndarray,
    of_shuffled: np.ndarray | None,
    *,
    places: np.ndarray,
    backgrounds: Mapping[str, np.ndarray],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Compare values at known sites with those of every background of theirs.

    A value is NaN on chromosomes that its source has not read.
    """
    own = flat[places]
    rows = {name: np.where(drawn >= 0, flat[drawn], np.nan) for name, drawn in backgrounds.items()}
    if of_shuffled is not None:
        pool = of_shuffled[places][np.isfinite(of_shuffled[places])]
        size = (len(places), N_MATCHED[SHUFFLED])
        draws = np.random.default_rng(SEED).integers(max(len(pool), 1), size=size)
        rows[SHUFFLED] = pool[draws] if len(pool) else np.full(size, np.nan)
    beaten = {name: _beaten(own, row) for name, row in rows.items()}
    return {
        "n": int(np.isfinite(own).sum()),
        "sites": _mean(own),
        "background": {name: _mean(row) for name, row in rows.items()},
        "auroc": {name: _interval(share) for name, share in beaten.items()},
    }, beaten


def _information(element: Element, maps: Maps) -> dict[str, np.ndarray]:
    """Return the mean information over the motif's width at every place."""
    width = element.motif.width
    means = {chrom: core_means(information(p), width) for chrom, p in maps.items()}
    return {
        chrom: np.tile(np.pad(own, (0, width - 1), constant_values=np.nan), (2, 1))
        for chrom, own in means.items()
    }


def _same_distance(
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


def _same_sequence(
    element: Element, sources: Sources, places: np.ndarray, usable: np.ndarray, *, rng: Any
) -> np.ndarray:
    """Draw matches of the motif that are no known sites: the same word, or one that fits as well.

    Words are compared by the letters at the site, so that nothing but its surroundings differs.
    """
    layout = sources.layout
    found, value = [], []
    for chrom, tokens in sources.tokens.items():
        if element.exact:
            words = _words(tokens, element.motif.width)
            for strand in (0, 1):
                starts = np.arange(len(tokens))
                found.append(layout.offsets[chrom] + starts + strand * layout.total)
                value.append(words[strand])
        else:
            hits = find_hits(element.motif, tokens, p_value=HIT_P)
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


def _beaten(own: np.ndarray, rows: np.ndarray) -> np.ndarray:
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


def _calls(
    element: Element,
    sources: Sources,
    flat: np.ndarray,
    maps: Maps,
    *,
    usable: np.ndarray,
    distance: np.ndarray,
) -> dict[str, Any]:
    """Call as many sites as are known, best first, and see how many are known."""
    layout = sources.layout
    places = layout.places(element.known)
    places = places[sources.on(places, maps)]
    if not len(places):
        return {"calls": None}
    called, least = _best(flat, usable & np.isfinite(flat), len(places), element.motif.width)
    apart = nearest_distance(called % layout.total, places % layout.total)
    rng = np.random.default_rng(SEED)
    chance = np.flatnonzero(usable & ~np.isnan(distance) & np.isfinite(flat))
    chance = chance if len(chance) <= MOST_CANDIDATES else rng.choice(chance, MOST_CANDIDATES)
    drawn = matched(distance[called], distance[chance], n=20, tolerance=DISTANCE_TOLERANCE, rng=rng)
    good = drawn[:, 0] >= 0
    by_chance = nearest_distance(
        chance[drawn[good]].ravel() % layout.total, places % layout.total
    ).reshape(-1, 20)
    near = apart <= NEAR
    return {
        "calls": {
            "n": len(called),
            "least_score": least,
            "share_known": list(binomial_ci(int(near.sum()), len(called))),
            "median_distance": float(np.median(apart)),
            "chance_share_known": float((by_chance <= NEAR).mean()),
            "chance_median_distance": float(np.median(by_chance)),
            "enrichment": _finite(share_ratio(near[good], by_chance <= NEAR, seed=SEED)),
        }
    }


def _best(flat: np.ndarray, usable: np.ndarray, n: int, width: int) -> tuple[np.ndarray, float]:
    """Return the places of the `n` highest scores that do not overlap, and the least of them."""
    total = len(flat) // 2
    candidates = np.flatnonzero(usable)
    most = min(len(candidates), 60 * n)
    top = candidates[np.argpartition(-flat[candidates], most - 1)[:most]]
    taken = np.zeros(total + 2 * width, dtype=bool)
    called: list[int] = []
    for place in top[np.argsort(-flat[top], kind="stable")].tolist():
        at = place % total + width
        if not taken[at]:
            taken[at - width + 1 : at + width] = True
            called.append(place)
            if len(called) == n:
                break
    return np.array(called, dtype=np.int64), float(flat[called[-1]])


def _in_shuffled(
    real: np.ndarray, mixed: np.ndarray, *, usable: np.ndarray, n: int, width: int
) -> dict[str, Any]:
    """Count places that score as high as the calls do, in real and in shuffled sequence."""
    _, least = _best(real, usable & np.isfinite(real), n, width)
    both = usable & np.isfinite(mixed)
    size = float(both.sum())
    high = _n_apart(np.flatnonzero(both & (real >= least)), len(real) // 2, width)
    high_shuffled = _n_apart(np.flatnonzero(both & (mixed >= least)), len(real) // 2, width)
    ratio = (
        rate_ratio(high, size, n_background=high_shuffled, size_background=size)
        if high + high_shuffled
        else None
    )
    return {
        "n": high,
        "n_shuffled": high_shuffled,
        "positions": int(size),
        "enrichment": _finite(ratio) if ratio else None,
    }


def _n_apart(places: np.ndarray, total: int, width: int) -> int:
    """Count places that do not overlap on either strand, from left to right."""
    n, past = 0, -1
    for at in np.unique(places % total).tolist():
        if at >= past:
            n, past = n + 1, at + width
    return n


def _mean(values: np.ndarray) -> float | None:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else None


def _interval(values: np.ndarray) -> list[float] | None:
    return list(bootstrap_ci(values, seed=SEED)) if np.isfinite(values).any() else None


def _difference(first: np.ndarray, second: np.ndarray) -> list[float] | None:
    both = np.isfinite(first) & np.isfinite(second)
    return list(bootstrap_difference(first[both], second[both], seed=SEED)) if both.any() else None


def _finite(estimate: Estimate) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in estimate]
