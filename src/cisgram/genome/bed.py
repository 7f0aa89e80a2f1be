"""Regions from BED files."""

from pathlib import Path

from cisgram.core.checks import CisgramError, DataError
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.streams import read_lines

_OF_BROWSERS = ("track", "browser")
_FEWEST, _NAME, _STRAND, _SHOWN = 3, 3, 5, 30


def read_bed(path: Path | str, reference: Reference) -> tuple[list[str], list[Interval]]:
    """Return the names and regions of a BED, contigs spelt as the reference spells them.

    A region without a name is called by its place; one without a strand lies on `+`. Blank lines
    are passed over, as are comments and lines of a genome browser (`track`, `browser`).

    Raises:
        DataError: a line is no region, the file has none, or it names a contig that the reference
            lacks.
    """
    names, regions = list[str](), list[Interval]()
    number = 0
    for text in read_lines(path, "BED"):
        for line in text.decode("utf-8-sig", errors="replace").splitlines():
            number += 1
            words = line.split()
            if not words or words[0].startswith("#") or words[0] in _OF_BROWSERS:
                continue
            name, region = _region(line.split("\t"), f"line {number:,} of BED {path}")
            chrom = reference.names.require(region.chrom, f"reference {reference.name}")
            regions.append(Interval(chrom, region.start, region.end, region.strand))
            names.append(name or str(regions[-1]))
    if not regions:
        raise DataError(f"BED {path} has no region; write contig, start and end between tabs.")
    return names, regions


def _region(cells: list[str], where: str) -> tuple[str, Interval]:
    """Return the name, empty where there is none, and the region of a line."""
    try:
        chrom, start, end = cells[:_FEWEST]
        strand = cells[_STRAND].strip() if len(cells) > _STRAND else "+"
        region = Interval(chrom, int(start), int(end), strand)
    except ValueError:
        held = "\t".join(cells)[:_SHOWN]
        raise DataError(
            f"{where} has no contig, start and end between tabs ({held!r}); correct it."
        ) from None
    except CisgramError as error:
        raise DataError(f"{where} cannot be used: {error}") from None
    return cells[_NAME].strip() if len(cells) > _NAME else "", region
