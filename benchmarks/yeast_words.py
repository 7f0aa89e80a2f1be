"""What known words do before yeast genes, for benchmarks/yeast_explanations.py."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from yeast_gene_baselines import PROMOTER, PromoterRidge, promoter_of

from cisgram.core.metrics import bootstrap_ci, bootstrap_difference
from cisgram.data.targets import Targets
from cisgram.explain.gene_words import GeneWords, reordered, with_promoters, words_for_genes
from cisgram.explain.marginalize import likeliest_word, put_in, shuffles
from cisgram.explain.motif_files import read_motifs
from cisgram.explain.motifs import Motif
from cisgram.explain.word_options import WordConfig
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.prediction.tracks import TrackReader

FACTORS = ("REB1", "ABF1", "RAP1", "GCN4")
CONSENSUS = {"TATA box": "TATAAAAG"}
DISTANCES = (100, 150, 200, 300)
"""Bases from a word's middle to the start codon."""
CONFIG = WordConfig(n_backgrounds=4, n_nulls=4, promoter=PROMOTER)
SEED = 0
OUTPUTS = ("segregants", "tss_ypd+")


def word_effects(
    readers: Mapping[str, TrackReader],
    targets: Targets,
    genes: Mapping[str, Interval],
    data: Path,
    *,
    n_genes: int,
) -> dict[str, Any]:
    """Return what words do by model and output, over genes drawn from those given.

    Beside the models stands a linear one, which learnt from the training genes of the targets.

    For each word, the means over distances of its effect and of that less its shuffled letters',
    and how much the first model's exceeds each other one's.
    """
    jaspar = {
        motif.name: motif
        for motif in read_motifs(data / "motifs" / "JASPAR2026_CORE_fungi_latest.jaspar.gz")
    }
    words = [Motif.from_consensus(name, word) for name, word in CONSENSUS.items()]
    words += [jaspar[name] for name in FACTORS]
    first, reference = next(iter(readers.values())), targets.reference
    usable = with_promoters(first, reference, genes, promoter=CONFIG.promoter)
    drawn = np.random.default_rng(0).permutation(sorted(usable))[:n_genes].tolist()
    chosen = {name: usable[name] for name in drawn}
    found = {
        name: words_for_genes(
            reader, reference, chosen, words=words, distances=DISTANCES, config=CONFIG
        )
        for name, reader in readers.items()
    }
    by_output: dict[str, Any] = {}
    for output in OUTPUTS:
        effects = {name: _means(own, output) for name, own in found.items()}
        linear = PromoterRidge(targets, output)
        effects[linear.name] = ridge_effects(linear, reference, chosen, words)
        by_output[output] = by_word(effects, next(iter(found.values())))
    return {
        "genes": drawn,
        "distances": DISTANCES,
        "backgrounds": CONFIG.n_backgrounds,
        "by_distance": {
            name: {output: own.table(output).to_dicts() for output in OUTPUTS}
            for name, own in found.items()
        },
        "by_word": by_output,
    }


def ridge_effects(
    linear: PromoterRidge, reference: Reference, genes: Mapping[str, Interval], words: list[Motif]
) -> tuple[np.ndarray, np.ndarray]:
    """Return what words and their shuffled letters do in a linear model, (genes, words) each.

    The protocol is that of `words_for_genes`, with promoters and letters shuffled anew.
    """
    effects, nulls = (np.empty((len(genes), len(words))) for _ in range(2))
    for number, gene in enumerate(genes.values()):
        rng = np.random.default_rng((SEED, number + 1))
        promoter = reference.fetch(promoter_of(gene))
        backgrounds = shuffles(promoter[None], n=CONFIG.n_backgrounds, rng=rng)
        without = linear.predict(backgrounds).mean()
        for column, word in enumerate(words):
            letters = likeliest_word(word)
            others = [reordered(letters, rng) for _ in range(CONFIG.n_nulls)]
            for found, rows in ((effects, [letters] * CONFIG.n_backgrounds), (nulls, others)):
                edited = [
                    put_in(way, background[None], PROMOTER - distance - letters.size // 2)[0]
                    for row, background in zip(rows, cycle(backgrounds), strict=False)
                    for way in (row, reverse_complement(row))
                    for distance in DISTANCES
                ]
                found[number, column] = linear.predict(edited).mean() - without
    return effects, nulls


def by_word(
    effects: Mapping[str, tuple[np.ndarray, np.ndarray]], found: GeneWords
) -> dict[str, Any]:
    """Return means over distances, with intervals over genes, from `effects` and nulls by model."""
    first, *others = effects
    beyond = {name: own - null for name, (own, null) in effects.items()}

    def over_genes(values: Mapping[str, np.ndarray], number: int) -> dict[str, list[float]]:
        return {name: list(bootstrap_ci(own[:, number], seed=SEED)) for name, own in values.items()}

    return {
        word: {
            "sequence": found.sequences[number],
            "effect": over_genes({name: own for name, (own, _) in effects.items()}, number),
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
        for number, word in enumerate(found.words)
    }


def _means(own: GeneWords, output: str) -> tuple[np.ndarray, np.ndarray]:
    """Return effects and nulls as means over distances, (genes, words) each."""
    number = own.outputs.index(output)
    return own.effects[..., number].mean(axis=2), own.nulls[..., number].mean(axis=2)
