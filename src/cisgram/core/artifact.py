"""Directories and files that are either whole or absent.

An artifact is a directory with a `manifest.json`: its kind, format version,
the program that wrote it, free metadata, and the size and SHA-256 of every
file. It is written under a temporary name beside its destination and renamed
into place at the end, so an interrupted write leaves nothing behind that looks
finished.
"""

import errno
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cisgram import __version__
from cisgram.core.checks import CisgramError, DataError

MANIFEST = "manifest.json"
_CUT_SHORT = -1
"""In place of a number: numpy says that the system took less than it was given, not why."""
_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and run it again",
    errno.EDQUOT: "the disk quota is used up; free some space and run it again",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.EACCES: "permission is denied; choose another place",
    errno.ENOTDIR: "a part of the path is a file; choose another place",
    errno.EEXIST: "a part of the path is a file; choose another place",
    errno.EISDIR: "it is a directory; name a file",
    errno.EFBIG: "the file may not grow (ulimit -f); raise the limit and run it again",
    _CUT_SHORT: "the disk is full or the file may not grow (ulimit -f); "
    "free some space and run it again",
}


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a finished artifact says about itself."""

    kind: str
    """What the directory holds: `cohort`, `fit`, `reference` ..."""
    version: int
    cisgram: str
    metadata: dict[str, Any]
    """Settings, sources and counts, as the writer gave them."""
    files: dict[str, dict[str, Any]]
    """Relative path -> `bytes` and `sha256`."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def create_artifact(
    path: Path | str,
    *,
    kind: str,
    version: int,
    metadata: dict[str, Any],
    overwrite: bool = False,
) -> Generator[Path]:
    """Yield a directory to fill; publish it as `path` when the block ends well.

    `metadata` is read when the block ends, so the block may add to it.

    Raises:
        DataError: `path` exists and `overwrite` is false, or the disk is full.
    """
    path = Path(path)
    if path.exists() and not (overwrite and is_artifact(path, kind)):
        remedy = "remove it or choose another place" if not overwrite else "it is no " + kind
        raise DataError(f"{path} exists already; {remedy}.")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        with disk_errors(path):
            yield building
            _write_manifest(building, kind=kind, version=version, metadata=metadata)
            building.chmod(0o755)
            _publish(building, path, overwrite=overwrite)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def open_artifact(path: Path | str, *, kind: str, version: int) -> Manifest:
    """Read the manifest of a finished artifact and check it against the files.

    Sizes are checked, contents are not: `verify_artifact` reads every byte.

    Raises:
        DataError: not an artifact of this kind and version, or incomplete.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file():
        raise DataError(f"{path} is no cisgram {kind} (it has no {MANIFEST}); check the path.")
    with damage_errors(path / MANIFEST):
        manifest = Manifest(**json.loads((path / MANIFEST).read_text()))
    if manifest.kind != kind:
        raise DataError(f"{path} is a {manifest.kind}, not a {kind}; check the path.")
    if manifest.version != version:
        raise DataError(
            f"{path} has format {manifest.version} of {kind} and this cisgram reads "
            f"{version}; make it again."
        )
    with damage_errors(path / MANIFEST):
        for name, facts in manifest.files.items():
            file = path / name
            if not file.is_file() or file.stat().st_size != facts["bytes"]:
                raise DataError(f"{file} is missing or cut short; make {path} again.")
    return manifest


@contextmanager
def damage_errors(path: Path) -> Generator[None]:
    """Turn whatever readers of a damaged artifact raise into one DataError."""
    try:
        yield
    except (CisgramError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise DataError(f"{path} cannot be read ({reason}); make it again.") from error


def verify_artifact(path: Path | str, manifest: Manifest) -> None:
    """Compare every file with its SHA-256; raise DataError where one has changed."""
    for name, facts in manifest.files.items():
        file = Path(path) / name
        if not file.is_file() or sha256(file) != facts["sha256"]:
            raise DataError(f"{file} has changed since it was written; make it again.")


def is_artifact(path: Path, kind: str) -> bool:
    """Say whether `path` holds a finished artifact of this kind."""
    try:
        return json.loads((path / MANIFEST).read_text())["kind"] == kind
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def atomic_file(path: Path | str) -> Generator[Path]:
    """Yield a temporary path in the same directory; rename it to `path` at the end.

    Raises:
        DataError: the disk is full or the place cannot be written.
    """
    path = Path(path)
    with disk_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
    temporary = Path(name)
    try:
        with disk_errors(path):
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON atomically; NaN and infinity become null."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def write_arrays(path: Path | str, arrays: Mapping[str, ArrayLike]) -> None:
    """Write named arrays as compressed .npz, atomically."""
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_json(path: Path | str) -> Any:
    """Return what `write_json` wrote."""
    with damage_errors(Path(path)):
        return json.loads(Path(path).read_text())


class _DiskError(DataError):
    """A place that cannot be written, and why."""

    def __str__(self) -> str:
        place, reason = self.args
        return f"cannot write {place}: {reason}."


@contextmanager
def disk_errors(path: Path) -> Generator[None]:
    """Turn a full or read-only disk into one sentence.

    Of places inside each other, the outermost is named: it is the one that was asked for.
    """
    try:
        yield
    except _DiskError as error:
        raise _DiskError(path, error.args[1]) from error
    except Exception as error:
        code = _system_code(error)
        if code not in _REASONS or not _concerns(error, path):
            raise
        raise _DiskError(path, _REASONS[code]) from error


def _system_code(error: Exception) -> int | None:
    """Return the operating system's number, which numpy leaves out and polars puts into words."""
    if isinstance(error, OSError):
        cut_short = error.errno is None and "requested and" in str(error)
        return _CUT_SHORT if cut_short else error.errno
    said = re.search(r"\(os error (\d+)\)", str(error))
    return int(said[1]) if said else None


def _concerns(error: Exception, path: Path) -> bool:
    """Say whether an error is about `path`, what is made beside it, or no file in particular."""
    if not isinstance(error, OSError) or not error.filename:
        return True
    named = Path(os.fsdecode(error.filename)).absolute()
    place = path.absolute()
    return named.is_relative_to(place.parent) or place.is_relative_to(named)


def _write_manifest(building: Path, *, kind: str, version: int, metadata: dict[str, Any]) -> None:
    files = {
        str(file.relative_to(building)): {"bytes": file.stat().st_size, "sha256": sha256(file)}
        for file in sorted(building.rglob("*"))
        if file.is_file()
    }
    manifest = {
        "kind": kind,
        "version": version,
        "cisgram": __version__,
        "metadata": _plain(metadata),
        "files": files,
    }
    (building / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n")


def _publish(building: Path, path: Path, *, overwrite: bool) -> None:
    """Rename into place; an older artifact is set aside first and put back if that fails."""
    if not path.exists():
        building.replace(path)
        return
    if not overwrite:
        raise DataError(f"{path} exists already; remove it or choose another place.")
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    path.replace(aside / "old")
    try:
        building.replace(path)
    except BaseException:
        (aside / "old").replace(path)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _plain(content: Any) -> Any:
    """Reduce numpy scalars, paths, tuples, NaN and infinity to what JSON knows."""
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, Path):
        return str(content)
    if hasattr(content, "tolist"):
        return _plain(content.tolist())
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
