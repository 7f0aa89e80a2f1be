"""A picture of bases: how high each stands, and what each of the four does in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32, UInt8

from cisgram.explain.base_map import BaseMap
from cisgram.explain.gene_gradients import GeneGradients
from cisgram.explain.gene_maps import GeneMap, importance
from cisgram.explain.gene_regions import GeneRegion
from cisgram.explain.motif_hits import WANTED, apart
from cisgram.genome.alphabet import LETTERS, N
from cisgram.genome.interval import Interval
from cisgram.report.figure_files import head_figure, save_figure
from cisgram.report.logo import COLOURS
from cisgram.report.sites import Site, label_sites

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BASES_A_LINE = 100
_LINE_INCHES, _BASE_INCHES = 2.3, 0.1
_BESIDE_INCHES, _LEAST_INCHES = 2.0, 7.5
"""Left and right of the bases, and what a title needs."""
_LEVELS = 5
"""Heights of names over the bases; more would stand on the letters, so that they begin anew."""
_BASES_A_LETTER = 0.8
"""Width of a letter of a name, as written over the bases."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BasePicture:
    """What is drawn."""

    region: Interval
    """Positions along its strand."""
    tokens: UInt8[np.ndarray, "positions"]
    heights: Float32[np.ndarray, "positions"]
    """Of the letters of the bases that are there; NaN stands for no letter."""
    heights_are: str
    """What they are, in a word."""
    effects: Float32[np.ndarray, "positions 4"]
    """Of each base in each place: the colours below the letters."""
    effects_are: str
    """What they are, for the scale."""
    title: str
    sites: Sequence[Site] = ()
    """Named stretches, drawn where they overlap the region."""


def draw_bases(picture: BasePicture, out: Path) -> None:
    """Write the picture: for every line of bases their letters over a map of effects.

    What raises the output stands above the line and is red, what lowers it below and blue.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    save_figure(_figure(picture), out)


def draw_map(place: GeneRegion, found: GeneMap, out: Path, *, sites: Sequence[Site] = ()) -> None:
    """Draw the effects of changes on the chosen track, with named stretches above.

    A letter is as high as its base matters: the mean effect of the three changes, turned round, so
    that bases which hold the output up stand above the line.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    effects = found.of(place.track)
    draw_bases(
        BasePicture(
            region=place.region,
            tokens=found.tokens,
            heights=importance(effects),
            heights_are="importance",
            effects=effects,
            effects_are=f"effect on {place.track}",
            title=f"{place.region}: effect of each change on {place.track} of {place.gene}",
            sites=sites,
        ),
        out,
    )


def draw_hits(found: BaseMap, hits: pl.DataFrame, out: Path) -> None:
    """Draw a map with the motifs of `hits_in_map` that it wants, the best of each place.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    wanted = apart(hits.filter(pl.col("match_above") >= WANTED))
    places = wanted.select("motif", "chrom", "start", "end", "strand").iter_rows()
    draw_bases(
        BasePicture(
            region=found.region,
            tokens=found.tokens,
            heights=found.heights,
            heights_are=found.heights_are,
            effects=found.wants,
            effects_are=f"added to {found.track}",
            title=f"{found.region}: motifs that {found.track} of {found.gene} wants",
            sites=[Site(name, Interval(*place)) for name, *place in places],
        ),
        out,
    )


def draw_gradients(
    place: GeneRegion, found: GeneGradients, out: Path, *, sites: Sequence[Site] = ()
) -> None:
    """Draw what bases add by gradients, with named stretches above.

    A letter is as high as what its base adds; colours say what each base would.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    own = found.within(place.region)
    kind = "integrated gradients" if found.n_steps else "gradient times input"
    draw_bases(
        BasePicture(
            region=place.region,
            tokens=own.tokens,
            heights=own.contributions,
            heights_are="contribution",
            effects=own.hypothetical,
            effects_are=f"added to {place.track}",
            title=f"{place.region}: what bases add to {place.track} of {place.gene}, by {kind}",
            sites=sites,
        ),
        out,
    )


