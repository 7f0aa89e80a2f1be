"""Named public data sets: where they are, what they are for, and a local copy of each.

Files go to `$CISGRAM_DATA/<data set>/`, or to the user's data directory when it is not
set. `$CISGRAM_MIRROR`, a directory or a base URL, is looked in first by file name.
"""

import difflib
import os
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from cisgram.core.artifact import atomic_file, sha256
from cisgram.core.checks import ConfigError, DataError, few
from cisgram.data.download import ChecksumError, UnreachableError, download, matches


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of a data set."""

    name: str
    urls: tuple[str, ...]
    """Where it is; tried in order."""
    part: str | None
    """The chromosome it holds, where a data set is cut by chromosome."""
    size: int | None
    checksum: str | None
    """`md5:...` or `sha256:...` as the source publishes it; None when it does not."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A named public data set."""

    name: str
    title: str
    assembly: str
    licence: str
    citation: str
    homepage: str
    use: str
    files: tuple[RemoteFile, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that can be fetched alone, in the order of the table."""
        return tuple(file.part for file in self.files if file.part is not None)


def list_datasets() -> tuple[Dataset, ...]:
    """Return every data set known, by name."""
    return tuple(sorted(_table().values(), key=lambda dataset: dataset.name.lower()))


def find_dataset(name: str) -> Dataset:
    """Return the data set of that name, in any case.

    Examples:
        >>> find_dataset("hg38").files[0].name
        'hg38.fa.gz'
    """
    names = {known.lower(): known for known in _table()}
    if name.lower() in names:
        return _table()[names[name.lower()]]
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(names[one] for one in near)}?" if near else ""
    raise ConfigError(
        f"no data set is named {name!r}; {hint or '`cisgram data list` shows them all.'}"
    )


def fetch(
    name: str, *, directory: Path | None = None, parts: Collection[str] | None = None
) -> list[Path]:
    """Bring a data set to this machine and return its files; those already here are checked.

    A file without a published checksum is trusted the first time: its SHA-256 is written
    beside it (`<file>.sha256`) and held to from then on; remove that to accept another.

    Args:
        name: Of the data set.
        directory: In place of `$CISGRAM_DATA`.
        parts: Chromosomes to fetch, of a data set that is cut by chromosome; all when None.

    Raises:
        ConfigError: an unknown data set or part, or a mirror that is not there.
        DataError: no network, no such file, a checksum that differs, or a full disk.
    """
    dataset = find_dataset(name)
    wanted = set(dataset.parts if parts is None else parts)
    if unknown := sorted(wanted - set(dataset.parts)):
        known = f"it has {', '.join(dataset.parts)}" if dataset.parts else "it comes whole"
        raise ConfigError(f"{dataset.name} has no part {few(unknown)}; {known}.")
    chosen = [file for file in dataset.files if file.part is None or file.part in wanted]
    return [_obtain(file, dataset, directory or data_directory()) for file in chosen]


def data_directory() -> Path:
    """Return where fetched files go: `$CISGRAM_DATA` or the user's data directory."""
    if chosen := os.environ.get("CISGRAM_DATA"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "cisgram"


def local_path(file: RemoteFile, dataset: Dataset, directory: Path | None = None) -> Path:
    """Return where the file is or would be."""
    return (directory or data_directory()) / dataset.name / file.name


def recorded_checksum(path: Path) -> str | None:
    """Return the checksum recorded when the file was first fetched, None if there is none."""
    record = _record(path)
    return f"sha256:{record.read_text().split()[0]}" if record.is_file() else None


def _obtain(file: RemoteFile, dataset: Dataset, directory: Path) -> Path:
    path = local_path(file, dataset, directory)
    mirror = os.environ.get("CISGRAM_MIRROR", "")
    remote = mirror.startswith(("http://", "https://"))
    if mirror and not remote and not path.exists():
        path = _in_mirror(Path(mirror).expanduser(), file, dataset) or path
    checksum = file.checksum or recorded_checksum(path)
    if path.exists():
        _check(path, checksum)
    else:
        here = (f"{mirror.rstrip('/')}/{file.name}",) if remote else ()
        _download_first(here + file.urls, path, checksum, size=file.size)
    if checksum is None and path.is_relative_to(directory):
        with atomic_file(_record(path)) as record:
            record.write_text(f"{sha256(path)}  {path.name}\n")
    return path


def _download_first(
    urls: tuple[str, ...], path: Path, checksum: str | None, *, size: int | None
) -> None:
    """Download from the first URL that has the file."""
    for url in urls:
        try:
            return download(url, path, checksum, size=size)
        except (ChecksumError, UnreachableError):
            if url == urls[-1]:
                raise
    return None


def _in_mirror(mirror: Path, file: RemoteFile, dataset: Dataset) -> Path | None:
    if not mirror.is_dir():
        raise ConfigError(f"CISGRAM_MIRROR is {mirror}, which is no directory; correct it.")
    places = (mirror / dataset.name / file.name, mirror / file.name)
    return next((place for place in places if place.is_file()), None)


def _check(path: Path, checksum: str | None) -> None:
    if checksum is not None and not matches(path, checksum):
        raise DataError(
            f"{path} is damaged or of another version ({checksum} expected); remove it and "
            "fetch it again."
        )


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


@cache
def _table() -> dict[str, Dataset]:
    table = tomllib.loads((files("cisgram.data") / "registry.toml").read_text())
    return {name: _dataset(name, entry) for name, entry in table.items()}


def _dataset(name: str, entry: dict[str, Any]) -> Dataset:
    remote = [_file(one, part) for one in entry["files"] for part in one.get("parts", [None])]
    return Dataset(
        name=name, files=tuple(remote), **{k: v for k, v in entry.items() if k != "files"}
    )


def _file(entry: dict[str, Any], part: str | None) -> RemoteFile:
    name = entry["name"].replace("{part}", part or "")
    return RemoteFile(
        name=name,
        urls=tuple(url.replace("{name}", name) for url in entry["urls"]),
        part=part,
        size=entry.get("size"),
        checksum=entry.get("checksum"),
    )
