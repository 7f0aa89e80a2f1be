"""What known words do before yeast genes, for benchmarks/yeast_explanations.py."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cisgram.core.metrics import bootstrap_ci, bootstrap_difference
from cisgram.explain.gene_words import GeneWords, with_promoters, words_for_genes
from cisgram.explain.motif_files import read_motifs
from cisgram.explain.motifs import Motif
from cisgram.explain.word_options import WordConfig
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.tracks import TrackReader

FACTORS = ("REB1", "ABF1", "RAP1", "GCN4")
CONSENSUS = {"TATA box": "TATAAAAG"}
DISTANCES = (100, 150, 200, 300)
"""Bases from a word's middle to the start codon."""
CONFIG = WordConfig(n_backgrounds=4, n_nulls=4)
SEED = 0
OUTPUTS = ("segregants", "tss_ypd+")


def word_effects(
    readers: Mapping[str, TrackReader],
    reference: Reference,
    genes: Mapping[str, Interval],
    data: Path,
    *,
    n_genes: int,
) -> dict[str, Any]:
    """Return what words do by model and output, over genes drawn from those given.

    For each word, the means over distances of its effect and of that less its shuffled letters',
    and how much the first model's exceeds each other one's.
    """
    jaspar = {
        motif.name: motif
        for motif in read_motifs(data / "motifs" / "JASPAR2026_CORE_fungi_latest.jaspar.gz")
    }
    words = [Motif.from_consensus(name, word) for name, word in CONSENSUS.items()]
    words += [jaspar[name] for name in FACTORS]
    first = next(iter(readers.values()))
    usable = with_promoters(first, reference, genes, promoter=CONFIG.promoter)
    drawn = np.random.default_rng(0).permutation(sorted(usable))[:n_genes].tolist()
    chosen = {name: usable[name] for name in drawn}
    found = {
        name: words_for_genes(
            reader, reference, chosen, words=words, distances=DISTANCES, config=CONFIG
        )
        for name, reader in readers.items()
    }
    return {
        "genes": drawn,
        "distances": DISTANCES,
        "backgrounds": CONFIG.n_backgrounds,
        "by_distance": {
            name: {output: own.table(output).to_dicts() for output in OUTPUTS}
            for name, own in found.items()
        },
        "by_word": {output: by_word(found, output) for output in OUTPUTS},
    }


def by_word(found: Mapping[str, GeneWords], output: str) -> dict[str, Any]:
    """Return means over distances, with intervals over genes."""
    first, *others = found
    effects = {name: _means(own, own.effects, output) for name, own in found.items()}
    beyond = {name: effects[name] - _means(own, own.nulls, output) for name, own in found.items()}

    def over_genes(values: Mapping[str, np.ndarray], number: int) -> dict[str, list[float]]:
        return {name: list(bootstrap_ci(own[:, number], seed=SEED)) for name, own in values.items()}

    return {
        word: {
            "sequence": found[first].sequences[number],
            "effect": over_genes(effects, number),
            "beyond_null": over_genes(beyond, number),
            "model_minus": {
                name: list(
                    bootstrap_difference(
                        beyond[first][:, number], beyond[name][:, number], seed=SEED
                    )
                )
                for name in others
            },
        }
        for number, word in enumerate(found[first].words)
    }


def _means(own: GeneWords, values: np.ndarray, output: str) -> np.ndarray:
    """Return means over distances, (genes, words)."""
    return values[..., own.outputs.index(output)].mean(axis=2)
