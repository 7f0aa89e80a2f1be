"""Which pieces of DNA a set of windows is made of.

A window is cut every `size` bases. What a model's local part makes of a tile depends on the
tile, on the halo of bases around it, and on where the window ends if it ends within the halo.
Tiles alike in all of these have the same features, in whatever window or person they are.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

DIGEST_BYTES = 16


class Tile(NamedTuple):
    """A piece of DNA with all that its features depend on; equal tiles have equal features."""

    skipped: int
    """Bases of the halo before the tile; fewer than the model's halo where a window begins."""
    kept: int
    """Bases of the tile itself."""
    tokens: bytes
    """Bases of the halo before it, of the tile and of the halo after it."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """What tiles must have in common to be read together."""
        return self.skipped, self.kept, len(self.tokens)

    @property
    def digest(self) -> bytes:
        """What tells tiles apart in every process."""
        head = self.skipped.to_bytes(8, "little") + self.kept.to_bytes(8, "little")
        return hashlib.blake2b(head + self.tokens, digest_size=DIGEST_BYTES).digest()


def tiles_of(window: UInt8[np.ndarray, "length"], *, size: int, halo: int) -> list[Tile]:
    r"""Return a window's tiles from left to right; the last may be shorter.

    >>> window = np.array([0, 1, 2, 3], dtype=np.uint8)
    >>> tiles_of(window, size=2, halo=1)[1]
    Tile(skipped=1, kept=2, tokens=b'\x01\x02\x03')
    """
    tokens, length = window.tobytes(), window.size
    found: list[Tile] = []
    for start in range(0, length, size):
        stop, first = min(start + size, length), max(start - halo, 0)
        found.append(Tile(start - first, stop - start, tokens[first : stop + halo]))
    return found


def distinct_windows(
    windows: UInt8[np.ndarray, "windows length"], spans: Int64[np.ndarray, "windows 2"]
) -> tuple[Int64[np.ndarray, "distinct"], Int64[np.ndarray, "windows"]]:
    """Return where every window and span appears first, in order, and which of them each one is.

    >>> windows = np.array([[0, 1], [2, 3], [0, 1]], dtype=np.uint8)
    >>> distinct_windows(windows, np.zeros((3, 2), dtype=np.int64))
    (array([0, 1]), array([0, 1, 0]))
    """
    numbers: dict[tuple[bytes, bytes], int] = {}
    keys = ((row.tobytes(), span.tobytes()) for row, span in zip(windows, spans, strict=True))
    which = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    return np.unique(which, return_index=True)[1].astype(np.int64), which


def rounds(windows: Sequence[list[Tile]], *, most: int) -> Iterator[list[list[Tile]]]:
    """Yield runs of windows that have at most so many distinct tiles, at least a window each."""
    part: list[list[Tile]] = []
    seen: set[Tile] = set()
    for window in windows:
        seen.update(window)
        if part and len(seen) > most:
            yield part
            part, seen = [], set(window)
        part.append(window)
    yield part


def cheapest_size(windows: UInt8[np.ndarray, "windows length"], *, multiple: int, halo: int) -> int:
    """Return the size of tiles for which a model reads the fewest bases.

    Small tiles are shared by more windows, but bring more halo. Sizes are `multiple` times powers
    of two, of which the last is a whole window or more.
    """
    length = windows.shape[1]
    least, best, size = 0, 0, multiple
    while not best or size < 2 * length:
        # Tiles shorter than half their halo read every base five times, however few there are.
        if size >= min(halo // 2, length):
            tiles = {tile for window in windows for tile in tiles_of(window, size=size, halo=halo)}
            read = sum(len(tile.tokens) for tile in tiles)
            if not best or read < least:
                least, best = read, size
        size *= 2
    return best
