"""Features on disk, a row a tile, found by the tile's digest.

A directory holds `level0`, `level1` and so on, for each level of features its rows one after the
other; `index`, the digests of their tiles in the same order; and `meta.json`, what a row is. Rows
are on disk before their digests, so that no index names what an interrupted write leaves, and the
next write goes over it. Nothing that the index names is ever changed.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from cisgram.core.artifact import write_json
from cisgram.core.checks import DataError
from cisgram.prediction.tiles import DIGEST_BYTES

META, INDEX = "meta.json", "index"
_FORMAT = 1
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)
}


class Level(NamedTuple):
    """What a row of one level is."""

    bins: int
    channels: int
    dtype: str
    """Numbers are kept as they were computed."""

    @classmethod
    def of(cls, values: Float[Tensor, "tiles bins channels"]) -> Self:
        """Return what the rows of these features are."""
        return cls(values.shape[1], values.shape[2], str(values.dtype).removeprefix("torch."))

    @property
    def n_bytes(self) -> int:
        """Bytes of a row."""
        return self.bins * self.channels * _DTYPES[self.dtype].itemsize


class FeatureRows:
    """The rows in one directory, which is made when the first are written.

    Any number of processes may read while one writes; only one may write at a time.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path, self.about = path, about
        self._forget()

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._numbers

    def refresh(self) -> None:
        """Take in what was written since the last time, by whatever process.

        Raises:
            DataError: the directory is damaged, or holds something else.
        """
        if self._n_rows and self._inode() != self._mapped_inode:
            self._forget()  # it was deleted, and perhaps made anew
        index, known = self.path / INDEX, self._n_rows * DIGEST_BYTES
        # Half a digest at the end is of a write that was interrupted.
        n_rows = index.stat().st_size // DIGEST_BYTES if index.exists() else 0
        if n_rows < self._n_rows:
            raise self._damaged(f"{INDEX} lost rows")
        if n_rows == self._n_rows:
            return
        levels = self._read_meta()
        self._map(levels, n_rows)
        with index.open("rb") as stream:
            stream.seek(known)
            written = stream.read(n_rows * DIGEST_BYTES - known)
        for number, start in enumerate(range(0, len(written), DIGEST_BYTES), self._n_rows):
            self._numbers[written[start : start + DIGEST_BYTES]] = number
        self._levels, self._n_rows = levels, n_rows

    def read(self, digests: Sequence[bytes]) -> tuple[Float[Tensor, "tiles _bins _channels"], ...]:
        """Return the features of tiles, all of which must be there."""
        numbers = [self._numbers[digest] for digest in digests]
        return tuple(
            torch.from_numpy(rows[numbers])
            .view(_DTYPES[level.dtype])
            .view(len(numbers), level.bins, level.channels)
            for level, rows in zip(self._levels, self._maps, strict=True)
        )

    def append(
        self,
        digests: Sequence[bytes],
        levels: tuple[Float[Tensor, "tiles _bins _channels"], ...],
        *,
        most: int,
    ) -> int:
        """Write the rows that are not there yet, as many as `most` bytes have room for.

        Returns:
            How many there was no room for.

        Raises:
            DataError: the directory is damaged, or holds something else.
        """
        self.refresh()
        shapes = tuple(Level.of(level) for level in levels)
        if self._n_rows and shapes != self._levels:
            raise self._damaged(f"{META} is of other features")
        missing = [number for number, digest in enumerate(digests) if digest not in self]
        each = DIGEST_BYTES + sum(shape.n_bytes for shape in shapes)
        new = missing[: max(most, 0) // each]
        if new:
            self.path.mkdir(parents=True, exist_ok=True)
            if not self._n_rows:
                write_json(self.path / META, self._meta(shapes))
            for number, (level, shape) in enumerate(zip(levels, shapes, strict=True)):
                host = level.cpu()
                rows = (host[row].contiguous().view(torch.uint8).numpy().tobytes() for row in new)
                self._write(f"level{number}", self._n_rows * shape.n_bytes, rows)
            self._write(INDEX, self._n_rows * DIGEST_BYTES, (digests[row] for row in new))
            self.refresh()
        return len(missing) - len(new)

    def _write(self, name: str, start: int, pieces: Iterable[bytes]) -> None:
        """Write from a place in a file on, and wait until the disk has it."""
        path = self.path / name
        path.touch()
        with path.open("r+b") as stream:
            stream.seek(start)
            stream.writelines(pieces)
            stream.flush()
            os.fsync(stream.fileno())

    def _meta(self, levels: Sequence[Level]) -> dict[str, Any]:
        return {"format": _FORMAT, **self.about, "levels": [list(level) for level in levels]}

    def _read_meta(self) -> tuple[Level, ...]:
        try:
            meta = json.loads((self.path / META).read_text())
            levels = tuple(Level(*level) for level in meta["levels"])
            is_ours = meta == self._meta(levels) and all(level.n_bytes > 0 for level in levels)
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"{META} cannot be read") from error
        if not is_ours:
            raise self._damaged(f"{META} is of other features")
        return levels

    def _map(self, levels: Sequence[Level], n_rows: int) -> None:
        maps: list[UInt8[np.ndarray, "rows _bytes"]] = []
        for number, level in enumerate(levels):
            path, shape = self.path / f"level{number}", (n_rows, level.n_bytes)
            if not path.is_file() or path.stat().st_size < n_rows * level.n_bytes:
                raise self._damaged(f"{path.name} is shorter than {INDEX} says")
            maps.append(np.memmap(path, dtype=np.uint8, mode="r", shape=shape))
        self._maps, self._mapped_inode = tuple(maps), self._inode()

    def _inode(self) -> int | None:
        """Return what tells a directory from one made anew in its place."""
        path = self.path / "level0"
        return path.stat().st_ino if path.exists() else None

    def _forget(self) -> None:
        self._n_rows = 0
        self._numbers: dict[bytes, int] = {}
        self._levels: tuple[Level, ...] = ()
        self._maps: tuple[UInt8[np.ndarray, "rows _bytes"], ...] = ()
        self._mapped_inode: int | None = None

    def _damaged(self, reason: str) -> DataError:
        return DataError(
            f"the features kept in {self.path} are damaged ({reason}); delete that directory."
        )
