"""What every figure shares: files, letters, and names as they are written."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Text

from cisgram.core.checks import ConfigError
from cisgram.genome.alphabet import encode
from cisgram.genome.interval import Interval
from cisgram.plot.bases import draw_bases
from cisgram.plot.figures import COLOURS, draw_letters, save_figure
from cisgram.plot.insertions import draw_insertions
from cisgram.plot.logo import draw_logo
from cisgram.plot.matrix import draw_components, draw_matrix
from cisgram.plot.sites import Site
from cisgram.plot.tracks import draw_tracks
from cisgram.plot.variants import draw_effects
from plot.drawn import laid_out, letters

NAME = r"a$\frac$b_{2}^x <&> #%~ {} \n"
REGION, ONE = Interval("c0", 0, 4), np.ones((4, 4), np.float32)
SITES = [Site(NAME, Interval("c0", 1, 3, "-"))]
PLACES = pl.DataFrame({"chrom": [NAME], "start": [3], "ref": ["A"], "alt": ["C"]})
ROWS = pl.DataFrame(
    {"motif": NAME, "sequence": NAME, "distance": [10], "n": 2, "effect": 1.0, "low": 0.5,
     "high": 1.5, "null": 0.1}
)  # fmt: skip
DRAW: dict[str, Callable[[], Figure]] = {
    "bases": lambda: draw_bases(
        REGION, encode("ACGT"), ONE[0], effects=ONE, effects_are=NAME, title=NAME, sites=SITES
    ),
    "logo": lambda: draw_logo(REGION, encode("ACGT"), ONE / 4, title=NAME, sites=SITES),
    "tracks": lambda: draw_tracks(
        REGION, [NAME], ONE[:, :1], resolution=1, genes={NAME: REGION}, sites=SITES
    ),
    "variants": lambda: draw_effects(PLACES, ONE[0, :1], output=NAME, genes=[NAME]),
    "insertions": lambda: draw_insertions(ROWS, output=NAME, landmark="TSS", over=NAME),
    "matrix": lambda: draw_matrix(ONE, rows=[NAME] * 4, columns=[NAME] * 4),
    "components": lambda: draw_components(np.eye(4, dtype=np.float32), names=[NAME] * 4),
}
N_NAMES = {"bases": 3, "logo": 2, "tracks": 3, "variants": 3, "insertions": 4, "matrix": 8,
           "components": 4}  # fmt: skip


@pytest.mark.parametrize("kind", DRAW)
def test_names_are_drawn_as_they_are_written(kind: str, tmp_path: Path) -> None:
    figure = DRAW[kind]()
    for end in ("svg", "png"):
        save_figure(figure, tmp_path / f"a.{end}")
    text = (tmp_path / "a.svg").read_text()
    escaped = NAME.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert sum(line.count(escaped) for line in re.findall("<!--.*?-->", text)) == N_NAMES[kind]
    named = [own for own in figure.findobj(Text) if NAME in own.get_text()]
    assert len(named) >= N_NAMES[kind] - 1
    assert not any(own.get_parse_math() for own in named)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", DRAW)
def test_nothing_stands_over_the_edge_of_a_figure(kind: str) -> None:
    name = "YFG1"
    figure = DRAW[kind]()
    for text in figure.findobj(Text):
        text.set_text(text.get_text().replace(NAME, name))
    renderer = laid_out(figure)
    for text in figure.findobj(Text):
        if name in text.get_text() and text.get_visible():
            extent = text.get_window_extent(renderer)
            assert figure.bbox.x0 <= extent.x0 + 1, text
            assert extent.x1 <= figure.bbox.x1 + 1, text


def test_no_figure_is_left_open() -> None:
    for draw in DRAW.values():
        draw()
    assert pyplot.get_fignums() == []
    assert sys.modules["matplotlib"].rcParams["text.parse_math"]


def test_files_end_as_figures_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.jpg must end in \.png, \.pdf, \.svg; rename it"):
        save_figure(Figure(), tmp_path / "a.jpg")
    save_figure(Figure(), tmp_path / "a.PDF")
    assert (tmp_path / "a.PDF").read_bytes().startswith(b"%PDF")


def test_letters_have_their_colours_feet_and_heights() -> None:
    axes = Figure().subplots()
    shown = {(0, "A"): (0, 1), (0, "C"): (1, 1.5), (1, "G"): (-2, 0), (2, "T"): (0, 3)}
    draw_letters(axes, [(base, at, 0 if low < 0 else low, low if low < 0 else high - low)
                        for (at, base), (low, high) in shown.items()])  # fmt: skip
    found = letters(axes)
    assert found.keys() == shown.keys()
    for key, ends in shown.items():
        assert found[key] == pytest.approx(ends, abs=1e-6)
    assert len(set(COLOURS.values())) == 4
