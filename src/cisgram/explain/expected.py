"""A language model's predictions of masked bases in a region, beside the DNA itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64

from cisgram.core.checks import ConfigError
from cisgram.core.results import Result
from cisgram.genome.alphabet import LETTERS, N, decode, reverse_complement
from cisgram.genome.chromosomes import same_chromosome
from cisgram.genome.interval import Interval
from cisgram.models.base import Model, require_language_model
from cisgram.plot.sites import Site, covered
from cisgram.prediction.masked import MaskingConfig, RegionMap, read_region
from cisgram.prediction.perplexity import information
from cisgram.prediction.session import Session, as_session

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BASES = 2_000
"""That a figure holds."""


class SiteReading(NamedTuple):
    """A known site, and what a model predicts there."""

    name: str
    place: Interval
    dna: str
    """The bases that are there, along the site's strand."""
    expected: str
    """The likeliest base at each position; a small letter where it is less likely than 0.5."""
    information: float
    """Mean over the site's bases, bits."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Expected(Result):
    """Predictions of the bases of a region, known sites, and how often the likeliest is right."""

    model: str
    map: RegionMap
    known_sites: Sequence[Site] = ()

    @property
    def table(self) -> pl.DataFrame:
        """A row a base along the region's strand.

        Columns are chrom, position (from 1), strand, base, p_A, p_C, p_G, p_T and information
        (2 - entropy, bits).
        """
        region, n, p = self.map.region, self.map.region.length, self.map.p
        positions = np.arange(region.start + 1, region.end + 1)
        return pl.DataFrame(
            {
                "chrom": [region.chrom] * n,
                "position": positions[::-1] if region.strand == "-" else positions,
                "strand": [region.strand if region.strand == "-" else "+"] * n,
                "base": list(decode(self.map.tokens)),
                **{f"p_{base}": p[:, row] for row, base in enumerate("ACGT")},
                "information": information(p),
            }
        )

    @property
    def sites(self) -> list[SiteReading]:
        """The known sites that lie wholly inside."""
        region = self.map.region
        return [
            _read_site(self.map, site)
            for site in self.known_sites
            if region.start <= site.place.start
            and site.place.end <= region.end
            and same_chromosome(region.chrom, site.place.chrom)
        ]

    @property
    def sites_table(self) -> pl.DataFrame:
        """The known sites, then the bases outside them: site, place, DNA, expected, bits."""
        rows = [(own.name, str(own.place), *own[2:]) for own in self.sites]
        rows += [("elsewhere", "", "", "", self.information)]
        names = ("site", "place", "DNA", "expected", "bits")
        return pl.DataFrame(rows, schema=names, orient="row")

    @property
    def information(self) -> float:
        """Mean over the bases in no site, bits."""
        return _mean(information(self.map.p)[~covered(self.map.region, self.known_sites)])

    @property
    def n_known(self) -> int:
        """Bases other than N."""
        return int((self.map.tokens < N).sum())

    @property
    def accuracy(self) -> float:
        """Share of bases at which the likeliest base is the true one."""
        known = self.map.tokens < N
        return _mean((self.map.likeliest == self.map.tokens)[known].astype(np.float64))

    @property
    def majority(self) -> tuple[str, float]:
        """The commonest base of the region, and the share of bases that it is."""
        counts = np.bincount(self.map.tokens[self.map.tokens < N], minlength=4)
        return LETTERS[int(counts.argmax())], float(counts.max() / max(counts.sum(), 1))

    @property
    def sentence(self) -> str:
        """How often the likeliest base is the true one, beside the majority class."""
        base, share = self.majority
        return (
            f"The base predicted likeliest is the true one at {self.accuracy:.0%} of "
            f"{self.n_known:,} bases; always predicting {base}, the commonest, is right at "
            f"{share:.0%}."
        )

    def plain(self) -> dict[str, Any]:
        """Return the summary as what JSON can hold."""
        base, share = self.majority
        return {
            "model": self.model,
            "region": str(self.map.region),
            "sites": [site._asdict() | {"place": str(site.place)} for site in self.sites],
            "information": self.information,
            "n_known": self.n_known,
            "accuracy": self.accuracy,
            "majority_base": base,
            "majority_share": share,
        }

    def plot(self) -> "Figure":
        """Draw the predicted letters, as high as the model is sure, over the DNA."""
        from cisgram.plot.logo import draw_logo

        region, tokens, p = self.map
        return draw_logo(
            region,
            tokens,
            (p * information(p)[:, None]).astype(np.float32),
            title=f"{region}: bases predicted by {self.model}, each masked",
            sites=self.known_sites,
        )


def expect(
    model: Session | Model | Path | str,
    region: Interval | str,
    *,
    sites: Sequence[Site] = (),
    config: MaskingConfig | None = None,
) -> Expected:
    """Return what a language model predicts at every masked base of a region, beside known sites.

    Args:
        model: a session, a model, or the name of one.
        region: such as `chrXIV:187,486-188,060`; a strand may follow.
        sites: known sites.
        config: how bases are masked.

    Raises:
        ConfigError: the model is no language model, or the region is longer than a figure holds or
            reaches past its contig.
        DataError: the region lies on no contig.
    """
    session = as_session(model)
    require_language_model(session.model, session.name)
    place = check_drawable(region if isinstance(region, Interval) else Interval.parse(region))
    found = read_region(
        session.model, session.reference, place, species=session.species, config=config
    )
    return Expected(model=session.name, map=found, known_sites=sites)


def check_drawable(region: Interval) -> Interval:
    """Return a region that a figure can hold; refuse a longer one."""
    if region.length > MOST_BASES:
        raise ConfigError(
            f"{region} has {region.length:,} bases; a figure holds {MOST_BASES:,} at most."
        )
    return region


def _read_site(found: RegionMap, site: Site) -> SiteReading:
    place = slice(*found.region.locate(site.place))
    tokens, likeliest = found.tokens[place], found.likeliest[place]
    sure: Bool[np.ndarray, "bases"] = np.nan_to_num(found.p[place], nan=0).max(axis=1) >= 0.5
    if found.region.opposes(site.place):
        tokens, likeliest = reverse_complement(tokens), reverse_complement(likeliest)
        sure = sure[::-1]
    letters = zip(decode(likeliest), sure, strict=True)
    return SiteReading(
        name=site.name,
        place=site.place,
        dna=decode(tokens),
        expected="".join(letter if clear else letter.lower() for letter, clear in letters),
        information=_mean(information(found.p)[place]),
    )


def _mean(values: Float64[np.ndarray, "bases"]) -> float:
    """Return the mean of what is known; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
