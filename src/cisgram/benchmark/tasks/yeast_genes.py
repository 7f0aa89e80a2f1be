"""Gene targets and tracks over held-out genes, beside ridge regressions on the same genes."""

import re
from itertools import groupby

import numpy as np
from jaxtyping import Float64, Int

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.folds import UNTRAINED, Fold, gene_bodies, measured_levels, read_folds
from cisgram.benchmark.kmers import (
    RIDGE,
    codon_features,
    count_kmers,
    promoter_of,
    ridge_predict,
    ridge_weights,
)
from cisgram.benchmark.statistics import correlation, correlation_difference, resampled
from cisgram.core.metrics import Estimate, pearson
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.predict import predict_genes
from cisgram.prediction.session import Session

CODONS, BOTH = "ridge, codons and length", "ridge, promoter and codons"
SAME = (("segregants", "rnaseq_wt"),)
"""Levels in growing cells that two laboratories measured, in other strains."""
N_NULL = 300
"""Genes that the network with random weights reads."""
Levels = dict[str, Float64[np.ndarray, "_genes"]]


@evaluation(
    "yeast-genes",
    suite="yeast",
    title="How well are gene targets predicted across genes of held-out chromosomes?",
    needs="tracks",
)
def run(context: Context, rows: Rows) -> None:
    """Add Pearson's r over genes of every output, and differences from the baselines."""
    every = measured_levels(context.targets)
    folds = read_folds(context)
    names = [
        name
        for name in choose_readout(folds[0].session, "gene").outputs
        if name in every and all(name in _outputs(own) for own in folds[0].sessions.values())
    ]
    predicted: dict[str, list[Levels]] = {}
    for fold in folds:
        for name, levels in _predicted(fold, names, every).items():
            predicted.setdefault(name, []).append(levels)
    found = {who: _with_ratios(_joined(parts)) for who, parts in predicted.items()}
    parts = [{name: every[name][fold.held_out] for name in names} for fold in folds]
    measured = _with_ratios(_joined(parts))
    for output in measured:
        _compare(rows, found, measured, output=output)
    for course, times in _courses(names).items():
        for who, own in found.items():
            r = _course_mean(own, measured, times)
            rows.add(who, "mean r", r, output=course, n=len(own[times[0]]))  # fmt: skip
    for output, other in SAME:
        if {output, other} <= set(names):
            r, n = correlation(measured[other], measured[output])
            rows.add(f"measured {other}", "r", r, output=output, n=n)


def _outputs(session: Session) -> tuple[str, ...]:
    return choose_readout(session, "gene").outputs


def _predicted(fold: Fold, names: list[str], measured: Levels) -> dict[str, Levels]:
    """Return what models and ridge regressions predict of a fold's genes, tracks as log2(1 + x)."""
    found: dict[str, Levels] = {}
    for who, session in fold.sessions.items():
        readout = choose_readout(session, "gene")
        n = N_NULL if who == UNTRAINED else len(fold.genes)
        kept = predict_genes(session, dict(list(fold.genes.items())[:n]), readout).values
        levels = np.full((len(fold.genes), kept.shape[1]), np.nan)
        levels[:n] = readout.effect(kept, np.zeros_like(kept))
        found[who] = {name: levels[:, readout.outputs.index(name)] for name in names}
    reference = fold.targets.reference
    bodies = list(gene_bodies(fold.targets, np.ones(fold.held_out.size, dtype=np.bool_)).values())
    promoters = count_kmers(reference.fetch(promoter_of(gene)) for gene in bodies)
    codons = codon_features(reference, bodies)
    values = np.stack([measured[name] for name in names], axis=1)
    for who, features in {
        RIDGE: promoters, CODONS: codons, BOTH: np.hstack([promoters, codons])
    }.items():  # fmt: skip
        weights = ridge_weights(features[~fold.held_out], values[~fold.held_out])
        own = ridge_predict(weights, features[fold.held_out])
        found[who] = dict(zip(names, own.T, strict=True))
    return found


def _joined(parts: list[Levels]) -> Levels:
    return {name: np.concatenate([own[name] for own in parts]) for name in parts[0]}


def _with_ratios(levels: Levels) -> Levels:
    """Add log2 ratios of tracks to the first of the same assay, such as tss_diamide to tss_ypd."""
    tracks = [name for name in levels if name.endswith("+")]
    found = dict(levels)
    for _, group in groupby(tracks, key=lambda name: name.partition("_")[0]):
        first, *others = group
        found |= {f"{own[:-1]} over {first[:-1]}": levels[own] - levels[first] for own in others}
    return found


def _compare(rows: Rows, found: dict[str, Levels], measured: Levels, *, output: str) -> None:
    own, first = measured[output], next(iter(rows.models))
    for who, levels in found.items():
        r, n = correlation(levels[output], own)
        rows.add(who, "r", r, output=output, n=n)
    for who in rows.models:
        for other in found:
            if other in (who, UNTRAINED) or (other in rows.models and who != first):
                continue
            gain, n = correlation_difference(found[who][output], found[other][output], own)
            rows.add(who, f"minus {other}", gain, output=output, n=n)


def _courses(names: list[str]) -> dict[str, list[str]]:
    """Return targets that are times of one course, such as Rapamycin_5min, by its name."""
    found: dict[str, list[str]] = {}
    for name in names:
        if match := re.fullmatch(r"(.+)_\d+min", name):
            found.setdefault(match[1], []).append(name)
    return found


def _course_mean(predicted: Levels, measured: Levels, times: list[str]) -> Estimate:
    p, m = (np.stack([side[time] for time in times]) for side in (predicted, measured))

    def mean(genes: Int[np.ndarray, "genes"]) -> float:
        return float(pearson(p[:, genes], m[:, genes]).mean())

    return resampled(mean, np.arange(p.shape[1]))
