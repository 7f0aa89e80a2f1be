"""A stretch of one chromosome."""

import operator
import re
from dataclasses import dataclass
from typing import Self, SupportsIndex

import numpy as np

from cisgram.core.checks import ConfigError, check_choice
from cisgram.genome.chromosomes import same_chromosome

STRANDS = ("+", "-", ".")
_TEXT = re.compile(r"(\S+):(\d[\d,]*)(?:-(\d[\d,]*))?(?:\(([+.-])\))?")


@dataclass(frozen=True)
class Interval:
    """At least one base of a chromosome: `start` to before `end`, counted from 0.

    It may reach past either end of the chromosome; what lies there is unknown.
    Text is 1-based and inclusive.

    >>> promoter = Interval("chr2", 1000, 2000, "-")
    >>> str(promoter), promoter.length
    ('chr2:1,001-2,000(-)', 1000)
    """

    chrom: str
    start: int
    end: int
    strand: str = "."
    """`+`, `-`, or `.` where it does not matter."""

    def __post_init__(self) -> None:
        if not self.chrom or self.chrom.split() != [self.chrom]:
            raise ConfigError(f"chrom must be a name without blanks; got {self.chrom!r}.")
        for field in ("start", "end"):
            object.__setattr__(self, field, whole_number(getattr(self, field), field))
        if self.end <= self.start:
            raise ConfigError(
                f"end must be greater than start; got {self.chrom} {self.start:,} to {self.end:,}."
            )
        check_choice(self.strand, STRANDS, "strand")

    def __str__(self) -> str:
        """Write it as people do: `chr2:1,001-2,000`, with the strand where there is one."""
        strand = "" if self.strand == "." else f"({self.strand})"
        return f"{self.chrom}:{self.start + 1:,}-{self.end:,}{strand}"

    @property
    def length(self) -> int:
        """Number of bases."""
        return self.end - self.start

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `chr2:1,001-2,000`, `chr2:1001` (one base) or `chr2:1001-2000(+)`.

        >>> Interval.parse("chr2:1,001-2,000")
        Interval(chrom='chr2', start=1000, end=2000, strand='.')
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise ConfigError(f"a region must look like chr2:1,001-2,000; got {text!r}.")
        chrom, first, last, strand = match.groups()
        start = int(first.replace(",", ""))
        end = int(last.replace(",", "")) if last else start
        if not 1 <= start <= end:
            raise ConfigError(
                f"positions of a region must count from 1 and not fall; got {text!r}."
            )
        return cls(chrom, start - 1, end, strand or ".")

    def overlaps(self, other: "Interval") -> bool:
        """Say whether the two share a base, on whatever strand.

        >>> Interval("chr1", 0, 10).overlaps(Interval("1", 9, 20))
        True
        """
        return (
            self.start < other.end
            and other.start < self.end
            and same_chromosome(self.chrom, other.chrom)
        )

    def around(self, length: int) -> Self:
        """Return the window of `length` bases with this stretch in its middle.

        Read along the strand, an odd base more comes after it.

        >>> Interval("chr1", 100, 103, "-").around(8)
        Interval(chrom='chr1', start=97, end=105, strand='-')
        """
        spare = length - self.length
        start = self.start - (spare - spare // 2 if self.strand == "-" else spare // 2)
        return type(self)(self.chrom, start, start + length, self.strand)

    def position(self, offset: int) -> int:
        """Return where on the chromosome a base of this stretch lies, read along its strand.

        >>> Interval("chr1", 100, 200, "-").position(5)
        194
        """
        return self.end - 1 - offset if self.strand == "-" else self.start + offset

    def locate(self, other: "Interval") -> tuple[int, int]:
        """Return where another stretch of this chromosome starts and ends, read along this one.

        >>> Interval("chr1", 100, 200, "-").locate(Interval("chr1", 190, 195))
        (5, 10)
        """
        start, end = other.start - self.start, other.end - self.start
        return (self.length - end, self.length - start) if self.strand == "-" else (start, end)

    def part(self, offset: int, length: int, *, reverse: bool = False) -> Self:
        """Return a piece of this stretch, both read along its strand, or on the other strand.

        >>> Interval("chr1", 100, 200, "-").part(5, 10)
        Interval(chrom='chr1', start=185, end=195, strand='-')
        >>> Interval("chr1", 100, 200).part(5, 10, reverse=True)
        Interval(chrom='chr1', start=105, end=115, strand='-')
        """
        is_minus = self.strand == "-"
        start = self.end - offset - length if is_minus else self.start + offset
        return type(self)(self.chrom, start, start + length, "-" if is_minus != reverse else "+")

    def opposes(self, other: "Interval") -> bool:
        """Say whether the two are read on different strands; `.` reads as `+` here, as any there.

        >>> Interval("chr1", 0, 9).opposes(Interval("chr1", 2, 3, "-"))
        True
        """
        return other.strand != "." and (self.strand == "-") != (other.strand == "-")


def whole_number(value: object, name: str) -> int:
    """Return a Python int of anything that counts (numpy's too, not a float or bool)."""
    if isinstance(value, SupportsIndex) and not isinstance(value, bool | np.bool_):
        return operator.index(value)
    raise ConfigError(f"{name} must be a whole number; got {value!r}.")
