"""Compiled loops of `genome.haplotype`: choose the alleles of a haplotype, then copy bases.

A base is one number of any type: a byte for a token, four bytes for a one-hot row of
bytes, and so on; the loops only move numbers. `bases` are those of a stretch of reference
and then those of the alternate alleles, and all positions count from the first; where they
are reverse complemented, windows are written from their end. Loops over people take whole
arrays and an index, for slices count references, which shows in short windows.
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
    Edit,
)

_ALTERNATE, _MISSING, _PHASED = 1, 2, 16


@intrinsic
def _move(
    _context: Any, target: Any, line: Any, at: Any, source: Any, first: Any, n: Any
) -> tuple[Any, Any]:
    """Copy `n` bases to a line of `target` by memcpy, which spares reading what is overwritten."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        to, of = (
            context.make_array(signature.args[i])(context, builder, values[i]) for i in (0, 3)
        )
        start = builder.mul(values[1], builder.extract_value(to.shape, 1))
        place = builder.gep(to.data, [builder.add(start, values[2])])
        size = context.get_abi_sizeof(context.get_data_type(signature.args[0].dtype))
        cgutils.raw_memcpy(builder, place, builder.gep(of.data, [values[4]]), values[5], size)
        return context.get_dummy_value()

    return types.void(target, types.intp, types.intp, source, types.intp, types.intp), generate


@njit(nogil=True, cache=True)
def write_windows(
    out: Shaped[np.ndarray, "haplotypes length"],
    tallies: Int64[np.ndarray, "haplotypes tallies"],
    calls: UInt8[np.ndarray, "rows everyone"],
    people: Int64[np.ndarray, "people"],
    edits: Shaped[np.ndarray, "rows"],
    bases: Shaped[np.ndarray, "bases"],
    layout: tuple[int, int, int],
) -> None:
    """Fill `out` with both haplotypes of `people`, one after the other.

    `layout` is a position that must have a fixed place in the window, that place, and
    the strand, -1 where the bases are reverse complemented.
    """
    anchor, fixed, strand = layout
    chosen = np.empty(len(edits), dtype=np.int64)
    for line in range(out.shape[0]):
        n = choose(chosen, tallies, line, calls, people[line // 2], edits)
        at = fixed - _place(chosen, n, edits, anchor)
        _write(out, line, at, chosen, n, edits, bases, strand)


@njit(nogil=True, cache=True)
def choose(
    chosen: Int64[np.ndarray, "rows"],
    tallies: Int64[np.ndarray, "haplotypes tallies"],
    line: int,
    calls: UInt8[np.ndarray, "rows everyone"],
    person: int,
    edits: Shaped[np.ndarray, "rows"],
) -> int:
    """List the rows whose alternate allele haplotype `line % 2` gets; return how many."""
    bit = 2 * (line % 2)
    n = 0
    end = np.iinfo(np.int64).min
    after_insertion = False
    for row in range(len(edits)):
        call = calls[row, person]
        if call == 0 or call == _PHASED:
            continue
        allele = (call >> bit) & 3
        if allele == _MISSING:
            tallies[line, MISSING_ALLELES] += 1
        if call == 1 or call == 4:
            tallies[line, UNPHASED] += 1
        if allele != _ALTERNATE:
            continue
        edit: Edit = edits[row]
        beside = edit.start == end - 1 and edit.shared == 1 and not after_insertion
        if edit.start < end and not beside:
            tallies[line, OVERLAPPING] += 1
            continue
        chosen[n] = row
        n += 1
        end = edit.start + edit.ref_length
        after_insertion = edit.alt_length > edit.ref_length
    tallies[line, APPLIED] += n
    return n


@njit(nogil=True, cache=True)
def _place(
    chosen: Int64[np.ndarray, "rows"],
    n: int,
    edits: Shaped[np.ndarray, "rows"],
    position: int,
) -> int:
    """Return where a reference position, or the first base after it that is left, comes to lie."""
    longer = 0
    for i in range(n):
        edit: Edit = edits[int(chosen[i])]
        if edit.start >= position:
            break
        if edit.start + edit.ref_length > position:
            return edit.start + longer + min(position - edit.start, edit.alt_length)
        longer += edit.alt_length - edit.ref_length
    return position + longer


@njit(nogil=True, cache=True)
def _write(
    out: Shaped[np.ndarray, "haplotypes length"],
    line: int,
    at: int,
    chosen: Int64[np.ndarray, "rows"],
    n: int,
    edits: Shaped[np.ndarray, "rows"],
    bases: Shaped[np.ndarray, "bases"],
    strand: int,
) -> None:
    """Copy reference and inserted bases by turns, then put in the alleles that keep the length.

    `at` is where the first base of the reference span goes: in front of the window where negative.
    Exchanges come last so that the long copies are not cut up by them.
    """
    length, last = out.shape[1], bases.size - 1
    shift = at
    cursor = 0
    for i in range(n):
        edit: Edit = edits[int(chosen[i])]
        if edit.ref_length == edit.alt_length:
            continue
        shared = edit.shared
        unchanged = edit.start + shared - cursor
        at = _copy(out, line, at, bases, cursor, unchanged, strand)
        if at >= length:
            break
        first, inserted = edit.alt_first + shared, edit.alt_length - shared
        at = _copy(out, line, at, bases, first, inserted, strand)
        cursor = edit.start + edit.ref_length
    _copy(out, line, at, bases, cursor, length - at, strand)
    for i in range(n):
        edit: Edit = edits[int(chosen[i])]
        place = edit.start + shift
        if place >= length:
            break
        if edit.ref_length != edit.alt_length:
            shift += edit.alt_length - edit.ref_length
            continue
        for nth in range(max(0, -place), min(edit.alt_length, length - place)):
            if strand < 0:
                out[line, length - 1 - place - nth] = bases[last - edit.alt_first - nth]
            else:
                out[line, place + nth] = bases[edit.alt_first + nth]


@njit(nogil=True, cache=True)
def _copy(
    out: Shaped[np.ndarray, "haplotypes length"],
    line: int,
    at: int,
    bases: Shaped[np.ndarray, "bases"],
    first: int,
    n: int,
    strand: int,
) -> int:
    """Copy the part of `n` bases that lies in the window; return where the next base goes."""
    length = out.shape[1]
    after = at + n
    if at < 0:
        first -= at
        n += at
        at = 0
    n = min(n, length - at)
    if n > 0:
        if strand < 0:
            at = length - at - n
            first = bases.size - first - n
        _move(out, line, at, bases, first, n)  # pyright: ignore[reportCallIssue]
    return after
