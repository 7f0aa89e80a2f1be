"""Known motifs inserted into shuffled promoters of held-out genes, beside a ridge regression."""

from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.folds import (
    UNTRAINED,
    Fold,
    gene_bodies,
    gene_outputs,
    measured_levels,
    read_folds,
)
from cisgram.benchmark.kmers import PROMOTER, RIDGE, promoter_of, promoter_ridge
from cisgram.core.metrics import bootstrap_ci, bootstrap_difference
from cisgram.explain.insert import Insertions, insert
from cisgram.explain.insertion_sites import InsertConfig
from cisgram.explain.motif_files import read_motifs
from cisgram.explain.motifs import Motif
from cisgram.prediction.sequences import Sequences

MOTIFS = ("motifs", "JASPAR2026_CORE_fungi_latest.jaspar.gz")
CONSENSUS = {"TATA box": "TATAAAAG"}
FACTORS = ("REB1", "ABF1", "RAP1", "GCN4")
OUTPUTS = ("segregants", "tss_ypd+")
DISTANCES = (100, 150, 200, 300)
"""Bases from a motif's middle to the gene's start; means over them are compared."""
CONFIG = InsertConfig(
    distances=DISTANCES, n_backgrounds=4, n_nulls=4, promoter=PROMOTER, n_genes=12
)


class Means(NamedTuple):
    """Means over distances, of each gene, motif and output."""

    effects: Float64[np.ndarray, "genes motifs outputs"]
    beyond: Float64[np.ndarray, "genes motifs outputs"]
    """Effects less those of the motif's letters in other orders."""


@evaluation(
    "yeast-insertion",
    suite="yeast",
    title="What do motifs inserted into shuffled promoters do to predictions?",
    needs="tracks",
)
def run(context: Context, rows: Rows) -> None:
    """Add the mean effect of each motif beyond its shuffled letters, over held-out genes."""
    fold = max(read_folds(context), key=lambda own: len(own.genes))
    outputs = gene_outputs(context, OUTPUTS)
    motifs = known_motifs(context)
    found = {who: _means(own, outputs) for who, own in _insertions(fold, motifs, outputs).items()}
    for column, output in enumerate(outputs):
        for number, motif in enumerate(motifs):
            for who, (effects, beyond) in found.items():
                own, excess = effects[:, number, column], beyond[:, number, column]
                add = partial(rows.add, who, subset=motif.name, output=output, n=len(own))
                add("effect", bootstrap_ci(own, seed=0))
                add("beyond shuffled letters", bootstrap_ci(excess, seed=0))
                if who in rows.models:
                    other = found[RIDGE][1][:, number, column]
                    gain = bootstrap_difference(excess, other, seed=0)
                    add(f"minus {RIDGE}", gain)


def known_motifs(context: Context) -> list[Motif]:
    """Return the motifs that are inserted."""
    jaspar = {motif.name: motif for motif in read_motifs(context.file(*MOTIFS))}
    named = [Motif.from_consensus(name, letters) for name, letters in CONSENSUS.items()]
    return named + [jaspar[name] for name in FACTORS]


def _insertions(fold: Fold, motifs: list[Motif], outputs: list[str]) -> dict[str, Insertions]:
    """Insert motifs before the same genes for every predictor, and into the same shuffles."""
    known = fold.session.genes.places
    genes, config = [name for name in fold.genes if name in known], CONFIG
    found: dict[str, Insertions] = {}
    for who, session in fold.sessions.items():
        if who == UNTRAINED:  # the null of an insertion is the motif's letters in other orders
            continue
        found[who] = insert(session, motifs, genes=genes, readout="gene", config=config)
        genes = list(found[who].subjects)
    places = [promoter_of(fold.genes[name]) for name in genes]
    promoters = Sequences(tuple(genes), tuple(places), fold.targets.reference)
    levels = measured_levels(fold.targets)
    every = gene_bodies(fold.targets, np.ones(fold.held_out.size, dtype=np.bool_))
    ridge = promoter_ridge(
        fold.targets.reference, list(every.values()), {own: levels[own] for own in outputs},
        fitted=~fold.held_out,
    )  # fmt: skip
    # Distances to the promoter's end, as those to its middle, from which sequences count.
    config = InsertConfig(
        distances=tuple(own - PROMOTER // 2 for own in DISTANCES),
        n_backgrounds=CONFIG.n_backgrounds, n_nulls=CONFIG.n_nulls,
    )  # fmt: skip
    found[RIDGE] = insert(ridge, motifs, promoters, config=config)
    return found


def _means(own: Insertions, outputs: list[str]) -> Means:
    columns = [own.outputs.index(name) for name in outputs]
    effects, nulls = (side[..., columns].astype(np.float64) for side in (own.effects, own.nulls))
    return Means(effects.mean(axis=2), (effects - nulls).mean(axis=2))
