"""Reading and writing bigWig files: a number for each base of a genome."""

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Self

import numpy as np
import pybigtools
from jaxtyping import Float, Float32, Int64

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import (
    ConfigError,
    DataError,
    check_choice,
    check_file,
    check_range,
    check_unique,
    few,
)
from cisgram.core.places import CUT_SHORT, DiskError
from cisgram.genome.bigwig_blocks import Blocks, Damaged
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.interval import Interval

_SUFFIXES = (".bw", ".bigWig")
_PANIC = "PanicException"
"""What pybigtools raises over a full disk, by name: it is no `Exception`."""


class BigWig:
    """A bigWig file, open for reading; as a context manager it closes itself."""

    def __init__(self, path: Path | str) -> None:
        """Open the file, whatever its name ends in; a DataError says that it is no bigWig."""
        self.path = check_file(path, "bigWig")
        self._stream = self.path.open("rb")
        try:
            with _speaking(f"{self.path} is not a bigWig or is cut short; check it."):
                self._blocks = Blocks(self._stream, str(self.path))
        except BaseException:
            self._stream.close()
            raise
        numbered = sorted(self._blocks.contigs.items())
        self.contigs = {name: length for name, (_, length) in numbered}
        """Length of each contig, by name."""
        self.names = ChromosomeNames(self.contigs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._blocks.close()
        self._stream.close()

    @property
    def is_whole(self) -> bool:
        """Whether the file ends as bigWigs do, with the mark that it begins with."""
        return self._blocks.ends

    @property
    def n_covered(self) -> int:
        """Number of bases that have a value."""
        return self._blocks.n_covered

    def values(self, interval: Interval) -> Float32[np.ndarray, "length"]:
        """Return the value of each base, 0 where there is none and past the ends of the contig.

        On strand `-` they are in the order in which that strand is read.
        """
        chrom = self.names.require(interval.chrom, f"bigWig {self.path}")
        with _speaking(f"bigWig {self.path} is damaged; copy or download it again."):
            number = self._blocks.contigs[chrom][0]
            values = self._blocks.values(number, interval.start, interval.end)
        return np.ascontiguousarray(values[::-1]) if interval.strand == "-" else values

    def contig(self, chrom: str) -> Float32[np.ndarray, "length"]:
        """Return the value of each base of a contig, 0 where there is none."""
        name = self.names.require(chrom, f"bigWig {self.path}")
        return self.values(Interval(name, 0, self.contigs[name]))

    def match(self, contigs: Mapping[str, int]) -> dict[str, str]:
        """Return what this file calls those contigs of a genome that it has."""
        found = {name: own for name in contigs if (own := self.names.resolve(name)) is not None}
        if not found:
            raise DataError(
                f"bigWig {self.path} has contigs {few(self.contigs)}, and the genome "
                f"{few(contigs)}; give tracks of this genome."
            )
        for name, own in found.items():
            if self.contigs[own] != contigs[name]:
                raise DataError(
                    f"bigWig {self.path} has {self.contigs[own]:,} bases in {own}, and the genome "
                    f"{contigs[name]:,}; give tracks of this assembly."
                )
        return found


def write_bigwig(
    path: Path | str,
    values: Mapping[str, Float[np.ndarray, "_"]],
    *,
    contigs: Mapping[str, int],
    resolution: int = 1,
) -> None:
    """Write a value for every `resolution` bases, which each of these bases then has.

    Zeros are left out, but a contig of zeros only, or without values, is one stretch of 0, so that
    the file knows all contigs.

    Args:
        path: the file, which ends in `.bw` or `.bigWig`.
        values: by contig, under any usual spelling, a finite value for each bin from its first base
            on; the last bin may lack bases.
        contigs: the length of every contig of the genome.
        resolution: bases of a bin.
    """
    path = Path(path)
    check_choice(path.suffix, _SUFFIXES, "the end of a bigWig's name")
    check_range(resolution, "resolution", low=1)
    names = ChromosomeNames(contigs)
    given = [names.require(chrom, "the genome") for chrom in values]
    check_unique(given, "contig", f"what is to be written to {path}")
    columns = dict(zip(given, values.values(), strict=True))
    for chrom, column in columns.items():
        _check_bins(column, chrom, contigs[chrom], resolution=resolution)
    rows = _Rows(columns, contigs, resolution)
    with atomic_file(path) as temporary:
        try:
            with _mute():
                pybigtools.open(str(temporary), "w").write(dict(contigs), rows)
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            raise DiskError(path, CUT_SHORT) from error
        if rows.error:
            raise rows.error
        if not _holds(temporary, rows.n_covered):
            raise DiskError(path, CUT_SHORT)


@dataclass
class _Rows:
    """Rows for pybigtools, which takes an error among them for their end and says nothing."""

    columns: Mapping[str, Float[np.ndarray, "_"]]
    contigs: Mapping[str, int]
    resolution: int
    n_covered: int = 0
    error: BaseException | None = None

    def __iter__(self) -> Iterator[tuple[str, int, int, float]]:
        try:
            for chrom, length in self.contigs.items():
                values = self.columns.get(chrom, np.zeros(-(-length // self.resolution)))
                starts, ends, levels = _runs(values.astype(np.float32))
                starts = starts * self.resolution
                ends = np.minimum(ends * self.resolution, length)
                self.n_covered += int((ends - starts).sum())
                yield from zip(
                    repeat(chrom), starts.tolist(), ends.tolist(), levels.tolist(), strict=False
                )
        except (Exception, KeyboardInterrupt) as error:
            self.error = error
            raise


def _runs(
    values: Float32[np.ndarray, "bins"],
) -> tuple[Int64[np.ndarray, "runs"], Int64[np.ndarray, "runs"], Float32[np.ndarray, "runs"]]:
    """Return where each run of one value starts and ends, and the value; zeros only if all are."""
    bounds = np.flatnonzero(values[1:] != values[:-1]) + 1
    starts, ends = np.insert(bounds, 0, 0), np.append(bounds, values.size)
    levels = values[starts]
    kept = levels != 0 if levels.any() else np.ones(1, dtype=bool)
    return starts[kept], ends[kept], levels[kept]


def _check_bins(
    values: Float[np.ndarray, "bins"], chrom: str, length: int, *, resolution: int
) -> None:
    """Refuse what does not suit a contig."""
    expected = -(-length // resolution)
    if values.size != expected:
        raise ConfigError(
            f"{chrom} of {length:,} bases must have {expected:,} values at {resolution:,} bases; "
            f"got {values.size:,}."
        )
    if not np.isfinite(values).all():
        raise DataError(f"{chrom} has values that are no finite number; correct them.")


def _holds(path: Path, n_covered: int) -> bool:
    """Say whether a bigWig was written to its end: pybigtools does not tell."""
    try:
        with BigWig(path) as written:
            return written.is_whole and written.n_covered == n_covered
    except DataError:
        return False


@contextmanager
def _mute() -> Generator[None]:
    """Keep from the terminal what pybigtools prints of a full disk: it is raised here."""
    with ExitStack() as undo, Path(os.devnull).open("wb") as nothing:
        for stream in (1, 2):
            kept = os.dup(stream)
            undo.callback(os.close, kept)
            undo.callback(os.dup2, kept, stream)
            os.dup2(nothing.fileno(), stream)
        yield


@contextmanager
def _speaking(sentence: str) -> Generator[None]:
    """Turn what a damaged file says into one sentence."""
    try:
        yield
    except Damaged as error:
        raise DataError(sentence) from error
