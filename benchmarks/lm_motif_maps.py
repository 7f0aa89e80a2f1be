"""What models expect at every base of a genome, kept on disk, for benchmarks/lm_motifs.py."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from cisgram.benchmark.markov import FlankModel, MarkovModel
from cisgram.core.artifact import atomic_file, sha256
from cisgram.core.config import to_plain
from cisgram.explain.backgrounds import dinucleotide_shuffle
from cisgram.genome.alphabet import reverse_complement
from cisgram.models.base import LanguageModel
from cisgram.models.checkpoint import WEIGHTS, load_language_model, model_directory
from cisgram.models.registry import build_model, require_language_model
from cisgram.prediction.maps import masked_probabilities
from cisgram.prediction.perplexity_config import PerplexityConfig

MODEL, RANDOM, FLANKS, MARKOV = "model", "random weights", "two-sided k-mer", "Markov"
SHUFFLED = "shuffled"
SEED = 20261121

Maps = dict[str, np.ndarray]
"""Probabilities of A, C, G and T at every base, by chromosome."""


@dataclass(frozen=True)
class Maker:
    """Makes maps and keeps them in a directory under the hash of what they come from."""

    model: str
    species: int
    device: str
    batch: int
    tokens: Mapping[str, np.ndarray]
    """The evaluated chromosomes."""
    genic: Mapping[str, np.ndarray]
    """Bases in a gene; runs of either kind are shuffled apart."""
    training: Sequence[np.ndarray]
    """Chromosomes that the count models learn from."""
    work: Path

    @cached_property
    def key(self) -> str:
        """Hash of the weights."""
        return sha256(model_directory(self.model) / WEIGHTS)[:12]

    @cached_property
    def counted(self) -> str:
        """Hash of what the count models learn from."""
        digest = hashlib.sha256()
        for contig in self.training:
            digest.update(np.ascontiguousarray(contig))
        return digest.hexdigest()[:12]

    @cached_property
    def network(self) -> LanguageModel:
        """The model."""
        return load_language_model(self.model)[0].to(self.device)

    @cached_property
    def random_network(self) -> LanguageModel:
        """A network of the same sizes whose weights nobody trained."""
        torch.manual_seed(SEED)
        fresh = build_model(self.network.kind, to_plain(self.network.config), "the model's config")
        return require_language_model(fresh, "the network").to(self.device).eval()

    @cached_property
    def flanks(self) -> FlankModel:
        """Counts of bases between others."""
        return FlankModel.fit(self.training)

    @cached_property
    def markov(self) -> MarkovModel:
        """Counts of bases after others."""
        return MarkovModel.fit(self.training)

    def shuffled(self, chrom: str) -> np.ndarray:
        """Return a chromosome with every gene and every stretch between genes shuffled apart."""
        rng = np.random.default_rng([SEED, *chrom.encode()])
        genic = self.genic[chrom]
        bounds = np.flatnonzero(np.diff(genic)) + 1
        parts = np.split(self.tokens[chrom], bounds)
        return np.concatenate([dinucleotide_shuffle(part, rng) for part in parts])

    def maps(self, source: str, chromosomes: Sequence[str], *, shuffled: bool = False) -> Maps:
        """Return the maps of a source, made where they are not on disk yet."""
        neural = source in (MODEL, RANDOM)
        made: dict[str, Callable[[str, np.ndarray], np.ndarray]] = {
            MODEL: lambda name, tokens: self._neural(self.network, name, tokens),
            RANDOM: lambda name, tokens: self._neural(self.random_network, name, tokens),
            FLANKS: lambda _, tokens: self.flanks.probabilities(tokens),
            MARKOV: lambda _, tokens: _both_ways(self.markov, tokens),
        }
        found: Maps = {}
        for chrom in chromosomes:
            key = f"{self.key}-{self.species}" if neural else self.counted
            words = [source, chrom, *([SHUFFLED] if shuffled else []), key]
            path = self.work / ("-".join(words).replace(" ", "-") + ".npy")
            if not path.exists():
                tokens = self.shuffled(chrom) if shuffled else self.tokens[chrom]
                p = made[source](chrom, tokens).astype(np.float32)
                with atomic_file(path) as building, building.open("wb") as stream:
                    np.save(stream, p)
            found[chrom] = np.load(path)
        return found

    def _neural(self, network: LanguageModel, chrom: str, tokens: np.ndarray) -> np.ndarray:
        config = PerplexityConfig(strands="both", batch=self.batch)
        contigs = {chrom: tokens}
        return masked_probabilities(network, contigs, species=self.species, config=config)[chrom]


def _both_ways(model: MarkovModel, tokens: np.ndarray) -> np.ndarray:
    """Average the log-probabilities of the two strands, as those of the networks are."""
    backward = model.probabilities(reverse_complement(tokens))[::-1, ::-1]
    log_p = (np.log(model.probabilities(tokens)) + np.log(backward)) / 2
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)
