"""Effects of inserted motifs by distance, a panel a motif."""

from typing import TYPE_CHECKING, Any

import polars as pl

from cisgram.plot.figures import FIRST, as_written, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_A_LINE = 4
_PANEL_INCHES = (3.0, 2.4)
_LEAST_WIDTH = 5.0
"""Inches that the title needs."""
_NULL = "#999"
_MOST_TICKS = 8


def draw_insertions(table: pl.DataFrame, *, output: str, landmark: str, over: str) -> "Figure":
    """Return a figure: each motif's effect with its interval, and that of its letters shuffled.

    `table` is as `Insertions.of` returns it, `landmark` what distances are to, and `over` what the
    effects are means over.
    """
    panels = table.partition_by("motif", "sequence", maintain_order=True)
    n_columns = min(len(panels), _A_LINE)
    n_lines = -(-len(panels) // n_columns)
    width, height = (
        n * inches for n, inches in zip((n_columns, n_lines), _PANEL_INCHES, strict=True)
    )
    title = f"Effect of motifs on {output}, mean over {over}"
    figure = new_figure(max(width + 0.8, _LEAST_WIDTH), height + 0.8, title)
    axes: Any = figure.subplots(n_lines, n_columns, sharex=True, sharey=True, squeeze=False)
    for panel, rows in zip(axes.flat, panels, strict=False):
        _draw_panel(panel, rows.sort("distance"))
    axes[0, 0].legend(fontsize=8, frameon=False)
    for panel in axes.flat[len(panels) :]:
        panel.set_visible(False)
    # Genes are read to the right, so that their promoters lie to the left.
    axes[0, 0].xaxis.set_inverted(True)
    figure.supxlabel(f"bases from the motif's middle to the {landmark}", fontsize=9)
    figure.supylabel(f"effect on {output}", fontsize=9)
    return as_written(figure)


def _draw_panel(axes: "Axes", rows: pl.DataFrame) -> None:
    """Draw one motif; of a single distance a line has no length, so that its points are marked."""
    distances = rows["distance"].to_numpy()
    low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
    axes.axhline(0, color="#ddd", linewidth=0.8, zorder=0)
    axes.plot(distances, rows["null"].to_numpy(), color=_NULL, marker=".", label="shuffled motif")
    axes.fill_between(distances, low, high, color=FIRST, alpha=0.2, linewidth=0)
    axes.vlines(distances, low, high, color=FIRST, linewidth=0.8)
    axes.plot(distances, rows["effect"].to_numpy(), color=FIRST, marker=".", label="motif")
    motif, sequence = rows.select("motif", "sequence").row(0)
    axes.set_title(motif if motif == sequence else f"{motif}, {sequence}", fontsize=9)
    if len(distances) <= _MOST_TICKS:
        axes.set_xticks(distances)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
