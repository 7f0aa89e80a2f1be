"""Contributions of the bases of a region to an output, by whatever method."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32, UInt8

from cisgram.core.artifact import write_arrays
from cisgram.core.checks import DataError, check_suffix
from cisgram.core.results import Result
from cisgram.genome.alphabet import LETTERS, N
from cisgram.genome.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from cisgram.plot.sites import Site


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Contributions(Result):
    """Scores of the bases of a region, along its strand."""

    region: Interval
    subject: str
    """The gene, or the model where none is read."""
    output: str
    """What is explained."""
    tokens: UInt8[np.ndarray, "positions"]
    """The bases that are there."""
    contributions: Float32[np.ndarray, "positions"]
    """Of the base that is there; NaN for N."""
    hypothetical: Float32[np.ndarray, "positions 4"]
    """Of A, C, G and T, were they there; NaN for N."""
    method: str
    """Where they are from."""

    @property
    def table(self) -> pl.DataFrame:
        """A row a base: chrom, position (from 1), base, contribution, and A, C, G and T."""
        n = self.region.length
        positions = [self.region.position(offset) + 1 for offset in range(n)]
        bases = [LETTERS[token] for token in np.minimum(self.tokens, N).tolist()]
        place = {"chrom": [self.region.chrom] * n, "position": positions, "base": bases}
        columns = {letter: self.hypothetical[:, row] for row, letter in enumerate("ACGT")}
        return pl.DataFrame(place | {"contribution": self.contributions} | columns)

    def plot(
        self,
        *,
        sites: "Sequence[Site]" = (),
        colours: "Float32[np.ndarray, 'positions 4'] | None" = None,
        colours_are: str = "",
    ) -> "Figure":
        """Draw the bases as high as they contribute, over numbers of all four at each position.

        These are `colours`, of A, C, G and T, which `colours_are` names in the scale; hypothetical
        contributions by default. Known sites are marked.
        """
        from cisgram.plot.bases import draw_bases

        return draw_bases(
            self.region,
            np.minimum(self.tokens, np.uint8(N)),
            self.contributions,
            effects=self.hypothetical if colours is None else colours,
            effects_are=colours_are or f"contribution to {self.output}",
            title=f"{self.region}: {self.output} of {self.subject}, by {self.method}",
            sites=sites,
        )

    @staticmethod
    def read(path: Path) -> "Contributions":
        """Read what `cisgram explain ism` or `cisgram explain attribute` wrote."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                region = Interval.parse(str(arrays["region"]))
                shape = (region.length, 4)
                return Contributions(
                    region=region,
                    subject=str(arrays["subject"]),
                    output=str(arrays["output"]),
                    tokens=arrays["tokens"].astype(np.uint8).reshape(region.length),
                    contributions=_numbers(arrays["contributions"]).reshape(shape[:1]),
                    hypothetical=_numbers(arrays["hypothetical"]).reshape(shape),
                    method=str(arrays["method"]),
                )
        except FileNotFoundError as error:
            raise DataError(f"there are no contributions {path}; check the path.") from error
        except MemoryError:
            raise
        except Exception as error:  # a damaged array raises whatever its parts do
            raise DataError(
                f"{path} holds no contributions of bases; write them with cisgram explain ism or "
                "attribute."
            ) from error

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `read` reads, as named arrays."""
        names = ("contributions", "hypothetical", "tokens", "subject", "output", "method")
        arrays = {name: np.asarray(getattr(self, name)) for name in names}
        return arrays | {"region": np.array(str(self.region))}

    def to_tangermeme(self) -> Float32[np.ndarray, "1 4 positions"]:
        """Return hypothetical contributions as tangermeme has them: a batch of one."""
        return self.hypothetical.T[None]

    def write_arrays(self, out: Path) -> None:
        """Write .npz: contributions, hypothetical, tokens, region, subject, output and method."""
        write_arrays(check_suffix(out, ".npz"), self.arrays())


def _numbers(values: np.ndarray) -> Float32[np.ndarray, "..."]:
    """Return real numbers in single precision; raise TypeError where they are none."""
    return values.astype(np.float32, casting="same_kind")
