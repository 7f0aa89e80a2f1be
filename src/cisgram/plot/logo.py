"""Sequence logos: what a language model expects at every base, under what is known there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8

from cisgram.genome.alphabet import LETTERS, decode
from cisgram.genome.interval import Interval
from cisgram.plot.bases import (
    BASES_A_LINE,
    draw_sites,
    label_positions,
    lines_of,
    width_of,
)
from cisgram.plot.figures import COLOURS, draw_letters, head_figure, plain_axes
from cisgram.plot.sites import Site

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE_INCHES, _MOST_BITS = 1.7, 2.0
_LEAST_BITS = 0.01
"""Height under which a letter is left out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LogoPicture:
    """What is drawn."""

    region: Interval
    """Positions along its strand."""
    tokens: UInt8[np.ndarray, "positions"]
    """The bases that are there."""
    heights: Float32[np.ndarray, "positions 4"]
    """Bits of A, C, G and T; NaN at N."""
    title: str
    sites: Sequence[Site] = ()
    """Named sites, drawn where they overlap the region."""


def draw_logo(picture: LogoPicture) -> "Figure":
    """Return a figure: for every line of bases the predicted letters over the DNA itself.

    A column is as high as the prediction is sure, in bits; letters share it by their probability.
    A base of the DNA is bold where no other is predicted likelier.
    """
    from matplotlib.figure import Figure

    lines = lines_of(picture.region)
    size = (width_of(picture.region), 0.7 + _LINE_INCHES * len(lines))
    figure = Figure(figsize=size, layout="constrained")
    head_figure(figure, picture.title)
    axes = figure.subplots(len(lines), 1, squeeze=False)[:, 0]
    for own, part in zip(axes, lines, strict=True):
        draw_letters(own, _columns(picture.heights[part]))
        draw_sites(own, picture.sites, picture.region, part)
        _write_dna(own, picture, part)
        own.set_ylim(0, _MOST_BITS * 1.15)
        own.set_yticks([0, 1, 2])
        own.set_ylabel("bits", fontsize=9)
        plain_axes(own)
        label_positions(own, picture.region, part)
        own.tick_params(axis="x", length=0, pad=14)
        own.set_xlim(-0.5, min(picture.region.length, BASES_A_LINE) - 0.5)
    return figure


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


def _write_dna(axes: "Axes", picture: LogoPicture, part: slice) -> None:
    heights = np.nan_to_num(picture.heights[part], nan=-1)
    likeliest, tokens = heights.argmax(axis=1), picture.tokens[part]
    for at, letter in enumerate(decode(tokens)):
        expected = likeliest[at] == tokens[at]
        axes.text(
            at, -0.02, letter, transform=axes.get_xaxis_transform(), ha="center", va="top",
            fontsize=7.5, color=COLOURS.get(letter, "#555"), alpha=1.0 if expected else 0.55,
            fontweight="bold" if expected else "normal",
        )  # fmt: skip
