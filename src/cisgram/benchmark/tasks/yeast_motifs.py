"""Whether known sites of regulation stand out in what a language model expects, nothing fitted.

A motif's score at a place is the log2 of the odds that a sequence drawn from the predictions is one
of the motif's rather than of the background's. The sequence enters only through what is visible
around each masked base, so that a model which knows nothing scores 0 everywhere.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int64

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.language import FLANKS, SEED, HeldOut
from cisgram.benchmark.matched import (
    DISTANCE,
    Places,
    backgrounds,
    shares_beaten,
    shares_near,
)
from cisgram.benchmark.sites import Element, Layout, yeast_elements
from cisgram.core.metrics import bootstrap_ci, bootstrap_difference
from cisgram.explain.motifs import Motif, both_strands, core_means
from cisgram.genome.alphabet import one_hot
from cisgram.prediction.perplexity import information

ODDS, BITS = "odds", "bits"
ITSELF = "sequence itself"
NEAR = 5
"""Bases that a call may be off."""
FEWEST = 5
"""Sites that a number is over at least."""

PerPlace = Float32[np.ndarray, "places"]


class Reading(NamedTuple):
    """Predictions of a source, joined as the contigs are."""

    name: str
    p: Float[np.ndarray, "bases 4"]
    """NaN where they were not read."""
    null: bool = False
    """Whether it is asked for the motif with its positions shuffled."""


@evaluation(
    "yeast-motifs",
    suite="yeast",
    title="Do known binding sites, TATA boxes, start codons and splice sites stand out in what a "
    "language model expects of masked bases?",
    needs="language",
)
def yeast_motifs(context: Context, rows: Rows) -> None:
    """Compare known sites with matched backgrounds, and call sites from predictions alone."""
    held_out = HeldOut(context)
    layout = Layout(held_out.tokens)
    sources = list(_readings(held_out, layout))
    for element in yeast_elements(held_out, layout):
        if len(element.known):
            _test(element, layout, sources, rows)


def _readings(held_out: HeldOut, layout: Layout) -> Iterator[Reading]:
    for name, maps in held_out.sources.items():
        p = layout.join(maps, fill=np.nan)
        yield Reading(name, p)
        if name in held_out.models:
            yield Reading(f"{name}, shuffled motif", p, null=True)
    yield Reading(ITSELF, one_hot(layout.tokens, np.float32))


def _test(element: Element, layout: Layout, sources: list[Reading], rows: Rows) -> None:
    """Add the rows of a kind of site."""
    drawn = backgrounds(element, layout)
    beaten: dict[tuple[str, str, str], Float[np.ndarray, "sites"]] = {}
    for source in sources:
        motif = shuffled_motif(element.motif) if source.null else element.motif
        own = replace(element, motif=motif)
        values = {ODDS: odds_of(own, source.p)}
        if source.name != ITSELF and not source.null:
            values[BITS] = bits_of(own, source.p)
            _means(source, element, drawn[DISTANCE], values[BITS], rows)
        for output, flat in values.items():
            for name, others in drawn.items():
                shares = shares_beaten(flat, element.known, others)
                beaten[source.name, output, name] = shares
                _add(rows, source, f"auroc, {name}", shares, element, output)
        if not source.null:
            _calls(source, element, layout, values[ODDS], rows)
    for source in (own for own in sources if own.name in rows.models):
        for output in (ODDS, BITS):
            for name in drawn:
                first, second = beaten[source.name, output, name], beaten[FLANKS, output, name]
                both = np.isfinite(first) & np.isfinite(second)
                if both.sum() >= FEWEST:
                    gain = bootstrap_difference(first[both], second[both], seed=SEED)
                    add = partial(rows.add, subset=element.name, output=output, n=int(both.sum()))
                    add(source.name, f"auroc, {name}, minus {FLANKS}", gain)


def _means(source: Reading, element: Element, others: Places, bits: PerPlace, rows: Rows) -> None:
    """Add how sure predictions are at sites and at the same distance."""
    matched = np.where(others >= 0, bits[others], np.nan)
    known = np.asarray(np.isfinite(matched).any(axis=1))
    beside = np.full(len(known), np.nan)
    beside[known] = np.nanmean(matched[known], axis=1)
    _add(rows, source, "mean at sites", bits[element.known], element, BITS)
    _add(rows, source, f"mean, {DISTANCE}", beside, element, BITS)


def _add(
    rows: Rows,
    source: Reading,
    metric: str,
    values: Float[np.ndarray, "sites"],
    element: Element,
    output: str,
) -> None:
    """Add the mean over sites, with the interval of a bootstrap over them."""
    n = int(np.isfinite(values).sum())
    if n >= FEWEST:
        mean = bootstrap_ci(np.where(np.isfinite(values), values, np.nan), seed=SEED)
        rows.add(source.name, metric, mean, subset=element.name, output=output, n=n)


def _calls(source: Reading, element: Element, layout: Layout, odds: PerPlace, rows: Rows) -> None:
    """Call as many sites as are known, best first, and count how many of them are known."""
    known = element.known[np.isfinite(odds[element.known])]
    called = best_places(element, layout, odds, n=len(known))
    if len(called) < FEWEST:
        return
    add = partial(rows.add, source.name, subset=element.name, output="calls", n=len(called))
    shares = shares_near(element, layout, called, known=known % layout.size, within=NEAR)
    for chance, share in shares.items():
        add(f"calls that are known{chance}", share)


def best_places(
    element: Element, layout: Layout, scores: PerPlace, *, n: int
) -> Int64[np.ndarray, "calls"]:
    """Return the places of the `n` highest scores that do not overlap on either strand."""
    width, taken = element.motif.width, np.zeros(layout.size + 2 * element.motif.width, np.bool_)
    candidates = np.flatnonzero(element.usable & np.isfinite(scores))
    most = min(len(candidates), 60 * n)
    if not most:
        return candidates[:0]
    top = candidates[np.argpartition(-scores[candidates], most - 1)[:most]]
    called: list[int] = []
    for place in top[np.argsort(-scores[top], kind="stable")].tolist():
        at = place % layout.size + width
        if not taken[at] and len(called) < n:
            taken[at - width + 1 : at + width] = True
            called.append(place)
    return np.array(called, dtype=np.int64)


def odds_of(element: Element, p: Float[np.ndarray, "bases 4"]) -> PerPlace:
    """Return log2 odds of the motif at every place; NaN where predictions are not known."""
    mean = np.asarray(np.nanmean(p, axis=0, dtype=np.float64))
    scores = both_strands(element.motif, p, (mean + mean[::-1]) / (2 * mean.sum())).ravel()
    return np.where(np.isfinite(scores), scores, np.nan).astype(np.float32)


def bits_of(element: Element, p: Float[np.ndarray, "bases 4"]) -> PerPlace:
    """Return the mean information over the motif's width at every place; NaN where not known."""
    width, known = element.motif.width, ~np.isnan(p[:, 0])
    means = core_means(information(p), width)
    whole = core_means(known.astype(np.float64), width) > 1 - 1e-9
    found = np.full(len(p), np.nan, dtype=np.float32)
    found[: len(means)] = np.where(whole, means, np.nan)
    return np.tile(found, 2)


def shuffled_motif(motif: Motif) -> Motif:
    """Return the motif with its positions in another order: a null with the same composition."""
    order = np.random.default_rng(SEED).permutation(motif.width)
    return replace(motif, probabilities=motif.probabilities[order].copy())
