"""Compiled loop of `data.dust`."""

import numpy as np
from numba import njit

_TRIPLETS = 64
_UNKNOWN = 4


@njit(cache=True, nogil=True)
def mark_low_complexity(tokens, level, window, out):  # type: ignore[no-untyped-def]
    """Set `out` where a base lies in a perfect interval.

    The score of n triplets in a row is the sum of c (c - 1) / 2 over the counts c of the
    64 triplets, divided by n - 1. An interval of at most `window` bases is perfect when its
    score is above `level` / 10 and none within it scores higher. For each last triplet,
    first triplets are visited from right to left. `best[k]` is the highest score above the
    level of all intervals inside the one whose first triplet lies k before the last: before
    it is overwritten, for the triplet before this last one.

    An interval without a triplet that occurs more than `level` / 5 times scores too little,
    so the visit starts from the longest such one: its counts are kept from step to step.

    Shapes: tokens (bases); out (bases) of booleans, changed in place.
    """
    most = window - 2
    ring = np.zeros(most, np.uint8)
    poor, counts = np.zeros((2, _TRIPLETS), np.int16)
    best = np.zeros(most, np.float64)
    triplet = known = n_poor = poor_pairs = 0
    for end in range(tokens.size):
        if tokens[end] >= _UNKNOWN:
            known = n_poor = poor_pairs = 0
            poor[:] = 0
            continue
        triplet = (4 * triplet + tokens[end]) % _TRIPLETS
        known += 1
        if known < 3:
            continue
        n = min(known - 2, most)
        if n_poor == most:
            n_poor -= 1
            gone = ring[(end - most) % most]
            poor[gone] -= 1
            poor_pairs -= poor[gone]
        ring[end % most] = triplet
        n_poor += 1
        poor_pairs += poor[triplet]
        poor[triplet] += 1
        while 5 * poor[triplet] > level:
            n_poor -= 1
            gone = ring[(end - n_poor) % most]
            poor[gone] -= 1
            poor_pairs -= poor[gone]
        without_first = 0.0
        without_last = best[n_poor - 1]
        best[:n_poor] = 0.0
        best[n:] = 0.0
        counts[:] = poor
        pairs = poor_pairs
        longest = -1
        for k in range(n_poor, n):
            at = ring[(end - k) % most]
            pairs += counts[at]
            counts[at] += 1
            inside = max(without_first, without_last)
            without_last = best[k]
            if 10 * pairs > level * k and pairs / k >= inside:
                longest = k
                inside = pairs / k
            best[k] = without_first = inside
        if longest >= 0:
            out[end - 2 - longest : end + 1] = True
