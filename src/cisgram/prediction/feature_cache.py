"""Features of tiles kept on disk, for later calls and other processes.

They are rows of one SQLite file. A row's key holds all that its features depend on, so that rows
are added and never changed.
"""

import hashlib
import json
import sqlite3
import weakref
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cisgram import __version__
from cisgram.core.artifact import digest_of
from cisgram.core.checks import DataError, check_range
from cisgram.core.config import to_plain
from cisgram.core.places import disk_errors
from cisgram.models.base import Model, SplitModel
from cisgram.prediction.tiles import Tile

_MIB = 2**20
CACHE = "features.sqlite"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS parts (key BLOB PRIMARY KEY, layout TEXT, features BLOB, seal TEXT)"
)
_SIZE = "SELECT page_count * page_size, page_size FROM pragma_page_count, pragma_page_size"
_LOCKED_SECONDS = 600
"""How long a writer waits for others."""
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)
}


class FeatureCache:
    """A directory with what the local parts of models make of tiles.

    Features are found by the model (its architecture, sizes and weights, and this version of
    cisgram), the kind of device and numbers, the species, the size of tiles, and a digest of the
    tile. Any other request finds nothing, so that a cache never gives anything but what the model
    would compute. Processes may share it. When it is full nothing more is added; it may be deleted
    whenever nobody uses it.
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
        self._file = self.directory / CACHE
        self._hashed: tuple[weakref.ref[Model], list[tuple[int, int, int]], str] | None = None

    @property
    def mib(self) -> float:
        """Disk that it takes."""
        return self._file.stat().st_size / _MIB if self._file.exists() else 0

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
            DataError: the file is damaged.
        """
        prefix, distinct = self._prefix(model, size, species), list(dict.fromkeys(tiles))
        self.n_asked += len(distinct)
        with disk_errors(self.directory):
            if not self._file.exists():
                return [], ()
        there: list[Tile] = []
        rows: list[bytes] = []
        layout = ""
        with self._open() as database:
            database.execute(_TABLE)
            for tile in distinct:
                query = database.execute(
                    "SELECT * FROM parts WHERE key = ?", (prefix + tile.digest,)
                )
                if row := query.fetchone():
                    *content, seal = row
                    if digest_of(*content) != seal:
                        raise DataError(
                            f"a tile kept in {self._file} has changed since it was written; "
                            "delete that file."
                        )
                    _, layout, features = content
                    there.append(tile)
                    rows.append(features)
        self.n_found += len(there)
        return there, _unpacked(layout, rows) if there else ()

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
            DataError: the file is damaged, or the disk is full.
        """
        prefix, host = self._prefix(model, size, species), [level.cpu() for level in levels]
        with disk_errors(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute(_TABLE)
            database.execute("BEGIN IMMEDIATE")  # others write before this or after it
            for number, tile in enumerate(tiles):
                key = prefix + tile.digest
                if database.execute("SELECT 1 FROM parts WHERE key = ?", (key,)).fetchone():
                    continue
                row = b"".join(_bytes(level[number]) for level in host)
                taken, page = database.execute(_SIZE).fetchone()
                if taken + len(row) + 2 * page > self.most_mib * _MIB:
                    self.n_refused += 1
                else:
                    values = (key, _layout(levels), row)
                    seal = digest_of(*values)
                    database.execute("INSERT INTO parts VALUES (?, ?, ?, ?)", (*values, seal))

    def _prefix(self, model: SplitModel, size: int, species: int) -> bytes:
        """Return what the keys of a model's tiles of one size begin with."""
        number = next(model.parameters())
        kind, dtype = number.device.type, number.dtype
        if torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
        # Devices round differently, some by much.
        return f"{self._hash_of(model)} {species} {size} {kind} {dtype} ".encode()

    def _hash_of(self, model: Model) -> str:
        """Return the model's hash, worked out anew only where its weights were written to."""
        marks = [_mark(value) for value in model.state_dict(keep_vars=True).values()]
        if self._hashed is None or self._hashed[0]() is not model or self._hashed[1] != marks:
            self._hashed = weakref.ref(model), marks, model_hash(model)
        return self._hashed[2]

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        """Open the file for one transaction."""
        try:
            with (
                closing(
                    sqlite3.connect(self._file, timeout=_LOCKED_SECONDS, isolation_level=None)
                ) as database,
                database,
            ):
                yield database
        except sqlite3.OperationalError as error:
            raise DataError(
                f"the features kept in {self._file} cannot be read or added to ({error}); free "
                "some space, or choose another place."
            ) from error
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"the features kept in {self._file} are damaged ({error}); delete that file."
            ) from error


def model_hash(model: Model) -> str:
    """Return 128 bits, in hexadecimal, of all that a model's outputs follow from."""
    kind = type(model)
    facts = [__version__, kind.__module__, kind.__qualname__, model.kind, to_plain(model.config)]
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        digest.update(_bytes(value.cpu()))
    return digest.hexdigest()


def _mark(value: Tensor) -> tuple[int, int, int]:
    """Return what changes when a tensor is replaced or written to."""
    # torch counts what is written to a tensor, and has no public word for it.
    n_writes = 0 if value.is_inference() else value._version  # pyright: ignore[reportPrivateUsage]
    return id(value), value.data_ptr(), n_writes


def _bytes(value: Tensor) -> bytes:
    return value.contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _layout(levels: Sequence[Float[Tensor, "tiles _bins _channels"]]) -> str:
    """Return bins, channels and type of each level, as JSON."""
    return json.dumps([[*own.shape[1:], str(own.dtype).removeprefix("torch.")] for own in levels])


def _unpacked(
    layout: str, rows: Sequence[bytes]
) -> tuple[Float[Tensor, "tiles _bins _channels"], ...]:
    """Return the levels of features of rows of one layout."""
    known = [(bins, channels, _DTYPES[dtype]) for bins, channels, dtype in json.loads(layout)]
    sizes = [bins * channels * dtype.itemsize for bins, channels, dtype in known]
    joined = torch.frombuffer(bytearray().join(rows), dtype=torch.uint8).view(len(rows), -1)
    return tuple(
        part.flatten().clone().view(dtype).view(len(rows), bins, channels)
        for part, (bins, channels, dtype) in zip(joined.split(sizes, 1), known, strict=True)
    )
