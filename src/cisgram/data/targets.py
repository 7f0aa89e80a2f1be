"""Windows of a genome with their signal in bins and the targets of the genes in them.

A window is read on either strand. Its targets are the signal of its bins, those of the margins left
out, and the targets of genes whose bodies lie for the most part in these bins. Signal is divided by
its mean over training windows, and both strands of a signal share one mean. Gene targets have mean
0 and variance 1 over training genes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int, Int64, UInt8

from cisgram.core.artifact import damage_errors, open_artifact
from cisgram.core.checks import few
from cisgram.core.config import from_plain
from cisgram.data.base import WINDOWS, WindowSet
from cisgram.data.outputs import Geometry, Scale
from cisgram.data.targets_config import TargetsConfig
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.tracks import Tracks

KIND, VERSION = "targets", 2
GENOME, SIGNAL, GENES = "genome", "tracks", "genes.parquet"
GENE_COLUMNS = ("gene", "chrom", "start", "end", "strand", "split")
LEAST_INSIDE = 0.75
"""Share of a gene's body that must lie in a window's bins for its targets to be used there."""


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


class Targets(WindowSet):
    """Targets as made by `build_targets`, mapped from disk."""

    def __init__(
        self, path: Path, *, config: TargetsConfig, geometry: Geometry, scale: Scale
    ) -> None:
        """Join what lies under `path`."""
        self.path, self.config, self.geometry, self.scale = path, config, geometry, scale
        self.reference = Reference.open(path / GENOME)
        self.tracks = Tracks.open(path / SIGNAL)
        self.windows = pl.read_parquet(path / WINDOWS, glob=False)
        self.genes = pl.read_parquet(path / GENES, glob=False)
        """gene, chrom, start, end, strand, split, and a column for each gene target."""
        self.target_names = tuple(self.genes.columns[len(GENE_COLUMNS) :])
        self.values = self.genes.select(self.target_names).to_numpy().astype(np.float32)
        """Gene targets as they were given, (genes, targets); NaN where unknown."""
        self.outputs = config.expected_outputs(
            geometry, gene_targets=self.target_names, scale=scale
        )
        self._track_means = np.array(scale.track_means, dtype=np.float32)
        moments = np.array(scale.gene_moments, dtype=np.float32).reshape(-1, 2)
        self._scaled = (self.values - moments[:, 0]) / moments[:, 1]
        self._by_chrom = {
            str(chrom): part.sort("start")
            for (chrom,), part in self.genes.with_row_index("row").group_by("chrom")
        }
        self._train, self._valid = self.split("train"), self.split("valid")
        self.n_train = len(self._train)

    @property
    def named_references(self) -> list[tuple[str, Reference]]:
        """The genome, by the name of its file."""
        return [(self.config.fasta.name, self.reference)]

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open targets."""
        path = Path(path)
        metadata = open_artifact(path, kind=KIND, version=VERSION).metadata
        with damage_errors(path):
            return cls(
                path,
                config=from_plain(TargetsConfig, metadata["config"], str(path)),
                geometry=Geometry(**metadata["geometry"]),
                scale=from_plain(Scale, metadata["scale"], str(path)),
            )

    def train_batch(
        self, examples: Int[np.ndarray, "batch"], rng: np.random.Generator
    ) -> TargetBatch:
        """Return windows moved by up to half a tile, on a strand drawn for each."""
        geometry = self.geometry
        reach = geometry.predicted // 2 // geometry.resolution
        shifts = rng.integers(-reach, reach + 1, len(examples)) * geometry.resolution
        strands = rng.choice(["+", "-"], len(examples))
        places = zip(self._train[examples].tolist(), strands, shifts.tolist(), strict=True)
        return self.batch(
            [self.interval(row, str(strand), shift=shift) for row, strand, shift in places]
        )

    def valid_batches(self, size: int) -> Iterator[tuple[int, TargetBatch]]:
        """Yield the validation windows on both strands, and how many there are in each batch."""
        places = [self.interval(row, strand) for row in self._valid.tolist() for strand in "+-"]
        for first in range(0, len(places), size):
            part = places[first : first + size]
            yield len(part), self.batch(part)

    def describe(self, examples: Int[np.ndarray, "batch"]) -> str:
        """Name training windows by contig and position."""
        rows = self._train[examples].tolist()
        return f"windows {few([str(self.interval(row, '.')) for row in rows])}"

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
        return self.tracks.bins(inner) ** self.scale.power / self._track_means

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
