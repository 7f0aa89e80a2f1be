"""A digest of a safetensors file within its own header, for files that no manifest names."""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from cisgram.core.artifact import SEAL, changed

BLANK = {SEAL: "0" * 32}
"""Metadata of a file that is to be stamped."""
_STAMP = re.compile(rb'"seal":"([0-9a-f]{32})"')
_LENGTH, _CHUNK = 8, 2**20


class _Stamp(NamedTuple):
    place: int
    """Its first byte in the file."""
    found: bytes
    digest: bytes
    """What it must be."""


def stamp(path: Path) -> None:
    """Write the digest of a file, its stamp left blank, over its blank stamp."""
    if own := _read(path):
        with path.open("r+b") as stream:
            stream.seek(own.place)
            stream.write(own.digest)


def check_stamp(path: Path) -> bool:
    """Say whether a file has a stamp; raise DataError where the file is not as it was stamped."""
    own = _read(path)
    if own and own.found != own.digest:
        raise changed(path)
    return own is not None


def _read(path: Path) -> _Stamp | None:
    with path.open("rb") as stream:
        length = stream.read(_LENGTH)
        size = min(int.from_bytes(length, "little"), path.stat().st_size)
        head = length + stream.read(size)
        own = _STAMP.search(head)
        if own is None:
            return None
        digest = hashlib.blake2b(digest_size=16)
        digest.update(head[: own.start(1)] + BLANK[SEAL].encode() + head[own.end(1) :])
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return _Stamp(own.start(1), own[1], digest.hexdigest().encode())
