"""Signal along a region, over its genes and sites."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from cisgram.genome.interval import Interval
from cisgram.plot.figures import FIRST, SECOND
from cisgram.plot.sites import Site
from cisgram.plot.tracks import draw_tracks
from plot.drawn import laid_out, texts

VALUES = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
NAMES = ("rna+", "rna-", "mnase")
GENES = {
    "before": Interval("c0", 90, 106, "+"),
    "after": Interval("c0", 108, 130, "-"),
    "far": Interval("c0", 112, 120),
}


def drawn(strand: str = "+", **more: Any) -> Figure:
    region = Interval("c0", 100, 112, strand)
    options: dict[str, Any] = {"resolution": 4, "genes": {}} | more
    return draw_tracks(region, NAMES, VALUES, **options)


def steps(axes: Any) -> list[tuple[list[float], list[float]]]:
    shown = [patch.get_data() for patch in axes.patches if isinstance(patch, StepPatch)]
    return [(data.values.tolist(), data.edges.tolist()) for data in shown]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_the_strand_that_is_read_points_upwards(strand: str) -> None:
    figure = drawn(strand)
    rna, mnase, _ = figure.axes
    edges, way = [101, 105, 109, 113], slice(None, None, -1 if strand == "-" else 1)
    up, down = ([1, 4, 7][way], edges), ([-2, -5, -8][way], edges)
    assert steps(rna) == [up, down]
    assert steps(mnase) == [([3, 6, 9][way], edges)]
    assert [patch.get_facecolor()[:3] for patch in rna.patches] == [
        tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)) for colour in (FIRST, SECOND)
    ]
    assert [axes.get_ylabel() for axes in (rna, mnase)] == ["rna", "mnase"]
    assert rna.yaxis.get_major_formatter()(-5.0, 0) == "5"
    assert mnase.get_xlim() == ((113, 101) if strand == "-" else (101, 113))
    said = "c0:101-112(" + strand + "): predicted signal in bins of 4 bases"
    assert figure.get_suptitle() == said
    assert drawn(resolution=1).get_suptitle().endswith("at single bases")


@pytest.mark.parametrize("strand", ["+", "-"])
def test_genes_point_along_their_strand_over_their_own_bases(strand: str) -> None:
    figure = drawn(strand, genes=GENES)
    lane = figure.axes[-1]
    laid_out(figure)
    arrows = [(text.xyann, text.xy) for text in lane.texts if text.get_text() == ""]
    own = 0.5 if strand == "+" else -0.5
    # Base 101 is the first of the region, 113 where its last one ends.
    assert arrows == [((101, own), (107, own)), ((113, -own), (109, -own))]
    names = [text for text in lane.texts if text.get_text()]
    assert [(text.get_text(), text.get_position()[0]) for text in names] == [
        ("before", 104), ("after", 111)
    ]  # fmt: skip
    low, high = lane.get_ylim()
    renderer = laid_out(figure)
    for text in names:
        extent = text.get_window_extent(renderer)
        bottom, top = lane.transData.transform([(0, low), (0, high)])[:, 1]
        assert bottom <= extent.y0 < extent.y1 <= top + 1


@pytest.mark.parametrize("strand", ["+", "-"])
def test_sites_and_the_marked_region_are_shaded(strand: str) -> None:
    sites = [Site("Reb1", Interval("c0", 102, 104)), Site("far", Interval("c0", 0, 9))]
    figure = drawn(strand, sites=sites, marked=Interval("c0", 105, 107))
    shades = [patch for patch in figure.axes[0].patches if not isinstance(patch, StepPatch)]
    assert [(shade.get_x(), shade.get_width()) for shade in shades] == [(103, 2), (106, 2)]
    lane = figure.axes[-1]
    assert texts(lane) == ["Reb1"]
    assert lane.lines[0].get_xdata().tolist() == [103, 105]
    assert lane.texts[0].xy == (105 if strand == "+" else 103, 0)
    laid_out(figure)


def test_no_more_than_24_panels_are_drawn() -> None:
    names = [f"t{number}" for number in range(30)]
    values = np.zeros((3, 30), np.float32)
    figure = draw_tracks(Interval("c0", 0, 3), names, values, resolution=1, genes={})
    assert [axes.get_ylabel() for axes in figure.axes] == [*names[:24], ""]
