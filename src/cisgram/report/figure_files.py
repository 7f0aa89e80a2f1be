"""Figures as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import check_suffix
from cisgram.explain.figure_options import FIGURES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: "Figure", out: Path) -> None:
    """Write a figure in the format that its name says.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    check_suffix(out, *FIGURES)
    with atomic_file(out) as building:
        figure.savefig(building, format=out.suffix.lower().removeprefix("."), dpi=150)
