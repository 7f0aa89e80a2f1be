"""What every base around a gene adds to what a model says of it, by gradients."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cisgram.core.checks import check_choice
from cisgram.explain.gradients import Attribution, gradient_times_input, integrated_gradients
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.base import Model
from cisgram.predict.genes import GeneReadout, GeneWindow, gene_window
from cisgram.predict.tracks import TrackReader


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneGradients:
    """What every base of a gene's window adds to one number that is read of the gene."""

    place: GeneWindow
    """Where the gene is read."""
    output: str
    """What is read of it. The number that is explained is the number of the gene itself, or, of a
    track, log2(1 + summed counts), differences of which are logSED."""
    n_steps: int
    """Of integrated gradients; 0 of plain ones."""
    window: Attribution
    """Of all bases of the window, along the gene's strand."""

    def within(self, region: Interval) -> Attribution:
        """Return the attribution of the bases of a region, along its strand.

        `reference` and `completeness_gap` stay those of the window.

        Raises:
            ConfigError: the region reaches outside the window.
        """
        start, end = self.place.locate(region)
        rows, tokens = self.window.hypothetical[start:end], self.window.tokens[start:end]
        if self.place.opposes(region):
            rows, tokens = rows[::-1, ::-1], reverse_complement(tokens)
        return replace(self.window, hypothetical=rows.copy(), tokens=tokens)


def attribute_to_gene(
    reader: TrackReader,
    reference: Reference,
    gene: Interval,
    *,
    output: str,
    n_steps: int | None = None,
    species: int = 0,
    batch: int = 2,
) -> GeneGradients:
    """Return what every base of a gene's window adds to one number that is read of the gene.

    Both strands of the window are read, and the number is that of their mean, as it is predicted;
    so what a base adds is the mean over both.

    Args:
        reader: the model.
        reference: the genome.
        gene: the gene's body, on its strand.
        output: a number of genes or a track of the gene's strand.
        n_steps: of integrated gradients, from a quarter of each base; plain gradients where None.
        species: number that the model knows the genome by.
        batch: points at once, of integrated gradients; each is read on both strands.

    Raises:
        ConfigError: the model has no such output, or there is no step.
        DataError: the gene lies on no contig.
    """
    outputs = reader.columns.of_a_gene
    number = outputs.index(check_choice(output, outputs, "track"))
    place = gene_window(reader, reference, gene)
    readout, tokens = GeneReadout(reader, place), reference.fetch(place.window)
    model = _BothStrands(readout)

    def level(kept: Float[Tensor, "batch kept"]) -> Float[Tensor, "batch"]:
        return readout.levels(kept)[:, number]

    if n_steps is None:
        found = gradient_times_input(model, tokens, reduce=level, species=species)
    else:
        found = integrated_gradients(
            model, tokens, reduce=level, n_steps=n_steps, species=species, batch=batch
        )
    return GeneGradients(place=place, output=output, n_steps=n_steps or 0, window=found)


class _BothStrands(Model):
    """What is read of a gene, from windows and their reverse complements."""

    kind, reads_weights = "gene", True

    def __init__(self, readout: GeneReadout) -> None:
        super().__init__()
        self.readout, self.model = readout, readout.reader.model
        self.config: Any = self.model.config
        self.window, self.multiple = self.model.window, self.model.multiple
        self.train(self.model.training)  # a new module trains, and would leave its parts so

    def check_length(self, length: int) -> None:
        self.model.check_length(length)

    def forward(
        self,
        weights: Float[Tensor, "batch length 4"],
        species: Int[Tensor, "batch"],
    ) -> Float[Tensor, "batch kept"]:
        """Return the mean over both strands."""
        both = torch.cat([weights, weights.flip(1, 2)])  # A C G T read backwards are their partners
        forward, backward = self.model(both, species=torch.cat([species, species])).chunk(2)
        return (self.readout(forward) + self.readout.turned(backward)) / 2
