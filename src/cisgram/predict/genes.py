"""Numbers of genes from the sequence around them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from cisgram.core.progress import progress
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.reuse import ReuseConfig
from cisgram.predict.tracks import TrackReader

_AT_ONCE = 32


class GeneWindow(NamedTuple):
    """Where a gene is read."""

    window: Interval
    """On the gene's strand."""
    first: int
    """First bin of its body among those predicted, along its strand."""
    past: int
    """One past the last."""


class GenePredictions(NamedTuple):
    """What a model says of genes, in the units that it learnt from."""

    values: Float32[np.ndarray, "genes values"]
    tracks: Float32[np.ndarray, "genes tracks"]
    """Mean of a bin of the gene's body; `name+` is the gene's own strand."""


def predict_genes(
    reader: TrackReader,
    reference: Reference,
    genes: Sequence[Interval],
    *,
    species: int = 0,
    config: ReuseConfig | None = None,
) -> GenePredictions:
    """Read genes in the middle of windows, on both strands.

    Args:
        reader: the model.
        reference: the genome.
        genes: bodies of the genes, each on its strand; of one longer than what a window predicts
            the middle counts.
        species: number that the model knows the genome by.
        config: sizes and memory.

    Raises:
        DataError: a gene lies on no contig.
    """
    places = [gene_window(reader, reference, gene) for gene in genes]
    values: list[Float32[np.ndarray, "_"]] = []
    tracks: list[Float32[np.ndarray, "_"]] = []
    with progress("reading genes", len(genes)) as ticker:
        for start in range(0, len(genes), _AT_ONCE):
            part = places[start : start + _AT_ONCE]
            tokens = np.stack([reference.fetch(place.window) for place in part])
            read = reader.read(tokens, species=species, config=config)
            for number, (_, first, past) in enumerate(part):
                values.append(read.values[number, first:past, 0].mean(axis=0))
                tracks.append(read.tracks[number, first:past].mean(axis=0))
            ticker.advance(len(part))
    return GenePredictions(np.stack(values), np.stack(tracks))


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
