"""Whether known sites stand out in gradients of what models of tracks predict of genes.

Gradients are taken of genes that start nearest to a known site; where genes share a base, the one
that starts nearest counts. A site is compared with places at the same distance from its landmark
and with the same sequence elsewhere, both before or in genes that were read.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32, Float64, Shaped

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.folds import UNTRAINED, Fold, gene_outputs, read_folds
from cisgram.benchmark.language import HeldOut
from cisgram.benchmark.matched import SEED, backgrounds, shares_beaten
from cisgram.benchmark.sites import UPSTREAM, Element, Layout, yeast_elements
from cisgram.core.metrics import bootstrap_ci
from cisgram.core.progress import progress
from cisgram.explain.attribute import attribute_subject, compare_with_mutations
from cisgram.explain.motifs import Motif, core_means
from cisgram.explain.mutate import mutate_subject
from cisgram.explain.subject import find_subject
from cisgram.genome.interval import Interval
from cisgram.prediction.sequences import window_of
from cisgram.prediction.session import Session

OUTPUTS = ("segregants",)
N_GENES, N_NULL, N_MUTATED = 240, 60, 6
"""Genes that are read, those that the untrained network reads, and those that are mutated."""
MUTATED = 40
"""Bases before a gene that in-silico mutagenesis changes."""
_PSEUDO, _TINY = 1e-2, 1e-12


@evaluation(
    "yeast-attribution",
    suite="yeast",
    title="Do known sites stand out in gradients, and do these agree with mutagenesis?",
    needs="tracks",
)
def run(context: Context, rows: Rows) -> None:
    """Add how often a known site is above its background, and r with mutagenesis."""
    held_out, folds = HeldOut(context), read_folds(context)
    layout = Layout(held_out.tokens)
    elements = yeast_elements(held_out, layout)
    (output,) = gene_outputs(context, OUTPUTS)
    known = folds[0].session.genes.places
    places = {
        gene: (body, fold)
        for fold in folds
        for gene, body in fold.genes.items()
        if gene in known and body.chrom in held_out.tokens
    }
    genes = _near_sites(elements, layout, {gene: body for gene, (body, _) in places.items()})
    for who in (*rows.models, UNTRAINED):
        n = N_NULL if who == UNTRAINED else N_GENES
        chosen = {gene: places[gene] for gene in genes[:n]}
        adds = _gradients(layout, chosen, who, output)
        read = np.tile(~np.isnan(adds[:, 0]), 2)
        for element in elements:
            own = replace(element, usable=element.usable & read)
            _add(rows, own, layout, adds, who, output=output)
        agreements = [_agreement(fold.sessions[who], gene, body, output)
                      for gene, (body, fold) in list(chosen.items())[:N_MUTATED]]  # fmt: skip
        rows.add(who, "r with mutagenesis", bootstrap_ci(np.array(agreements), seed=SEED),
                 output=output, n=len(agreements))  # fmt: skip


def _start(body: Interval) -> int:
    return body.end - 1 if body.strand == "-" else body.start


def _near_sites(elements: list[Element], layout: Layout, genes: dict[str, Interval]) -> list[str]:
    """Return the genes that start nearest to known sites, kind by kind in turn, each once."""
    names = list(genes)
    starts = np.array([layout.offsets[own.chrom] + _start(own) for own in genes.values()])
    order = np.argsort(starts)
    rng = np.random.default_rng(SEED)
    queues: list[list[str]] = []
    for element in elements:
        at = rng.permutation(element.known % layout.size)
        nearest = np.searchsorted(starts[order], at).clip(1, len(order) - 1)
        left, right = order[nearest - 1], order[nearest]
        closer = np.where(np.abs(starts[left] - at) < np.abs(starts[right] - at), left, right)
        queues.append([names[number] for number in closer.tolist()])
    longest = max((len(own) for own in queues), default=0)
    in_turn = (own[i] for i in range(longest) for own in queues if i < len(own))
    return list(dict.fromkeys(in_turn))


def _region(session: Session, body: Interval, before: int, inside: int) -> Interval:
    """Return bases before and in a gene, as far as its window reaches, on the forward strand."""
    window = window_of(body, session.model, session.reference, inside=True)
    low, high = body.start - before, body.start + inside
    if body.strand == "-":
        low, high = body.end - inside, body.end + before
    size = session.reference.contigs[body.chrom]
    start, end = max(low, window.start, 0), min(high, window.end, size)
    return Interval(body.chrom, start, max(end, start + 1), "+")


def _gradients(
    layout: Layout, genes: dict[str, tuple[Interval, Fold]], who: str, output: str
) -> Float32[np.ndarray, "bases 4"]:
    """Return what A, C, G and T would add at every base; NaN where no gene was read."""
    found = np.full((layout.size, 4), np.nan, dtype=np.float32)
    nearest = np.full(layout.size, np.inf)
    with progress("explaining genes", len(genes)) as ticker:
        for gene, (body, fold) in genes.items():
            session = fold.sessions[who]
            region = _region(session, body, UPSTREAM, body.length)
            subject = find_subject(session, region, "gene", gene=gene, output=output)
            rows = attribute_subject(subject).hypothetical
            at = slice(*(layout.offsets[body.chrom] + own for own in (region.start, region.end)))
            distance = np.abs(np.arange(region.start, region.end) - _start(body))
            closer = distance < nearest[at]
            found[at][closer], nearest[at][closer] = rows[closer], distance[closer]
            ticker.advance()
    return found


def _agreement(session: Session, gene: str, body: Interval, output: str) -> float:
    """Return r over single-base changes of what gradients expect of them and their effects."""
    region = _region(session, body, MUTATED, 0)
    subject = find_subject(session, region, "gene", gene=gene, output=output)
    return compare_with_mutations(attribute_subject(subject), mutate_subject(subject)).changes


def _add(
    rows: Rows, element: Element, layout: Layout, adds: Float32[np.ndarray, "bases 4"], who: str, *,
    output: str,
) -> None:  # fmt: skip
    """Add how often sites of a kind are above their backgrounds, by size and by likeness."""
    drawn = backgrounds(element, layout)
    for what, values in _statistics(element.motif, layout, adds).items():
        for name, others in drawn.items():
            shares = shares_beaten(values, element.known, others)
            n = int(np.isfinite(shares).sum())
            if n > 1:
                rows.add(who, f"{what}, auroc, {name}", bootstrap_ci(shares, seed=SEED),
                         subset=element.name, output=output, n=n)  # fmt: skip


def _statistics(
    motif: Motif, layout: Layout, adds: Float32[np.ndarray, "bases 4"]
) -> dict[str, Float64[np.ndarray, "places"]]:
    """Return of every place the mean size of contributions, and the cosine with the motif."""
    present = np.minimum(layout.tokens, 3).astype(np.int64)[:, None]
    sizes = np.abs(np.take_along_axis(adds, present, axis=1)[:, 0])
    known, width = ~np.isnan(sizes), motif.width
    whole = core_means(known.astype(np.float64), width) > 1 - 1e-9
    importance = np.where(whole, core_means(sizes, width), np.nan)
    weights = np.log2(motif.probabilities + _PSEUDO)
    weights -= weights.mean(axis=1, keepdims=True)
    filled = np.nan_to_num(adds.astype(np.float64))
    size = np.sqrt(core_means((filled**2).sum(axis=1), width) * width)
    alike = [
        np.where(whole, _dot(filled, own) / (size + _TINY) / np.linalg.norm(own), np.nan)
        for own in (weights, weights[::-1, ::-1])
    ]
    both = {"importance": [importance] * 2, "match": alike}
    return {
        what: np.concatenate([_padded(own, layout) for own in two]) for what, two in both.items()
    }


def _dot(
    adds: Float64[np.ndarray, "bases 4"], weights: Float[np.ndarray, "width 4"]
) -> Float64[np.ndarray, "starts"]:
    """Return the scalar product of the motif and the gradients at every place."""
    n = len(adds) - len(weights) + 1
    found = np.zeros(n)
    for i, row in enumerate(weights):
        found += adds[i : i + n] @ row
    return found


def _padded(values: Shaped[np.ndarray, "starts"], layout: Layout) -> Float64[np.ndarray, "bases"]:
    return np.pad(values.astype(np.float64), (0, layout.size - len(values)), constant_values=np.nan)
