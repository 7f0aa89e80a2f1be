"""What every base of a region does to a gene, as a model of tracks and genes sees it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from cisgram.core.checks import check_choice
from cisgram.explain.mutate import Mutagenesis, saturation_mutagenesis
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.genes import GeneReadout, gene_window
from cisgram.predict.tracks import TrackReader


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneMap:
    """Effects of all single-base changes of a region on one gene."""

    region: Interval
    """What was mutated; arrays run along its strand."""
    gene: Interval
    """The gene's body, on its strand."""
    tokens: UInt8[np.ndarray, "positions"]
    """The bases that are there."""
    outputs: tuple[str, ...]
    """Names of what is read of the gene."""
    effects: Float32[np.ndarray, "positions 4 outputs"]
    """With A, C, G or T put in: differences of the gene's numbers, logSED of its tracks, as
    `predict.variants` has them; 0 for the base that is there, NaN where that is N."""
    reference: Float32[np.ndarray, "outputs"]
    """What is read of the gene as it is."""

    def of(self, output: str) -> Float32[np.ndarray, "positions 4"]:
        """Return the effects on one output.

        Raises:
            ConfigError: the model has no such output.
        """
        check_choice(output, self.outputs, "track")
        return self.effects[:, :, self.outputs.index(output)]


def importance(
    effects: Float32[np.ndarray, "positions 4"],
) -> Float32[np.ndarray, "positions"]:
    """Return how much the base that is there adds: minus the mean effect of the three changes."""
    return -effects.sum(axis=1) / 3


def mutate_for_gene(
    reader: TrackReader,
    reference: Reference,
    region: Interval,
    *,
    gene: Interval,
    species: int = 0,
    batch: int | None = None,
) -> GeneMap:
    """Put every other base at every position of a region and read a gene, on both strands.

    Args:
        reader: the model.
        reference: the genome.
        region: bases of the window that has the gene in its middle.
        gene: the gene's body, on its strand.
        species: number that the model knows the genome by.
        batch: mutants at once; chosen where None.

    Raises:
        ConfigError: the region is not inside the gene's window.
        DataError: the gene lies on no contig.
    """
    place = gene_window(reader, reference, gene)
    start, end = place.locate(region)
    readout = GeneReadout(reader, place)
    tokens, length = reference.fetch(place.window), place.window.length
    forward = saturation_mutagenesis(
        reader.model, tokens, start=start, end=end, species=species, reduce=readout, batch=batch
    )
    backward = saturation_mutagenesis(
        reader.model,
        reverse_complement(tokens),
        start=length - end,
        end=length - start,
        species=species,
        reduce=readout.turned,
        batch=batch,
    )
    read = (_outputs(forward) + _outputs(backward)[::-1, ::-1]) / 2
    before = (forward.reference + backward.reference) / 2
    effects, bases = readout.effects(read, before), forward.tokens
    if place.opposes(region):
        effects, bases = effects[::-1, ::-1], reverse_complement(bases)
    return GeneMap(
        region=region,
        gene=gene,
        tokens=bases,
        outputs=reader.columns.of_a_gene,
        effects=np.ascontiguousarray(effects),
        reference=before,
    )


def _outputs(found: Mutagenesis) -> Float32[np.ndarray, "positions 4 outputs"]:
    return found.effects + found.reference
