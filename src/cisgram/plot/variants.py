"""Effects of variants along the genome."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32

from cisgram.plot.figures import FIRST, SECOND, as_written, new_figure, plain_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED = 8
"""Largest effects that are written out."""


def draw_effects(
    variants: pl.DataFrame,
    effects: Float32[np.ndarray, "variants"],
    *,
    output: str,
    genes: Sequence[str] = (),
) -> "Figure":
    """Return a figure: a panel a chromosome, a line as high as each effect; NaN is left out.

    `variants` have columns chrom, start (from 0), ref and alt; `genes` are whose output it is, one
    for each variant, none for models without genes.
    """
    from matplotlib.ticker import StrMethodFormatter

    chroms = variants["chrom"].unique(maintain_order=True).to_list()
    n = max(len(chroms), 1)
    figure = new_figure(10, 1 + 1.6 * n, f"Effect of the alternate allele on {output}")
    axes = figure.subplots(n, 1, squeeze=False)[:, 0]
    for panel, chrom in zip(axes, chroms, strict=False):
        rows = np.flatnonzero((variants["chrom"] == chrom).to_numpy() & ~np.isnan(effects))
        places = variants["start"].to_numpy()[rows] + 1
        colours = [FIRST if effects[row] > 0 else SECOND for row in rows]
        panel.vlines(places, 0, effects[rows], colors=colours, linewidth=1.2)
        panel.axhline(0, color="#999", linewidth=0.6)
        panel.set_ylabel(chrom, fontsize=9, rotation=0, ha="right", va="center")
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        panel.margins(0.05, 0.2)
        plain_axes(panel)
        for row in rows[np.argsort(-np.abs(effects[rows]))][:_NAMED].tolist():
            _, start, ref, alt = variants.select("chrom", "start", "ref", "alt").row(row)
            gene = f" {genes[row]}" if genes else ""
            panel.annotate(
                f"{start + 1:,} {ref}>{alt}{gene}", (start + 1, effects[row]), (2, 2),
                textcoords="offset points", fontsize=7,
            )  # fmt: skip
    return as_written(figure)
