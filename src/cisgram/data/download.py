"""Fetch one file over HTTP: continued where it stopped, checked, whole or absent."""

import errno
import fcntl
import hashlib
import http.client
import shutil
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from cisgram import __version__
from cisgram.core.checks import DataError
from cisgram.core.places import disk_errors
from cisgram.core.progress import progress

_CHUNK = 1 << 18
_MEGABYTE = 1_000_000
_TIMEOUT = 60.0  # seconds without a byte
_TRIES = 4  # in a row without a byte
_PAUSE = 1.0  # seconds before the second try; doubles
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers worth another try
_BROKEN = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)


class ChecksumError(DataError):
    """What arrived is not what the source or an earlier fetch describes."""


class UnreachableError(DataError):
    """The server has no such file or does not answer."""


def download(url: str, path: Path, checksum: str | None) -> None:
    """Fetch `url` as `path`; what an earlier try left in `path`.part is continued.

    The file appears only when it is whole and has the checksum, `md5:...` or `sha256:...`; None
    accepts whatever arrives.

    Raises:
        UnreachableError: no network, no such file, or the connection broke too often.
        ChecksumError: the file that arrived has another checksum; it is removed.
    """
    part, version = _beside(path, ".part"), _beside(path, ".part.version")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _receive_all(url, path)
            if checksum is not None and not matches(part, checksum):
                part.unlink()
                raise ChecksumError(
                    f"what {url} sent is not {path.name} ({checksum} expected); it was removed: "
                    "try again, or another source."
                )
            part.replace(path)
        finally:
            if not part.exists() or not part.stat().st_size:
                part.unlink(missing_ok=True)
                version.unlink(missing_ok=True)


def matches(path: Path, checksum: str) -> bool:
    """Say whether a file has this checksum, `md5:...` or `sha256:...`."""
    algorithm, _, expected = checksum.partition(":")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest() == expected.lower()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _receive_all(url: str, path: Path) -> None:
    """Try until the part is whole, and while there is hope of more."""
    part, in_vain, why = _beside(path, ".part"), 0, ""
    while in_vain < _TRIES:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _attempt(url, path):
                return
            why = "broke the connection"
        except urllib.error.HTTPError as error:
            why = f"answered {error.code} ({error.reason})"
            if error.code not in _PASSING:
                break
        except _BROKEN as error:
            why = f"cannot be reached ({getattr(error, 'reason', error)})"
        in_vain = 0 if part.stat().st_size > before else in_vain + 1
        if in_vain < _TRIES:
            time.sleep(_PAUSE * 2 ** max(0, in_vain - 1))
    raise UnreachableError(
        f"{url} {why}; run it again later, or fetch {path.name} elsewhere and put it at {path}."
    )


def _attempt(url: str, path: Path) -> bool:
    """Append what is missing to the part; say whether it is whole now."""
    version = _beside(path, ".part.version")
    with _beside(path, ".part").open("ab") as stream:
        _lock(stream, path)
        known = version.read_text() if version.exists() else ""
        done = stream.tell() if known else 0
        headers = {"User-Agent": f"cisgram/{__version__}"}
        if done:
            headers |= {"Range": f"bytes={done}-", "If-Range": known}
        request = urllib.request.Request(url, headers=headers)
        try:
            response = urllib.request.build_opener().open(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not done:
                raise
            whole = error.headers.get("Content-Range") == f"bytes */{done}"
            stream.truncate(done if whole else 0)
            return whole
        with response:
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                done = 0  # the server knows no ranges, or its file has changed since
            stream.truncate(done)
            version.write_text(_version(response))
            return _receive(response, stream, done=done, path=path)


def _receive(
    response: http.client.HTTPResponse, stream: IO[bytes], *, done: int, path: Path
) -> bool:
    """Append the body; say whether all of it came."""
    length = response.headers.get("Content-Length")
    total = done + int(length) if length else None
    if total and total - done > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, "the file is larger than the free space")
    megabytes = total // _MEGABYTE if total else None
    with progress(f"{path.name}, MB", megabytes, done=done // _MEGABYTE) as ticker:
        while chunk := response.read(_CHUNK):
            stream.write(chunk)
            before, done = done, done + len(chunk)
            ticker.advance(done // _MEGABYTE - before // _MEGABYTE)
    return total is None or done == total


def _version(response: http.client.HTTPResponse) -> str:
    """Return what the server accepts in If-Range: a strong ETag or else a date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _lock(stream: IO[bytes], path: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataError(f"{path} is being fetched by another process; wait for it.") from error
