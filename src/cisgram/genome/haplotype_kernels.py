"""Compiled loops of `genome.haplotype`: choose the alleles of a haplotype, then copy bases.

A base is one row of `words` machine words: one byte for a token, four bytes (one
word) for a one-hot row of bytes, and so on; the loops only move words. All
positions count from the first base of the reference span at hand.
"""

from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped, UInt8
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from cisgram.genome.haplotype_variants import (
    APPLIED,
    MISSING_ALLELES,
    OVERLAPPING,
    UNPHASED,
    Bases,
    Edits,
    Layout,
)

_ALTERNATE, _MISSING, _PHASED = 1, 2, 16
_SHORT = 16
"""Fewer bases than this are copied one by one."""


@intrinsic
def _move(
    _context: Any, target: Any, at: Any, source: Any, first: Any, n: Any
) -> tuple[Any, Any]:  # pragma: no cover - runs in the compiler
    """Copy `n` words by the C library's memcpy, which spares reading what is overwritten."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arrays = [
            context.make_array(signature.args[i])(context, builder, values[i]) for i in (0, 2)
        ]
        to, of = (builder.gep(a.data, [values[i]]) for a, i in zip(arrays, (1, 3), strict=True))
        size = context.get_abi_sizeof(context.get_data_type(signature.args[0].dtype))
        cgutils.raw_memcpy(builder, to, of, values[4], size)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), generate


@njit(nogil=True, cache=True)
def write_windows(
    out: Shaped[np.ndarray, "people haplotypes window_words"],
    tallies: Int64[np.ndarray, "people haplotypes tallies"],
    calls: UInt8[np.ndarray, "rows everyone"],
    people: Int64[np.ndarray, "people"],
    edits: Edits,
    bases: Bases,
    layout: Layout,
) -> None:
    """Fill `out` with both haplotypes of `people`."""
    chosen = np.empty(edits.start.size, dtype=np.int64)
    for i in range(people.size):
        for haplotype in range(2):
            tally = tallies[i, haplotype]
            n = choose(chosen, tally, calls[:, people[i]], 2 * haplotype, edits)
            before = _place(chosen[:n], edits, layout.anchor) - layout.place
            _write(out[i, haplotype], -before, chosen[:n], edits, bases, layout)


@njit(nogil=True, cache=True)
def choose(
    chosen: Int64[np.ndarray, "rows"],
    tally: Int64[np.ndarray, "tallies"],
    calls: UInt8[np.ndarray, "rows"],
    bit: int,
    edits: Edits,
) -> int:
    """List the rows whose alternate allele the haplotype gets; return how many."""
    n = 0
    end = np.iinfo(np.int64).min
    after_insertion = False
    for row in range(calls.size):
        call = calls[row]
        if call == 0 or call == _PHASED:
            continue
        allele = (call >> bit) & 3
        if allele == _MISSING:
            tally[MISSING_ALLELES] += 1
        if call == 1 or call == 4:
            tally[UNPHASED] += 1
        if allele != _ALTERNATE:
            continue
        start = int(edits.start[row])
        beside = start == end - 1 and edits.shared[row] and not after_insertion
        if start < end and not beside:
            tally[OVERLAPPING] += 1
            continue
        chosen[n] = row
        n += 1
        end = start + edits.ref_length[row]
        after_insertion = edits.alt_length[row] > edits.ref_length[row]
    tally[APPLIED] += n
    return n


@njit(nogil=True, cache=True)
def _place(chosen: Int64[np.ndarray, "chosen"], edits: Edits, position: int) -> int:
    """Return where a reference position, or the first base after it that is left, comes to lie."""
    longer = 0
    for row in chosen:
        start, ref = int(edits.start[row]), int(edits.ref_length[row])
        alt = int(edits.alt_length[row])
        if start >= position:
            break
        if start + ref > position:
            return start + longer + min(position - start, alt)
        longer += alt - ref
    return position + longer


@njit(nogil=True, cache=True)
def _write(
    out: Shaped[np.ndarray, "window_words"],
    at: int,
    chosen: Int64[np.ndarray, "chosen"],
    edits: Edits,
    bases: Bases,
    layout: Layout,
) -> None:
    """Copy reference and inserted bases by turns, then put in the alleles that keep the length.

    `at` is where the first base of the reference span goes: in front of the window where negative.
    Exchanges come last so that the long copies are not cut up by them.
    """
    shift = at
    cursor = 0
    for row in chosen:
        start, ref = int(edits.start[row]), int(edits.ref_length[row])
        alt, first = int(edits.alt_length[row]), int(edits.alt_first[row])
        if ref == alt:
            continue
        shared = int(edits.shared[row])
        at = _copy(out, at, bases.reference, cursor, start + shared - cursor, layout)
        if at >= layout.length:
            break
        at = _copy(out, at, bases.alternates, first + shared, alt - shared, layout)
        cursor = start + ref
    _copy(out, at, bases.reference, cursor, layout.length - at, layout)
    for row in chosen:
        place, alt = int(edits.start[row]) + shift, int(edits.alt_length[row])
        if place >= layout.length:
            break
        if alt == edits.ref_length[row]:
            _copy(out, place, bases.alternates, int(edits.alt_first[row]), alt, layout)
        else:
            shift += alt - int(edits.ref_length[row])


@njit(nogil=True, cache=True)
def _copy(
    out: Shaped[np.ndarray, "window_words"],
    at: int,
    source: Shaped[np.ndarray, "source_words"],
    first: int,
    n: int,
    layout: Layout,
) -> int:
    """Copy the part of `n` bases that lies in the window; return where the next base goes."""
    after = at + n
    if at < 0:
        first -= at
        n += at
        at = 0
    n = min(n, layout.length - at)
    if n <= 0:
        return after
    words = layout.words
    if layout.reverse:
        at = layout.length - at - n
        first = source.size // words - first - n
    if n < _SHORT:
        for word in range(n * words):
            out[at * words + word] = source[first * words + word]
    else:
        _move(out, at * words, source, first * words, n * words)  # pyright: ignore[reportCallIssue]
    return after
