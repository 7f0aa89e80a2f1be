"""Signal along a region, with its genes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from cisgram.genome.interval import Interval
from cisgram.plot.figures import FIRST, SECOND, SITE, as_written, new_figure, plain_axes
from cisgram.plot.sites import Site

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KNOWN = "#8a6d00"
_LEVELS = 3
"""Heights at which names of sites stand, one after the other."""
_MOST_PANELS = 24


def draw_tracks(
    region: Interval,
    names: Sequence[str],
    values: Float32[np.ndarray, "rows names"],
    *,
    resolution: int,
    genes: Mapping[str, Interval],
    sites: Sequence[Site] = (),
    marked: Interval | None = None,
) -> "Figure":
    """Return a figure: a panel a signal, at most the first 24, and genes below.

    Everything is drawn along the region's strand, a row of values every `resolution` bases. Of
    columns, `name+` and `name-` share a panel, the one upwards and the other downwards. Sites are
    drawn where they overlap the region, and the region `marked` is shaded.
    """
    panels = list(dict.fromkeys(name.rstrip("+-") for name in names))[:_MOST_PANELS]
    shown = [site for site in sites if site.place.overlaps(region)]
    heights = [1.0] * len(panels) + [0.45] + ([0.4] if shown else [])
    bins = "at single bases" if resolution == 1 else f"in bins of {resolution} bases"
    figure = new_figure(12, 0.9 + 1.1 * sum(heights), f"{region}: predicted signal {bins}")
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    steps = resolution * np.arange(len(values) + 1)
    backward = region.strand == "-"
    edges = (region.end + 1 - steps)[::-1] if backward else region.start + 1 + steps
    columns = dict(zip(names, (values[::-1] if backward else values).T, strict=True))
    for panel, name in zip(axes, panels, strict=False):
        _draw_panel(panel, name, columns, edges)
        for place in [site.place for site in shown] + ([marked] if marked else []):
            panel.axvspan(place.start + 1, place.end + 1, color="#ddd", zorder=-1)
    _draw_genes(axes[len(panels)], region, genes)
    if shown:
        _draw_sites(axes[-1], region, shown)
    _label_positions(axes[-1], region)
    return as_written(figure)


def _label_positions(axes: "Axes", region: Interval) -> None:
    """Write positions, counted from 1, along the region's strand."""
    from matplotlib.ticker import StrMethodFormatter

    first, last = region.start + 1, region.end + 1
    axes.set_xlim(*((last, first) if region.strand == "-" else (first, last)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(axis="x", labelsize=9)


def _draw_panel(
    axes: "Axes",
    name: str,
    columns: Mapping[str, Float32[np.ndarray, "rows"]],
    edges: Int64[np.ndarray, "edges"],
) -> None:
    for suffix, sign, colour in (("+", 1, FIRST), ("-", -1, SECOND), ("", 1, FIRST)):
        if name + suffix in columns:
            values = sign * columns[name + suffix]
            axes.stairs(values, edges, fill=True, color=colour, linewidth=0)
    axes.axhline(0, color="#999", linewidth=0.6)
    axes.set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,g}")
    plain_axes(axes)
    axes.tick_params(axis="x", length=0)


def _draw_genes(axes: "Axes", region: Interval, genes: Mapping[str, Interval]) -> None:
    for name, gene in genes.items():
        if not gene.overlaps(region):
            continue
        start, end = max(gene.start, region.start) + 1, min(gene.end, region.end) + 1
        tail, head = (end, start) if gene.strand == "-" else (start, end)
        level = -0.5 if region.opposes(gene) else 0.5
        arrow = {"arrowstyle": "-|>", "color": SITE, "linewidth": 3, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (head, level), (tail, level), arrowprops=arrow)
        axes.text((start + end) / 2, level + 0.35, name, fontsize=9, ha="center", color=SITE)
    axes.set_ylim(-1.1, 1.4)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_sites(axes: "Axes", region: Interval, sites: Sequence[Site]) -> None:
    """Draw sites and their names, at one height after the other."""
    for number, (name, place) in enumerate(sorted(sites, key=lambda site: site.place.start)):
        level = number % _LEVELS
        right = place.start if region.strand == "-" else place.end
        axes.plot((place.start + 1, place.end + 1), (level, level), color=_KNOWN, linewidth=3)
        axes.annotate(
            name, (right + 1, level), (4, 0), textcoords="offset points", fontsize=7,
            color=_KNOWN, va="center", annotation_clip=True,
        )  # fmt: skip
    axes.set_ylim(_LEVELS - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
