"""Finished genes of a run that is not finished, safe against any interruption."""

import io
import json
import shutil
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cisgram.core.checks import DataError
from cisgram.core.places import disk_errors

_FILE = "journal.sqlite"
_LONG = ("cohort", "genes")
"""Settings too long for a sentence."""


@dataclass(frozen=True)
class GeneRecord:
    """What fitting one gene gave: a row of the table, and arrays."""

    row: dict[str, Any]
    arrays: dict[str, np.ndarray]


class Journal:
    """A SQLite file with one transaction a gene; only the parent process writes."""

    def __init__(self, directory: Path, identity: Mapping[str, Any]) -> None:
        """Open the journal of an unfinished run, or start one.

        `identity` is what a record depends on; a journal of anything else is refused.
        """
        self._directory = directory
        wanted = json.dumps(identity, sort_keys=True, default=str)
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
        fresh = not (directory / _FILE).exists()
        self._database = sqlite3.connect(directory / _FILE, timeout=0)
        try:
            # One process at a time; and without the shared memory that network disks lack.
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("CREATE TABLE IF NOT EXISTS run (identity TEXT)")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS genes (gene INTEGER PRIMARY KEY, row TEXT, arrays BLOB)"
            )
            found = self._database.execute("SELECT identity FROM run").fetchone()
            if found is None:
                self._database.execute("INSERT INTO run VALUES (?)", (wanted,))
                self._database.commit()
        except sqlite3.Error as error:
            self._database.close()
            if fresh:
                shutil.rmtree(directory, ignore_errors=True)
            raise self._unusable(error) from error
        if found is not None and found[0] != wanted:
            self._database.close()
            raise DataError(
                f"{directory} holds an unfinished run with other settings or data "
                f"({_difference(found[0], wanted)}); remove it or choose another output."
            )

    def finished(self) -> set[int]:
        """Return the genes already recorded."""
        with self._errors():
            return {gene for (gene,) in self._database.execute("SELECT gene FROM genes")}

    def add(self, gene: int, record: GeneRecord) -> None:
        """Record a gene; it survives whatever happens next."""
        blob = io.BytesIO()
        arrays: dict[str, Any] = dict(record.arrays)
        np.savez(blob, **arrays)
        values = (gene, json.dumps(record.row), blob.getvalue())
        with self._errors(), self._database:
            self._database.execute("INSERT OR REPLACE INTO genes VALUES (?, ?, ?)", values)

    def records(self) -> Iterator[tuple[int, GeneRecord]]:
        """Yield the recorded genes in order, one in memory at a time."""
        query = "SELECT gene, row, arrays FROM genes ORDER BY gene"
        with self._errors():
            for gene, row, blob in self._database.execute(query):
                with np.load(io.BytesIO(blob)) as arrays:
                    yield gene, GeneRecord(json.loads(row), dict(arrays))

    def close(self) -> None:
        """Close the file; remove a journal without any gene."""
        empty = False
        with suppress(DataError):
            empty = not self.finished()
        self._database.close()
        if empty:
            shutil.rmtree(self._directory, ignore_errors=True)

    @contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: sqlite3.Error) -> DataError:
        if error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
            return DataError(
                f"cannot write {self._directory}: the disk is full; free some space and run it "
                "again, finished genes are kept."
            )
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return DataError(f"another run is writing {self._directory}; wait for it.")
        return DataError(
            f"the journal of the unfinished run {self._directory} cannot be used ({error}); "
            "remove it, and run again."
        )


def _difference(found: str, wanted: str) -> str:
    """Name the settings that differ, a setting within `config` by its own name."""
    old, new = _settings(json.loads(found)), _settings(json.loads(wanted))
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return "; ".join(
        f"{key} differs" if key in _LONG else f"{key} was {old.get(key)}, is {new.get(key)}"
        for key in keys
    )


def _settings(identity: dict[str, Any]) -> dict[str, Any]:
    config = identity.get("config") or {}
    return {key: value for key, value in identity.items() if key != "config"} | config
