"""Fetch one file over HTTP: continued where it stopped, checked, whole or absent."""

import errno
import hashlib
import http.client
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from cisgram import __version__
from cisgram.core.checks import DataError
from cisgram.core.places import disk_errors, hold
from cisgram.core.progress import progress

_CHUNK = 1 << 18
_MEGABYTE = 1_000_000
_TIMEOUT = 60.0  # seconds without a byte
_SLOWEST, _WHILE = 1_000, 60.0  # bytes a second, over so many seconds
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


class _SlowError(Exception):
    """Too few bytes come to wait for the rest."""


def download(url: str, path: Path, checksum: str | None, *, size: int | None = None) -> None:
    """Fetch `url` as `path`; what an earlier try left in `path`.part is continued.

    The file appears only when it is whole, not empty, and has the size in bytes and the checksum,
    `md5:...` or `sha256:...`, where these are known.

    Raises:
        UnreachableError: no network, no such file, or the connection broke too often.
        ChecksumError: the file that arrived has another checksum or size; it is removed.
    """
    part, version = _beside(path, ".part"), _beside(path, ".part.version")
    with disk_errors(path), hold(path):
        if part.exists() and part.stat().st_size and not version.exists():
            raise DataError(f"{part} is not of cisgram and in the way; move it.")
        try:
            _receive_all(url, path, size=size, encoded=checksum is not None)
            if checksum is not None and not matches(part, checksum):
                raise _another(url, path, f"{checksum} expected")
            part.replace(path)
        except ChecksumError:
            part.unlink(missing_ok=True)
            raise
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


def _another(url: str, path: Path, why: str) -> ChecksumError:
    return ChecksumError(
        f"what {url} sent is not {path.name} ({why}); it was removed: try again, or another source."
    )


def _receive_all(url: str, path: Path, *, size: int | None, encoded: bool) -> None:
    """Try until the part is whole, and while there is hope of more.

    What is `encoded`, as some servers say of files that are packed, is told by its checksum alone.
    """
    part, in_vain, why = _beside(path, ".part"), 0, ""
    while in_vain < _TRIES:
        before, slow = part.stat().st_size if part.exists() else 0, False
        try:
            if _attempt(url, path, size=size, encoded=encoded):
                return
            why = "broke the connection"
        except _SlowError:
            why, slow = f"sends less than {_SLOWEST:,} bytes a second", True
        except urllib.error.HTTPError as error:
            why = f"answered {error.code} ({error.reason})"
            if error.code not in _PASSING:
                break
        except _BROKEN as error:
            why = f"cannot be reached ({getattr(error, 'reason', error)})"
        in_vain = 0 if part.stat().st_size > before and not slow else in_vain + 1
        if in_vain < _TRIES:
            time.sleep(_PAUSE * 2 ** max(0, in_vain - 1))
    raise UnreachableError(
        f"{url} {why}; run it again later, or fetch {path.name} elsewhere and put it at {path}."
    )


def _attempt(url: str, path: Path, *, size: int | None, encoded: bool) -> bool:
    """Append what is missing to the part; say whether it is whole now."""
    version = _beside(path, ".part.version")
    with _beside(path, ".part").open("ab") as stream:
        known = version.read_text() if version.exists() else ""
        done = stream.tell() if known else 0
        # Some servers pack what is not packed, unless told not to.
        headers = {"User-Agent": f"cisgram/{__version__}", "Accept-Encoding": "identity"}
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
            begins, total = _place(response, url, path)
            encoding = response.headers.get("Content-Encoding", "identity")
            if encoding != "identity" and not encoded:
                raise _another(url, path, f"it is encoded as {encoding}")
            if begins not in (0, done):
                raise _another(url, path, f"bytes from {begins:,} on, and {done:,} were asked for")
            if size is not None and total not in (None, size):
                raise _another(url, path, f"{total:,} bytes, and {size:,} expected")
            stream.truncate(begins)  # 0: the server knows no ranges, or its file has changed since
            version.write_text(_version(response))
            done = _receive(response, stream, done=begins, total=total or size)
        if size is not None and done > size:
            raise _another(url, path, f"more than the {size:,} bytes expected")
        if not done and total in (None, 0):
            raise _another(url, path, "nothing")
        return done == (size or total or done)


def _place(response: http.client.HTTPResponse, url: str, path: Path) -> tuple[int, int | None]:
    """Return where the body begins in the file, and the size of the file where it is said."""
    status, headers = response.status, response.headers
    if status not in (http.HTTPStatus.OK, http.HTTPStatus.PARTIAL_CONTENT):
        raise _another(url, path, f"an answer {status}")
    given = headers.get("Content-Length")
    if given is not None and not re.fullmatch(r"[0-9]{1,18}", given.strip()):
        raise _another(url, path, f"its length is {given!r}")
    length = None if given is None else int(given)
    if status == http.HTTPStatus.OK:
        return 0, length
    part = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", headers.get("Content-Range", "")
    )
    if part is None:
        raise _another(url, path, "a part without its place")
    first, last = int(part[1]), int(part[2])
    if last < first or (length is not None and length != last - first + 1):
        raise _another(url, path, f"{length} bytes for the part {part[0]}")
    return first, None if part[3] == "*" else int(part[3])


def _receive(
    response: http.client.HTTPResponse, stream: IO[bytes], *, done: int, total: int | None
) -> int:
    """Append the body, not much beyond the total where it is known; return the bytes there now."""
    path = Path(stream.name).with_suffix("")
    if total and total - done > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, "the file is larger than the free space")
    megabytes = total // _MEGABYTE if total else None
    since, arrived = time.monotonic(), 0
    with progress(f"{path.name}, MB", megabytes, done=done // _MEGABYTE) as ticker:
        while (total is None or done <= total) and (chunk := response.read1(_CHUNK)):
            stream.write(chunk)
            before, done = done, done + len(chunk)
            ticker.advance(done // _MEGABYTE - before // _MEGABYTE)
            arrived += len(chunk)
            if (elapsed := time.monotonic() - since) > _WHILE:
                if arrived < _SLOWEST * elapsed:
                    raise _SlowError
                since, arrived = time.monotonic(), 0
    return done


def _version(response: http.client.HTTPResponse) -> str:
    """Return what the server accepts in If-Range: a strong ETag or else a date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
