"""What a language model expects in a region: a picture and a table, from files to files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Shaped

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError, check_suffix
from cisgram.genome.alphabet import LETTERS, N, decode, reverse_complement
from cisgram.genome.chromosomes import same_chromosome
from cisgram.genome.interval import Interval
from cisgram.genome.reference import open_reference
from cisgram.models.checkpoint import open_reader
from cisgram.predict.maps import RegionMap, information, read_region
from cisgram.report.logo import logo_svg
from cisgram.report.sites import Site, known_sites

MOST_BASES = 10_000
"""Longest region that is drawn."""


class SiteReading(NamedTuple):
    """What a model expects at a known site, along the site's strand."""

    name: str
    place: Interval
    dna: str
    expected: str
    """The likeliest base at each position, in lower case where its probability is below 0.5."""
    information: float
    """Mean of the site's bases, bits."""


class RegionReading(NamedTuple):
    """A region, what is known to lie in it, and how often the likeliest base is the true one."""

    map: RegionMap
    sites: list[SiteReading]
    information: float
    """Mean of the bases in no site, bits."""
    n_known: int
    """Bases other than N."""
    right: float
    """Share of them at which the likeliest base is the true one."""
    commonest: str
    """The region's commonest base."""
    right_by_commonest: float
    """Share of bases that always saying so gets right."""

    def plain(self) -> dict[str, Any]:
        """Return the summary as what JSON can hold, without the map."""
        own = {name: value for name, value in self._asdict().items() if name != "map"}
        sites = [site._asdict() | {"place": str(site.place)} for site in self.sites]
        return own | {"region": str(self.map.region), "sites": sites}


def draw_region(
    model: str,
    fasta: Path | str,
    region: str,
    *,
    out: Path,
    sites: Path | None = None,
    table: Path | None = None,
    species: str | None = None,
    title: str | None = None,
) -> RegionReading:
    """Write a logo of what a model expects in a region, and the probabilities as a table.

    Args:
        model: packaged weights, a model directory or a run.
        fasta: genome.
        region: as `Interval.parse` reads it.
        out: .svg file.
        sites: BED of known sites.
        table: tab-separated file, a row a base: chrom, position (from 1), strand, base,
            p_A, p_C, p_G, p_T, information (2 - entropy, bits).
        species: which of the genomes it learnt from the model is to take this for; the first
            where none is named.
        title: of the picture; the region and the model by default.

    Raises:
        ConfigError: `out` does not end in .svg, or the region cannot be drawn.
        DataError: a file cannot be used.
    """
    check_suffix(out, ".svg")
    place = check_drawable(Interval.parse(region))
    reference = open_reference(fasta)
    known = known_sites(sites, reference)
    reader = open_reader(model, species=species)
    found = read_region(reader.model, reference, place, species=reader.species)
    title = title or f"{place}: expected by {model}"
    return write_region(found, out=out, title=title, sites=known, table=table)


def check_drawable(region: Interval) -> Interval:
    """Return a region that a picture can hold.

    Raises:
        ConfigError: it is too long.
    """
    if region.length > MOST_BASES:
        raise ConfigError(
            f"{region} has {region.length:,} bases; a picture holds {MOST_BASES:,} at most."
        )
    return region


def write_region(
    found: RegionMap, *, out: Path, title: str, sites: Sequence[Site], table: Path | None
) -> RegionReading:
    """Write the logo of a region that was read, and its table where one is named.

    Raises:
        DataError: a file cannot be written.
    """
    with atomic_file(out) as building:
        building.write_text(logo_svg(found, title=title, sites=sites), encoding="utf-8")
    if table is not None:
        with atomic_file(table) as building:
            region_table(found).write_csv(building, separator="\t", float_precision=5)
    return read_sites(found, sites)


def read_sites(found: RegionMap, sites: Sequence[Site]) -> RegionReading:
    """Set what a model expects beside what is there, at the sites wholly inside and elsewhere."""
    region = found.region
    places = {
        site: slice(*region.locate(site.place)) for site in sites if _holds(region, site.place)
    }
    elsewhere = np.ones(region.length, dtype=bool)
    for place in places.values():
        elsewhere[place] = False
    known = found.tokens < N
    counts = np.bincount(found.tokens[known], minlength=4)
    right = found.likeliest[known] == found.tokens[known]
    return RegionReading(
        map=found,
        sites=[_site(found, site, place) for site, place in places.items()],
        information=_mean(information(found.p)[elsewhere]),
        n_known=int(known.sum()),
        right=_mean(right),
        commonest=LETTERS[int(counts.argmax())],
        right_by_commonest=float(counts.max() / max(counts.sum(), 1)),
    )


def _site(found: RegionMap, site: Site, place: slice) -> SiteReading:
    tokens, likeliest = found.tokens[place], found.likeliest[place]
    sure = np.nan_to_num(found.p[place], nan=0).max(axis=1) >= 0.5
    if found.region.opposes(site.place):
        tokens, likeliest, sure = (
            reverse_complement(tokens),
            reverse_complement(likeliest),
            sure[::-1],
        )
    letters = zip(decode(likeliest), sure, strict=True)
    return SiteReading(
        name=site.name,
        place=site.place,
        dna=decode(tokens),
        expected="".join(letter if clear else letter.lower() for letter, clear in letters),
        information=_mean(information(found.p)[place]),
    )


def _holds(region: Interval, place: Interval) -> bool:
    inside = region.start <= place.start and place.end <= region.end
    return inside and same_chromosome(region.chrom, place.chrom)


def _mean(values: Shaped[np.ndarray, "bases"]) -> float:
    """Return the mean of what is known; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def region_table(found: RegionMap) -> pl.DataFrame:
    """Return a row a base, along the region's strand."""
    region, n = found.region, found.region.length
    positions = np.arange(region.start + 1, region.end + 1)
    return pl.DataFrame(
        {
            "chrom": [region.chrom] * n,
            "position": positions[::-1] if region.strand == "-" else positions,
            "strand": [region.strand if region.strand == "-" else "+"] * n,
            "base": list(decode(found.tokens)),
            **{f"p_{base}": found.p[:, row] for row, base in enumerate("ACGT")},
            "information": information(found.p),
        }
    )
