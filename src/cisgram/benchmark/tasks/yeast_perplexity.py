"""Perplexity of held-out chromosomes, beside count models fitted on the training ones.

Every base is masked once and both strands are averaged; all bases count alike, and 4 is guessing.
Markov chains read from left to right, the two-sided k-mer model looks at what a masked model sees.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64

from cisgram.benchmark.base import ANY_GENOME, Context, Rows, evaluation
from cisgram.benchmark.language import FLANKS, HeldOut, surprise_of
from cisgram.data.regions import REGIONS, region_classes
from cisgram.prediction.perplexity import perplexity_interval, ratio_interval

ORDERS = (0, 2, 5, 8, 11, 20)
"""Of the Markov chains; the chain of order 0 knows how common each base is."""
FEWEST = 1_000
"""Bases of a class that perplexity is over at least."""
ALL, NOT_COPIED = "all bases", "not copied"

Nats = Mapping[str, Float64[np.ndarray, "_"]]


@evaluation(
    "perplexity",
    suite=ANY_GENOME,
    title="How well are the bases of held-out contigs of any genome predicted, beside Markov "
    "chains?",
    needs="language",
)
@evaluation(
    "yeast-perplexity",
    suite="yeast",
    title="How well are the bases of held-out chromosomes predicted, beside Markov chains?",
    needs="language",
)
def yeast_perplexity(context: Context, rows: Rows) -> None:
    """Add perplexity by region, and ratios to the count models."""
    held_out = HeldOut(context)
    models = {name: surprise_of(own, held_out.tokens) for name, own in held_out.models.items()}
    counts: dict[str, Nats] = {f"Markov, order {n}": held_out.chain_surprise(n) for n in ORDERS}
    counts[FLANKS] = surprise_of(held_out.counted[FLANKS], held_out.tokens)
    nulls = {name: surprise_of(own, held_out.tokens) for name, own in held_out.untrained.items()}
    for subset, chosen in _subsets(held_out).items():
        for name, nats in (models | counts | nulls).items():
            own = _on(nats, chosen)
            # Untrained networks are read on one contig alone.
            if own.keys() == chosen.keys():
                n = sum(int(np.isfinite(values).sum()) for values in own.values())
                if n:
                    found = perplexity_interval(own)
                    rows.add(name, "perplexity", found, subset=subset, n=n)
    not_copied = {name: ~own for name, own in held_out.copied.items()}
    for subset, chosen in {ALL: _everywhere(held_out), NOT_COPIED: not_copied}.items():
        n = sum(int(own.sum()) for own in chosen.values())
        for name, nats in models.items():
            for other, beside in counts.items():
                ratio = ratio_interval(_on(nats, chosen), _on(beside, chosen))
                rows.add(name, f"perplexity over {other}", ratio, subset=subset, n=n)


def _subsets(held_out: HeldOut) -> Mapping[str, Mapping[str, Bool[np.ndarray, "_"]]]:
    """Return the bases that perplexity is over, by name."""
    everywhere, shortest = _everywhere(held_out), held_out.shortest
    found = {
        ALL: everywhere,
        NOT_COPIED: {name: ~own for name, own in held_out.copied.items()},
        shortest: {shortest: everywhere[shortest]},
    }
    if not held_out.is_annotated:
        return found
    classes = region_classes(held_out.annotation_source, held_out.context.reference.contigs)
    for number, region in enumerate(REGIONS):
        own = {name: classes[name] == number for name in held_out.tokens}
        if sum(int(chosen.sum()) for chosen in own.values()) >= FEWEST:
            found[region] = own
    return found


def _everywhere(held_out: HeldOut) -> dict[str, Bool[np.ndarray, "_"]]:
    return {name: np.ones(len(own), np.bool_) for name, own in held_out.tokens.items()}


def _on(
    nats: Nats, chosen: Mapping[str, Bool[np.ndarray, "_"]]
) -> dict[str, Float64[np.ndarray, "_"]]:
    return {name: np.where(own, nats[name], np.nan) for name, own in chosen.items() if name in nats}
