"""A picture of predicted signal along a stretch of DNA, with its genes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from cisgram.genome.interval import Interval
from cisgram.report.figure_files import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLUS, _MINUS, _GENE = "#0a6c74", "#bf4d22", "#6b4fa0"


@dataclass(frozen=True, kw_only=True, eq=False)
class TrackPicture:
    """What is drawn, along strand `+`."""

    region: Interval
    resolution: int
    """Bases of a bin."""
    tracks: Sequence[str]
    """Names of the columns; `name+` and `name-` share a panel."""
    signal: Float32[np.ndarray, "bins tracks"]
    genes: Mapping[str, Interval]
    title: str
    marked: Interval | None = None
    """A stretch that is shaded."""


def draw_tracks(picture: TrackPicture, out: Path) -> None:
    """Write the picture: a panel a signal, strand `+` upwards and `-` downwards, genes below.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    save_figure(_figure(picture), out)


def _figure(picture: TrackPicture) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    panels = list(dict.fromkeys(name.rstrip("+-") for name in picture.tracks))
    figure = Figure(figsize=(11, 0.9 + 1.1 * len(panels)), layout="constrained")
    figure.suptitle(picture.title, fontsize=11)
    heights = [1.0] * len(panels) + [0.45]
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel, name in zip(axes, panels, strict=False):
        _draw_panel(panel, picture, name)
    _draw_genes(axes[-1], picture)
    axes[-1].set_xlim(picture.region.start + 1, picture.region.end)
    axes[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes[-1].tick_params(axis="x", labelsize=8)
    return figure


def _draw_panel(axes: "Axes", picture: TrackPicture, name: str) -> None:
    edges = picture.region.start + 1 + picture.resolution * np.arange(len(picture.signal) + 1)
    for suffix, sign, colour in (("+", 1, _PLUS), ("-", -1, _MINUS), ("", 1, _PLUS)):
        if name + suffix in picture.tracks:
            values = sign * picture.signal[:, picture.tracks.index(name + suffix)]
            axes.stairs(values, edges, fill=True, color=colour, linewidth=0)
    if picture.marked is not None:
        axes.axvspan(picture.marked.start + 1, picture.marked.end, color="#ddd", zorder=-1)
    axes.axhline(0, color="#999", linewidth=0.6)
    axes.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
    axes.tick_params(labelsize=7)
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _draw_genes(axes: "Axes", picture: TrackPicture) -> None:
    for name, gene in picture.genes.items():
        if not gene.overlaps(picture.region):
            continue
        start, end = max(gene.start, picture.region.start), min(gene.end, picture.region.end)
        plus = gene.strand != "-"
        tail, head = (start, end) if plus else (end, start)
        level = 0.5 if plus else -0.5
        arrow = {"arrowstyle": "-|>", "color": _GENE, "linewidth": 3, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (head, level), (tail, level), arrowprops=arrow)
        axes.text((start + end) / 2, level + 0.35, name, fontsize=8, ha="center", color=_GENE)
    axes.set_ylim(-1.1, 1.4)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
