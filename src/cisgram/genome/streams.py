"""Large text files, plain or compressed with gzip or bgzip, read in pieces."""

import gzip
import zlib
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from cisgram.core.checks import DataError, check_file
from cisgram.core.progress import progress

_CHUNK = 1 << 22
_MIB = 1 << 20
_GZIP = b"\x1f\x8b"
_BGZF_SUBFIELD = b"BC\x02\x00"
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def read_lines(path: Path | str, what: str, *, shown: bool = True) -> Generator[bytes]:
    """Yield the text of a file in pieces of about 4 MiB, each cut after a whole line.

    `shown` is for the progress, where nothing else shows it.

    Raises:
        DataError: the file is missing, empty, damaged or cut short.
    """
    path = check_file(path, what)
    size = path.stat().st_size
    rest: list[bytes] = []
    bar = progress(f"reading {path.name} (MiB)", size // _MIB) if shown else nullcontext()
    with path.open("rb") as raw, bar as ticker:
        stream = _decompressed(raw, path, what)
        done = 0
        while chunk := _read(stream, path, what):
            now = raw.tell() // _MIB
            if ticker is not None:
                ticker.advance(now - done)
            done = now
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield b"".join((*rest, chunk[:cut]))
                rest = []
            rest.append(chunk[cut:])
    if last := b"".join(rest):
        yield last


def lacks_end(raw: BinaryIO) -> bool:
    """Say whether a bgzipped file is cut between two blocks, which its readers do not notice."""
    raw.seek(0)
    head = raw.read(18)
    raw.seek(-min(len(_BGZF_END), raw.seek(0, 2)), 2)
    is_bgzf = head.startswith(_GZIP) and head[12:16] == _BGZF_SUBFIELD
    return is_bgzf and raw.read() != _BGZF_END


def _decompressed(raw: BinaryIO, path: Path, what: str) -> BinaryIO:
    if lacks_end(raw):
        raise _cut_short(path, what)
    raw.seek(0)
    is_packed = raw.read(len(_GZIP)) == _GZIP
    raw.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_packed else raw


def _read(stream: BinaryIO, path: Path, what: str) -> bytes:
    try:
        return stream.read(_CHUNK)
    except EOFError:
        raise _cut_short(path, what) from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{what} {path} is damaged ({error}); copy or download it again.") from None


def _cut_short(path: Path, what: str) -> DataError:
    return DataError(f"{what} {path} is cut short; copy or download it again.")
