"""What models say of genes, from the sequence around them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from cisgram.core.checks import ConfigError
from cisgram.core.progress import progress
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.reuse import ReuseConfig, predict_sequences
from cisgram.predict.tracks import TrackReader

_AT_ONCE = 32


@dataclass(frozen=True)
class GeneWindow:
    """Where a gene is read."""

    window: Interval
    """On the gene's strand."""
    first: int
    """First bin of its body among those predicted, along its strand."""
    past: int
    """One past the last."""

    def locate(self, region: Interval) -> tuple[int, int]:
        """Return where a region starts and ends in the window, read along the gene's strand.

        Raises:
            ConfigError: it reaches outside.
        """
        start, end = self.window.locate(region)
        if not self.window.overlaps(region) or start < 0 or end > self.window.length:
            raise ConfigError(
                f"{region} reaches outside {self.window}, which is what the model reads around "
                "the gene; take a region nearer to it."
            )
        return start, end

    def opposes(self, region: Interval) -> bool:
        """Say whether a region is read on the other strand than the window; `.` reads as `+`."""
        return (self.window.strand == "-") != (region.strand == "-")


@dataclass(frozen=True, eq=False)
class GeneReadout:
    """What is kept of a model's output for a gene, in the order of `Columns.of_a_gene`.

    Its numbers are means over the bins of its body; of tracks, counts are summed over its body and
    the bases before that which count to the gene.
    """

    reader: TrackReader
    place: GeneWindow

    def __call__(self, output: Float[Tensor, "batch bins columns"]) -> Float[Tensor, "batch kept"]:
        """Return what is kept of the window read along the gene's strand."""
        return self._kept(self.reader.in_units(output))

    def turned(self, output: Float[Tensor, "batch bins columns"]) -> Float[Tensor, "batch kept"]:
        """Return what is kept of the window's reverse complement."""
        units = self.reader.in_units(output).flip(1)
        return self._kept(units[..., torch.from_numpy(self.reader.columns.partner)])

    def levels(self, kept: Float[Tensor, "... kept"]) -> Float[Tensor, "... kept"]:
        """Return what was kept, both strands averaged, on the scale on which effects add up.

        Numbers stay as they are; of tracks it is log2(1 + the summed counts).
        """
        n_values = len(self.reader.columns.values)
        return torch.cat([kept[..., :n_values], torch.log2(1 + kept[..., n_values:])], dim=-1)

    def effects(
        self,
        alternative: Float32[np.ndarray, "... kept"],
        reference: Float32[np.ndarray, "... kept"],
    ) -> Float32[np.ndarray, "... kept"]:
        """Return what changes of sequence do, from what was kept, both strands averaged.

        They are differences of `levels`: of numbers, and of tracks logSED,
        log2((1 + alternative) / (1 + reference)) of the summed counts (Linder et al. 2025, Borzoi).
        """
        after, before = (
            self.levels(torch.from_numpy(kept)).numpy() for kept in (alternative, reference)
        )
        return after - before

    def _kept(self, units: Float[Tensor, "batch bins columns"]) -> Float[Tensor, "batch kept"]:
        columns, place = self.reader.columns, self.place
        n_tracks, n_values = len(columns.tracks), len(columns.values)
        body = units[:, place.first : place.past, n_tracks : n_tracks + n_values].mean(dim=1)
        sums: list[Float[Tensor, "batch"]] = []
        for number, (name, upstream) in enumerate(
            zip(columns.tracks, columns.upstream, strict=True)
        ):
            if not name.endswith("-"):
                n_before = -(-upstream // self.reader.model.resolution)
                start = max(place.first - n_before, 0)
                sums.append(units[:, start : place.past, number].sum(dim=1))
        return torch.cat([body, *(column[:, None] for column in sums)], dim=1)


def predict_genes(
    reader: TrackReader,
    reference: Reference,
    genes: Sequence[Interval],
    *,
    species: int = 0,
    config: ReuseConfig | None = None,
) -> Float32[np.ndarray, "genes kept"]:
    """Read genes in the middle of windows, on both strands.

    Args:
        reader: the model.
        reference: the genome.
        genes: bodies of the genes, each on its strand; of one longer than what a window predicts
            the middle counts.
        species: number that the model knows the genome by.
        config: sizes, memory and cache.

    Returns:
        What `GeneReadout` keeps, the mean over both strands; `Columns.of_a_gene` names it.

    Raises:
        DataError: a gene lies on no contig.
    """
    kept: list[Float[Tensor, "1 kept"]] = []
    with progress("reading genes", len(genes)) as ticker:
        for start in range(0, len(genes), _AT_ONCE):
            part = genes[start : start + _AT_ONCE]
            places = [gene_window(reader, reference, gene) for gene in part]
            tokens = np.stack([reference.fetch(place.window) for place in places])
            both = np.stack([tokens, reverse_complement(tokens)])
            read = predict_sequences(reader.model, both, species=species, config=config).values
            outputs = torch.from_numpy(read)
            for number, place in enumerate(places):
                readout, one = GeneReadout(reader, place), slice(number, number + 1)
                kept.append((readout(outputs[0, one]) + readout.turned(outputs[1, one])) / 2)
            ticker.advance(len(part))
    return torch.cat(kept).numpy()


def read_gene(
    readout: GeneReadout,
    windows: UInt8[np.ndarray, "windows length"],
    *,
    species: int = 0,
    config: ReuseConfig | None = None,
) -> Float32[np.ndarray, "windows kept"]:
    """Read windows in which a gene lies at one place, edited ones perhaps, on both strands.

    Args:
        readout: where the gene lies, and the model.
        windows: tokens along the gene's strand.
        species: number that the model knows the genome by.
        config: sizes, memory and cache.

    Returns:
        What the readout keeps, the mean over both strands.
    """
    model = readout.reader.model
    forward, backward = (
        predict_sequences(model, tokens, species=species, reduce=keep, config=config).values
        for tokens, keep in (
            (windows, readout),
            (reverse_complement(windows), readout.turned),
        )
    )
    return (forward + backward) / 2


def gene_window(reader: TrackReader, reference: Reference, gene: Interval) -> GeneWindow:
    """Return the window with a gene in its middle, or as near as its contig's ends allow.

    Raises:
        DataError: there is no such contig.
    """
    length, resolution = reader.model.window, reader.model.resolution
    last = reference.contig(gene.chrom).size - length
    start = max(min(gene.around(length).start, last), 0)
    window = Interval(gene.chrom, start, start + length, gene.strand)
    low, high = (place - reader.margin for place in window.locate(gene))
    first = min(max(low // resolution, 0), reader.n_bins - 1)
    past = min(max(-(-high // resolution), first + 1), reader.n_bins)
    return GeneWindow(window, first, past)
