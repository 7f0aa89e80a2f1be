"""Explanations as sections: a title, a sentence, a table, a figure and files of each.

`cisgram explain` prints one, `cisgram explain report` and the demo walk a list of them; reports are
handed sections and open no model.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Float32

from cisgram.core.artifact import atomic_file
from cisgram.core.results import write_table
from cisgram.explain.attribute import Agreement, Attributions
from cisgram.explain.contributions import Contributions
from cisgram.explain.expected import Expected
from cisgram.explain.hits import MATCHED, apart
from cisgram.explain.insert import Insertions
from cisgram.explain.mutate import Mutations
from cisgram.genome.alphabet import LETTERS
from cisgram.genome.interval import Interval
from cisgram.plot.sites import Site, covered
from cisgram.prediction.signal import Signal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STRONGEST, _MOST_HITS = 5, 8
_PLACE = ("chrom", "start", "end", "strand")


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """One explanation."""

    name: str
    """Of its files."""
    title: str
    sentence: str
    """What stands out, in a sentence or a few."""
    draw: "Callable[[], Figure]"
    caption: str
    """How the figure is to be read."""
    table: pl.DataFrame | None = None
    """A few rows for people; None where the figure says all."""
    full_table: pl.DataFrame | None = None
    """All rows, for a file."""
    write_arrays: Callable[[Path], None] | None = None
    """Writes .npz."""
    facts: dict[str, Any] | None = None
    """What is worth keeping as JSON."""

    @cached_property
    def svg(self) -> str:
        """The figure as text."""
        drawn = io.StringIO()
        self.draw().savefig(drawn, format="svg")
        return drawn.getvalue()

    def write(self, directory: Path) -> None:
        """Write `name`.svg, and .npz or .tsv where there are arrays or a table."""
        with atomic_file(directory / f"{self.name}.svg") as building:
            building.write_text(self.svg, encoding="utf-8")
        if self.write_arrays is not None:
            self.write_arrays(directory / f"{self.name}.npz")
        if self.full_table is not None:
            write_table(self.full_table, directory / f"{self.name}.tsv")

    @property
    def files(self) -> str:
        """Names of the files that `write` writes."""
        ends = [".svg"]
        ends += [".npz"] if self.write_arrays is not None else []
        ends += [".tsv"] if self.full_table is not None else []
        return f"{self.name}{', '.join(ends)}"


def signal_section(found: Signal, *, marked: Interval | None = None) -> Section:
    """Return the predicted signal along a region."""
    row = int(found.values[:, 0].argmax())
    place = found.region.position(row * found.resolution)
    bases = "base" if found.resolution == 1 else f"{found.resolution} bases"
    grey = "" if marked is None else " Grey: the region that is explained."
    return Section(
        name="signal",
        title="Predicted signal",
        sentence=f"{found.names[0]} is highest in the {bases} at {found.region.chrom}:"
        f"{place + 1:,}: {found.values[row, 0]:,.2f}.",
        draw=lambda: found.plot(marked=marked),
        caption=f"Signal in bins of {bases}: strand + upwards, strand - downwards; genes below."
        f"{grey}",
        write_arrays=found.write_arrays,
    )


def mutation_section(found: Mutations, *, sites: Sequence[Site] = ()) -> Section:
    """Return the effects of all single-base changes."""
    effects = found.effects
    table = strongest_changes(found, sites=sites)
    sentence = f"No change of {found.region} has an effect."
    if table.height:
        top = table.row(0, named=True)
        sentence = (
            f"Of {found.account.n_mutants:,} changes of {found.region}, {top['change']} at "
            f"{found.region.chrom}:{top['position']:,} has the strongest effect on {found.output} "
            f"of {found.subject}: {top['effect']:+.4f}."
        )
    contrast = contrast_sites(np.abs(effects).max(axis=1), found.region, sites)
    if sites:
        sentence += (
            f" The strongest change of a base has an absolute effect of {contrast['in_sites']:.3f} "
            f"on average in known sites, {contrast['elsewhere']:.3f} elsewhere."
        )
    violet = " Violet: known sites." if sites else ""
    return Section(
        name="mutagenesis",
        title="In-silico mutagenesis",
        sentence=sentence,
        draw=lambda: found.plot(sites=sites),
        caption="Letters: contribution of the base that is there, minus the mean effect of its "
        f"three changes. Colours: effect of the change to A, C, G or T.{violet}",
        table=table,
        write_arrays=found.write_arrays,
        facts={"strongest": table.to_dicts(), "sites": contrast},
    )


def attribution_section(
    found: Attributions, agreement: Agreement | None = None, *, sites: Sequence[Site] = ()
) -> Section:
    """Return attribution by gradients, and how far mutagenesis agrees."""
    at = int(np.nanargmax(np.abs(found.contributions)))
    sentence = (
        f"Of {found.region.length:,} bases, {LETTERS[found.tokens[at]]} at {found.region.chrom}:"
        f"{found.region.position(at) + 1:,} contributes most to {found.output} of {found.subject}: "
        f"{found.contributions[at]:+.4f}, by {found.method}."
    )
    if found.completeness_gap is not None:
        sentence += (
            " Contributions of the whole window add up to its difference from the baseline but for "
            f"{found.completeness_gap:+.4f}."
        )
    contrast = contrast_sites(np.abs(found.contributions), found.region, sites)
    if sites:
        sentence += (
            f" Absolute contributions are {contrast['in_sites']:.3f} on average in known sites, "
            f"{contrast['elsewhere']:.3f} elsewhere."
        )
    method = "its gradient less the mean gradient of the four bases"
    if found.n_steps:
        method = f"its mean gradient over {found.n_steps} steps from a quarter of each base"
    facts: dict[str, Any] = {"sites": contrast}
    if agreement is not None:
        sentence += (
            f" Their correlation with mutagenesis is {agreement.bases:.2f} over bases and "
            f"{agreement.changes:.2f} over changes."
        )
        facts["agreement"] = {"bases": agreement.bases, "changes": agreement.changes}
    return Section(
        name="attribution",
        title="Attribution by gradients",
        sentence=sentence,
        draw=lambda: found.plot(sites=sites),
        caption=f"Letters: contribution of the base that is there, {method}. Colours: "
        f"the same of A, C, G and T.{' Violet: known sites.' if sites else ''}",
        write_arrays=found.write_arrays,
        facts=facts,
    )


def motif_section(found: Contributions, hits: pl.DataFrame, *, n_motifs: int) -> Section:
    """Return motifs in the DNA, and how well contributions match them."""
    matched, plural = hits["motif"].n_unique(), "s" * (hits.height != 1)
    sentence = (
        f"The DNA of {found.region} has {hits.height:,} hit{plural} of {matched:,} of {n_motifs:,} "
        "motifs."
    )
    if hits.height:
        best = hits.row(0, named=True)
        place = Interval(*(best[name] for name in _PLACE))
        sentence += (
            f" Contributions to {found.output} of {found.subject} match {best['motif']} best, at "
            f"{place}: a cosine of {best['match']:+.2f}, higher than at {best['match_above']:.1%} "
            "of positions."
        )
    shown = apart(hits.filter(pl.col("match_above") >= MATCHED))
    places = [Interval(*place) for place in shown.select(_PLACE).iter_rows()]
    named = [Site(name, place) for name, place in zip(shown["motif"], places, strict=True)]
    for_people = shown.select(
        "motif",
        pl.Series("place", [str(place) for place in places], dtype=pl.String),
        pl.col("match").alias("cosine"),
        (100 * pl.col("match_above")).alias("percentile"),
    )
    return Section(
        name="motifs",
        title="Motifs in the contributions",
        sentence=sentence,
        draw=lambda: found.plot(sites=named),
        caption="Violet: the best hit of each place where contributions match the motif better "
        f"than at {MATCHED:.0%} of the region's positions.",
        table=for_people.head(_MOST_HITS),
        full_table=hits,
        facts={"hits": hits.to_dicts()},
    )


def expected_section(found: Expected) -> Section:
    """Return what a language model expects, beside what is there."""
    return Section(
        name="expected",
        title=f"Expected by {found.model}",
        sentence=found.sentence,
        draw=found.plot,
        caption="A column is as high as the prediction of a masked base is sure, in bits; the DNA "
        "itself below, bold where no other base is predicted likelier.",
        table=found.sites_table if found.sites else None,
        full_table=found.table,
        facts=found.plain(),
    )


def insertion_section(found: Insertions) -> Section:
    """Return what inserted motifs do."""
    table = found.table
    beyond = table["difference"].fill_nan(None)
    sizes = table["effect"] if beyond.null_count() == len(beyond) else beyond
    row = table.row(sizes.abs().arg_max() or 0, named=True)
    interval = f" [{row['low']:+.4f}, {row['high']:+.4f}]" if row["n"] > 1 else ""
    against = " beyond its null" if sizes is beyond else ""
    sentence = (
        f"{row['motif']}, {row['distance']:,} bases before the {found.landmark}, has the largest "
        f"effect{against} on {found.output} of {found.over}: {row['effect']:+.4f}{interval}"
    )
    sentence += f"; shuffled, it has {row['null']:+.4f}." if sizes is beyond else "."
    if found.n_left_out:
        sentence += (
            f" {found.n_left_out:,} genes with promoters past the model's window were left out."
        )
    return Section(
        name="insertions",
        title="Motif insertion",
        sentence=sentence,
        draw=found.plot,
        caption="Mean effect of a motif in shuffled sequences, with 95% bootstrap interval. Grey: "
        "the motif's letters, shuffled.",
        table=table.select("motif", "distance", "effect", "low", "high", "null"),
        full_table=table,
        facts={"effects": table.to_dicts()},
    )


def strongest_changes(
    found: Mutations, *, sites: Sequence[Site] = (), n: int = _STRONGEST
) -> pl.DataFrame:
    """Return the strongest change of each of the positions where it is strongest.

    Columns are position (from 1), change, effect and, where there are sites, site.
    """
    effects, region = found.effects, found.region
    sizes = np.nan_to_num(np.abs(effects)).max(axis=1)
    rows: list[tuple[int, str, float, str]] = []
    for at in np.argsort(-sizes, kind="stable")[:n].tolist():
        if not sizes[at]:
            break  # nothing has an effect there, or N stands there
        base = int(np.nanargmax(np.abs(effects[at])))
        place = region.position(at)
        here = Interval(region.chrom, place, place + 1)
        names = ", ".join(site.name for site in sites if site.place.overlaps(here))
        change = f"{LETTERS[int(found.tokens[at])]}>{LETTERS[base]}"
        rows.append((place + 1, change, float(effects[at, base]), names))
    table = pl.DataFrame(rows, schema=("position", "change", "effect", "site"), orient="row")
    return table if sites else table.drop("site")


def contrast_sites(
    sizes: Float32[np.ndarray, "positions"], region: Interval, sites: Sequence[Site]
) -> dict[str, float]:
    """Return the mean of what is known of `sizes`, in sites and elsewhere; NaN for no bases."""
    inside, known = covered(region, sites), ~np.isnan(sizes)
    parts = {"in_sites": inside & known, "elsewhere": ~inside & known}
    return {
        name: float(sizes[part].mean()) if part.any() else float("nan")
        for name, part in parts.items()
    }
