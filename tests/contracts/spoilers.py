"""Ways to spoil the good files of `bad_files`; each returns a function of their place."""

import fcntl
import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from cisgram.core.places import LOCK
from contracts.bad_files import Place, Row
from resealing import reseal

REFUSED, HANDLED = 2, 0
FIRST_SNP, FIRST_PERSON, FIRST_VALUE = 5, 9, 6
"""Row of the VCF's first SNP, its first person's column, and that of the expression table."""
SNPS, GENES = slice(FIRST_SNP, None), slice(1, None)
CALLS, VALUES = slice(FIRST_PERSON, None), slice(FIRST_VALUE, None)
NO_ROWS = slice(0, 0)

Spoil = Callable[[Place], object]


def nothing(_place: Place) -> None:
    """Leave the good files as they are: what is wrong is the command."""


@dataclass(frozen=True)
class Case:
    """A bad input, the command that meets it, and what must be said."""

    name: str
    command: str
    says: str
    """Pattern of the one line on stderr; of what is handled, of the account on stdout."""
    spoil: Spoil = nothing
    """What it returns is closed after the command."""
    code: int = REFUSED
    env: dict[str, str] = field(default_factory=dict[str, str])


def another_process(place: Place) -> IO[str]:
    """Hold the output `new`, as a process that writes it does."""
    (place.path / ".new.cisgram").mkdir()
    stream = (place.path / ".new.cisgram" / LOCK).open("w")
    fcntl.flock(stream, fcntl.LOCK_EX)
    return stream


def all_of(*spoils: Spoil) -> Spoil:
    """Do one after the other."""

    def spoil(place: Place) -> None:
        for one in spoils:
            one(place)

    return spoil


def write(name: str, content: str) -> Spoil:
    """Write another file in place of this one."""
    return lambda place: place.text(name, content)


def cut(name: str, share: float) -> Spoil:
    """Keep only the first share of a file's bytes."""
    return lambda place: place.cut(name, share)


def move(old: str, new: str) -> Spoil:
    """Rename a file or directory."""
    return lambda place: (place.path / old).rename(place.path / new)


def directory(name: str) -> Spoil:
    """Make a directory."""
    return lambda place: (place.path / name).mkdir(parents=True)


def zeros(name: str) -> Spoil:
    """Write as many zero bytes as the file has."""
    return lambda place: (place.path / name).write_bytes(bytes((place.path / name).stat().st_size))


def query(name: str, statement: str) -> Spoil:
    """Change an SQLite file."""
    return lambda place: place.query(name, statement)


def run(command: str) -> Spoil:
    """Run a command that succeeds."""
    return lambda place: place.run(command)


def replace(name: str, old: str, new: str) -> Spoil:
    """Replace a text that the file has, or has when unpacked."""

    def spoil(place: Place) -> None:
        path = place.path / name
        packed = name.endswith(".gz")
        text = (gzip.decompress(path.read_bytes()) if packed else path.read_bytes()).decode()
        assert old in text
        content = text.replace(old, new).encode()
        path.write_bytes(gzip.compress(content) if packed else content)

    return spoil


def metadata(name: str, key: str, value: str | None) -> Spoil:
    """Set a fact in the manifest of an artifact, or take it out."""

    def spoil(place: Place) -> None:
        if value is None:
            reseal(place.path / name, key)
        else:
            reseal(place.path / name, **{key: value})

    return spoil


def rows(name: str, change: Callable[[list[Row]], object]) -> Spoil:
    """Change the rows of a table in place."""
    return lambda place: place.edit(name, change)


def drop(name: str, *, rows: slice = NO_ROWS, columns: slice = NO_ROWS) -> Spoil:
    """Take rows, or columns of every row, out of a table."""

    def change(table: list[Row]) -> None:
        del table[rows]
        for row in table:
            del row[columns]

    return lambda place: place.edit(name, change)


def put(
    name: str, value: str | Callable[[str], str], *, rows: slice = GENES, columns: slice = VALUES
) -> Spoil:
    """Put a value into cells of a table, or what a function makes of theirs."""

    def change(table: list[Row]) -> None:
        for row in table[rows]:
            for place in range(len(row))[columns]:
                row[place] = value if isinstance(value, str) else value(row[place])

    return lambda place: place.edit(name, change)


def further(bases: int) -> Callable[[str], str]:
    """Return what moves a position along the chromosome."""
    return lambda position: str(int(position) + bases)


def no_longer_human(name: str) -> str:
    """Rename a person of the 1000 Genomes beyond recognition."""
    return re.sub("^(HG|NA)", "mouse", name)
