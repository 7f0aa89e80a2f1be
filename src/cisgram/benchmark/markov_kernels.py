"""Compiled loops of `benchmark.markov`: contexts as numbers, tables of counts, and their mixture.

A context is the `left` bases before a base and the `right` ones after it, two bits each; -1
stands for one that reaches past the sequence or over an N. Short contexts index a dense table
with a count for each base. Long ones live in a hash table of 32-bit slots, probed one after
the other: 16 bits of hash that tell contexts apart (one in tens of thousands is mistaken for
another) and four counts of 4 bits, halved together when one is full, which keeps their shares.
A slot without counts is free.
"""

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped, UInt8, UInt32
from numba import njit

N_LEVELS = 12
"""Levels of how often a context was seen."""
_LEVELS = np.array([1, 2, 3, 4, 6, 9, 16, 32, 64, 256, 1024], dtype=np.int64)
_PSEUDO_COUNT = 0.4
_LOGS = np.log(np.arange(256) + _PSEUDO_COUNT)
_FULL = 15
_COUNTS = np.uint32(0xFFFF)
_MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_HALF, _CHECK = np.uint64(32), np.uint64(16)


@njit(nogil=True, cache=True)
def context_keys(
    tokens: UInt8[np.ndarray, "bases"], start: int, end: int, left: int, right: int
) -> Int64[np.ndarray, "positions"]:
    """Return the context of each base from `start` to `end` as a number, -1 for none."""
    keys = np.empty(end - start, dtype=np.int64)
    left_mask, right_mask = (1 << 2 * left) - 1, (1 << 2 * right) - 1
    before = after = known_before = known_after = 0
    for i in range(max(0, start - left), start):
        known_before = known_before + 1 if tokens[i] < 4 else 0
        before = (before << 2 | tokens[i] & 3) & left_mask
    for i in range(start + 1, min(start + right, tokens.size - 1) + 1):
        known_after = known_after + 1 if tokens[i] < 4 else 0
        after = (after << 2 | tokens[i] & 3) & right_mask
    if start + right >= tokens.size:
        known_after = 0
    for i in range(start, end):
        if known_before >= left and known_after >= right:
            keys[i - start] = before << 2 * right | after
        else:
            keys[i - start] = -1
        known_before = known_before + 1 if tokens[i] < 4 else 0
        before = (before << 2 | tokens[i] & 3) & left_mask
        last = i + 1 + right
        if last < tokens.size:
            known_after = known_after + 1 if tokens[last] < 4 else 0
            after = (after << 2 | tokens[last] & 3) & right_mask
        else:
            known_after = 0
    return keys


@njit(nogil=True, cache=True)
def count_dense(
    table: UInt32[np.ndarray, "contexts 4"],
    keys: Int64[np.ndarray, "positions"],
    bases: UInt8[np.ndarray, "positions"],
) -> None:
    """Count each base in its context; those that are N are left out."""
    for i in range(keys.size):
        if keys[i] >= 0 and bases[i] < 4:
            table[keys[i], bases[i]] += np.uint32(1)


@njit(nogil=True, cache=True)
def read_dense(
    table: UInt32[np.ndarray, "contexts 4"],
    keys: Int64[np.ndarray, "positions"],
    counts: UInt32[np.ndarray, "positions 4"],
) -> None:
    """Add what the table holds for each context to `counts`."""
    for i in range(keys.size):
        if keys[i] >= 0:
            for base in range(4):
                counts[i, base] += table[keys[i], base]


@njit(nogil=True, cache=True)
def count_hashed(
    table: UInt32[np.ndarray, "slots"],
    keys: Int64[np.ndarray, "positions"],
    bases: UInt8[np.ndarray, "positions"],
    room: int,
) -> int:
    """Count as `count_dense` does, new contexts only while there is `room`; return what is left."""
    for i in range(keys.size):
        if keys[i] < 0 or bases[i] > 3:
            continue
        slot, check, found = _find(table, keys[i])
        if not found:
            if room == 0:
                continue
            room -= 1
            table[slot] = check << np.uint32(16)
        shift = np.uint32(4 * bases[i])
        if table[slot] >> shift & np.uint32(_FULL) == _FULL:
            halved = table[slot] >> np.uint32(1) & np.uint32(0x7777)
            table[slot] = table[slot] & ~_COUNTS | halved
        table[slot] += np.uint32(1) << shift
    return room


