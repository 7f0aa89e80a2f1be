"""What language models, count models and nulls expect of every base of held-out contigs.

Each base is masked once, and both strands are averaged. What was read is kept on disk, since every
task of a suite asks for the same.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Float64, UInt8

from cisgram.benchmark.base import Context
from cisgram.benchmark.markov import FlankModel, MarkovModel
from cisgram.core.artifact import atomic_file, damage_errors
from cisgram.core.checks import ConfigError
from cisgram.explain.backgrounds import dinucleotide_shuffle
from cisgram.genome.alphabet import N, reverse_complement
from cisgram.genome.chromosomes import canonical
from cisgram.genome.genes import Annotation, read_genes
from cisgram.models.ancestry import held_out_contigs
from cisgram.models.base import Model
from cisgram.models.registry import build_model, is_registered
from cisgram.prediction.masked import masked_probabilities
from cisgram.prediction.session import Session

FLANKS, MARKOV, UNTRAINED = "two-sided k-mer", "Markov", "untrained"
SEED = 20261121

Maps = dict[str, Float32[np.ndarray, "_ 4"]]
"""Probabilities of A, C, G and T at every base, NaN at N, by contig."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The contigs that every model held out, and what is expected of their bases."""

    context: Context

    @cached_property
    def tokens(self) -> dict[str, UInt8[np.ndarray, "_"]]:
        """Bases of the contigs.

        Raises:
            ConfigError: the models have none in common.
        """
        first, *others = self.context.predictors
        names = [name for name in first.contigs if all(name in own.contigs for own in others)]
        if not names:
            raise ConfigError("the models held out no contig in common; evaluate them one by one.")
        # Copies, for compiled loops are compiled again for arrays that cannot be written to.
        return {name: np.array(self.context.reference.contig(name)) for name in names}

    @cached_property
    def shortest(self) -> str:
        """The contig that nulls are read on."""
        return min(self.tokens, key=lambda name: len(self.tokens[name]))

    @cached_property
    def annotation_source(self) -> Any:
        """Annotation of the genome: a file, or a packaged genome by name.

        Raises:
            ConfigError: the genome comes without.
        """
        session = self.context.predictors[0].session
        return session.genes.annotation if session.known_reference else "yeast-r64"

    @property
    def is_annotated(self) -> bool:
        """Whether the genome comes with an annotation."""
        session = self.context.predictors[0].session
        return session.has_genes or session.known_reference is None

    @cached_property
    def annotation(self) -> Annotation:
        """Genes, transcripts and exons, contigs spelt as in the reference."""
        found, names = read_genes(self.annotation_source), self.context.reference.names
        return Annotation(
            *(
                table.with_columns(
                    pl.col("chrom").map_elements(names.resolve, return_dtype=pl.String)
                ).drop_nulls("chrom")
                for table in (found.genes, found.transcripts, found.exons)
            )
        )

    @cached_property
    def genic(self) -> dict[str, Bool[np.ndarray, "_"]]:
        """Which bases lie in a gene of any kind."""
        found = {name: np.zeros(len(own), dtype=np.bool_) for name, own in self.tokens.items()}
        for chrom, start, end in self.annotation.genes.select("chrom", "start", "end").iter_rows():
            if chrom in found:
                found[chrom][start:end] = True
        return found

    @property
    def sources(self) -> dict[str, Maps]:
        """Models, count models, and untrained networks, which are read on the shortest contig."""
        return self.models | self.counted | self.untrained

    @cached_property
    def models(self) -> dict[str, Maps]:
        """What each model expects."""
        return {
            own.name: {
                name: self._read(session, name, self.tokens[name])
                for session, contigs in own.parts
                for name in contigs
                if name in self.tokens
            }
            for own in self.context.predictors
        }

    @cached_property
    def counted(self) -> dict[str, Maps]:
        """What counts of k-mers on both sides, and on one side at a time, expect."""
        makers: dict[str, Callable[[str], Float64[np.ndarray, "bases 4"]]] = {
            FLANKS: lambda name: self.flanks(name).probabilities(self.tokens[name]),
            MARKOV: lambda name: _both_ways(self.chain(name), self.tokens[name]),
        }
        return {
            source: {
                name: self._count(source, name, lambda own, make=make: _single(make(own)))
                for name in self.tokens
            }
            for source, make in makers.items()
        }

    def chain_surprise(self, order: int) -> dict[str, Float64[np.ndarray, "_"]]:
        """Return -log p of every base under a Markov chain, in nats."""
        return {
            name: self._count(
                f"order-{order}", name, lambda own: self.chain(own, order).nll(self.tokens[own])
            )
            for name in self.tokens
        }

    @cached_property
    def copied(self) -> dict[str, Bool[np.ndarray, "_"]]:
        """Which bases stand beside 20 bases that count models were trained on."""
        return {
            name: self._count("copied", name, lambda own: self.flanks(own).copied(self.tokens[own]))
            for name in self.tokens
        }

    @cached_property
    def untrained(self) -> dict[str, Maps]:
        """What networks of the same sizes expect of the shortest contig, before training."""
        found: dict[str, Maps] = {}
        for own in self.context.predictors:
            session = self._part(own.parts)
            if is_registered(session.model.kind):
                name = UNTRAINED if len(self.context.predictors) == 1 else f"{own.name}, untrained"
                found[name] = {
                    self.shortest: self._read(
                        session, self.shortest, self.tokens[self.shortest], "untrained", untrained
                    )
                }
        return found

    @cached_property
    def shuffled(self) -> dict[str, Maps]:
        """What models and counts expect of the shortest contig, genes and gaps each shuffled."""
        tokens = shuffle_parts(self.tokens[self.shortest], self.genic[self.shortest])
        found = {
            own.name: {
                self.shortest: self._read(self._part(own.parts), self.shortest, tokens, "shuffled")
            }
            for own in self.context.predictors
        }
        return found | {
            FLANKS: {
                self.shortest: self._count(
                    f"{FLANKS} shuffled",
                    self.shortest,
                    lambda name: _single(self.flanks(name).probabilities(tokens)),
                )
            }
        }

    def training(self, contig: str) -> tuple[str, ...]:
        """Return the contigs that count models of a contig are fitted on.

        They are the nuclear ones that no model held out, for its test or to choose its checkpoint.
        """
        without = {contig}
        for own in self.context.predictors:
            for session, contigs in own.parts:
                if contig in contigs:
                    without |= set(contigs)
                    for split in ("test", "valid"):
                        without |= set(held_out_contigs(session.card, split))
        every = self.context.reference.contigs
        return tuple(own for own in every if own not in without and canonical(own) != "MT")

    def flanks(self, contig: str) -> FlankModel:
        """Return counts of k-mers on both sides, fitted on the contig's training contigs."""
        key = (FLANKS, self.training(contig))
        if key not in self._fitted:
            self._fitted[key] = FlankModel.fit(self._training_tokens(contig))
        return self._fitted[key]

    def chain(self, contig: str, order: int = 20) -> MarkovModel:
        """Return a Markov chain fitted on the contig's training contigs."""
        key = (order, self.training(contig))
        if key not in self._fitted:
            self._fitted[key] = MarkovModel.fit(self._training_tokens(contig), order)
        return self._fitted[key]

    @cached_property
    def _fitted(self) -> dict[Any, Any]:
        return {}

    def _training_tokens(self, contig: str) -> list[UInt8[np.ndarray, "_"]]:
        reference = self.context.reference
        return [np.array(reference.contig(name)) for name in self.training(contig)]

    def _part(self, parts: tuple[tuple[Session, tuple[str, ...]], ...]) -> Session:
        """Return the network that held out the shortest contig."""
        return next(session for session, contigs in parts if self.shortest in contigs)

    def _read(
        self,
        session: Session,
        name: str,
        tokens: UInt8[np.ndarray, "bases"],
        what: str = "masked",
        network: Callable[[Model], Model] | None = None,
    ) -> Float32[np.ndarray, "bases 4"]:
        def make() -> Float32[np.ndarray, "bases 4"]:
            model = session.model if network is None else network(session.model)
            return masked_probabilities(model, {name: tokens}, species=session.species)[name]

        return self._kept(f"{what}-{name}-{_weights(session.model)}", make)

    def _count(self, what: str, name: str, make: Callable[[str], Any]) -> Any:
        digest = hashlib.sha256(" ".join(self.training(name)).encode())
        return self._kept(f"{what}-{name}-{digest.hexdigest()[:12]}", lambda: make(name))

    def _kept(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what a file holds, or make it and keep it."""
        if self.context.work is None:
            return make()
        path = self.context.work / f"{name.replace(' ', '-')}.npz"
        if not path.exists():
            made = make()
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as building, building.open("wb") as stream:
                np.savez(stream, values=made)
        with damage_errors(path), np.load(path) as kept:  # its entries have checksums
            return kept["values"]


def untrained(model: Model) -> Model:
    """Return a network of the same sizes whose weights are random, where the model's are."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        fresh = build_model(model.kind, model.config, model.outputs)
    return fresh.to(next(model.parameters()).device).eval()


def shuffle_parts(
    tokens: UInt8[np.ndarray, "bases"], genic: Bool[np.ndarray, "bases"]
) -> UInt8[np.ndarray, "bases"]:
    """Shuffle every gene, and every stretch between genes, with its dinucleotides kept."""
    rng = np.random.default_rng(SEED)
    parts = np.split(tokens, np.flatnonzero(np.diff(genic)) + 1)
    return np.concatenate([dinucleotide_shuffle(part, rng) for part in parts])


def surprise_of(
    maps: Maps, tokens: Mapping[str, UInt8[np.ndarray, "_"]]
) -> dict[str, Float64[np.ndarray, "_"]]:
    """Return -log p of every base in nats, NaN at N."""
    found: dict[str, Float64[np.ndarray, "_"]] = {}
    for name, p in maps.items():
        own = np.minimum(tokens[name], N - 1)[:, None]
        nats = -np.log(np.take_along_axis(p, own, axis=1)[:, 0].astype(np.float64))
        found[name] = np.where(tokens[name] < N, nats, np.nan)
    return found


def _single(p: Float64[np.ndarray, "bases 4"]) -> Float32[np.ndarray, "bases 4"]:
    return p.astype(np.float32)


def _both_ways(
    model: MarkovModel, tokens: UInt8[np.ndarray, "bases"]
) -> Float64[np.ndarray, "bases 4"]:
    """Average the log-probabilities of the two strands, as those of networks are."""
    backward = model.probabilities(reverse_complement(tokens))[::-1, ::-1]
    log_p = (np.log(model.probabilities(tokens)) + np.log(backward)) / 2
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def _weights(model: Model) -> str:
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:12]
