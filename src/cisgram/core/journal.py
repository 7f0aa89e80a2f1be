"""Finished parts of a run that is not finished, safe against any interruption."""

import io
import json
import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cisgram.core.artifact import digest_of
from cisgram.core.checks import DataError
from cisgram.core.places import disk_errors

JOURNAL = "journal.sqlite"
_LONG = 31
"""Characters of a setting that are too many for a sentence, as those of digests are."""


@dataclass(frozen=True)
class Record:
    """What one part of the work gave, such as a gene: facts, and arrays."""

    row: dict[str, Any]
    arrays: dict[str, np.ndarray]


class Journal:
    """A SQLite file with one transaction a part; only the parent process writes."""

    def __init__(self, directory: Path, identity: Mapping[str, Any]) -> None:
        """Open the journal of an unfinished run, or start one.

        `identity` is what a record depends on; a journal of anything else is refused.
        """
        self._directory = directory
        wanted = json.dumps(identity, sort_keys=True, default=str)
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
        fresh = not (directory / JOURNAL).exists()
        if fresh and any(directory.iterdir()):
            raise self._foreign()
        self._database = sqlite3.connect(directory / JOURNAL, timeout=0)
        try:
            # Without the shared memory that network disks lack.
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            tables = {name for (name,) in self._database.execute("SELECT name FROM sqlite_master")}
            if tables and "run" not in tables:
                raise self._foreign()
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("CREATE TABLE IF NOT EXISTS run (identity TEXT)")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS parts "
                "(part INTEGER PRIMARY KEY, row TEXT, arrays BLOB, seal TEXT)"
            )
            found = self._database.execute("SELECT identity FROM run").fetchone()
            if found is None:
                self._database.execute("INSERT INTO run VALUES (?)", (wanted,))
                self._database.commit()
        except sqlite3.Error as error:
            self._database.close()
            if fresh:
                self.remove()
            raise self._unusable(error) from error
        if found is not None and found[0] != wanted:
            self._database.close()
            raise DataError(
                f"{directory} holds an unfinished run with other settings or data "
                f"({_difference(found[0], wanted)}); remove it or choose another output."
            )

    def finished(self) -> set[int]:
        """Return the parts already recorded."""
        with self._errors():
            return {part for (part,) in self._database.execute("SELECT part FROM parts")}

    def keep(self, part: int, work: Callable[[], Record]) -> Record:
        """Return what was recorded of a part; where nothing was, do the work and record it."""
        query = "SELECT * FROM parts WHERE part = ?"
        with self._errors():
            found = self._database.execute(query, (part,)).fetchone()
        if found is not None:
            return self._record(found)
        record = work()
        self.add(part, record)
        return record

    def add(self, part: int, record: Record) -> None:
        """Record a part; it survives whatever happens next."""
        blob = io.BytesIO()
        arrays: dict[str, Any] = dict(record.arrays)
        np.savez(blob, **arrays)
        row = (part, json.dumps(record.row), blob.getvalue())
        values = (*row, digest_of(*row))
        with self._errors(), self._database:
            self._database.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)", values)

    def records(self) -> Iterator[tuple[int, Record]]:
        """Yield the recorded parts in order, one in memory at a time."""
        with self._errors():
            for row in self._database.execute("SELECT * FROM parts ORDER BY part"):
                yield row[0], self._record(row)

    def close(self) -> None:
        """Close the file; remove a journal without any part."""
        empty = False
        with suppress(DataError):
            empty = not self.finished()
        self._database.close()
        if empty:
            self.remove()

    def remove(self) -> None:
        """Remove the closed file, and its directory where nothing else is in it."""
        for suffix in ("", "-wal", "-shm"):
            (self._directory / f"{JOURNAL}{suffix}").unlink(missing_ok=True)
        with suppress(OSError):
            self._directory.rmdir()

    def _record(self, row: tuple[Any, ...]) -> Record:
        if digest_of(*row[:-1]) != row[-1]:
            raise DataError(
                f"part {row[0]} of the unfinished run {self._directory} has changed since it was "
                "written; remove that, and run again."
            )
        with np.load(io.BytesIO(row[2])) as arrays:
            return Record(json.loads(row[1]), dict(arrays))

    def _foreign(self) -> DataError:
        return DataError(
            f"{self._directory} is in the way and no unfinished run; move it, or choose another "
            "output."
        )

    @contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: sqlite3.Error | str) -> DataError:
        code = getattr(error, "sqlite_errorcode", None)  # some errors have none
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
            return DataError(
                f"cannot write {self._directory}: the disk is full; free some space and run it "
                "again, what is finished is kept."
            )
        return DataError(
            f"the journal of the unfinished run {self._directory} cannot be used ({error}); "
            "remove it, and run again."
        )


def partial(out: Path) -> Path:
    """Return where the journal of what is written to `out` lies: beside it."""
    return out.with_name(out.name + ".partial")


@contextmanager
def resumable(out: Path, identity: Mapping[str, Any]) -> Generator[Journal]:
    """Yield the journal of what is written to `out` within the block, and then remove it."""
    journal = Journal(partial(out), identity)
    try:
        yield journal
    finally:
        journal.close()
    journal.remove()


def discard(out: Path, identity: Mapping[str, Any]) -> None:
    """Remove the journal of what is written, which a run leaves that is killed at its very end."""
    if partial(out).exists():
        with suppress(DataError):
            journal = Journal(partial(out), identity)
            journal.close()
            journal.remove()


def _difference(found: str, wanted: str) -> str:
    """Name the settings that differ, a setting within `config` by its own name."""
    try:
        old, new = _settings(json.loads(found)), _settings(json.loads(wanted))
    except (ValueError, TypeError, AttributeError):
        return "its settings are damaged"
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return "; ".join(
        f"{key} differs"
        if max(len(str(each.get(key))) for each in (old, new)) >= _LONG
        else f"{key} was {old.get(key)}, is {new.get(key)}"
        for key in keys
    )


def _settings(identity: dict[str, Any]) -> dict[str, Any]:
    config = identity.get("config") or {}
    return {key: value for key, value in identity.items() if key != "config"} | config