@njit(nogil=True, cache=True)
def read_hashed(
    table: UInt32[np.ndarray, "slots"],
    keys: Int64[np.ndarray, "positions"],
    counts: UInt32[np.ndarray, "positions 4"],
) -> None:
    """Add what the table holds for each context to `counts`."""
    for i in range(keys.size):
        if keys[i] < 0:
            continue
        slot, _, found = _find(table, keys[i])
        if found:
            for base in range(4):
                counts[i, base] += table[slot] >> np.uint32(4 * base) & np.uint32(_FULL)


@njit(nogil=True, cache=True)
def _find(table: UInt32[np.ndarray, "slots"], key: int) -> tuple[int, np.uint32, bool]:
    """Return the slot of a context or the free one it may have, its check, and which it is."""
    mixed = np.uint64(key) * _MIX_1
    mixed = (mixed ^ mixed >> _HALF) * _MIX_2
    mixed ^= mixed >> _HALF
    check = np.uint32(mixed & np.uint64(_COUNTS))
    last = np.int64(table.size - 1)
    slot = np.int64(mixed >> _CHECK) & last
    while table[slot] & _COUNTS != 0:
        if table[slot] >> np.uint32(16) == check:
            return int(slot), check, True
        slot = slot + 1 & last
    return int(slot), check, False


@njit(nogil=True, cache=True)
def add_evidence(
    logits: Float64[np.ndarray, "positions 4"],
    counts: UInt32[np.ndarray, "positions 4"],
    weights: Float64[np.ndarray, "levels"],
) -> None:
    """Add log counts to `logits`, weighted by how often the context was seen."""
    for i in range(counts.shape[0]):
        level = _level(counts, i)
        for base in range(4 if level else 0):
            logits[i, base] += weights[level] * _log(counts[i, base])


@njit(nogil=True, cache=True)
def read_evidence(
    evidence: Float32[np.ndarray, "positions 4"],
    levels: UInt8[np.ndarray, "positions"],
    counts: UInt32[np.ndarray, "positions 4"],
) -> None:
    """Write what `add_evidence` would weight, less its mean over the bases, and its levels."""
    for i in range(counts.shape[0]):
        levels[i] = _level(counts, i)
        mean = 0.0
        for base in range(4):
            mean += _log(counts[i, base]) / 4
        for base in range(4):
            evidence[i, base] = _log(counts[i, base]) - mean


@njit(nogil=True, cache=True)
def _level(counts: UInt32[np.ndarray, "positions 4"], i: int) -> int:
    """Return how many of `_LEVELS` the context's count reaches."""
    total = 0
    for base in range(4):
        total += counts[i, base]
    level = 0
    while level < _LEVELS.size and total >= _LEVELS[level]:
        level += 1
    return level


@njit(nogil=True, cache=True)
def _log(count: int) -> float:
    return _LOGS[count] if count < _LOGS.size else np.log(count + _PSEUDO_COUNT)


@njit(nogil=True, cache=True, fastmath=True)
def loss_and_gradient(
    weights: Float64[np.ndarray, "tables levels"],
    evidence: Float32[np.ndarray, "positions contexts 4"],
    levels: UInt8[np.ndarray, "positions contexts"],
    tables: Int64[np.ndarray, "contexts"],
    bases: UInt8[np.ndarray, "positions"],
    gradient: Shaped[np.ndarray, "tables levels"],
) -> float:
    """Return the summed negative log-likelihood of `bases` and write its gradient."""
    gradient[:] = 0
    loss = 0.0
    p = np.empty(4)
    for i in range(bases.size):
        p[:] = 0
        for j in range(tables.size):
            weight = weights[tables[j], levels[i, j]]
            for base in range(4):
                p[base] += weight * evidence[i, j, base]
        p -= p.max()
        loss -= p[bases[i]]
        p[:] = np.exp(p)
        total = p.sum()
        loss += np.log(total)
        p /= total
        p[bases[i]] -= 1
        for j in range(tables.size):
            slope = 0.0
            for base in range(4):
                slope += p[base] * evidence[i, j, base]
            gradient[tables[j], levels[i, j]] += slope
    return loss
