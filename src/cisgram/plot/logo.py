"""Sequence logos: a language model's predictions at every base, under known sites."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8

from cisgram.genome.alphabet import LETTERS, decode
from cisgram.genome.interval import Interval
from cisgram.plot.bases import BASES_A_LINE, draw_sites, figure_of_lines, label_positions
from cisgram.plot.figures import COLOURS, as_written, draw_letters, plain_axes
from cisgram.plot.sites import Site

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE_INCHES, _MOST_BITS = 1.7, 2.0
_LEAST_BITS = 0.01
"""Height under which a letter is left out."""


def draw_logo(
    region: Interval,
    tokens: UInt8[np.ndarray, "positions"],
    heights: Float32[np.ndarray, "positions 4"],
    *,
    title: str,
    sites: Sequence[Site] = (),
) -> "Figure":
    """Return a figure: for every line of bases the predicted letters over the DNA itself.

    Positions are along the region's strand. `heights` are bits of A, C, G and T, NaN at N: a column
    is as high as the prediction is sure, and letters share it by their probability. A base of the
    DNA is bold where no other is predicted likelier. Sites are drawn where they overlap the region.
    """
    figure, lines = figure_of_lines(region, title, inches=_LINE_INCHES)
    axes = figure.subplots(len(lines), 1, squeeze=False)[:, 0]
    for line, part in zip(axes, lines, strict=True):
        draw_letters(line, _columns(heights[part]))
        draw_sites(line, sites, region, part=part)
        _write_dna(line, tokens[part], heights[part])
        line.set_ylim(0, _MOST_BITS * 1.15)
        line.set_yticks([0, 1, 2])
        line.set_ylabel("bits", fontsize=9)
        plain_axes(line)
        label_positions(line, region, part)
        line.tick_params(axis="x", length=0, pad=14)
        line.set_xlim(-0.5, min(region.length, BASES_A_LINE) - 0.5)
    return as_written(figure)


def _columns(
    heights: Float32[np.ndarray, "positions 4"],
) -> Iterator[tuple[str, float, float, float]]:
    """Yield a stack of letters at each base, the likeliest on top."""
    for at, column in enumerate(np.nan_to_num(heights)):
        foot = 0.0
        for base in np.argsort(column):
            size = float(column[base])
            if size > _LEAST_BITS:
                yield LETTERS[base], at, foot, size
            foot += size


def _write_dna(
    axes: "Axes", tokens: UInt8[np.ndarray, "bases"], heights: Float32[np.ndarray, "bases 4"]
) -> None:
    known = np.pad(np.nan_to_num(heights, nan=-1), ((0, 0), (0, 1)), constant_values=-2)  # N
    for at, letter in enumerate(decode(tokens)):
        expected = known[at, tokens[at]] == known[at].max()
        axes.text(
            at, -0.02, letter, transform=axes.get_xaxis_transform(), ha="center", va="top",
            fontsize=7.5, color=COLOURS.get(letter, "#555"), alpha=1.0 if expected else 0.55,
            fontweight="bold" if expected else "normal",
        )  # fmt: skip
