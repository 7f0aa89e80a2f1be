"""Hidden positions of a language model for regions of a genome."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64

from cisgram.core.checks import check_range
from cisgram.core.device import evaluating
from cisgram.core.progress import progress
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.base import LanguageModel
from cisgram.predict.batches import by_length

Pool = Literal["mean", "none"]


class Embeddings(NamedTuple):
    """Hidden positions of regions, one region after the other."""

    values: Float32[np.ndarray, "rows channels"]
    """A row a region where pooled, else a row a position."""
    region: Int64[np.ndarray, "rows"]
    """Number of the region that a row belongs to."""
    spans: Int64[np.ndarray, "rows 2"]
    """Bases a row stands for, 0-based half-open, on the contig's forward strand."""


def embed_regions(
    model: LanguageModel,
    reference: Reference,
    regions: Sequence[Interval],
    *,
    pool: Pool = "mean",
    species: int = 0,
    batch: int = 8,
) -> Embeddings:
    """Embed regions in the DNA around them.

    A region is cut into pieces of a window at most; each is read in the middle of a window, N
    past the contig's ends, shorter only where the contig is. The positions that overlap the
    region are kept; `mean` weighs each by the bases it shares with the region. On strand `-` the
    window is read reverse complemented.

    Raises:
        DataError: a region lies on no contig.
    """
    check_range(batch, "batch", low=1)
    pieces = [
        (number, piece) for number, region in enumerate(regions) for piece in _cut(region, model)
    ]
    lengths = [model.window_for(len(reference.contig(piece.chrom))) for _, piece in pieces]
    read: dict[int, Embeddings] = {}
    with evaluating(model) as device, progress("embedding", len(pieces)) as ticker:
        for length, numbers in by_length(lengths, most=batch * model.window):
            windows = [pieces[number][1].around(length) for number in numbers]
            tokens = torch.from_numpy(np.stack([reference.fetch(window) for window in windows]))
            of_species = torch.full((len(numbers),), species, device=device)
            embedded = model.embed(tokens.to(device), of_species)
            values = embedded.values.float().cpu().numpy()
            spans = embedded.spans.cpu().numpy()
            for i, number in enumerate(numbers):
                owner, piece = pieces[number]
                placed = _on_contig(spans[i], windows[i])
                kept = (placed[:, 0] < piece.end) & (placed[:, 1] > piece.start)
                inside = np.clip(placed[kept], piece.start, piece.end)
                read[number] = Embeddings(values[i][kept], np.full(len(inside), owner), inside)
            ticker.advance(len(numbers))
    in_order = [read[number] for number in range(len(pieces))]
    found = Embeddings(*(np.concatenate(parts) for parts in zip(*in_order, strict=True)))
    return _mean(found, regions) if pool == "mean" else found


def _cut(region: Interval, model: LanguageModel) -> list[Interval]:
    return [
        Interval(region.chrom, start, min(start + model.window, region.end), region.strand)
        for start in range(region.start, region.end, model.window)
    ]


def _on_contig(
    spans: Int64[np.ndarray, "positions 2"], window: Interval
) -> Int64[np.ndarray, "positions 2"]:
    if window.strand == "-":
        return window.end - spans[:, ::-1]
    return window.start + spans


def _mean(found: Embeddings, regions: Sequence[Interval]) -> Embeddings:
    weights = np.diff(found.spans, axis=1).astype(np.float32)
    sums = np.zeros((len(regions), found.values.shape[1]), dtype=np.float32)
    np.add.at(sums, found.region, found.values * weights)
    total = np.zeros((len(regions), 1), dtype=np.float32)
    np.add.at(total, found.region, weights)
    bounds = np.array([(region.start, region.end) for region in regions], dtype=np.int64)
    return Embeddings(sums / total, np.arange(len(regions)), bounds)
