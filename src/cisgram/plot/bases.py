"""Bases of a region: their contributions, over effects of each of the four at each position."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8

from cisgram.genome.alphabet import LETTERS, N
from cisgram.genome.interval import Interval
from cisgram.plot.figures import SITE, as_written, draw_letters, new_figure, plain_axes
from cisgram.plot.sites import Site, label_sites

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASES_A_LINE = 100
_LINE_INCHES, _BASE_INCHES = 2.3, 0.1
_BESIDE_INCHES, _LEAST_INCHES = 2.0, 7.5
"""Left and right of the bases, and what a title needs."""
_LEVELS = 5
"""Heights of names over the bases; more would stand on the letters, so that they begin anew."""
_LETTER_INCHES = 0.08
"""Width of a letter of a name, as written over the bases."""


def figure_of_lines(region: Interval, title: str, *, inches: float) -> tuple["Figure", list[slice]]:
    """Return a figure with room for lines of bases, and the positions of each line."""
    n = region.length
    lines = [slice(first, min(first + BASES_A_LINE, n)) for first in range(0, n, BASES_A_LINE)]
    width = max(_BESIDE_INCHES + _BASE_INCHES * min(n, BASES_A_LINE), _LEAST_INCHES)
    return new_figure(width, 0.7 + inches * len(lines), title), lines


def draw_bases(
    region: Interval,
    tokens: UInt8[np.ndarray, "positions"],
    heights: Float32[np.ndarray, "positions"],
    *,
    effects: Float32[np.ndarray, "positions 4"],
    effects_are: str,
    title: str,
    sites: Sequence[Site] = (),
) -> "Figure":
    """Return a figure: for every line of bases their contributions over colours of the effects.

    What raises the output stands above the line and is red, what lowers it below and blue.
    Positions are along the region's strand. A height is that of the letter that is there; NaN
    stands for no letter. Sites are drawn where they overlap the region.
    """
    figure, lines = figure_of_lines(region, title, inches=_LINE_INCHES)
    axes = figure.subplots(2 * len(lines), 1, squeeze=False, height_ratios=[1.5, 1] * len(lines))
    heights = np.nan_to_num(heights)
    limits = (min(heights.min(), 0) * 1.1, max(heights.max(), 1e-6) * 1.35)
    largest = float(np.nanmax(np.abs(effects), initial=1e-6))
    image = None
    for line, part in enumerate(lines):
        logo, heat = axes[2 * line, 0], axes[2 * line + 1, 0]
        draw_letters(logo, _letters(tokens[part], heights[part]))
        logo.axhline(0, color="#999", linewidth=0.6)
        logo.set_ylabel("contribution", fontsize=9)
        logo.set_xticks([])
        logo.set_ylim(*limits)
        plain_axes(logo)
        draw_sites(logo, sites, region, part=part)
        image = heat.imshow(
            effects[part].T, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto",
            interpolation="nearest",
        )  # fmt: skip
        heat.set_yticks(range(4), list("ACGT"), fontsize=8)
        label_positions(heat, region, part)
        for axis in (logo, heat):
            axis.set_xlim(-0.5, min(region.length, BASES_A_LINE) - 0.5)
    if image is not None:
        bar = figure.colorbar(image, ax=axes[:, 0].tolist(), shrink=0.5, pad=0.01)
        bar.set_label(effects_are, fontsize=9)
        bar.ax.tick_params(labelsize=8)
    return as_written(figure)


def _letters(
    tokens: UInt8[np.ndarray, "bases"], heights: Float32[np.ndarray, "bases"]
) -> Iterator[tuple[str, float, float, float]]:
    for at, (token, height) in enumerate(zip(tokens.tolist(), heights.tolist(), strict=True)):
        if token < N and height:
            yield LETTERS[token], at, 0, height


def draw_sites(axes: "Axes", sites: Sequence[Site], region: Interval, *, part: slice) -> None:
    """Shade the sites of a line and write their names."""
    n = min(region.length, BASES_A_LINE)
    letter = _LETTER_INCHES * n / max(_BASE_INCHES * n, _LEAST_INCHES - _BESIDE_INCHES)
    for label in label_sites(sites, region, part, letter=letter):
        start, end, middle = (
            place - part.start - 0.5 for place in (label.start, label.end, label.middle)
        )
        axes.axvspan(start, end, color=SITE, alpha=0.12, linewidth=0)
        axes.text(
            middle, 0.98 - 0.13 * (label.level % _LEVELS), label.text, fontsize=9,
            transform=axes.get_xaxis_transform(), color=SITE, ha="center", va="top",
        )  # fmt: skip


def label_positions(axes: "Axes", region: Interval, part: slice) -> None:
    """Write positions, counted from 1, under every 25th base."""
    places = range(part.start, part.stop, 25)
    positions = [f"{region.position(place) + 1:,}" for place in places]
    axes.set_xticks([place - part.start for place in places], positions, fontsize=9)
