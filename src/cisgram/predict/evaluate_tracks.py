"""How well a model predicts signal along held-out contigs."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from cisgram.core.metrics import pearson
from cisgram.core.progress import progress
from cisgram.data.targets import Targets
from cisgram.genome.interval import Interval
from cisgram.predict.reuse import ReuseConfig
from cisgram.predict.tracks import TrackReader

_AT_ONCE = 16


class Signal(NamedTuple):
    """Bins of a split, one after the other, each once, read on the forward strand."""

    predicted: Float32[np.ndarray, "bins tracks"]
    """In counts of a bin."""
    measured: Float32[np.ndarray, "bins tracks"]
    place: Int64[np.ndarray, "bins 2"]
    """Number of the contig among those of the split, and first base."""


def read_split(
    reader: TrackReader,
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
    geometry, rows = targets.geometry, targets.split(split)
    contigs = {name: n for n, name in enumerate(targets.windows[rows]["chrom"].unique().sort())}
    seen: set[tuple[str, int]] = set()
    parts: list[tuple[Any, Any, Any]] = []
    with progress("reading windows", len(rows)) as ticker:
        for first in range(0, len(rows), _AT_ONCE):
            places = [targets.interval(int(row), "+") for row in rows[first : first + _AT_ONCE]]
            tokens = np.stack([targets.reference.fetch(place) for place in places])
            signal = reader.read(tokens, species=species, config=config).tracks
            for place, bins in zip(places, signal, strict=True):
                low, high = place.start + geometry.margin, place.end - geometry.margin
                starts = np.arange(low, high, geometry.resolution)
                # The last window of a contig overlaps the one before.
                fresh = [(place.chrom, start) not in seen for start in starts.tolist()]
                seen.update((place.chrom, start) for start in starts.tolist())
                where = np.stack([np.full(starts.size, contigs[place.chrom]), starts], axis=1)
                measured = targets.tracks.bins(Interval(place.chrom, low, high, "+"))
                parts.append((bins[fresh], measured[fresh], where[fresh]))
            ticker.advance(len(places))
    return Signal(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def bin_correlation(signal: Signal, *, power: float = 1.0) -> Float64[np.ndarray, "tracks"]:
    """Return Pearson's correlation over bins of each track, of counts raised to a power."""
    return pearson(
        signal.predicted.T.astype(float) ** power, signal.measured.T.astype(float) ** power
    )
