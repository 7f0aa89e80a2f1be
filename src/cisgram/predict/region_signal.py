"""Predicted signal of one region with the names of its tracks, and as a file of arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from cisgram.core.artifact import write_arrays
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.genes import gene_window
from cisgram.predict.region_tracks import predict_regions
from cisgram.predict.tracks import TrackReader


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionSignal:
    """What a model predicts along a region."""

    region: Interval
    """Bins and strands are those of its strand."""
    resolution: int
    """Bases of a bin."""
    tracks: tuple[str, ...]
    """Names of the columns; `name+` is the strand that is read, `name-` the other."""
    signal: Float32[np.ndarray, "bins tracks"]
    """Counts of a bin; the last bin may reach past the region's end."""


def predict_signal(
    reader: TrackReader, reference: Reference, region: Interval, *, species: int = 0
) -> RegionSignal:
    """Predict the signal along a region, the mean of both strands.

    Args:
        reader: the model.
        reference: the genome.
        region: of any length.
        species: number that the model knows the genome by.

    Raises:
        DataError: the region lies on no contig.
        ConfigError: it reaches past the ends of its contig.
    """
    (signal,) = predict_regions(reader, reference, [region], species=species)
    return RegionSignal(
        region=region,
        resolution=reader.model.resolution,
        tracks=reader.columns.tracks,
        signal=signal,
    )


def region_of_gene(reader: TrackReader, reference: Reference, gene: Interval) -> Interval:
    """Return what the window with a gene in its middle predicts, on strand `+`.

    Raises:
        DataError: the gene lies on no contig.
    """
    window, size = gene_window(reader, reference, gene).window, reference.contig(gene.chrom).size
    start, end = window.start + reader.margin, min(window.end - reader.margin, size)
    return Interval(window.chrom, start, end, "+")


def write_signal(found: RegionSignal, out: Path) -> None:
    """Write signal as .npz: `signal` (bins, tracks), `names` of tracks, `region`, `resolution`."""
    write_arrays(
        out,
        {
            "signal": found.signal,
            "names": np.array(found.tracks),
            "region": np.array(str(found.region)),
            "resolution": np.int64(found.resolution),
        },
    )
