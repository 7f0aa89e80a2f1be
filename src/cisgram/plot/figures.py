"""What every figure shares: its title, its file, its letters."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import check_suffix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path as Outline

SUFFIXES = (".png", ".pdf", ".svg")
"""How the names of figures end."""
COLOURS = {"A": "#1b8a3d", "C": "#2257b8", "G": "#c77700", "T": "#c62f2f"}
"""Of the bases."""
SITE = "#6b4fa0"
"""Colour of known sites and genes."""
FIRST, SECOND = "#0a6c74", "#bf4d22"
"""Colours of two series."""
_LETTER_WIDTH = 0.92
_OUTLINES: dict[str, "Outline"] = {}


def new_figure(width: float, height: float, title: str) -> "Figure":
    """Return a figure of these inches, its title at the left end, where narrow screens begin."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def as_written(figure: "Figure") -> "Figure":
    """Let a figure show names as they are written: dollar signs enclose no formulas in them."""
    from matplotlib.text import Text

    texts: Any = figure.findobj(Text)
    for text in texts:
        text.set_parse_math(False)
    return figure


def save_figure(figure: "Figure", out: Path) -> None:
    """Write a figure in the format that its name says."""
    check_suffix(out, *SUFFIXES)
    with atomic_file(out) as building:
        figure.savefig(building, format=out.suffix.lower().removeprefix("."), dpi=150)


def plain_axes(axes: "Axes", *, left: bool = True) -> None:
    """Leave nothing of the frame but the left side, if that."""
    axes.spines[["top", "right", "bottom", *([] if left else ["left"])]].set_visible(False)
    axes.tick_params(labelsize=8)


def draw_letters(axes: "Axes", letters: Iterable[tuple[str, float, float, float]]) -> None:
    """Draw letters of bases: each its name, the place of its middle, its foot and its height."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    placed: dict[str, list[Outline]] = {letter: [] for letter in COLOURS}
    for letter, middle, foot, height in letters:
        outline = _outline(letter)
        size, shift = (_LETTER_WIDTH, height), (middle - _LETTER_WIDTH / 2, foot)
        moved = np.asarray(outline.vertices) * size + np.array(shift)
        placed[letter].append(Outline(moved, outline.codes))
    for letter, outlines in placed.items():
        if outlines:
            # One path for all instances of a letter: drawing is then quick and files small.
            joined = Outline.make_compound_path(*outlines)
            axes.add_patch(PathPatch(joined, facecolor=COLOURS[letter], linewidth=0))


def _outline(letter: str) -> "Outline":
    """Return a letter in a box of one by one."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path as Outline
    from matplotlib.textpath import TextPath

    if letter not in _OUTLINES:
        font = FontProperties(family="DejaVu Sans", weight="bold")
        text = TextPath((0, 0), letter, size=1, prop=font)
        box = text.get_extents()
        vertices = (np.asarray(text.vertices) - [box.x0, box.y0]) / [box.width, box.height]
        _OUTLINES[letter] = Outline(vertices, text.codes)
    return _OUTLINES[letter]
