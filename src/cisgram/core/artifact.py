"""Directories and files that are either whole or absent.

An artifact is a directory with a `manifest.json`: its kind, format version,
the program that wrote it, free metadata, the size and SHA-256 of every file, and
a digest of all that. It is written in a hidden directory beside its destination
and renamed into place at the end, so an interrupted write leaves nothing behind
that looks finished.
"""

import errno
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cisgram import __version__
from cisgram.core.checks import CisgramError, DataError, check_directory
from cisgram.core.places import OLD, disk_errors, hold, real_place

MANIFEST, SEAL = "manifest.json", "seal"
SMALL = 2**25
"""Bytes of the largest files that are read whole whenever an artifact is opened."""
_SPOTS, _SPOT = 16, 2**16
"""Blocks of larger files that are read then, and bytes of each."""


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
    """Relative path -> `bytes` and `sha256`; of large files `spots` too, the digest of some."""
    seal: str = ""
    """Digest of the rest; empty in those of before there were seals."""


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
    path = real_place(path)
    with disk_errors(path), hold(path) as home:
        if path.exists() and not (overwrite and is_artifact(path, kind)):
            remedy = "remove it or choose another place" if not overwrite else "it is no " + kind
            raise DataError(f"{path} exists already; {remedy}.")
        building = Path(tempfile.mkdtemp(dir=home)) / path.name
        building.mkdir()
        yield building
        _write_manifest(building, kind=kind, version=version, metadata=metadata)
        building.chmod(0o755)
        _publish(building, path, overwrite=overwrite)


def open_artifact(path: Path | str, *, kind: str, version: int) -> Manifest:
    """Read the manifest of a finished artifact and check it against the files.

    Small files are read whole, large ones in spots: `verify_artifact` reads every byte.

    Raises:
        DataError: not an artifact of this kind and version, incomplete, or changed since.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file():
        raise DataError(f"{path} is no cisgram {kind} (it has no {MANIFEST}); check the path.")
    manifest = read_manifest(path)
    if manifest.kind != kind:
        raise DataError(f"{path} is a {manifest.kind}, not a {kind}; check the path.")
    if manifest.version != version:
        raise DataError(
            f"{path} has format {manifest.version} of {kind} and this cisgram reads "
            f"{version}; make it again."
        )
    with damage_errors(path / MANIFEST):
        check_seal(vars(manifest), path / MANIFEST)
        for name, facts in manifest.files.items():
            file = path / name
            if not file.is_file() or file.stat().st_size != facts["bytes"]:
                raise DataError(f"{file} is missing or cut short; make {path} again.")
            if facts["bytes"] <= SMALL:
                _check_content(file, facts)
            elif facts.get("spots", found := _spots(file)) != found:
                raise changed(file)
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Return what an artifact says about itself; nothing is checked."""
    with damage_errors(path / MANIFEST):
        return Manifest(**json.loads((path / MANIFEST).read_text()))


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what JSON holds of facts, with a digest of them as `seal`."""
    plain = {key: value for key, value in _plain(dict(content)).items() if key != SEAL}
    return plain | {SEAL: digest_of(json.dumps(plain, sort_keys=True))}


def check_seal(content: Mapping[str, Any], path: Path) -> None:
    """Raise DataError where facts are not those that were sealed; facts without seal pass."""
    if content.get(SEAL) and sealed(content)[SEAL] != content[SEAL]:
        raise changed(path)


def digest_of(*values: str | bytes | float) -> str:
    """Return 128 bits, in hexadecimal, that tell values from others."""
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        content = value if isinstance(value, bytes) else str(value).encode()
        digest.update(f"{len(content)} ".encode() + content)
    return digest.hexdigest()


def changed(path: Path) -> DataError:
    """Return the error of a file that is not as it was written."""
    return DataError(f"{path} has changed since it was written; make it again.")


def _check_content(file: Path, facts: Mapping[str, Any]) -> None:
    if not file.is_file() or sha256(file) != facts["sha256"]:
        raise changed(file)


def _spots(file: Path) -> str:
    """Return a digest of blocks that lie evenly in a file, from its first byte to its last."""
    last = file.stat().st_size - _SPOT
    digest = hashlib.blake2b(digest_size=16)
    with file.open("rb") as stream:
        for number in range(_SPOTS):
            stream.seek(last * number // (_SPOTS - 1))
            digest.update(stream.read(_SPOT))
    return digest.hexdigest()


@contextmanager
def damage_errors(path: Path, remedy: str = "make it again") -> Generator[None]:
    """Turn whatever readers of a damaged file of ours raise into one DataError."""
    try:
        yield
    except (CisgramError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise DataError(f"{path} cannot be read ({reason}); {remedy}.") from error


def verify_artifact(path: Path | str, manifest: Manifest) -> None:
    """Compare every file with its SHA-256; raise DataError where one has changed."""
    check_seal(vars(manifest), Path(path) / MANIFEST)
    for name, facts in manifest.files.items():
        _check_content(Path(path) / name, facts)


def is_artifact(path: Path, kind: str) -> bool:
    """Say whether `path` holds a finished artifact of this kind."""
    try:
        return json.loads((path / MANIFEST).read_text())["kind"] == kind
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def atomic_file(path: Path | str) -> Generator[Path]:
    """Yield a path on the same disk; rename what is there to `path` at the end.

    Raises:
        DataError: the disk is full or the place cannot be written.
    """
    path = real_place(path)
    with disk_errors(path), hold(path) as home:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "")
        temporary = Path(tempfile.mkdtemp(dir=home)) / path.name
        temporary.touch()
        yield temporary
        _settle(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)


@contextmanager
def atomic_directory(path: Path | str) -> Generator[Path]:
    """Yield a directory to fill; its files appear in `path`, beside what is there, at the end.

    Raises:
        DataError: the disk is full or the place cannot be written.
    """
    path = check_directory(real_place(path))
    with disk_errors(path), hold(path) as home:
        building = Path(tempfile.mkdtemp(dir=home)) / path.name
        building.mkdir()
        yield building
        files = [file for file in sorted(building.rglob("*")) if file.is_file()]
        for file in files:
            _settle(file)
        for file in files:
            target = path / file.relative_to(building)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def _settle(file: Path) -> None:
    """Wait until a file is on the disk: some disks are found full only then."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


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


def read_sealed(path: Path | str) -> Any:
    """Return what `write_json` wrote of `sealed` facts; raise DataError where they have changed."""
    content = read_json(path)
    with damage_errors(Path(path)):
        check_seal(content, Path(path))
    return content


def _write_manifest(building: Path, *, kind: str, version: int, metadata: dict[str, Any]) -> None:
    files: dict[str, dict[str, Any]] = {}
    for file in sorted(building.rglob("*")):
        if file.is_file():
            _settle(file)
            size = file.stat().st_size
            facts: dict[str, Any] = {"bytes": size, "sha256": sha256(file)}
            if size > SMALL:
                facts["spots"] = _spots(file)
            files[str(file.relative_to(building))] = facts
    manifest = sealed(
        {
            "kind": kind,
            "version": version,
            "cisgram": __version__,
            "metadata": metadata,
            "files": files,
        }
    )
    (building / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n")
    _settle(building / MANIFEST)


def _publish(building: Path, path: Path, *, overwrite: bool) -> None:
    """Rename into place; an older artifact is set aside first and put back if that fails."""
    if not path.exists():
        building.replace(path)
        return
    if not overwrite:
        raise DataError(f"{path} exists already; remove it or choose another place.")
    aside = building.with_name(OLD)
    path.replace(aside)
    try:
        building.replace(path)
    except BaseException:
        aside.replace(path)
        raise


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
