"""What stands in a figure: letters of bases, texts, and where they lie."""

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from cisgram.plot.figures import COLOURS

BASE_OF = {colour: base for base, colour in COLOURS.items()}


def letters(axes: Any) -> dict[tuple[int, str], tuple[float, float]]:
    """Return foot and top of the letters in axes, by the place of their middle and their base."""
    found: dict[tuple[int, str], tuple[float, float]] = {}
    for patch in axes.patches:
        if not isinstance(patch, PathPatch):
            continue
        path = patch.get_path()
        points = path.vertices[path.codes != Path.CLOSEPOLY]
        places = np.rint(points[:, 0]).astype(int)
        for place in np.unique(places).tolist():
            heights = points[places == place, 1]
            base = BASE_OF[to_hex(patch.get_facecolor())]
            found[place, base] = (float(heights.min()), float(heights.max()))
    return found


def texts(axes: Any) -> list[str]:
    """Return the texts in axes, empty ones left out."""
    return [text.get_text() for text in axes.texts if text.get_text()]


def ticks(axis: Any) -> list[str]:
    """Return the labels of an axis's ticks."""
    return [label.get_text() for label in axis.get_ticklabels()]


def laid_out(figure: Figure) -> Any:
    """Lay a figure out, and return what measures its texts."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()
