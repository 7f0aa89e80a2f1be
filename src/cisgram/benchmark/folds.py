"""Held-out contigs with the networks that did not see them, and what targets measured there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64

from cisgram.benchmark.base import Context
from cisgram.benchmark.language import untrained
from cisgram.core.checks import ConfigError
from cisgram.data.targets import GENOME, Targets
from cisgram.genome.interval import Interval
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.session import Session

ANNOTATION = ("genome", "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz")
UNTRAINED = "untrained"
"""The first network with random weights, the null of what its architecture knows."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Contigs that the same networks held out."""

    contigs: tuple[str, ...]
    sessions: Mapping[str, Session]
    """By predictor, on the genome of the targets; the first one's untrained network at the end."""
    targets: Targets

    @cached_property
    def held_out(self) -> Bool[np.ndarray, "genes"]:
        """Which genes of the targets lie on the contigs; baselines are fitted to the others."""
        return self.targets.genes["chrom"].is_in(self.contigs).to_numpy()

    @cached_property
    def genes(self) -> dict[str, Interval]:
        """Bodies of the held-out genes by identifier."""
        return gene_bodies(self.targets, self.held_out)

    @property
    def session(self) -> Session:
        """That of the first predictor."""
        return next(iter(self.sessions.values()))


def read_folds(context: Context) -> list[Fold]:
    """Return the contigs that all predictors held out, by the networks that held them out.

    Raises:
        ConfigError: there is no such contig.
    """
    targets = context.targets
    groups: dict[tuple[int, ...], list[str]] = {}
    for contig in targets.reference.contigs:
        holders = [
            next((n for n, (_, own) in enumerate(predictor.parts) if contig in own), -1)
            for predictor in context.predictors
        ]
        if -1 not in holders:
            groups.setdefault(tuple(holders), []).append(contig)
    if not groups:
        raise ConfigError("the models held out no contig in common; evaluate them one by one.")
    genome, annotation = targets.path / GENOME, context.file(*ANNOTATION)
    found: list[Fold] = []
    for holders, contigs in groups.items():
        sessions = {
            predictor.name: predictor.parts[n][0].with_genome(genome, annotation)
            for predictor, n in zip(context.predictors, holders, strict=True)
        }
        first = context.predictors[0].parts[holders[0]][0]
        fresh = Session(untrained(first.model), name=UNTRAINED, species=first.species)
        sessions[UNTRAINED] = fresh.with_genome(genome, annotation)
        found.append(Fold(tuple(contigs), sessions, targets))
    return found


def gene_bodies(targets: Targets, chosen: Bool[np.ndarray, "genes"]) -> dict[str, Interval]:
    """Return the bodies of chosen genes by identifier."""
    return {
        row["gene"]: Interval(row["chrom"], row["start"], row["end"], row["strand"])
        for row in targets.genes.filter(chosen).iter_rows(named=True)
    }


def measured_levels(targets: Targets) -> dict[str, Float64[np.ndarray, "genes"]]:
    """Return gene targets, and log2(1 + counts) of tracks over each gene, as models read them.

    Counts are over the body and the bases before it that count to the gene, on its strand.
    """
    found = dict(zip(targets.target_names, targets.values.T.astype(np.float64), strict=True))
    size, genes = targets.geometry.resolution, targets.genes
    first, past = genes["start"].to_numpy() // size, -(-genes["end"].to_numpy() // size)
    plus = (genes["strand"] != "-").to_numpy()
    for source in targets.config.tracks:
        before = -(-source.upstream // size)
        low = np.where(plus, np.maximum(first - before, 0), first)
        high = np.where(plus, past, past + before)
        sums = np.zeros(genes.height)
        columns = [targets.tracks.names.index(source.columns[n]) for n in (0, -1)]
        for row, chrom in enumerate(genes["chrom"]):
            column = columns[0 if plus[row] else 1]
            sums[row] = targets.tracks.contig(chrom)[low[row] : high[row], column].sum()
        found[source.columns[0]] = np.log2(1 + sums)
    return found


def gene_outputs(context: Context, wanted: tuple[str, ...]) -> list[str]:
    """Return which of the wanted outputs all predictors have for genes; the first's first if none.

    Raises:
        ConfigError: a predictor says nothing of genes.
    """
    sessions = [own.session for own in context.predictors]
    common = [set(choose_readout(own, "gene").outputs) for own in sessions]
    shared = [name for name in wanted if all(name in own for own in common)]
    return shared or [choose_readout(sessions[0], "gene").outputs[0]]


def by_contig(folds: list[Fold]) -> Iterator[tuple[str, Fold]]:
    """Yield every held-out contig with its fold."""
    for fold in folds:
        for contig in fold.contigs:
            yield contig, fold
