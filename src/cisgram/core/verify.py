"""Whether what cisgram wrote is still as it was written: every byte of it."""

import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cisgram.core.artifact import (
    MANIFEST,
    SEAL,
    changed,
    damage_errors,
    digest_of,
    read_json,
    read_manifest,
    read_sealed,
    verify_artifact,
)
from cisgram.core.checks import DataError
from cisgram.core.stamps import check_stamp


def verify(path: Path) -> list[str]:
    """Return what is as it was written, a sentence each.

    Args:
        path: an artifact such as a cohort, a fit, a model or a genome; a run, an unfinished one, or
            features that were kept; or a directory of them.

    Raises:
        DataError: something has changed since, or nothing there can be verified.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist; check the path.")
    found = list(_verified(path))
    if not found:
        raise DataError(
            f"{path} has nothing that can be verified: no artifact of cisgram, run, journal, "
            "features or .npz; check the path."
        )
    return found


def _verified(path: Path) -> Iterator[str]:
    if path.is_dir():
        if (path / MANIFEST).is_file():
            yield _artifact(path)
            return
        for child in sorted(path.iterdir()):
            if not child.is_symlink() and not child.name.startswith("."):
                yield from _verified(child)
    elif path.suffix == ".sqlite":
        yield f"{path}: {_check_rows(path):,} entries are as they were written."
    elif path.suffix == ".npz":
        with damage_errors(path), zipfile.ZipFile(path) as entries:
            if entries.testzip() is not None:
                raise changed(path)
        yield f"{path}: as it was written."
    elif path.suffix == ".safetensors":
        with damage_errors(path):
            has_stamp = check_stamp(path)
        if has_stamp:
            yield f"{path}: as it was written."
    elif path.suffix == ".json" and SEAL in read_json(path):
        read_sealed(path)
        yield f"{path}: as it was written."


def _artifact(path: Path) -> str:
    manifest = read_manifest(path)
    with damage_errors(path / MANIFEST):
        verify_artifact(path, manifest)
        size = sum(facts["bytes"] for facts in manifest.files.values())
    n_files = len(manifest.files)
    files = "1 file is as it was" if n_files == 1 else f"{n_files} files are as they were"
    return f"{path}: {manifest.kind} of {size / 1e6:,.1f} MB, {files} written."


def _check_rows(path: Path) -> int:
    """Compare the entries of a journal or of features with their seals, and count them."""
    n_rows = 0
    with damage_errors(path), closing(sqlite3.connect(path, timeout=0)) as database:
        database.execute("PRAGMA locking_mode=EXCLUSIVE")  # for disks without shared memory
        for *content, seal in database.execute("SELECT * FROM parts"):
            if digest_of(*content) != seal:
                raise DataError(f"an entry of {path} has changed since it was written; remove it.")
            n_rows += 1
    return n_rows
