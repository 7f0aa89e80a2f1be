"""A picture of what words do before genes: effect by distance, a panel a word."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cisgram.report.figure_files import head_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_A_LINE = 4
_PANEL_INCHES = (3.0, 2.4)
_LEAST_WIDTH = 5.0
"""Inches that the title needs."""
_WORD, _NULL = "#0a6c74", "#999"


def draw_words(table: pl.DataFrame, out: Path, *, track: str) -> None:
    """Write the picture: each word's effect with its interval, and its null in grey.

    Args:
        table: as `GeneWords.table` makes it.
        out: .png, .pdf or .svg.
        track: what the effects are on.

    Raises:
        ConfigError: the name ends in no known suffix.
    """
    from matplotlib.figure import Figure

    panels = table.partition_by("word", "sequence", maintain_order=True)
    n_columns = min(len(panels), _A_LINE)
    n_lines = -(-len(panels) // n_columns)
    width, height = (
        n * inches for n, inches in zip((n_columns, n_lines), _PANEL_INCHES, strict=True)
    )
    figure = Figure(figsize=(max(width + 0.8, _LEAST_WIDTH), height + 0.8), layout="constrained")
    head_figure(figure, f"effect of words on {track} of {table['genes'][0]:,} genes")
    axes: Any = figure.subplots(n_lines, n_columns, sharex=True, sharey=True, squeeze=False)
    for panel, rows in zip(axes.flat, panels, strict=False):
        _draw_panel(panel, rows.sort("distance"))
    axes[0, 0].legend(fontsize=8, frameon=False)
    for panel in axes.flat[len(panels) :]:
        panel.set_visible(False)
    # Genes are read to the right, so that their promoters lie to the left.
    axes[0, 0].xaxis.set_inverted(True)
    figure.supxlabel("bases from the word's middle to the gene", fontsize=9)
    figure.supylabel(f"effect on {track}", fontsize=9)
    save_figure(figure, out)


def _draw_panel(axes: "Axes", rows: pl.DataFrame) -> None:
    """Draw one word; of a single distance a line has no length, so that its points are marked."""
    distances = rows["distance"].to_numpy()
    low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
    axes.axhline(0, color="#ddd", linewidth=0.8, zorder=0)
    axes.plot(distances, rows["null"].to_numpy(), color=_NULL, marker=".", label="shuffled letters")
    axes.fill_between(distances, low, high, color=_WORD, alpha=0.2, linewidth=0)
    axes.vlines(distances, low, high, color=_WORD, linewidth=0.8)
    axes.plot(distances, rows["effect"].to_numpy(), color=_WORD, marker=".", label="word")
    word, sequence = rows.select("word", "sequence").row(0)
    axes.set_title(word if word == sequence else f"{word}, {sequence}", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
