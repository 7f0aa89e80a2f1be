"""The parts of a bigWig, as its specification has them (Kent et al. 2010, Bioinformatics 26:2204).

Every offset and size is held against the file before it is used: a file may be damaged anywhere.
"""

import mmap
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np
from jaxtyping import Float32

from cisgram.core.checks import DataError

_BIGWIG, _BIGBED, _TREE, _INDEX = 0x888FFC26, 0x8789F2EB, 0x78CA8C91, 0x2468ACE0
_HEADER, _CHROMS, _SECTION = "IHHQQQHHQQIQ", "IIIIQQ", "IIIIIBxH"
_RTREE = struct.calcsize("<IIQIIIIQII")
_LARGEST = struct.calcsize(f"<{_SECTION}") + 0xFFFF * 12
"""Bytes of the largest section, unpacked."""
_ITEMS = {
    1: [("start", "u4"), ("end", "u4"), ("value", "f4")],
    2: [("start", "u4"), ("value", "f4")],
    3: [("value", "f4")],
}


_FIXED = 3
_SPAN = [("first", "u4"), ("start", "u4"), ("last", "u4"), ("end", "u4")]
_Fields = list[tuple[str, str]]


class Damaged(Exception):
    """A part of the file says what cannot be."""


class Blocks:
    """Contigs of a bigWig, and the values of any stretch."""

    def __init__(self, stream: IO[bytes], what: str) -> None:
        """Read the header and contigs; raise `Damaged` where they cannot be, DataError of a bigBed.

        Args:
            stream: the open file.
            what: what messages call it.
        """
        self._bytes = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        magics = {order: struct.unpack(f"{order}I", self._part(0, 4))[0] for order in "<>"}
        if _BIGBED in magics.values():
            raise DataError(f"{what} is a bigBed; give a bigWig.")
        self._order = next((order for order, magic in magics.items() if magic == _BIGWIG), "")
        if not self._order:
            raise Damaged
        header = self._unpack(_HEADER, 0)
        _, _, _, contigs, _, self._index, _, _, _, summary, self._packed, _ = header
        self.n_covered: int = self._unpack("Q", summary)[0] if summary else 0
        """Number of bases that have a value, as the file says."""
        self.ends = self._bytes[-4:] == self._bytes[:4]
        """Whether the mark at the beginning stands at the end, too."""
        self.contigs: dict[str, tuple[int, int]] = dict(self._contigs(contigs))
        """Number and length of each contig, by name."""
        if self._unpack("I", self._index)[0] != _INDEX:
            raise Damaged

    def close(self) -> None:
        """Let go of the file."""
        self._bytes.close()

    def values(self, number: int, start: int, end: int) -> Float32[np.ndarray, "length"]:
        """Return the value of each base of [start, end) of a contig, 0 where there is none."""
        values = np.zeros(end - start, dtype=np.float32)
        for section in self._sections(number, start, end):
            starts, ends, levels = self._runs(section, number)
            inside = (starts < end) & (ends > start)
            starts = np.maximum(starts[inside], start) - start
            lengths = np.minimum(ends[inside], end) - start - starts
            before = np.cumsum(lengths) - lengths
            places = np.repeat(starts - before, lengths) + np.arange(lengths.sum())
            values[places] = np.repeat(levels[inside], lengths)
        values[np.isnan(values)] = 0
        return values

    def _part(self, start: int, length: int) -> bytes:
        if start + length > len(self._bytes):
            raise Damaged
        return self._bytes[start : start + length]

    def _unpack(self, fields: str, at: int) -> tuple[Any, ...]:
        fields = self._order + fields
        return struct.unpack(fields, self._part(at, struct.calcsize(fields)))

    def _walk(
        self,
        root: int,
        leaf: _Fields,
        branch: _Fields,
        wanted: Callable[[np.ndarray], Any] = lambda items: slice(None),
    ) -> Iterator[Any]:
        """Yield the items of a tree's leaves that are wanted, and under branches that are."""
        kinds = [
            np.dtype(
                [(name, self._order + kind if kind[0] != "S" else kind) for name, kind in fields]
            )
            for fields in (branch, leaf)
        ]
        waiting, seen = [root], set[int]()
        while waiting:
            at = waiting.pop()
            if at in seen:
                raise Damaged
            seen.add(at)
            is_leaf, count = self._unpack("BxH", at)
            kind = kinds[bool(is_leaf)]
            items = np.frombuffer(self._part(at + 4, count * kind.itemsize), dtype=kind)
            items = items[wanted(items)]
            if is_leaf:
                yield from items
            else:
                waiting += items["child"][::-1].tolist()

    def _contigs(self, at: int) -> Iterator[tuple[str, tuple[int, int]]]:
        magic, _, key, size, _, _ = self._unpack(_CHROMS, at)
        if magic != _TREE or size != 8 or not 0 < key <= 4096:
            raise Damaged
        name, root = ("name", f"S{key}"), at + struct.calcsize(f"<{_CHROMS}")
        leaf, branch = [name, ("number", "u4"), ("length", "u4")], [name, ("child", "u8")]
        for item in self._walk(root, leaf, branch):
            yield item["name"].decode("latin-1"), (int(item["number"]), int(item["length"]))

    def _sections(self, number: int, start: int, end: int) -> Iterator[bytes]:
        """Yield the sections that reach into a stretch, unpacked."""

        def reaches(items: np.ndarray) -> Any:
            first, last = items["first"], items["last"]
            after = (last > number) | ((last == number) & (items["end"] > start))
            return after & ((first < number) | ((first == number) & (items["start"] < end)))

        leaf, branch = [*_SPAN, ("at", "u8"), ("size", "u8")], [*_SPAN, ("child", "u8")]
        for item in self._walk(self._index + _RTREE, leaf, branch, reaches):
            content = self._part(int(item["at"]), int(item["size"]))
            if self._packed:
                try:
                    content = zlib.decompressobj().decompress(content, _LARGEST)
                except zlib.error as error:
                    raise Damaged from error
            yield content

    def _runs(self, section: bytes, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return start, end and value of each stretch of a section, none of another contig."""
        size = struct.calcsize(f"<{_SECTION}")
        if len(section) < size:
            raise Damaged
        own, begin, _, step, span, kind, count = struct.unpack(
            self._order + _SECTION, section[:size]
        )
        fields = np.dtype([(name, self._order + how) for name, how in _ITEMS.get(kind, ())])
        if own != number or not fields.itemsize or len(section) < size + count * fields.itemsize:
            raise Damaged
        items = np.frombuffer(section, dtype=fields, count=count, offset=size)
        steps = begin + np.arange(count, dtype=np.int64) * step
        starts = items["start"].astype(np.int64) if kind < _FIXED else steps
        ends = items["end"].astype(np.int64) if kind == 1 else starts + span
        if (ends < starts).any():
            raise Damaged
        return starts, ends, items["value"]
