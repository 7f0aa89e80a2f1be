"""Low-complexity DNA by the symmetric DUST score.

Source: Morgulis, Gertz, Schäffer and Agarwala, "A fast and symmetric DUST implementation
to mask low-complexity DNA sequences", Journal of Computational Biology 13 (2006) 1028-1040.
"""

import numpy as np
from jaxtyping import Bool, UInt8
from numba import njit

from cisgram.core.checks import check_range

_TRIPLETS = 64
_UNKNOWN = 4
LEVEL, WINDOW = 20, 64
"""The settings of the paper and of NCBI's `dustmasker`."""


def dust_mask(
    tokens: UInt8[np.ndarray, "bases"], *, level: int = LEVEL, window: int = WINDOW
) -> Bool[np.ndarray, "bases"]:
    """Say which bases lie in low-complexity DNA.

    No interval reaches across an N. `level` is ten times the score above which an interval is of
    low complexity, and `window` the longest interval in bases.

    >>> from cisgram.genome.alphabet import encode
    >>> dust_mask(encode("CAGTTGCA" + "AT" * 9 + "GGCTACAG")).nonzero()[0]
    array([ 8,  9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
           25])
    """
    check_range(level, "level", low=1)
    check_range(window, "window", low=4)
    mask = np.zeros(tokens.size, dtype=np.bool_)
    _mark(tokens, level, window, mask)
    return mask


@njit(cache=True, nogil=True)
def _mark(tokens, level, window, out):  # type: ignore[no-untyped-def]
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
