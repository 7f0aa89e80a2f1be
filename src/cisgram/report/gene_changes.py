"""What stands out of a region: its strongest changes, and its known sites against the rest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from cisgram.explain.gene_maps import GeneMap
from cisgram.genome.alphabet import LETTERS
from cisgram.genome.interval import Interval
from cisgram.report.sites import Site


class Change(NamedTuple):
    """A single-base change and what it does."""

    position: int
    """Counted from 1."""
    reference: str
    alternative: str
    effect: float
    site: str
    """Known sites that it lies in, empty for none."""


class SiteContrast(NamedTuple):
    """Mean of some size over bases; NaN where there are none."""

    in_sites: float
    """On the bases of known sites."""
    elsewhere: float


def strongest_changes(found: GeneMap, track: str, *, sites: list[Site], n: int) -> list[Change]:
    """Return the strongest change of each of the `n` positions where it is strongest."""
    effects, region = found.of(track), found.region
    sizes = np.nan_to_num(np.abs(effects)).max(axis=1)
    changes: list[Change] = []
    for at in np.argsort(-sizes, kind="stable")[:n].tolist():
        if not sizes[at]:
            break  # nothing does anything there, or N stands there
        base = int(np.nanargmax(np.abs(effects[at])))
        place = region.position(at)
        here = Interval(region.chrom, place, place + 1)
        names = ", ".join(site.name for site in sites if site.place.overlaps(here))
        reference = LETTERS[int(found.tokens[at])]
        changes.append(Change(place + 1, reference, LETTERS[base], float(effects[at, base]), names))
    return changes


def contrast_sites(
    sizes: Float32[np.ndarray, "positions"], region: Interval, sites: Sequence[Site]
) -> SiteContrast:
    """Return the mean of what is known of `sizes`, in sites and elsewhere in the region."""
    inside = np.zeros(region.length, dtype=np.bool_)
    for site in sites:
        if site.place.overlaps(region):
            start, end = region.locate(site.place)
            inside[max(start, 0) : end] = True
    known = ~np.isnan(sizes)
    means = (
        float(sizes[part].mean()) if part.any() else float("nan")
        for part in (inside & known, ~inside & known)
    )
    return SiteContrast(*means)
