"""Figures as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import check_suffix
from cisgram.explain.figure_options import FIGURES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def head_figure(figure: "Figure", title: str) -> None:
    """Write a title over a figure, from its left end, where narrow screens begin."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)


def save_figure(figure: "Figure", out: Path) -> None:
    """Write a figure in the format that its name says.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    check_suffix(out, *FIGURES)
    with atomic_file(out) as building:
        figure.savefig(building, format=out.suffix.lower().removeprefix("."), dpi=150)
