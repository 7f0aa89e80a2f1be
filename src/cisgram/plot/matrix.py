"""Matrices: values of rows and columns as colours, and rows on their principal components."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from cisgram.plot.figures import FIRST, as_written, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NAMES = 60
_LETTER_INCHES = 0.07


def draw_matrix(
    values: Float32[np.ndarray, "rows columns"], *, rows: Sequence[str], columns: Sequence[str]
) -> "Figure":
    """Return a figure of values as colours, each column centred and scaled by itself."""
    centred = values - np.nanmean(values, axis=0)
    scale = np.nanstd(values, axis=0)
    shown = np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0)
    width, height = 2 + 0.3 * max(len(columns), 10), 0.8 + 0.2 * min(len(rows), _MOST_NAMES)
    height += _LETTER_INCHES * max(map(len, columns))
    figure = new_figure(width, height, "Predictions, in standard deviations of each output")
    axes = figure.subplots()
    image = axes.imshow(shown, cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=8)
    if len(rows) <= _MOST_NAMES:
        axes.set_yticks(range(len(rows)), rows, fontsize=8)
    figure.colorbar(image, ax=axes, shrink=0.5)
    return as_written(figure)


def draw_components(
    values: Float32[np.ndarray, "rows channels"], *, names: Sequence[str]
) -> "Figure":
    """Return a figure of rows on their first two principal components."""
    centred = values - values.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(values), 2), dtype=np.float32)
    n = min(2, sizes.size)
    places[:, :n] = left[:, :n] * sizes[:n]
    share = sizes**2 / max(float((sizes**2).sum()), 1e-12)
    title = f"{len(values):,} embeddings on their first two principal components"
    figure = new_figure(6, 5, title)
    axes = figure.subplots()
    axes.scatter(*places.T, s=12, color=FIRST)
    for number, set_label in zip(range(n), (axes.set_xlabel, axes.set_ylabel), strict=False):
        set_label(f"component {number + 1}, {share[number]:.0%} of the variance", fontsize=9)
    if len(names) <= _MOST_NAMES:
        for name, (x, y) in zip(names, places, strict=True):
            axes.annotate(name, (x, y), (3, 3), textcoords="offset points", fontsize=7)
    return as_written(figure)
