"""Whether known sites stand out in predictions, for benchmarks/lm_motifs.py."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lm_motif_elements import Element, Layout, scores, sequence_scores
from lm_motif_maps import FLANKS, MARKOV, MODEL, RANDOM, SEED, Maps

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
    places = layout.places(element.known)
    usable = layout.join(element.usable, fill=False)
    distance = layout.join(element.distance, fill=np.nan)
    backgrounds = {
        DISTANCE: _same_distance(places, usable, distance, rng=rng, total=layout.total),
        SAME: _same_sequence(element, sources, places, usable, rng=rng),
    }
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
        "sources": {},
    }
    beaten: dict[str, dict[str, np.ndarray]] = {}
    for source, maps in sources.real.items():
        flat = layout.join(scores(element, maps), fill=np.nan)
        rows = {
            name: _scored(flat, drawn, sources.on(places, maps))
            for name, drawn in backgrounds.items()
        }
        if source in sources.shuffled:
            rows[SHUFFLED] = _shuffled(element, sources, source, places, rng=rng)
        own = np.where(sources.on(places, maps), flat[places], np.nan)
        beaten[source] = {name: _beaten(own, row) for name, row in rows.items()}
        result["sources"][source] = {
            "n_sites": int(np.isfinite(own).sum()),
            "score": _mean(own),
            "information": _information(element, layout, maps, places),
            "score_background": {name: _mean(row) for name, row in rows.items()},
            "auroc": {name: _interval(share) for name, share in beaten[source].items()},
        } | _calls(element, sources, flat, maps, usable=usable, distance=distance)
    sequence = layout.join(sequence_scores(element, sources.tokens), fill=np.nan)
    result["sources"][SEQUENCE] = _calls(
        element, sources, sequence, sources.real[MODEL], usable=usable, distance=distance
    )
    result["model_minus"] = {
        source: {
            name: _difference(beaten[MODEL][name], beaten[source][name])
            for name in beaten[source]
            if name in beaten[MODEL]
        }
        for source in beaten
        if source != MODEL
    }
    result["in_shuffled"] = _in_shuffled(element, sources, usable=usable)
    return result


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


def _scored(flat: np.ndarray, drawn: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Return scores of backgrounds; NaN where a site has none, or none on these chromosomes."""
    rows = np.where(drawn >= 0, flat[drawn], np.nan)
    return np.where(on[:, None], rows, np.nan)


def _shuffled(
    element: Element, sources: Sources, source: str, places: np.ndarray, *, rng: Any
) -> np.ndarray:
    """Return scores at places of known sites on shuffled chromosomes, drawn for each site."""
    maps = sources.shuffled[source]
    flat = sources.layout.join(scores(element, maps), fill=np.nan)
    pool = flat[places[sources.on(places, maps)]]
    if not len(pool):
        return np.full((len(places), 1), np.nan)
    return pool[rng.integers(len(pool), size=(len(places), N_MATCHED[SHUFFLED]))]


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


def _information(element: Element, layout: Layout, maps: Maps, places: np.ndarray) -> float | None:
    means = {
        chrom: np.tile(
            np.pad(core_means(information(p), element.motif.width), (0, element.motif.width - 1)),
            (2, 1),
        )
        for chrom, p in maps.items()
    }
    return _mean(layout.join(means, fill=np.nan)[places])


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


def _in_shuffled(element: Element, sources: Sources, *, usable: np.ndarray) -> dict[str, Any]:
    """Count places that score as high as the calls do, in real and in shuffled sequence."""
    found: dict[str, Any] = {}
    for source, shuffled in sources.shuffled.items():
        layout = sources.layout
        real = layout.join(scores(element, sources.real[source]), fill=np.nan)
        n = sources.on(layout.places(element.known), sources.real[source]).sum()
        _, least = _best(real, usable & np.isfinite(real), int(n), element.motif.width)
        mixed = layout.join(scores(element, shuffled), fill=np.nan)
        both = usable & np.isfinite(mixed)
        counts = [
            int((flat[both] >= least).sum()) for flat in (np.nan_to_num(real, nan=-99), mixed)
        ]
        size = float(both.sum())
        found[source] = {
            "n": counts[0],
            "n_shuffled": counts[1],
            "positions": int(size),
            "enrichment": _finite(rate_ratio(counts[0], size, counts[1], size))
            if sum(counts)
            else None,
        }
    return found


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


ORDER: Sequence[str] = (MODEL, FLANKS, MARKOV, RANDOM)
