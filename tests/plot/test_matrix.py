"""Matrices as colours, and rows on their principal components."""

import numpy as np
import pytest

from cisgram.plot.matrix import draw_components, draw_matrix
from plot.drawn import laid_out, texts, ticks

VALUES = np.array([[1, 5, 10], [2, 5, 30], [3, 5, 20]], np.float32)


def test_columns_are_scaled_by_themselves() -> None:
    figure = draw_matrix(VALUES, rows=["a", "b", "c"], columns=["x", "y", "z"])
    axes, _ = figure.axes
    (image,) = axes.images
    root = np.sqrt(1.5)
    expected = [[-root, 0, -root], [0, 0, root], [root, 0, 0]]
    np.testing.assert_allclose(image.get_array(), expected, rtol=1e-5)
    assert image.get_clim() == (-3, 3)
    assert (ticks(axes.yaxis), ticks(axes.xaxis)) == (["a", "b", "c"], ["x", "y", "z"])
    assert axes.get_ylim() == (2.5, -0.5)
    laid_out(figure)
    assert "standard deviations" in figure.get_suptitle()


def test_components_keep_distances_and_name_their_share() -> None:
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(5, 2)) * (3, 1) @ np.linalg.qr(rng.normal(size=(7, 7)))[0][:2]
    figure = draw_components(plane.astype(np.float32) + 4, names=list("abcde"))
    (axes,) = figure.axes
    found = np.asarray(axes.collections[0].get_offsets())
    for values in (plane, found):
        values -= values.mean(axis=0)
    gaps = [np.linalg.norm(own[:, None] - own, axis=-1) for own in (plane, found)]
    np.testing.assert_allclose(gaps[1], gaps[0], atol=1e-4)
    share = found.var(axis=0) / found.var(axis=0).sum()
    assert axes.get_xlabel() == f"component 1, {share[0]:.0%} of the variance"
    assert axes.get_ylabel() == f"component 2, {share[1]:.0%} of the variance"
    assert texts(axes) == list("abcde")
    places = np.array([text.xy for text in axes.texts])
    np.testing.assert_allclose(places - places.mean(axis=0), found)
    laid_out(figure)


def test_one_embedding_has_one_component() -> None:
    figure = draw_components(np.ones((1, 4), np.float32), names=["a"])
    laid_out(figure)
    assert figure.axes[0].get_xlabel() == "component 1, 0% of the variance"
    assert figure.axes[0].get_ylabel() == ""


@pytest.mark.parametrize(("n", "named"), [(60, True), (61, False)])
def test_many_rows_have_no_names(n: int, named: bool) -> None:
    values, names = np.eye(n, dtype=np.float32), [f"r{number}" for number in range(n)]
    matrix = draw_matrix(values, rows=names, columns=names).axes[0]
    assert (ticks(matrix.yaxis) == names) == named
    assert (texts(draw_components(values, names=names).axes[0]) == names) == named
