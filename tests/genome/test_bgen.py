"""BGEN: expected dosages of people, however the probabilities are written."""

import sys
from pathlib import Path

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.genotypes import genotype_people, import_genotypes
from cisgram.genome.interval import Interval
from genotype_files import load

PEOPLE = ["ann", "bob", "eve"]
NAN = float("nan")
UNPHASED = np.array([[1, 0, 0], [0.25, 0.5, 0.25], [0, 0, 1]])
MISSING = np.array([[0, 1, 0], [NAN, NAN, NAN], [0.5, 0.5, 0]])
PHASED = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1]], dtype=float)


def write(
    path: Path, *, people: list[str] | None = PEOPLE, positions: tuple[int, ...] = (5, 7, 9)
) -> Path:
    """Two variants of 1, spelt 01, and a phased one of X."""
    bgen = pytest.importorskip("bgen")
    with bgen.BgenWriter(str(path), 3, samples=people or []) as file:
        for number, (position, p) in enumerate(
            zip(positions, (UNPHASED, MISSING, PHASED), strict=True)
        ):
            chrom = "01" if number < 2 else "X"
            file.add_variant(
                f"v{position}", f"rs{position}", chrom, position, ["A", "G"], p,
                phased=p is PHASED, bit_depth=16,
            )  # fmt: skip
    return path


def test_expected_dosages_and_the_calls_that_are_sure(tmp_path: Path) -> None:
    source = write(tmp_path / "a.bgen")
    assert genotype_people(source) == tuple(PEOPLE)
    found, counts = load(source, tmp_path, people=["eve", "ann", "bob"])
    assert found.variants.select("chrom", "start", "id", "ref", "alt").rows() == [
        ("1", 4, "rs5", "A", "G"), ("1", 6, "rs7", "A", "G"), ("X", 8, "rs9", "A", "G"),
    ]  # fmt: skip
    expected = [[2, 0.5, 2], [0, 1, 1], [1, np.nan, 0]]
    np.testing.assert_allclose(found.dosages(slice(0, 3)), expected, atol=1e-3)
    assert found.alleles(slice(0, 3))[1].tolist() == [[0, 0, 0], [0, 1, 1]]
    assert (counts.n_read, counts.n_kept) == (3, 3)
    part, _ = load(source, tmp_path / "part", region=Interval("chr1", 6, 9))
    assert part.variants["id"].to_list() == ["rs7"]


def test_people_may_be_named_beside_it(tmp_path: Path) -> None:
    source = write(tmp_path / "a.bgen", people=None)
    with pytest.raises(DataError, match=r"names no people; put its .sample file a.sample beside"):
        genotype_people(source)
    rows = "".join(f"f {person} 0 1\n" for person in PEOPLE)
    (tmp_path / "a.sample").write_text(f"ID_1 ID_2 missing sex\n0 0 0 D\n{rows}")
    assert load(source, tmp_path)[0].people == tuple(PEOPLE)
    (tmp_path / "a.sample").write_text("ID_1 ID_2 missing sex\n0 0 0 D\nf ann 0 1\n")
    with pytest.raises(DataError, match=r"has 3 people and its .sample 1"):
        import_genotypes(source, tmp_path / "store")


def test_bgens_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"a.bgen is not sorted: 1:4 \(variant 2\)"):
        import_genotypes(write(tmp_path / "a.bgen", positions=(5, 4, 9)), tmp_path / "store")
    content = write(tmp_path / "a.bgen").read_bytes()
    for size in (len(content) - 5, len(content) - 90):
        (tmp_path / "a.bgen").write_bytes(content[:size])
        with pytest.raises(DataError, match="damaged or cut short"):
            import_genotypes(tmp_path / "a.bgen", tmp_path / "store")
    (tmp_path / "a.bgen").write_text("words of another kind")
    with pytest.raises(DataError, match=r"a.bgen is no BGEN"):
        genotype_people(tmp_path / "a.bgen")
    monkeypatch.setitem(sys.modules, "bgen", None)
    (tmp_path / "a.bgen").write_bytes(content)
    with pytest.raises(ConfigError, match=r"this needs bgen; install it with"):
        genotype_people(tmp_path / "a.bgen")