def _figure(picture: BasePicture) -> "Figure":
    from matplotlib.figure import Figure

    n = picture.region.length
    firsts, n_across = range(0, n, _BASES_A_LINE), min(n, _BASES_A_LINE)
    width = max(_BESIDE_INCHES + _BASE_INCHES * n_across, _LEAST_INCHES)
    height = 0.7 + _LINE_INCHES * len(firsts)
    figure = Figure(figsize=(width, height), layout="constrained")
    head_figure(figure, picture.title)
    axes = figure.subplots(2 * len(firsts), 1, squeeze=False, height_ratios=[1.5, 1] * len(firsts))
    heights = np.nan_to_num(picture.heights)
    limits = (min(heights.min(), 0) * 1.1, max(heights.max(), 1e-6) * 1.35)
    largest = float(np.nanmax(np.abs(picture.effects), initial=1e-6))
    image = None
    for line, first in enumerate(firsts):
        part = slice(first, min(first + _BASES_A_LINE, n))
        logo, heat = axes[2 * line, 0], axes[2 * line + 1, 0]
        _draw_logo(logo, picture, heights, part)
        logo.set_ylim(*limits)
        image = heat.imshow(
            picture.effects[part].T, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto",
            interpolation="nearest",
        )  # fmt: skip
        heat.set_yticks(range(4), list("ACGT"), fontsize=8)
        _label_positions(heat, picture.region, part)
        for axis in (logo, heat):
            axis.set_xlim(-0.5, n_across - 0.5)
    if image is not None:
        bar = figure.colorbar(image, ax=axes[:, 0].tolist(), shrink=0.5, pad=0.01)
        bar.set_label(picture.effects_are, fontsize=9)
        bar.ax.tick_params(labelsize=8)
    return figure


def _draw_logo(
    axes: "Axes", picture: BasePicture, heights: Float32[np.ndarray, "positions"], part: slice
) -> None:
    """Draw the bases of a line, each as high as it says, and the sites above."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    font = FontProperties(family="DejaVu Sans", weight="bold")
    outlines = {letter: TextPath((0, 0), letter, size=1, prop=font) for letter in "ACGT"}
    for at in range(part.start, part.stop):
        token, height = int(picture.tokens[at]), float(heights[at])
        if token == N or not height:
            continue
        outline = outlines[LETTERS[token]]
        box = outline.get_extents()
        fit = (
            Affine2D()
            .translate(-box.x0, -box.y0)
            .scale(0.92 / box.width, height / box.height)
            .translate(at - part.start - 0.46, 0)
        )
        colour = COLOURS[LETTERS[token]]
        axes.add_patch(PathPatch(fit.transform_path(outline), facecolor=colour, linewidth=0))
    axes.axhline(0, color="#999", linewidth=0.6)
    axes.set_xticks([])
    axes.set_ylabel(picture.heights_are, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    _draw_sites(axes, picture, part)


def _draw_sites(axes: "Axes", picture: BasePicture, part: slice) -> None:
    """Shade the sites of a line and write their names."""
    for label in label_sites(picture.sites, picture.region, part, letter=_BASES_A_LETTER):
        start, end = label.start - part.start, label.end - part.start
        axes.axvspan(start - 0.5, end - 0.5, color="#6b4fa0", alpha=0.12, linewidth=0)
        axes.text(
            (start + end - 1) / 2, 0.98 - 0.13 * (label.level % _LEVELS), label.text, fontsize=9,
            transform=axes.get_xaxis_transform(), color="#6b4fa0", ha="center", va="top",
        )  # fmt: skip


def _label_positions(axes: "Axes", region: Interval, part: slice) -> None:
    """Write positions, counted from 1, under every 25th base."""
    places = range(part.start, part.stop, 25)
    positions = [f"{region.position(place) + 1:,}" for place in places]
    axes.set_xticks([place - part.start for place in places], positions, fontsize=9)
