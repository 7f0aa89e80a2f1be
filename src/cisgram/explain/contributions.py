"""What each base of a region contributes to an output, whatever method said so."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from zipfile import BadZipFile

import numpy as np
import polars as pl
from jaxtyping import Float32, UInt8

from cisgram.core.artifact import write_arrays
from cisgram.core.checks import ConfigError, DataError, check_suffix
from cisgram.core.results import Result
from cisgram.explain.subject import Subject
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
        """Draw the bases as high as they contribute, over numbers of all four in each place.

        Args:
            sites: known sites to mark.
            colours: numbers of A, C, G and T; hypothetical contributions by default.
            colours_are: what they are, for the scale.
        """
        from cisgram.plot.bases import BasePicture, draw_bases

        return draw_bases(
            BasePicture(
                region=self.region,
                tokens=np.minimum(self.tokens, np.uint8(N)),
                heights=self.contributions,
                heights_are="contribution",
                effects=self.hypothetical if colours is None else colours,
                effects_are=colours_are or f"contribution to {self.output}",
                title=f"{self.region}: {self.output} of {self.subject}, by {self.method}",
                sites=sites,
            )
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `cisgram explain ism` or `cisgram explain attribute` wrote.

        Raises:
            DataError: it is missing or another file.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                region = Interval.parse(str(arrays["region"]))
                shape = (region.length, 4)
                return cls(
                    region=region,
                    subject=str(arrays["subject"]),
                    output=str(arrays["output"]),
                    tokens=arrays["tokens"].astype(np.uint8).reshape(region.length),
                    contributions=arrays["contributions"].astype(np.float32).reshape(shape[:1]),
                    hypothetical=arrays["hypothetical"].astype(np.float32).reshape(shape),
                    method=str(arrays["method"]),
                )
        except FileNotFoundError as error:
            raise DataError(f"there are no contributions {path}; check the path.") from error
        except (KeyError, ValueError, TypeError, EOFError, BadZipFile, ConfigError) as error:
            raise DataError(
                f"{path} holds no contributions of bases; write them with cisgram explain ism or "
                "attribute."
            ) from error

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `read` reads, as named arrays."""
        texts = {"region": str(self.region), "subject": self.subject, "output": self.output}
        texts |= {"method": self.method}
        numbers = {
            name: getattr(self, name) for name in ("contributions", "hypothetical", "tokens")
        }
        return numbers | {name: np.array(text) for name, text in texts.items()}

    def write_arrays(self, out: Path) -> None:
        """Write .npz: contributions, hypothetical, tokens, region, subject, output and method.

        Raises:
            ConfigError: `out` does not end in .npz.
            DataError: the place cannot be written.
        """
        write_arrays(check_suffix(out, ".npz"), self.arrays())


def strongest(values: Float32[np.ndarray, "positions ..."]) -> tuple[int, ...]:
    """Return where the absolute value is largest; NaN is passed over."""
    place = np.nanargmax(np.abs(values))
    return tuple(int(axis) for axis in np.unravel_index(place, values.shape))


def position_of(subject: Subject, offset: int) -> str:
    """Return the place of a base of a region, counted from 1."""
    return f"{subject.region.chrom}:{subject.region.position(offset) + 1:,}"
