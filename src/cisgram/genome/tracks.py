"""Signal along a genome, such as coverage: sums over bins of many tracks, mapped from disk."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self, TypeVar

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from cisgram.core.artifact import create_artifact, damage_errors, open_artifact, sha256
from cisgram.core.checks import ConfigError, DataError, check_range, check_unique
from cisgram.core.progress import progress
from cisgram.genome.bigwig import BigWig
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.interval import Interval

KIND, VERSION = "tracks", 1
_BINS, _CONTIGS = "bins.f32", "contigs.parquet"
_PIECE = 1 << 22
"""Bases of a file that are read at once."""


class _Indexed(Protocol):
    def __getitem__(self, key: Any, /) -> Any: ...


Values = TypeVar("Values", bound=_Indexed)
"""An array or tensor."""


@dataclass(frozen=True)
class TrackSource:
    """Where one signal comes from: a file for each strand, or one file for both.

    >>> TrackSource("rna", plus="rna.plus.bw", minus="rna.minus.bw").columns
    ('rna+', 'rna-')
    """

    name: str
    _: KW_ONLY
    file: Path | str | None = None
    """bigWig of a signal without strand; relative paths start at `directory` of the import."""
    plus: Path | str | None = None
    """bigWig of the signal on strand `+`."""
    minus: Path | str | None = None
    """bigWig of the signal on strand `-`."""
    upstream: int = 0
    """Bases before a gene's body in which its signal may lie already, as starts of transcripts do
    before the start codon."""

    def __post_init__(self) -> None:
        if not self.name or self.name.split() != [self.name]:
            raise ConfigError(f"a track's name must be a word without blanks; got {self.name!r}.")
        given = {field for field in ("file", "plus", "minus") if getattr(self, field) is not None}
        if given not in ({"file"}, {"plus", "minus"}):
            raise ConfigError(
                f"track {self.name} must have either file or both plus and minus; got "
                f"{' and '.join(sorted(given)) or 'none'}."
            )
        check_range(self.upstream, f"upstream of track {self.name}", low=0)

    @property
    def is_stranded(self) -> bool:
        """Whether there is a file for each strand."""
        return self.file is None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it becomes."""
        return (f"{self.name}+", f"{self.name}-") if self.is_stranded else (self.name,)

    @property
    def strands(self) -> tuple[str, ...]:
        """Strand of each column, `.` for one without."""
        return ("+", "-") if self.is_stranded else (".",)

    @property
    def files(self) -> tuple[Path | str, ...]:
        """File of each column."""
        return tuple(file for file in (self.file, self.plus, self.minus) if file is not None)


