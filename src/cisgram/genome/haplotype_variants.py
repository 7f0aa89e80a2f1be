"""Variants and windows in the form in which the loops of `genome.haplotype_kernels` take them."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64, Shaped, UInt8

from cisgram.genome.alphabet import encode

N_TALLIES = 4
APPLIED, OVERLAPPING, MISSING_ALLELES, UNPHASED = range(N_TALLIES)


class Edit(NamedTuple):
    """A variant of a span, as the loops find it in an array of records of these fields."""

    start: int
    ref_length: int
    alt_first: int
    """Where the alternate allele begins: alternate bases follow those of the reference span."""
    alt_length: int
    shared: int
    """1 where it only inserts or deletes after a first base that ref and alt share, else 0."""


_RECORD = np.dtype([(field, np.int64) for field in Edit._fields])


@dataclass(frozen=True, eq=False)
class HaplotypeVariants:
    """What the loops need to know of variants, one entry a row."""

    start: Int64[np.ndarray, "rows"]
    ref_length: Int64[np.ndarray, "rows"]
    alt_length: Int64[np.ndarray, "rows"]
    alt_end: Int64[np.ndarray, "rows"]
    """Where the alternate allele ends among all alternate bases."""
    shared: Bool[np.ndarray, "rows"]
    alternates: UInt8[np.ndarray, "alternate_bases"]

    @classmethod
    def of(cls, variants: pl.DataFrame) -> Self:
        """Take the columns start, ref and alt."""
        ref, alt = variants["ref"], variants["alt"]
        ref_length, alt_length = (
            allele.str.len_bytes().cast(pl.Int64).to_numpy() for allele in (ref, alt)
        )
        shared = (ref.str.head(1) == alt.str.head(1)).to_numpy() & (ref_length != alt_length)
        # With one base on one side what is shared leaves a pure insertion or deletion.
        for row in np.flatnonzero(shared & (np.minimum(ref_length, alt_length) > 1)).tolist():
            shared[row] = _only_inserts_or_deletes(ref[row], alt[row])
        return cls(
            start=variants["start"].to_numpy(),
            ref_length=ref_length,
            alt_length=alt_length,
            alt_end=np.cumsum(alt_length),
            shared=shared,
            alternates=encode("".join(alt.to_list())),
        )

    def take(self, rows: slice) -> Self:
        """Return some rows, with only their own alternate bases."""
        ends, lengths = self.alt_end[rows], self.alt_length[rows]
        first = int(ends[0] - lengths[0]) if ends.size else 0
        return type(self)(
            start=self.start[rows],
            ref_length=self.ref_length[rows],
            alt_length=lengths,
            alt_end=ends - first,
            shared=self.shared[rows],
            alternates=self.alternates[first : first + int(lengths.sum())],
        )

    def edits(self, start: int, end: int) -> Shaped[np.ndarray, "rows"]:
        """Return what the loops take, an `Edit` a row, for the span from `start` to `end`."""
        edits = np.empty(self.start.size, dtype=_RECORD)
        edits["start"] = self.start - start
        edits["ref_length"] = self.ref_length
        edits["alt_first"] = self.alt_end - self.alt_length + (end - start)
        edits["alt_length"] = self.alt_length
        edits["shared"] = self.shared
        return edits

    def cut_at(self, end: int) -> Self:
        """Cut refs that reach beyond `end`, and alts that are then longer than what is left."""
        reaching = self.start + self.ref_length > end
        left = np.where(reaching, end - self.start, self.ref_length)
        kept = np.where(reaching, np.minimum(self.alt_length, left), self.alt_length)
        pieces = [
            self.alternates[first : first + n]
            for first, n in zip(
                (self.alt_end - self.alt_length).tolist(), kept.tolist(), strict=True
            )
        ]
        return type(self)(
            start=self.start,
            ref_length=left,
            alt_length=kept,
            alt_end=np.cumsum(kept),
            shared=self.shared,
            alternates=np.concatenate([np.empty(0, dtype=np.uint8), *pieces]),
        )


def _only_inserts_or_deletes(ref: str, alt: str) -> bool:
    """Say whether ref and alt, less what they share at the left and then the right, leave one."""
    shorter = min(len(ref), len(alt))
    left = 0
    while left < shorter and ref[left] == alt[left]:
        left += 1
    right = 0
    while right < shorter - left and ref[-1 - right] == alt[-1 - right]:
        right += 1
    return left + right == shorter
