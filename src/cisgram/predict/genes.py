"""Numbers of genes from the sequence around them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from cisgram.core.progress import progress
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.shorkie_tracks import ShorkieTracks
from cisgram.predict.reuse import ReuseConfig
from cisgram.predict.strands import Columns, predict_both_strands

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
    model: ShorkieTracks,
    card: dict[str, Any],
    reference: Reference,
    genes: Sequence[Interval],
    *,
    species: int = 0,
    config: ReuseConfig | None = None,
) -> GenePredictions:
    """Read genes in the middle of windows, on both strands.

    Args:
        model: predicts tracks, numbers of genes or both.
        card: its card, which says what its outputs are and what they were divided by.
        reference: the genome.
        genes: bodies of the genes, each on its strand; of one longer than what a window predicts
            the middle counts.
        species: number that the model knows the genome by.
        config: sizes and memory.

    Raises:
        DataError: a gene lies on no contig.
        ConfigError: a contig is shorter than a window.
    """
    columns = Columns(tuple(card["columns"]["tracks"]), tuple(card["columns"]["values"]))
    places = [gene_window(model, reference, gene) for gene in genes]
    found: list[Float32[np.ndarray, "_ columns"]] = []
    with progress("reading genes", len(genes)) as ticker:
        for first in range(0, len(genes), _AT_ONCE):
            part = places[first : first + _AT_ONCE]
            tokens = np.stack([reference.fetch(place.window) for place in part])
            read = predict_both_strands(model, tokens, columns, species=species, config=config)
            read[..., : len(columns.tracks)] = unscaled(read, card, columns)
            found += [
                bins[place.first : place.past].mean(axis=0)
                for bins, place in zip(read, part, strict=True)
            ]
            ticker.advance(len(part))
    rows, n_tracks = np.stack(found), len(columns.tracks)
    moments = np.array(list(card["scaling"]["values"].values()), np.float32).reshape(-1, 2)
    own = rows[:, n_tracks : n_tracks + len(columns.values)]
    return GenePredictions(own * moments[:, 1] + moments[:, 0], rows[:, :n_tracks])


def gene_window(model: ShorkieTracks, reference: Reference, gene: Interval) -> GeneWindow:
    """Return the window with a gene in its middle, or as near as its contig's ends allow.

    Raises:
        DataError: there is no such contig.
    """
    size, margin = reference.contig(gene.chrom).size, model.config.crop * model.resolution
    around = gene.around(model.window)
    start = max(min(around.start, size - model.window), 0)
    window = Interval(gene.chrom, start, start + model.window, gene.strand)
    low, high = window.locate(gene)
    n_bins = (model.window - 2 * margin) // model.resolution
    first = min(max((low - margin) // model.resolution, 0), n_bins - 1)
    past = min(max(-(-(high - margin) // model.resolution), first + 1), n_bins)
    return GeneWindow(window, first, past)


def unscaled(
    read: Float32[np.ndarray, "windows bins columns"], card: dict[str, Any], columns: Columns
) -> Float32[np.ndarray, "windows bins tracks"]:
    """Return tracks as the counts of bins that they were before they were scaled."""
    means = np.array([card["scaling"]["tracks"][name] for name in columns.tracks], np.float32)
    return (read[..., : len(columns.tracks)] * means) ** np.float32(1 / card["scaling"]["power"])
