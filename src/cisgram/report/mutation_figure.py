"""A picture of saturation mutagenesis: what bases matter, and what each change does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError
from cisgram.explain.gene_map_files import NamedMap
from cisgram.genome.alphabet import LETTERS, N
from cisgram.genome.interval import Interval
from cisgram.report.logo import COLOURS, Site

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".pdf", ".svg")
_BASES_A_LINE = 125
_LINE_INCHES, _WIDTH_INCHES = 2.3, 15.0


@dataclass(frozen=True, kw_only=True, eq=False)
class MutationPicture:
    """What is drawn."""

    region: Interval
    """Positions along its strand."""
    tokens: UInt8[np.ndarray, "positions"]
    effects: Float32[np.ndarray, "positions 4"]
    title: str
    unit: str
    """Of the effects, for the scale."""
    sites: Sequence[Site] = ()
    """Named stretches, drawn where they overlap the region."""


def check_figure(path: Path) -> None:
    """Refuse names of files that cannot be drawn, before anything long is computed.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path} must end in {', '.join(SUFFIXES)}; rename it.")


def draw_mutations(picture: MutationPicture, out: Path) -> None:
    """Write the picture: for every line of bases a logo over a map of effects.

    A letter is as high as its base matters: the mean effect of the three changes, turned round, so
    that bases which hold the output up stand above the line. Below, each change has its colour,
    blue for down and red for up.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    check_figure(out)
    figure = _figure(picture)
    with atomic_file(out) as building:
        figure.savefig(building, format=out.suffix.lower().removeprefix("."), dpi=150)


def draw_named_map(found: NamedMap, out: Path, *, sites: Sequence[Site] = ()) -> None:
    """Draw the effects on the chosen track, with named stretches above.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    region = found.map.region
    draw_mutations(
        MutationPicture(
            region=region,
            tokens=found.map.tokens,
            effects=found.map.of(found.track),
            title=f"{region}: effect of each change on {found.track} of {found.gene}",
            unit=f"effect on {found.track}",
            sites=sites,
        ),
        out,
    )


def importance(
    effects: Float32[np.ndarray, "positions 4"],
) -> Float32[np.ndarray, "positions"]:
    """Return how much the base that is there adds: minus the mean effect of the three changes."""
    return -effects.sum(axis=1) / 3


def _figure(picture: MutationPicture) -> "Figure":
    from matplotlib.figure import Figure

    n = picture.region.length
    firsts = range(0, n, _BASES_A_LINE)
    height = 0.7 + _LINE_INCHES * len(firsts)
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
    figure.suptitle(picture.title)
    axes = figure.subplots(2 * len(firsts), 1, squeeze=False, height_ratios=[1.5, 1] * len(firsts))
    heights = np.nan_to_num(importance(picture.effects))
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
        heat.set_yticks(range(4), list("ACGT"), fontsize=7)
        _label_positions(heat, picture.region, part)
        for axis in (logo, heat):
            axis.set_xlim(-0.5, _BASES_A_LINE - 0.5)
    if image is not None:
        figure.colorbar(image, ax=axes[:, 0].tolist(), label=picture.unit, shrink=0.5, pad=0.01)
    return figure


def _draw_logo(
    axes: "Axes", picture: MutationPicture, heights: Float32[np.ndarray, "positions"], part: slice
) -> None:
    """Draw the bases of a line, each as high as it matters, and the sites above."""
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
    axes.set_ylabel("importance", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    for site in picture.sites:
        _draw_site(axes, picture.region, site, part)


def _draw_site(axes: "Axes", region: Interval, site: Site, part: slice) -> None:
    if not site.place.overlaps(region):
        return
    start, end = region.locate(site.place)
    start, end = max(start, part.start) - part.start, min(end, part.stop) - part.start
    if start >= end:
        return
    axes.axvspan(start - 0.5, end - 0.5, color="#6b4fa0", alpha=0.12, linewidth=0)
    name = f"◂ {site.name}" if region.opposes(site.place) else f"{site.name} ▸"
    axes.text(
        (start + end - 1) / 2, 0.98, name, transform=axes.get_xaxis_transform(), fontsize=7,
        color="#6b4fa0", ha="center", va="top",
    )  # fmt: skip


def _label_positions(axes: "Axes", region: Interval, part: slice) -> None:
    """Write positions, counted from 1, under every 25th base."""
    places = range(part.start, part.stop, 25)
    positions = [
        region.end - place if region.strand == "-" else region.start + place + 1 for place in places
    ]
    axes.set_xticks(
        [place - part.start for place in places], [f"{at:,}" for at in positions], fontsize=7
    )
