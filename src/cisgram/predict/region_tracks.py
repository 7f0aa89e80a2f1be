"""Signal along whole regions, window after window."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from cisgram.core.progress import progress
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.reuse import ReuseConfig
from cisgram.predict.tracks import TrackReader

_AT_ONCE = 16


def predict_regions(
    reader: TrackReader,
    reference: Reference,
    regions: Sequence[Interval],
    *,
    species: int = 0,
    config: ReuseConfig | None = None,
) -> list[Float32[np.ndarray, "_bins tracks"]]:
    """Predict the tracks of regions, the mean of both strands.

    Each window predicts its middle, and the windows lie evenly about the middle of the region, so
    that every bin is seen with the DNA around it, N past the ends of contigs. Bins count from a
    region's first base; the last may reach past its end.

    Args:
        reader: the model.
        reference: the genome.
        regions: stretches of any length; on strand `-` bins and strands are those of that strand.
        species: number that the model knows the genome by.
        config: sizes, memory and cache.

    Raises:
        DataError: a region lies on no contig.
        ConfigError: a region reaches past the ends of its contig.
    """
    size = reader.model.resolution
    n_bins = [-(-region.length // size) for region in regions]
    # Bins of the windows before a region's first.
    before = [-n % reader.n_bins // 2 for n in n_bins]
    pieces = [
        (number, window)
        for number, (region, lead) in enumerate(zip(regions, before, strict=True))
        for window in _windows_over(reader, reference, region, before=lead * size)
    ]
    found: list[list[Float32[np.ndarray, "bins tracks"]]] = [[] for _ in regions]
    with progress("reading windows", len(pieces)) as ticker:
        for first in range(0, len(pieces), _AT_ONCE):
            part = pieces[first : first + _AT_ONCE]
            tokens = np.stack([reference.fetch(window) for _, window in part])
            read = reader.read(tokens, species=species, config=config)
            for (number, _), bins in zip(part, read.tracks, strict=True):
                found[number].append(bins)
            ticker.advance(len(part))
    return [
        np.concatenate(bins)[lead : lead + n]
        for bins, lead, n in zip(found, before, n_bins, strict=True)
    ]


def _windows_over(
    reader: TrackReader, reference: Reference, region: Interval, *, before: int
) -> list[Interval]:
    """Return windows whose predicted middles lie end to end over a region, along its strand.

    The first middle begins so many bases before the region.

    Raises:
        DataError: there is no such contig.
        ConfigError: the region reaches past the ends of its contig.
    """
    reference.check_inside(region)
    step, length = reader.n_bins * reader.model.resolution, reader.model.window
    found: list[Interval] = []
    for offset in range(-before, region.length, step):
        low = offset - reader.margin
        start = region.start + low if region.strand != "-" else region.end - low - length
        found.append(Interval(region.chrom, start, start + length, region.strand))
    return found
