"""Effects of inserted motifs by distance."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from cisgram.explain.insert import Insertions
from cisgram.plot.figures import FIRST
from plot.drawn import laid_out, ticks


def found(n: int = 4, n_motifs: int = 5, **changes: Any) -> Insertions:
    shape = (n, n_motifs, 3, 1)
    effects = np.broadcast_to(np.array([1, 2, 3], np.float32)[:, None], shape)
    options: dict[str, Any] = {
        "subjects": tuple(f"g{number}" for number in range(n)),
        "motifs": tuple(f"m{number}" for number in range(n_motifs)),
        "sequences": ("m0", *["ACG"] * (n_motifs - 1)),
        "distances": (50, 150, 100),
        "outputs": ("worth",),
        "effects": effects.copy(),
        "nulls": -effects,
        "output": "worth",
        "landmark": "TSS",
    }
    return Insertions(**options | changes)


def test_a_panel_is_a_motif_beside_its_null() -> None:
    figure = found().plot()
    laid_out(figure)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["m0", *(f"m{n}, ACG" for n in range(1, 5))]
    assert len(figure.axes) == 8
    _, null, motif = panels[0].lines
    assert motif.get_xdata().tolist() == null.get_xdata().tolist() == [50, 100, 150]
    assert motif.get_ydata().tolist() == [1, 3, 2]
    assert null.get_ydata().tolist() == [-1, -3, -2]
    assert motif.get_color() == FIRST
    legend = panels[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["shuffled motif", "motif"]
    # Genes are read to the right.
    assert all(axes.get_xlim()[0] > axes.get_xlim()[1] for axes in panels)
    assert ticks(panels[-1].xaxis) == ["50", "100", "150"]


def test_axes_say_what_they_are() -> None:
    figure = found().plot()
    assert figure.get_suptitle() == "Effect of motifs on worth, mean over 4 genes"
    assert figure.get_supxlabel() == "bases from the motif's middle to the TSS"
    assert figure.get_supylabel() == "effect on worth"


def test_intervals_are_lines_from_low_to_high() -> None:
    own = found(n_motifs=1)
    own.effects[0] += 4
    (axes,) = own.plot().axes
    (lines,) = [kept for kept in axes.collections if hasattr(kept, "get_segments")]
    rows = own.table.sort("distance")
    ends = [[tuple(point) for point in line] for line in lines.get_segments()]
    assert ends == [[(row["distance"], pytest.approx(row["low"])),
                     (row["distance"], pytest.approx(row["high"]))]
                    for row in rows.iter_rows(named=True)]  # fmt: skip


@pytest.mark.parametrize("n", [1, 2])
def test_sequences_are_read_in_their_middle(n: int) -> None:
    figure: Figure = found(n, n_motifs=1, landmark="middle").plot()
    laid_out(figure)
    over = "1 sequence" if n == 1 else "2 sequences"
    assert figure.get_suptitle() == f"Effect of motifs on worth, mean over {over}"
    assert figure.get_supxlabel().endswith("to the middle")