class Tracks:
    """Sums of signals over bins, counted from the first base of each contig.

    Nothing is read before it is asked for. The last bin of a contig may lack bases.
    """

    def __init__(
        self,
        path: Path,
        values: Float32[np.ndarray, "bins tracks"],
        *,
        contigs: dict[str, int],
        metadata: Mapping[str, Any],
    ) -> None:
        """Join contig lengths with the values that hold the contigs one after the other."""
        self.path = path
        self.contigs = contigs
        self.resolution: int = metadata["resolution"]
        self.names: tuple[str, ...] = tuple(metadata["names"])
        self.strands: tuple[str, ...] = tuple(metadata["strands"])
        """Strand of each column, `.` for one without."""
        self.partner: Int64[np.ndarray, "tracks"] = np.array(metadata["partner"], dtype=np.int64)
        """For each column that of the same signal on the other strand; itself without strand."""
        self.sources: tuple[dict[str, Any], ...] = tuple(metadata["sources"])
        """Of each column: file, sha256, and the contigs that the file lacks."""
        self._chromosomes = ChromosomeNames(contigs)
        self._values = values
        ends = np.cumsum([_n_bins(length, self.resolution) for length in contigs.values()])
        bounds = np.insert(ends, 0, 0).tolist()
        self._bounds = dict(zip(contigs, pairwise(bounds), strict=True))

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """Travel to other processes as a path."""
        return type(self).open, (self.path,)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open tracks made by `import_tracks`."""
        path = Path(path)
        manifest = open_artifact(path, kind=KIND, version=VERSION)
        with damage_errors(path):
            table = pl.read_parquet(path / _CONTIGS, glob=False)
            contigs = dict(zip(table["name"], table["length"], strict=True))
            # A plain view: slicing a memmap object costs more than reading a short window.
            values = np.memmap(path / _BINS, dtype=np.float32, mode="r").view(np.ndarray)
            values = values.reshape(-1, len(manifest.metadata["names"]))
            return cls(path, values, contigs=contigs, metadata=manifest.metadata)

    def contig(self, chrom: str) -> Float32[np.ndarray, "bins tracks"]:
        """Return all bins of a contig, mapped and read-only, under any usual spelling."""
        start, end = self._bounds[self._chromosomes.require(chrom, f"tracks {self.path}")]
        return self._values[start:end]

    def bins(self, interval: Interval) -> Float32[np.ndarray, "bins tracks"]:
        """Return the bins of a window, zeros past the ends of its contig.

        On strand `-` the last bin comes first and the two columns of each stranded signal are
        swapped, so that the column called `+` is always the strand that is read, and `-` the
        one against it.

        Raises:
            ConfigError: the window does not start and end on bins.
            DataError: there is no such contig.
        """
        if interval.start % self.resolution or interval.end % self.resolution:
            raise ConfigError(
                f"a window of tracks must start and end at multiples of {self.resolution:,} bases; "
                f"got {interval.start:,} to {interval.end:,} of {interval.chrom}."
            )
        contig = self.contig(interval.chrom)
        start, end = interval.start // self.resolution, interval.end // self.resolution
        values = np.zeros((end - start, len(self.names)), dtype=np.float32)
        first, last = max(start, 0), min(end, len(contig))
        if first < last:
            values[first - start : last - start] = contig[first:last]
        if interval.strand != "-":
            return values
        return np.ascontiguousarray(swap_strands(values[::-1], self.partner))


def import_tracks(
    sources: Sequence[TrackSource],
    out: Path | str,
    *,
    contigs: Mapping[str, int],
    resolution: int = 16,
    directory: Path | str = ".",
    overwrite: bool = False,
) -> Tracks:
    """Sum bigWig files over bins into the artifact `out`.

    Bases without a value count 0, and so do contigs that a file lacks, which are noted in
    `Tracks.sources`. Contigs that only a file has are left out.

    Args:
        sources: the signals, at least one.
        out: a directory that does not exist yet, unless `overwrite` is true.
        contigs: length of every contig of the genome, such as `Reference.contigs`.
        resolution: bases of a bin.
        directory: where relative paths of the sources start.
        overwrite: replace tracks that are there.
    """
    check_range(resolution, "resolution", low=1)
    if not sources:
        raise ConfigError("sources must name at least one track; add one.")
    names = [name for source in sources for name in source.columns]
    check_unique(names, "column", "the list of tracks")
    files = [Path(directory) / file for source in sources for file in source.files]
    matches = [_match(file, contigs) for file in files]
    metadata: dict[str, Any] = {
        "resolution": resolution,
        "names": names,
        "strands": [strand for source in sources for strand in source.strands],
        "partner": _partners(sources),
    }
    with create_artifact(
        out, kind=KIND, version=VERSION, metadata=metadata, overwrite=overwrite
    ) as building:
        pl.DataFrame(
            {"name": list(contigs), "length": list(contigs.values())},
            schema={"name": pl.String, "length": pl.Int64},
        ).write_parquet(building / _CONTIGS)
        with (building / _BINS).open("wb") as stream:
            _write_bins(stream, names, files, matches, contigs=contigs, resolution=resolution)
        checksums = {file: sha256(file) for file in dict.fromkeys(files)}
        metadata["sources"] = [
            {
                "file": file.name,
                "sha256": checksums[file],
                "absent": [name for name in contigs if name not in match],
            }
            for file, match in zip(files, matches, strict=True)
        ]
    return Tracks.open(out)


def sum_bins(values: Float32[np.ndarray, "length"], resolution: int) -> Float32[np.ndarray, "bins"]:
    """Return the sum of every `resolution` values; the last bin has what is left.

    >>> sum_bins(np.array([1, 2, 3, 4, 5], dtype=np.float32), 2)
    array([3., 7., 5.], dtype=float32)
    """
    padded = np.zeros((_n_bins(values.size, resolution), resolution))
    padded.reshape(-1)[: values.size] = values
    return padded.sum(axis=1).astype(np.float32)


def swap_strands(values: Values, partner: Int64[np.ndarray, "tracks"]) -> Values:
    """Return an array or tensor (... tracks) with each column in the place of its partner.

    >>> swap_strands(np.array([[1, 2, 3]]), np.array([1, 0, 2]))
    array([[2, 1, 3]])
    """
    return values[..., partner]


def _n_bins(length: int, resolution: int) -> int:
    return -(-length // resolution)


def _match(file: Path, contigs: Mapping[str, int]) -> dict[str, str]:
    with BigWig(file) as bigwig:
        return bigwig.match(contigs)


def _partners(sources: Sequence[TrackSource]) -> list[int]:
    """Return for each column that of the other strand."""
    partners: list[int] = []
    for source in sources:
        place = len(partners)
        partners += [place + 1, place] if source.is_stranded else [place]
    return partners


def _write_bins(
    stream: BinaryIO,
    names: Sequence[str],
    files: Sequence[Path],
    matches: Sequence[Mapping[str, str]],
    *,
    contigs: Mapping[str, int],
    resolution: int,
) -> None:
    """Write the bins of contig after contig.

    A piece is read from all files before the next, so that rows are written in their order;
    opening a file again each time is cheap and keeps few open.
    """
    step = resolution * max(_PIECE // resolution, 1)
    pieces = [
        (chrom, start, min(start + step, length))
        for chrom, length in contigs.items()
        for start in range(0, length, step)
    ]
    with progress("summing bins of tracks", len(pieces) * len(files)) as ticker:
        for chrom, start, end in pieces:
            block = np.zeros((_n_bins(end - start, resolution), len(files)), dtype=np.float32)
            for column, (file, match) in enumerate(zip(files, matches, strict=True)):
                if chrom in match:
                    place = Interval(match[chrom], start, end)
                    values = _read(file, names[column], place)
                    block[:, column] = sum_bins(values, resolution)
                ticker.advance()
            stream.write(block.data)


def _read(file: Path, name: str, interval: Interval) -> Float32[np.ndarray, "length"]:
    """Return values that are counts or sums of them."""
    with BigWig(file) as bigwig:
        values = bigwig.values(interval)
    if not np.isfinite(values).all():
        raise DataError(
            f"bigWig {file} has infinite values in {interval.chrom}; leave them out of it."
        )
    if (values < 0).any():
        first = interval.start + int(np.flatnonzero(values < 0)[0])
        raise DataError(
            f"track {name} is {values[first - interval.start]:g} at {interval.chrom}:{first + 1:,} "
            f"of {file}, and signal that is learnt as counts is never below 0; give both strands "
            "without signs, and no log-ratios."
        )
    return values
