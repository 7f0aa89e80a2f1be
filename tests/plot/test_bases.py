"""Contributions as letters over colours of effects."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from cisgram.genome.alphabet import LETTERS, encode
from cisgram.genome.interval import Interval
from cisgram.plot.bases import draw_bases
from cisgram.plot.sites import Site
from plot.drawn import laid_out, letters, texts, ticks


def drawn(
    strand: str = "+", *, n: int = 130, sites: tuple[Site, ...] = ()
) -> tuple[Figure, np.ndarray, np.ndarray]:
    """A figure of bases of which one is N, their tokens and heights."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, n).astype(np.uint8)
    effects = rng.normal(size=(n, 4)).astype(np.float32)
    tokens[3], effects[3] = 4, np.nan
    heights = -effects.sum(axis=1) / 3
    figure = draw_bases(
        Interval("c0", 1_000, 1_000 + n, strand),
        tokens,
        heights,
        effects=effects,
        effects_are="effect on worth",
        title="toy",
        sites=sites,
    )
    return figure, tokens, heights


def test_letters_stand_above_the_line_or_hang_below_it() -> None:
    figure, tokens, heights = drawn()
    logos = figure.axes[0:4:2]
    found = letters(logos[0]) | {
        (place + 100, base): ends for (place, base), ends in letters(logos[1]).items()
    }
    expected = {
        (at, LETTERS[token]): (min(height, 0), max(height, 0))
        for at, (token, height) in enumerate(zip(tokens, heights, strict=True))
        if token < 4
    }
    assert found.keys() == expected.keys()
    for key, ends in expected.items():
        assert found[key] == pytest.approx(ends, abs=1e-5)
    low, high = logos[0].get_ylim()
    assert low < np.nanmin(heights) < 0 < np.nanmax(heights) < high
    assert logos[1].get_ylim() == (low, high)


def test_colours_are_effects_of_acgt_from_top_to_bottom() -> None:
    effects = np.zeros((3, 4), np.float32)
    effects[0, 0], effects[2, 3] = 0.5, -2
    effects[1] = np.nan
    figure = draw_bases(
        Interval("c0", 0, 3),
        encode("CNC"),
        np.zeros(3, np.float32),
        effects=effects,
        effects_are="effect on worth",
        title="toy",
    )
    _, heat, bar = figure.axes
    (image,) = heat.images
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), effects.T)
    assert image.get_clim() == (-2, 2)
    assert ticks(heat.yaxis) == list("ACGT")
    assert heat.get_ylim() == (3.5, -0.5)
    red, _, _, _ = image.cmap(image.norm(2.0))
    _, _, blue, _ = image.cmap(image.norm(-2.0))
    assert image.cmap(image.norm(2.0))[2] < red
    assert image.cmap(image.norm(-2.0))[0] < blue
    assert bar.get_ylabel() == "effect on worth"


@pytest.mark.parametrize(
    ("strand", "first", "second"),
    [
        ("+", ["1,001", "1,026", "1,051", "1,076"], ["1,101", "1,126"]),
        ("-", ["1,130", "1,105", "1,080", "1,055"], ["1,030", "1,005"]),
    ],
)
def test_positions_count_from_one_along_the_strand(
    strand: str, first: list[str], second: list[str]
) -> None:
    figure, _, _ = drawn(strand)
    assert [ticks(figure.axes[line].xaxis) for line in (1, 3)] == [first, second]
    assert [axes.get_ylabel() for axes in figure.axes[0:4:2]] == ["contribution"] * 2
    assert {axes.get_xlim() for axes in figure.axes[:4]} == {(-0.5, 99.5)}
    assert figure.get_suptitle() == "toy"


@pytest.mark.parametrize(("strand", "label", "at"), [("+", "◂ Reb1", 20), ("-", "Reb1 ▸", 2)])
def test_sites_are_shaded_and_named_along_their_strand(strand: str, label: str, at: int) -> None:
    figure, _, _ = drawn(strand, sites=(Site("Reb1", Interval("c0", 1_120, 1_128, "-")),))
    line = 2 if strand == "+" else 0
    assert texts(figure.axes[line]) == [label]
    (shade,) = [patch for patch in figure.axes[line].patches if patch.get_alpha() == 0.12]
    assert shade.get_x() == at - 0.5
    assert shade.get_width() == 8
    assert texts(figure.axes[2 - line]) == []


def test_names_stay_within_their_axes() -> None:
    names = ("a long name at the start", "on either line", "at the end")
    places = ((1_000, 1_001), (1_099, 1_101), (1_129, 1_130))
    sites = [Site(name, Interval("c0", *at)) for name, at in zip(names, places, strict=True)]
    figure, _, _ = drawn(sites=tuple(sites))
    renderer = laid_out(figure)
    found = [(axes.bbox, text) for axes in figure.axes[0:4:2] for text in axes.texts]
    assert len(found) == 4
    for box, text in found:
        extent = text.get_window_extent(renderer)
        assert box.x0 - 1 <= extent.x0 < extent.x1 <= box.x1 + 1
        assert box.y0 <= extent.y0 < extent.y1 <= box.y1


def test_bases_that_do_nothing_are_drawn() -> None:
    nothing = np.zeros((5, 4), np.float32)
    figure = draw_bases(
        Interval("c0", 0, 5),
        encode("ACGTN"),
        nothing[:, 0],
        effects=nothing,
        effects_are="",
        title="toy",
    )
    laid_out(figure)
    assert letters(figure.axes[0]) == {}
