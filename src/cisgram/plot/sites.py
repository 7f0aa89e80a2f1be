"""Known sites, and where their names stand in figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from cisgram.genome.bed import read_bed
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference


class Site(NamedTuple):
    """A known element, such as a binding site."""

    name: str
    place: Interval


class Label(NamedTuple):
    """A site on a line of bases."""

    text: str
    """Its name, with an arrow along its strand."""
    start: int
    """Bases of the region, along its strand, that lie on the line."""
    end: int
    level: int
    """0, or more where it or its name would meet those before it."""
    middle: float
    """Of its name: that of the site, or nearer to the middle of the line where it would end."""


def known_sites(path: Path | None, reference: Reference) -> list[Site]:
    """Return the sites of a BED, none without one."""
    if path is None:
        return []
    return [Site(*row) for row in zip(*read_bed(path, reference), strict=True)]


def covered(region: Interval, sites: Sequence[Site]) -> Bool[np.ndarray, "positions"]:
    """Say of each base of a region, along its strand, whether it lies in a site."""
    inside = np.zeros(region.length, dtype=np.bool_)
    for site in sites:
        if site.place.overlaps(region):
            start, end = region.locate(site.place)
            inside[max(start, 0) : end] = True
    return inside


def label_sites(
    sites: Sequence[Site], region: Interval, line: slice, *, letter: float
) -> list[Label]:
    """Return the sites that lie on a line of a region, from left to right.

    Those read against the region's strand have their arrow left. `line` are positions along the
    strand, `letter` is the width of a letter of the names in bases.
    """
    near = [(region.locate(site.place), site) for site in sites if site.place.overlaps(region)]
    found: list[Label] = []
    ends: list[float] = []  # of the last site or its name at each level
    for (first, last), site in sorted(near, key=lambda one: one[0]):
        start, end = max(first, line.start), min(last, line.stop)
        if start >= end:
            continue
        text = f"◂ {site.name}" if region.opposes(site.place) else f"{site.name} ▸"
        half = letter * len(text) / 2
        middle = max(min((start + end) / 2, line.stop - half), line.start + half)
        left, right = min(start, middle - half), max(end, middle + half)
        level = next((at for at, over in enumerate(ends) if over <= left), len(ends))
        ends[level : level + 1] = [right]
        found.append(Label(text, start, end, level, middle))
    return found
