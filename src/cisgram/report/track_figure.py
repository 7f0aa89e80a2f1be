"""A picture of predicted signal along a stretch of DNA, with its genes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cisgram.genome.interval import Interval
from cisgram.predict.region_signal import RegionSignal
from cisgram.report.figure_files import head_figure, save_figure
from cisgram.report.sites import Site

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLUS, _MINUS, _GENE, _SITE = "#0a6c74", "#bf4d22", "#6b4fa0", "#8a6d00"
_LEVELS = 3
"""Heights at which names of sites stand, one after the other."""


def draw_tracks(
    found: RegionSignal,
    out: Path,
    *,
    genes: Mapping[str, Interval],
    sites: Sequence[Site] = (),
    marked: Interval | None = None,
) -> None:
    """Write the picture: a panel a signal, its strand upwards and the other downwards, genes below.

    Args:
        found: the signal; everything is drawn along the region's strand. Columns `name+` and
            `name-` share a panel.
        out: .png, .pdf or .svg.
        genes: on their strands, by the names to be written.
        sites: named stretches, drawn where they overlap the region.
        marked: a stretch that is shaded.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys(name.rstrip("+-") for name in found.tracks))
    shown = [site for site in sites if site.place.overlaps(found.region)]
    heights = [1.0] * len(panels) + [0.45] + ([0.4] if shown else [])
    figure = Figure(figsize=(12, 0.9 + 1.1 * sum(heights)), layout="constrained")
    head_figure(figure, f"{found.region}: predicted counts of a bin of {found.resolution} bases")
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel, name in zip(axes, panels, strict=False):
        _draw_panel(panel, found, name)
        for place in [site.place for site in shown] + ([marked] if marked else []):
            panel.axvspan(place.start + 1, place.end + 1, color="#ddd", zorder=-1)
    _draw_genes(axes[len(panels)], found.region, genes)
    if shown:
        _draw_sites(axes[-1], found.region, shown)
    _label_positions(axes[-1], found.region)
    save_figure(figure, out)


def _label_positions(axes: "Axes", region: Interval) -> None:
    """Write positions, counted from 1, along the region's strand."""
    from matplotlib.ticker import StrMethodFormatter

    first, last = region.start + 1, region.end + 1
    axes.set_xlim(*((last, first) if region.strand == "-" else (first, last)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(axis="x", labelsize=9)


def _draw_panel(axes: "Axes", found: RegionSignal, name: str) -> None:
    region, steps = found.region, found.resolution * np.arange(len(found.signal) + 1)
    turned = region.strand == "-"
    edges = (region.end + 1 - steps)[::-1] if turned else region.start + 1 + steps
    for suffix, sign, colour in (("+", 1, _PLUS), ("-", -1, _MINUS), ("", 1, _PLUS)):
        if name + suffix in found.tracks:
            values = sign * found.signal[:, found.tracks.index(name + suffix)]
            axes.stairs(
                values[::-1] if turned else values, edges, fill=True, color=colour, linewidth=0
            )
    axes.axhline(0, color="#999", linewidth=0.6)
    axes.set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
    axes.tick_params(labelsize=8)
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _draw_genes(axes: "Axes", region: Interval, genes: Mapping[str, Interval]) -> None:
    for name, gene in genes.items():
        if not gene.overlaps(region):
            continue
        start, end = max(gene.start, region.start), min(gene.end, region.end)
        tail, head = (end, start) if gene.strand == "-" else (start, end)
        level = -0.5 if region.opposes(gene) else 0.5
        arrow = {"arrowstyle": "-|>", "color": _GENE, "linewidth": 3, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (head, level), (tail, level), arrowprops=arrow)
        axes.text((start + end) / 2, level + 0.35, name, fontsize=9, ha="center", color=_GENE)
    axes.set_ylim(-1.1, 1.4)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_sites(axes: "Axes", region: Interval, sites: Sequence[Site]) -> None:
    """Draw stretches and their names, at one height after the other."""
    for number, (name, place) in enumerate(sorted(sites, key=lambda site: site.place.start)):
        level = number % _LEVELS
        right = place.start if region.strand == "-" else place.end
        axes.plot((place.start + 1, place.end + 1), (level, level), color=_SITE, linewidth=3)
        axes.annotate(
            name, (right + 1, level), (4, 0), textcoords="offset points", fontsize=7,
            color=_SITE, va="center", annotation_clip=True,
        )  # fmt: skip
    axes.set_ylim(_LEVELS - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
