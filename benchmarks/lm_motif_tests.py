"""Whether known sites stand out in predictions, for benchmarks/lm_motifs.py."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from lm_motif_elements import Element, Layout, scores, sequence_scores
from lm_motif_maps import MODEL, SEED, Maps
from motif_backgrounds import (
    DISTANCE,
    DISTANCE_TOLERANCE,
    MOST_CANDIDATES,
    N_MATCHED,
    SAME,
    SHUFFLED,
    difference,
    interval,
    mean,
    same_distance,
    same_sequence,
    shares_beaten,
)

from cisgram.benchmark.seqlets import core_means
from cisgram.core.metrics import Estimate, binomial_ci
from cisgram.explain.backgrounds import matched, nearest_distance, rate_ratio, share_ratio
from cisgram.prediction.maps import information

ODDS, INFORMATION = "odds", "information"
NEAR = 5
"""Bases that a call may be off."""
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
        DISTANCE: same_distance(places, usable, distance, rng=rng, total=layout.total),
        SAME: same_sequence(element, sources.tokens, places, usable, rng=rng),
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
                name: difference(beaten[MODEL][statistic][name], share)
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
    beaten = {name: shares_beaten(own, row) for name, row in rows.items()}
    return {
        "n": int(np.isfinite(own).sum()),
        "sites": mean(own),
        "background": {name: mean(row) for name, row in rows.items()},
        "auroc": {name: interval(share) for name, share in beaten.items()},
    }, beaten


def _information(element: Element, maps: Maps) -> dict[str, np.ndarray]:
    """Return the mean information over the motif's width at every place."""
    width = element.motif.width
    means = {chrom: core_means(information(p), width) for chrom, p in maps.items()}
    return {
        chrom: np.tile(np.pad(own, (0, width - 1), constant_values=np.nan), (2, 1))
        for chrom, own in means.items()
    }


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


def _finite(estimate: Estimate) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in estimate]
