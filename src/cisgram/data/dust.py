"""Low-complexity DNA by the symmetric DUST score.

Source: Morgulis, Gertz, Schäffer and Agarwala, "A fast and symmetric DUST implementation
to mask low-complexity DNA sequences", Journal of Computational Biology 13 (2006) 1028-1040.
"""

import numpy as np
from jaxtyping import Bool, UInt8

from cisgram.core.checks import check_range
from cisgram.data.dust_kernels import mark_low_complexity

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
    mark_low_complexity(tokens, level, window, mask)
    return mask
