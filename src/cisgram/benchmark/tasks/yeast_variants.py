"""Measured variants of held-out chromosomes, beside distance, k-mers and a language model."""

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Float64

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.folds import (
    UNTRAINED,
    Fold,
    gene_bodies,
    gene_outputs,
    measured_levels,
    read_folds,
)
from cisgram.benchmark.kmers import RIDGE, promoter_of, promoter_ridge
from cisgram.benchmark.statistics import auprc, auroc, resampled
from cisgram.benchmark.variant_sets import VARIANT_SETS, VariantSet, pooled
from cisgram.core.metrics import spearman
from cisgram.data.targets import GENOME
from cisgram.genome.alleles import allele_window
from cisgram.genome.variant import Variant
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.sequences import Windows
from cisgram.prediction.session import Session
from cisgram.prediction.variants import score_pairs, score_variants

OUTPUTS = ("segregants", "rnaseq_wt", "tss_ypd+", "tif_ypd+")
"""The first was chosen before any score was computed: expression in the variants' own cross."""
LANGUAGE_MODEL = "cisgram/yeast-lm"
DISTANCES = ((0, 100), (100, 200), (200, 400), (400, 1_500))
N_NULL = 200
"""Pairs of each set that the untrained network reads."""
FEWEST = 5
"""Positives of a class of distance."""
NEARER = "nearer to the gene"
Scores = dict[tuple[str, str], Float64[np.ndarray, "pairs"]]
"""Signed effects by predictor and output."""


@evaluation(
    "yeast-variants",
    suite="yeast",
    title="Do effects tell which variants change expression, and in which direction?",
    needs="tracks",
)
def run(context: Context, rows: Rows) -> None:
    """Add AUROC, AUPRC, shares of right directions and Spearman's r of both sets."""
    outputs = gene_outputs(context, OUTPUTS)
    parts: dict[str, list[tuple[VariantSet, Scores]]] = {name: [] for name in VARIANT_SETS}
    for fold in read_folds(context):
        ridge = _ridge(fold, outputs)
        for name, read in VARIANT_SETS.items():
            chosen = read(context, fold.targets.reference, fold.genes)
            parts[name].append((chosen, _scores(fold, chosen, outputs, ridge)))
    for name, found in parts.items():
        chosen = pooled([own for own, _ in found])
        scores = {key: np.concatenate([own[key] for _, own in found]) for key in found[0][1]}
        for (who, output), values in scores.items():
            add = partial(rows.add, who, output=output)
            size = values if who == NEARER else np.abs(values)
            _rank(partial(add, subset=name), chosen, size)
            if who != NEARER:
                _direct(partial(add, subset=name), chosen, values)
            if output == outputs[0] and who != NEARER:
                for low, high in DISTANCES:
                    inside = (chosen.distance >= low) & (chosen.distance < high)
                    if (chosen.positive & inside).sum() >= FEWEST:
                        own = partial(add, subset=f"{name}, {low} to {high} bases")
                        _rank(own, chosen, size, inside=inside)
        share = float(chosen.positive.sum() / (chosen.positive | chosen.negative).sum())
        rows.add("chance", "auroc", 0.5, subset=name)
        rows.add("chance", "auprc", share, subset=name,
                 n=int(chosen.positive.sum()))  # fmt: skip
        rows.add("chance", "direction right", 0.5, subset=name)


def _ridge(fold: Fold, outputs: list[str]) -> Session:
    levels = measured_levels(fold.targets)
    known = {name: levels[name] for name in outputs if name in levels}
    every = gene_bodies(fold.targets, np.ones(fold.held_out.size, dtype=np.bool_))
    return promoter_ridge(
        fold.targets.reference, list(every.values()), known, fitted=~fold.held_out
    )


def _scores(fold: Fold, chosen: VariantSet, outputs: list[str], ridge: Session) -> Scores:
    found: Scores = {}
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(chosen.positive | chosen.negative))
    for who, session in fold.sessions.items():
        readout = choose_readout(session, "gene")
        rows = np.sort(drawn[:N_NULL]) if who == UNTRAINED else np.arange(len(chosen.pairs))
        effects = np.full((len(chosen.pairs), len(readout.outputs)), np.nan)
        effects[rows] = score_pairs(
            session, chosen.variants, genes=fold.genes, pairs=chosen.pairs[rows], readout=readout
        )
        for output in outputs:
            found[who, output] = effects[:, readout.outputs.index(output)]
    before, after = _promoters(fold, chosen)
    readout = choose_readout(ridge)
    kept = [readout.read(ridge.model, windows) for windows in (after, before)]
    for number, output in enumerate(readout.outputs):
        found[RIDGE, output] = readout.effect(*kept)[:, number].astype(np.float64)
    # It predicts masked bases, so that what it was trained on says nothing of expression.
    language = Session.open(LANGUAGE_MODEL).with_genome(fold.targets.path / GENOME)
    ratios = score_variants(language, chosen.variants, "masked").effects[:, 0]
    found["language model", ""] = ratios.astype(np.float64)[chosen.pairs[:, 0]]
    found[NEARER, ""] = -chosen.distance.astype(np.float64)
    return found


def _promoters(fold: Fold, chosen: VariantSet) -> tuple[Windows, Windows]:
    """Return each pair's promoter with the reference allele and with the alternate one."""
    reference, bodies = fold.targets.reference, list(fold.genes.values())
    before, after = list[np.ndarray](), list[np.ndarray]()
    places = chosen.variants.select("chrom", "start", "ref", "alt").rows()
    variants = [Variant(*place) for place in places]
    for number, gene in chosen.pairs.tolist():
        promoter = promoter_of(bodies[gene])
        anchor = promoter.start if promoter.strand == "-" else promoter.end
        before.append(reference.fetch(promoter))
        after.append(allele_window(reference, promoter, variants[number], anchor=anchor))
    spans = np.tile([0, len(before[0])], (len(before), 1))
    return Windows(np.stack(before), spans), Windows(np.stack(after), spans)


def _rank(
    add: Callable[..., None],
    chosen: VariantSet,
    size: Float64[np.ndarray, "pairs"],
    *,
    inside: Bool[np.ndarray, "pairs"] | None = None,
) -> None:
    """Add how well sizes find what is significant; of a part of the pairs, AUROC alone."""
    own = (chosen.positive | chosen.negative) & ~np.isnan(size)
    own = own if inside is None else own & inside
    n = int(chosen.positive[own].sum())
    for metric, measure in {"auroc": auroc, "auprc": auprc}.items():
        if metric == "auroc" or inside is None:
            block = chosen.block[own]
            add(metric, resampled(measure, size[own], chosen.positive[own], groups=block), n=n)


def _direct(
    add: Callable[..., None], chosen: VariantSet, values: Float64[np.ndarray, "pairs"]
) -> None:
    """Add how often the direction of significant variants is right, and Spearman's r of all."""
    known = ~np.isnan(values) & ~np.isnan(chosen.effect)
    # An effect too small for single precision says nothing, which is right half of the time.
    right = (1 + np.sign(values) * np.sign(chosen.effect)) / 2
    own = chosen.positive & known
    share = resampled(_mean, right[own], groups=chosen.block[own])
    add("direction right", share, n=int(own.sum()))
    r = resampled(_spearman, values[known], chosen.effect[known], groups=chosen.block[known])
    add("spearman", r, n=int(known.sum()))


def _mean(values: Float[np.ndarray, "pairs"]) -> float:
    return float(values.mean())


def _spearman(a: Float[np.ndarray, "pairs"], b: Float[np.ndarray, "pairs"]) -> float:
    return float(spearman(a, b))
