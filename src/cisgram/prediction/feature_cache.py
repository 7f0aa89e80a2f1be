"""Features of tiles kept on disk, for later calls and other processes."""

import fcntl
import hashlib
import json
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cisgram import __version__
from cisgram.core.artifact import disk_errors
from cisgram.core.checks import check_range
from cisgram.core.config import to_plain
from cisgram.models.base import Model, SplitModel
from cisgram.prediction.feature_rows import FeatureRows
from cisgram.prediction.tiles import Tile

_MIB = 2**20
_LOCK = "lock"


class FeatureCache:
    """A directory with what the local parts of models make of tiles.

    Features are found by the model (its architecture, sizes and weights, and this version of
    cisgram), the kind of device and numbers, the species, the size of tiles, and a digest of the
    tile. Whatever else they are asked for finds nothing, so that a cache never gives anything but
    what the model would compute. Processes may share it. When it is full nothing more is added;
    it may be deleted whenever nobody uses it.
    """

    def __init__(self, directory: Path | str, *, most_mib: int = 4_096) -> None:
        self.directory = Path(directory)
        """Made when the first features are kept."""
        check_range(most_mib, "most_mib", low=1)
        self.most_mib = most_mib
        """Disk that it may take, all models together."""
        self.n_asked = 0
        """Tiles that were looked for by this object."""
        self.n_found = 0
        """Tiles of them that were there."""
        self.n_refused = 0
        """Tiles that there was no room for."""
        self._rows: dict[Path, FeatureRows] = {}
        self._hashed: tuple[weakref.ref[Model], list[tuple[int, int, int]], str] | None = None

    @property
    def mib(self) -> float:
        """Disk that it takes."""
        return sum(path.stat().st_size for path in self.directory.glob("*/*/*")) / _MIB

    @property
    def account(self) -> str:
        """What was found, and how full it is, in one sentence."""
        full = f", and {self.n_refused:,} more did not fit" if self.n_refused else ""
        return (
            f"{self.n_found:,} of {self.n_asked:,} tiles were in {self.directory}, which takes "
            f"{self.mib:,.0f} MiB of {self.most_mib:,} at most{full}."
        )

    def find(
        self, model: SplitModel, tiles: Sequence[Tile], *, size: int, species: int
    ) -> tuple[list[Tile], tuple[Float[Tensor, "tiles _bins _channels"], ...]]:
        """Return those of the tiles that are there, and levels of features with a row for each.

        Args:
            model: whose local part it would be to read them.
            tiles: of one size.
            size: bases of a tile; the last one of a window may have fewer.
            species: number that the model knows the genome by.

        Raises:
            DataError: the directory is damaged.
        """
        with disk_errors(self.directory):
            rows = self._rows_of(model, size, species)
            rows.refresh()
            digests = {tile: tile.digest for tile in tiles}
            there = [tile for tile, digest in digests.items() if digest in rows]
            self.n_asked += len(digests)
            self.n_found += len(there)
            return there, rows.read([digests[tile] for tile in there]) if there else ()

    def add(
        self,
        model: SplitModel,
        tiles: Sequence[Tile],
        levels: tuple[Float[Tensor, "tiles _bins _channels"], ...],
        *,
        size: int,
        species: int,
    ) -> None:
        """Keep what the model made of tiles, as far as there is room; the rest is as in `find`.

        Raises:
            DataError: the directory is damaged, or the disk is full.
        """
        with disk_errors(self.directory), self._writing():
            rows = self._rows_of(model, size, species)
            room = int((self.most_mib - self.mib) * _MIB)
            self.n_refused += rows.append([tile.digest for tile in tiles], levels, most=room)

    def _rows_of(self, model: SplitModel, size: int, species: int) -> FeatureRows:
        number = next(model.parameters())
        kind, dtype = number.device.type, number.dtype
        if torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
        about = {
            "model": self._hash_of(model),
            "species": species,
            "tile": size,
            # Devices round differently, some by much.
            "numbers": f"{kind}-{str(dtype).removeprefix('torch.')}",
        }
        name = f"species{species}-tile{size}-{about['numbers']}"
        path = self.directory / str(about["model"]) / name
        return self._rows.setdefault(path, FeatureRows(path, about))

    def _hash_of(self, model: Model) -> str:
        """Return the model's hash, worked out anew only where its weights were written to."""
        marks = [_mark(value) for value in model.state_dict(keep_vars=True).values()]
        if self._hashed is None or self._hashed[0]() is not model or self._hashed[1] != marks:
            self._hashed = weakref.ref(model), marks, model_hash(model)
        return self._hashed[2]

    @contextmanager
    def _writing(self) -> Generator[None]:
        """Keep other processes from writing to the directory meanwhile."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / _LOCK).open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def model_hash(model: Model) -> str:
    """Return 128 bits, in hexadecimal, of all that a model's outputs follow from."""
    kind = type(model)
    facts = [__version__, kind.__module__, kind.__qualname__, model.kind, to_plain(model.config)]
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        digest.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _mark(value: Tensor) -> tuple[int, int, int]:
    """Return what changes when a tensor is replaced or written to."""
    # torch counts what is written to a tensor, and has no public word for it.
    n_writes = 0 if value.is_inference() else value._version  # pyright: ignore[reportPrivateUsage]
    return id(value), value.data_ptr(), n_writes
