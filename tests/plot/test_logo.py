"""Logos of predicted bases over the DNA."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from cisgram.genome.alphabet import encode
from cisgram.genome.interval import Interval
from cisgram.plot.figures import COLOURS
from cisgram.plot.logo import draw_logo
from cisgram.plot.sites import Site
from plot.drawn import laid_out, letters, texts, ticks

P = np.array([[0.97, 0.01, 0.01, 0.01], [0.5, 0.5, 0, 0], [0.25] * 4, [np.nan] * 4, [0, 0, 0.9, 0]])
BITS = np.array([1.758, 1, 0, np.nan, 1.5])
HEIGHTS = (P * BITS[:, None]).astype(np.float32)


def drawn(strand: str = "+", sites: tuple[Site, ...] = ()) -> Figure:
    region = Interval("c", 100, 105, strand)
    return draw_logo(region, encode("ATGNT"), HEIGHTS, title="a < b", sites=sites)


def test_letters_are_as_high_as_their_share_of_the_information() -> None:
    found = letters(drawn().axes[0])
    # The likeliest on top; nothing where every base is as likely, unknown, or hardly likely.
    small = 0.01 * 1.758
    assert found.keys() == {*((0, base) for base in "ACGT"), (1, "A"), (1, "C"), (4, "G")}
    assert found[0, "A"] == pytest.approx((3 * small, 3 * small + 0.97 * 1.758), abs=1e-4)
    assert sorted([*found[1, "A"], *found[1, "C"]]) == pytest.approx([0, 0.5, 0.5, 1])
    assert found[4, "G"] == pytest.approx((0, 1.35), abs=1e-5)


def test_the_dna_is_bold_where_no_other_base_is_likelier() -> None:
    (axes,) = drawn().axes
    shown = [(t.get_text(), t.get_fontweight(), t.get_color(), t.get_position()[0])
             for t in axes.texts]  # fmt: skip
    assert [letter for letter, *_ in shown] == list("ATGNT")
    assert [place for *_, place in shown] == list(range(5))
    assert [weight for _, weight, *_ in shown] == ["bold", "normal", "bold", "normal", "normal"]
    assert [colour for _, _, colour, _ in shown] == [
        *(COLOURS[base] for base in "ATG"), "#555", COLOURS["T"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("strand", "site", "x", "label"),
    [
        ("+", Interval("c", 101, 103, "+"), 1, "s ▸"),
        ("+", Interval("c", 101, 103, "-"), 1, "◂ s"),
        ("-", Interval("c", 100, 102, "-"), 3, "s ▸"),
        ("-", Interval("c", 90, 101, "+"), 4, "◂ s"),
    ],
)
def test_sites_stand_over_their_bases_and_point_along_their_strand(
    strand: str, site: Interval, x: int, label: str
) -> None:
    figure = drawn(strand, (Site("s", site), Site("far", Interval("c", 0, 9))))
    (axes,) = figure.axes
    (shade,) = [patch for patch in axes.patches if patch.get_alpha() == 0.12]
    assert shade.get_x() == x - 0.5
    assert [text for text in texts(axes) if len(text) > 1] == [label]
    assert ticks(axes.xaxis) == ["101" if strand == "+" else "105"]


def test_axes_are_bits() -> None:
    figure = drawn()
    (axes,) = figure.axes
    laid_out(figure)
    assert (axes.get_ylabel(), ticks(axes.yaxis)) == ("bits", ["0", "1", "2"])
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 2
    assert figure.get_suptitle() == "a < b"
