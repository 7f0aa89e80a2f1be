"""Windows of a genome with the signal and the numbers of genes that a model learns from them.

A window is read on either strand. What is learnt of it is what its bins hold, but for `crop` of
them at each end: their signal, and the numbers of the genes whose bodies lie there for most part.
Signal is divided by its mean over training windows, numbers are brought to mean 0 and
variance 1 over training genes; both strands of a signal share one mean.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64, UInt8

from cisgram.core.artifact import damage_errors, open_artifact
from cisgram.core.checks import check_choice
from cisgram.core.config import from_plain
from cisgram.data.corpus import SPLITS
from cisgram.data.targets_config import TargetsConfig
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.tracks import Tracks

KIND, VERSION = "targets", 1
GENOME, SIGNAL, WINDOWS = "genome", "tracks", "windows.parquet"
GENES, VALUES = "genes.parquet", "values.npy"
LEAST_INSIDE = 0.75
"""Share of a gene's body that must lie in a window's bins for its numbers to be learnt there."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How a model cuts a genome up."""

    window: int
    """Bases that are read."""
    crop: int
    """Bins left out at each end."""
    resolution: int
    """Bases of a bin."""

    @property
    def margin(self) -> int:
        """Bases left out at each end."""
        return self.crop * self.resolution

    @property
    def predicted(self) -> int:
        """Bases of the bins that are left."""
        return self.window - 2 * self.margin


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """What targets were divided by, and what was taken off; fitted on what is trained on."""

    power: float
    """Counts were raised to this first."""
    tracks: dict[str, float]
    """Mean of a bin, by column."""
    values: dict[str, tuple[float, float]]
    """Mean and standard deviation over genes, by number."""


class TargetBatch(NamedTuple):
    """Windows, each read on one strand, with what they should give."""

    tokens: UInt8[np.ndarray, "batch length"]
    counts: Float32[np.ndarray, "batch bins tracks"]
    """Scaled; columns `name+` are the strand that is read."""
    gene_window: Int64[np.ndarray, "genes"]
    """Which window of the batch a gene lies in."""
    gene_bins: Int64[np.ndarray, "genes 2"]
    """First bin of its body and the one after the last, along the strand that is read."""
    gene_opposes: Bool[np.ndarray, "genes"]
    """Whether it lies on the strand that is not read."""
    values: Float32[np.ndarray, "genes values"]
    """Scaled; NaN where unknown."""


class Targets:
    """Targets as made by `build_targets`, mapped from disk."""

    def __init__(
        self, path: Path, *, config: TargetsConfig, geometry: Geometry, scaling: Scaling
    ) -> None:
        """Join what lies under `path`."""
        self.path, self.config, self.geometry, self.scaling = path, config, geometry, scaling
        self.reference = Reference.open(path / GENOME)
        self.tracks = Tracks.open(path / SIGNAL)
        self.windows = pl.read_parquet(path / WINDOWS)
        """chrom, start and split."""
        self.genes = pl.read_parquet(path / GENES)
        """gene, chrom, start, end, strand and split."""
        self.values: Float32[np.ndarray, "genes values"] = np.load(path / VALUES)
        """As they were given; NaN where unknown."""
        self.value_names = tuple(scaling.values)
        self._track_means = np.array(list(scaling.tracks.values()), dtype=np.float32)
        moments = np.array(list(scaling.values.values()), dtype=np.float32).reshape(-1, 2)
        self._scaled = (self.values - moments[:, 0]) / moments[:, 1]
        self._by_chrom = {
            str(chrom): part.sort("start")
            for (chrom,), part in self.genes.with_row_index("row").group_by("chrom")
        }

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """Travel to other processes as a path."""
        return type(self).open, (self.path,)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open targets.

        Raises:
            DataError: there are none, or they are not whole.
        """
        path = Path(path)
        metadata = open_artifact(path, kind=KIND, version=VERSION).metadata
        with damage_errors(path):
            scaling = metadata["scaling"]
            values = {name: (mean, sd) for name, (mean, sd) in scaling["values"].items()}
            return cls(
                path,
                config=from_plain(TargetsConfig, metadata["config"], str(path)),
                geometry=Geometry(**metadata["geometry"]),
                scaling=Scaling(power=scaling["power"], tracks=scaling["tracks"], values=values),
            )

    def split(self, name: str) -> Int64[np.ndarray, "windows"]:
        """Return the row numbers of the windows of `train`, `valid` or `test`.

        Raises:
            ConfigError: there is no such split.
        """
        check_choice(name, SPLITS, "split")
        return np.flatnonzero(self.windows["split"] == name)

    def interval(self, row: int, strand: str, *, shift: int = 0) -> Interval:
        """Return a window's place, moved by so many bases as far as the contig goes."""
        chrom, start, _ = self.windows.row(row)
        last = self.reference.contig(chrom).size - self.geometry.window
        start = min(max(start + shift, 0), last - last % self.geometry.resolution)
        return Interval(chrom, start, start + self.geometry.window, strand)

    def batch(self, intervals: list[Interval]) -> TargetBatch:
        """Return windows, which start on bins, and their targets."""
        tokens = np.stack([self.reference.fetch(interval) for interval in intervals])
        counts = np.stack([self.counts(interval) for interval in intervals])
        found = [self._genes_in(interval, number) for number, interval in enumerate(intervals)]
        rows, places = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return TargetBatch(
            tokens,
            counts,
            gene_window=places[:, 0],
            gene_bins=places[:, 1:3],
            gene_opposes=places[:, 3].astype(np.bool_),
            values=self._scaled[rows],
        )

    def counts(self, interval: Interval) -> Float32[np.ndarray, "bins tracks"]:
        """Return a window's scaled signal, the bins at its ends left out."""
        margin = self.geometry.margin
        inner = Interval(
            interval.chrom, interval.start + margin, interval.end - margin, interval.strand
        )
        return self.tracks.bins(inner) ** self.scaling.power / self._track_means

    def _genes_in(
        self, interval: Interval, number: int
    ) -> tuple[Int64[np.ndarray, "genes"], Int64[np.ndarray, "genes 4"]]:
        """Return the rows of the genes of a window, and window, bins and strand of each."""
        margin, size = self.geometry.margin, self.geometry.resolution
        first, past = interval.start + margin, interval.end - margin
        genes = self._by_chrom.get(interval.chrom)
        if genes is None:
            return np.empty(0, np.int64), np.empty((0, 4), np.int64)
        start, end = genes["start"].to_numpy(), genes["end"].to_numpy()
        inside = np.minimum(end, past) - np.maximum(start, first)
        chosen = inside >= LEAST_INSIDE * (end - start)
        low = (np.maximum(start[chosen], first) - first) // size
        high = -(-(np.minimum(end[chosen], past) - first) // size)
        backwards = genes["strand"].to_numpy()[chosen] == "-"
        if interval.strand == "-":
            n_bins = self.geometry.predicted // size
            low, high = n_bins - high, n_bins - low
        opposes = backwards != (interval.strand == "-")
        places = np.stack([np.full(low.size, number), low, high, opposes], axis=1)
        return genes["row"].to_numpy()[chosen].astype(np.int64), places.astype(np.int64)
