"""From the bases of a person's DNA to those of the reference, and back."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int64

NO_BASE = -1


@dataclass(frozen=True, eq=False)
class CoordinateMap:
    """Which base of a window is which base of the reference."""

    positions: Int64[np.ndarray, "length"]
    """Reference position of each base of the window, -1 for an inserted or unknown one."""

    def to_reference(self, indices: Int[np.ndarray, "queries"]) -> Int64[np.ndarray, "queries"]:
        """Return the reference positions of bases of the window.

        Inserted bases, those past the end of the contig and those outside the window give -1.
        """
        inside = (indices >= 0) & (indices < self.positions.size)
        return np.where(inside, self.positions[np.where(inside, indices, 0)], NO_BASE)

    def to_haplotype(self, positions: Int[np.ndarray, "queries"]) -> Int64[np.ndarray, "queries"]:
        """Return where reference positions lie in the window; deleted and outside ones give -1."""
        indices = np.flatnonzero(self.positions != NO_BASE)
        if not indices.size:
            return np.full(positions.shape, NO_BASE)
        known = self.positions[indices]
        if known[0] > known[-1]:
            indices, known = indices[::-1], known[::-1]
        found = np.minimum(np.searchsorted(known, positions), known.size - 1)
        return np.where(known[found] == positions, indices[found], NO_BASE)
