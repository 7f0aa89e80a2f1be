"""Effects of variants along the genome."""

import numpy as np
import polars as pl
from matplotlib.colors import to_hex

from cisgram.plot.figures import FIRST, SECOND
from cisgram.plot.variants import draw_effects
from plot.drawn import laid_out, texts

VARIANTS = pl.DataFrame(
    [("c1", 99, "A", "C"), ("c1", 199, "G", "GT"), ("c0", 4, "T", "A"), ("c1", 299, "C", "T")],
    schema=["chrom", "start", "ref", "alt"],
    orient="row",
)
EFFECTS = np.array([0.5, -1, 0.25, np.nan], np.float32)


def test_lines_are_as_high_as_effects_at_their_positions() -> None:
    figure = draw_effects(VARIANTS, EFFECTS, output="worth", genes=["a", "b", "c", "d"])
    first, second = figure.axes
    (lines,) = [own for own in first.collections if len(own.get_segments())]
    ends = [[tuple(point) for point in line] for line in lines.get_segments()]
    assert ends == [[(100, 0), (100, 0.5)], [(200, 0), (200, -1)]]
    assert [to_hex(colour) for colour in lines.get_colors()] == [FIRST, SECOND]
    assert [axes.get_ylabel() for axes in (first, second)] == ["c1", "c0"]
    assert texts(first) == ["200 G>GT b", "100 A>C a"]
    assert texts(second) == ["5 T>A c"]
    assert [text.xy for text in first.texts] == [(200, -1), (100, 0.5)]
    assert figure.get_suptitle() == "Effect of the alternate allele on worth"
    laid_out(figure)
    assert first.xaxis.get_major_formatter()(12_345) == "12,345"


def test_the_eight_largest_are_named() -> None:
    n = 12
    rows = [("c0", 10 * at, "A", "C") for at in range(n)]
    variants = pl.DataFrame(rows, schema=["chrom", "start", "ref", "alt"], orient="row")
    effects = np.arange(n, dtype=np.float32)
    (axes,) = draw_effects(variants, effects, output="worth").axes
    assert texts(axes) == [f"{10 * at + 1} A>C" for at in range(11, 3, -1)]


def test_no_variants_are_an_empty_figure() -> None:
    figure = draw_effects(VARIANTS.clear(), EFFECTS[:0], output="worth")
    laid_out(figure)
    assert texts(figure.axes[0]) == []
