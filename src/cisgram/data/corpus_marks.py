"""What each base of a genome lies in, as bits of a byte."""

import re
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import UInt8

from cisgram.core.checks import DataError
from cisgram.core.progress import progress
from cisgram.data.dust import dust_mask
from cisgram.genome.reference import Reference
from cisgram.genome.streams import read_lines

MARKS = {
    kind: np.uint8(1 << bit)
    for bit, kind in enumerate(("exon", "repeat", "protein_coding", "rRNA", "tRNA"))
}
"""The bit of each kind."""
_REPEAT, _UPPER = int(MARKS["repeat"]), 128
_CASE = bytes(
    _REPEAT if byte in b"abcdefghijklmnopqrstuvwxyz" else _UPPER * (byte in b"ACGTU")
    for byte in range(256)
)
_CLEAR = bytes(byte % _UPPER for byte in range(256))
_BLANKS = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PAST_THE_END = 0.01
"""Share of intervals that may be so: those across the origin of a circle."""


class Marks:
    """The marks of all contigs of a genome, one byte a base, mapped from a file."""

    def __init__(self, path: Path, reference: Reference, *, writable: bool = False) -> None:
        """Join the file with the genome whose contigs it follows."""
        self._reference = reference
        # A plain view: slicing a memmap object costs more than reading a short window.
        mapped = np.memmap(path, dtype=np.uint8, mode="r+" if writable else "r")
        self._bytes = mapped.view(np.ndarray)
        ends = np.cumsum(list(reference.contigs.values())).tolist()
        self._starts = {
            name: end - length
            for (name, length), end in zip(reference.contigs.items(), ends, strict=True)
        }

    def contig(self, chrom: str) -> UInt8[np.ndarray, "length"]:
        """Return the marks of a contig."""
        name = self._reference.names.require(chrom, self._reference.name)
        start = self._starts[name]
        return self._bytes[start : start + self._reference.contigs[name]]


def write_case(fasta: Path, path: Path, *, soft_mask: bool) -> None:
    """Write the first marks of a genome: lower case as repeats where `soft_mask` is true.

    A FASTA of lower case only is taken to be written so, not to be masked.
    """
    has_upper = False
    with path.open("wb") as stream:
        for number, lines in enumerate(read_lines(fasta, "FASTA")):
            text = lines.removeprefix(_BYTE_ORDER_MARK) if number == 0 else lines
            bases = re.sub(rb"(?m)^>.*$", b"", text).translate(_CASE, _BLANKS)
            has_upper = has_upper or bytes([_UPPER]) in bases
            stream.write(bases.translate(_CLEAR))
    if not (soft_mask and has_upper):
        np.memmap(path, dtype=np.uint8, mode="r+")[:] = 0


def mark_spans(marks: Marks, spans: pl.DataFrame, annotation: Path) -> None:
    """Add the intervals of an annotation."""
    past = 0
    for (chrom,), rows in spans.group_by("chrom", maintain_order=True):
        own = marks.contig(str(chrom))
        past += rows.filter(pl.col("end") > own.size).height
        for kind, start, end in rows.select("kind", "start", "end").iter_rows():
            own[start:end] |= MARKS[kind]
    if past > _PAST_THE_END * spans.height:
        raise DataError(
            f"annotation {annotation} has {past:,} features past the ends of the contigs; "
            "give the annotation of this FASTA."
        )


def mark_low_complexity(marks: Marks, reference: Reference) -> None:
    """Add what DUST finds to the repeats."""
    description = f"masking low complexity of {reference.name}"
    with progress(description, len(reference.contigs)) as ticker:
        for chrom in reference.contigs:
            marks.contig(chrom)[dust_mask(reference.contig(chrom))] |= MARKS["repeat"]
            ticker.advance()
