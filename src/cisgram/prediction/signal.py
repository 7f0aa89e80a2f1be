"""Predictions along whole regions, window after window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32
from torch import Tensor

from cisgram.core.artifact import atomic_directory, write_arrays
from cisgram.core.checks import ConfigError
from cisgram.core.results import Result, encoded
from cisgram.data.outputs import BASES, Outputs
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.bigwig import write_bigwig
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.plot.sites import Site
from cisgram.prediction.batches import in_batches
from cisgram.prediction.masked import read_region
from cisgram.prediction.reuse import ReuseConfig, Spans, predict_sequences
from cisgram.prediction.session import Session

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Signal(Result):
    """What a model predicts along a region, in the units of its outputs."""

    region: Interval
    """Rows and strands are those of its strand."""
    resolution: int
    """Bases of a row."""
    names: tuple[str, ...]
    """Columns; `name+` is the strand that is read, `name-` the other."""
    values: Float32[np.ndarray, "rows names"]
    """The last row may reach past the region's end."""
    genes: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    """Bodies of genes to be drawn, by name."""

    @property
    def table(self) -> pl.DataFrame:
        """A row each: chrom, start (from 0), end, strand and the outputs."""
        n = len(self.values)
        offsets = self.resolution * np.arange(n)
        starts = self.region.start + offsets
        if self.region.strand == "-":
            starts = self.region.end - offsets - self.resolution
        place = {"chrom": [self.region.chrom] * n, "start": starts}
        place |= {"end": starts + self.resolution, "strand": [self.region.strand] * n}
        columns = {name: self.values[:, number] for number, name in enumerate(self.names)}
        return pl.DataFrame(place | columns)

    def plot(self, *, sites: Sequence[Site] = (), marked: Interval | None = None) -> "Figure":
        """Draw each output along the region, over the genes there."""
        from cisgram.plot.tracks import draw_tracks

        return draw_tracks(
            self.region,
            self.names,
            self.values,
            resolution=self.resolution,
            genes=self.genes,
            sites=sites,
            marked=marked,
        )

    def write_arrays(self, out: Path) -> None:
        """Write .npz: `signal` (rows, outputs), `names`, `region` and `resolution`."""
        facts = {"region": np.array(str(self.region)), "resolution": np.int64(self.resolution)}
        write_arrays(out, {"signal": self.values, "names": np.array(self.names)} | facts)


def predict_signal(
    session: Session,
    regions: Sequence[Interval],
    reference: Reference,
    *,
    config: ReuseConfig | None = None,
) -> list[Signal]:
    """Predict along regions of any length, the mean of both strands.

    Each window predicts its middle, and the windows lie evenly about the middle of the region, so
    that every row is seen with the DNA around it, N past the ends of contigs. Rows count from a
    region's first base along its strand; the last may reach past its end. A language model predicts
    each base while it is masked.

    Raises:
        DataError: a region lies on no contig.
        ConfigError: a region reaches past the ends of its contig, or the model has no rows.
    """
    outputs = session.outputs
    if outputs.are_bases:
        read = partial(read_region, session.model, reference, species=session.species)
        found = [read(region).p for region in regions]
    elif outputs.row == "window":
        raise ConfigError(
            f"{session.name} predicts whole windows of {session.model.window:,} bases and nothing "
            "along them; predict sequences instead."
        )
    else:
        found = _tiled(session, regions, reference, config)
    return [
        Signal(region=region, resolution=outputs.resolution, names=outputs.names, values=values)
        for region, values in zip(regions, found, strict=True)
    ]


def _tiled(
    session: Session,
    regions: Sequence[Interval],
    reference: Reference,
    config: ReuseConfig | None,
) -> list[Float32[np.ndarray, "_rows names"]]:
    outputs, geometry = session.outputs, session.model.config.geometry
    size, n_names = outputs.resolution, len(outputs.names)
    n_rows = [-(-region.length // size) for region in regions]
    # Rows of the windows before a region's first.
    before = [-n % geometry.n_rows // 2 for n in n_rows]
    pieces = [
        (number, window)
        for number, (region, lead) in enumerate(zip(regions, before, strict=True))
        for window in _windows_over(session, reference, region, before=lead * size)
    ]

    def units(output: Tensor, spans: Spans) -> Tensor:
        del spans
        return outputs.in_units(output)[..., :n_names]

    found: list[list[Float32[np.ndarray, "rows names"]]] = [[] for _ in regions]
    partner = outputs.partner[:n_names]
    for part in in_batches(pieces, _AT_ONCE, "reading windows"):
        tokens = np.stack([reference.fetch(window) for _, window in part])
        strands = [tokens, reverse_complement(tokens)] if outputs.both_strands else [tokens]
        read = predict_sequences(
            session.model, np.stack(strands), species=session.species, reduce=units, config=config
        ).values
        mean = (read[0] + read[1][:, ::-1, partner]) / 2 if outputs.both_strands else read[0]
        for (number, _), rows in zip(part, mean, strict=True):
            found[number].append(rows)
    return [
        np.concatenate(rows)[lead : lead + n]
        for rows, lead, n in zip(found, before, n_rows, strict=True)
    ]


def _windows_over(
    session: Session, reference: Reference, region: Interval, *, before: int
) -> list[Interval]:
    """Return windows whose predicted middles lie end to end over a region, along its strand.

    The first middle begins so many bases before the region.
    """
    reference.check_inside(region)
    geometry = session.model.config.geometry
    step, length = geometry.n_rows * geometry.resolution, geometry.window
    found: list[Interval] = []
    for offset in range(-before, region.length, step):
        low = offset - geometry.margin
        start = region.start + low if region.strand != "-" else region.end - low - length
        found.append(Interval(region.chrom, start, start + length, region.strand))
    return found


def write_bigwigs(signals: Sequence[Signal], reference: Reference, directory: Path) -> None:
    """Write a bigWig of each output on the forward strand; where regions overlap, the last counts.

    The value of a row is shared evenly by its bases. Of a region on strand `-`, the outputs of its
    own strand are those of the genome's other.

    Raises:
        DataError: a file cannot be written.
    """
    names = signals[0].names
    outputs = Outputs.of_bases() if names == BASES else Outputs(row="bin", names=names)
    with atomic_directory(directory) as building:
        for number, (name, partner) in enumerate(zip(names, outputs.partner, strict=True)):
            along: dict[str, Float32[np.ndarray, "_"]] = {}
            for signal in signals:
                place, size = signal.region, signal.resolution
                contig = along.setdefault(
                    place.chrom, np.zeros(reference.contigs[place.chrom], np.float32)
                )
                is_minus = place.strand == "-"
                column = signal.values[:, partner if is_minus else number]
                spread = np.repeat(column / size, size)[: place.length]
                contig[place.start : place.end] = spread[::-1] if is_minus else spread
            file = building / f"{encoded(name, '/')}.bw"
            write_bigwig(file, along, contigs=dict(reference.contigs))
