"""How well a model predicts signal along held-out contigs."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from cisgram.core.metrics import pearson
from cisgram.core.progress import progress
from cisgram.data.targets import Targets
from cisgram.genome.interval import Interval
from cisgram.models.shorkie_tracks import ShorkieTracks
from cisgram.predict.genes import unscaled
from cisgram.predict.reuse import ReuseConfig
from cisgram.predict.strands import Columns, predict_both_strands

_AT_ONCE = 16


class Signal(NamedTuple):
    """Bins of a split, one after the other, each once, read on the forward strand."""

    predicted: Float32[np.ndarray, "bins tracks"]
    """In counts of a bin."""
    measured: Float32[np.ndarray, "bins tracks"]
    place: Float64[np.ndarray, "bins 2"]
    """Number of the contig among those of the split, and first base."""


def read_split(
    model: ShorkieTracks,
    card: dict[str, Any],
    targets: Targets,
    split: str,
    *,
    species: int = 0,
    config: ReuseConfig | None = None,
) -> Signal:
    """Predict every bin of a split's windows on both strands, and average.

    Raises:
        ConfigError: there is no such split.
    """
    columns = Columns(targets.tracks.names, targets.value_names)
    geometry, rows = targets.geometry, targets.split(split)
    n_tracks = len(columns.tracks)
    contigs = {name: n for n, name in enumerate(targets.windows[rows]["chrom"].unique().sort())}
    seen: set[tuple[str, int]] = set()
    parts: list[tuple[Any, Any, Any]] = []
    with progress("reading windows", len(rows)) as ticker:
        for first in range(0, len(rows), _AT_ONCE):
            places = [targets.interval(int(row), "+") for row in rows[first : first + _AT_ONCE]]
            tokens = np.stack([targets.reference.fetch(place) for place in places])
            read = predict_both_strands(model, tokens, columns, species=species, config=config)
            signal = unscaled(read[..., :n_tracks], card, columns)
            for place, bins in zip(places, signal, strict=True):
                inner = Interval(
                    place.chrom, place.start + geometry.margin, place.end - geometry.margin, "+"
                )
                starts = np.arange(inner.start, inner.end, geometry.resolution)
                # The last window of a contig overlaps the one before.
                fresh = [(place.chrom, int(start)) not in seen for start in starts]
                seen.update((place.chrom, int(start)) for start in starts)
                where = np.stack([np.full(starts.size, contigs[place.chrom]), starts], axis=1)
                parts.append((bins[fresh], targets.tracks.bins(inner)[fresh], where[fresh]))
            ticker.advance(len(places))
    return Signal(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def bin_correlation(signal: Signal, *, power: float = 1.0) -> Float64[np.ndarray, "tracks"]:
    """Return Pearson's correlation over bins of each track, of counts raised to a power."""
    return pearson(
        signal.predicted.T.astype(float) ** power, signal.measured.T.astype(float) ** power
    )
