"""Log-ratios of substitutions, from what models expect of masked bases."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from cisgram.benchmark.language import HeldOut
from cisgram.benchmark.sites import Layout

Scores = Mapping[str, Float64[np.ndarray, "rows"]]
"""By source."""


@dataclass(frozen=True, eq=False)
class Substitutions:
    """Changes of a base; positions are those of a layout."""

    at: Int64[np.ndarray, "changes"]
    ref: UInt8[np.ndarray, "changes"]
    alt: UInt8[np.ndarray, "changes"]

    def scores(self, held_out: HeldOut, layout: Layout) -> Scores:
        """Return log-ratios of every source, NaN where it read nothing, and two without a model."""
        found: dict[str, Float64[np.ndarray, "changes"]] = {}
        for name, maps in held_out.sources.items():
            log_p = np.log(layout.join(maps, fill=np.nan)[self.at].astype(np.float64))
            rows = np.arange(len(self.at))
            found[name] = log_p[rows, self.alt] - log_p[rows, self.ref]
        gc = np.array([0.0, 1.0, 1.0, 0.0])
        found["change of GC"] = np.take(gc, self.alt) - np.take(gc, self.ref)
        # A and G are even numbers, C and T odd ones.
        found["transition"] = np.where(self.alt % 2 == self.ref % 2, 1.0, 0.0)
        return found
