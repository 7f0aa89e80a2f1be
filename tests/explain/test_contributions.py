"""Contributions: their table, figure and file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.explain.contributions import Contributions
from cisgram.genome.interval import Interval

HYPOTHETICAL = np.arange(12, dtype=np.float32).reshape(3, 4)
FOUND = Contributions(
    region=Interval("c0", 100, 103, "-"),
    subject="LEF1",
    output="worth",
    tokens=np.array([3, 0, 4], np.uint8),
    contributions=np.array([3, 4, np.nan], np.float32),
    hypothetical=np.where([[True], [True], [False]], HYPOTHETICAL, np.float32(np.nan)),
    method="gradient times input",
)


def test_a_row_is_a_base_along_the_strand() -> None:
    first, second, unknown = FOUND.table.rows()
    assert first == ("c0", 103, "T", 3.0, 0.0, 1.0, 2.0, 3.0)
    assert second == ("c0", 102, "A", 4.0, 4.0, 5.0, 6.0, 7.0)
    assert unknown[:3] == ("c0", 101, "N")
    assert np.isnan(unknown[3:]).all()
    assert FOUND.columns == ["chrom", "position", "base", "contribution", "A", "C", "G", "T"]


def test_a_file_comes_back(tmp_path: Path) -> None:
    FOUND.write_arrays(tmp_path / "c.npz")
    again = Contributions.read(tmp_path / "c.npz")
    for name in ("region", "subject", "output", "method"):
        assert getattr(again, name) == getattr(FOUND, name)
    for name in ("tokens", "contributions", "hypothetical"):
        np.testing.assert_array_equal(getattr(again, name), getattr(FOUND, name))
    with pytest.raises(ConfigError, match=r"c\.npy must end in \.npz; rename it"):
        FOUND.write_arrays(tmp_path / "c.npy")


def test_other_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there are no contributions .*none\.npz; check the path"):
        Contributions.read(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    longer = replace(FOUND, region=Interval("c0", 100, 104))
    longer.write_arrays(tmp_path / "longer.npz")
    for name in ("text", "other", "longer"):
        with pytest.raises(DataError, match=f"{name}.npz holds no contributions of bases; write"):
            Contributions.read(tmp_path / f"{name}.npz")


def test_they_are_drawn_over_any_numbers() -> None:
    assert FOUND.plot().get_suptitle() == "c0:101-103(-): worth of LEF1, by gradient times input"
    drawn = FOUND.plot(colours=-HYPOTHETICAL, colours_are="effect of the change")
    assert drawn.axes[-1].get_ylabel() == "effect of the change"
    assert FOUND.plot().axes[-1].get_ylabel() == "contribution to worth"
