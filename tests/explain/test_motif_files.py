import builtins
import gzip
from pathlib import Path

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.explain.motif_files import compare_motifs, jaspar_motifs, read_motifs
from cisgram.explain.motifs import Motif

JASPAR = """>MA0001.1\tFIRST tax=4932
A [ 10 0 1 ]
C [ 0 10 1 ]
G [ 0 0 1 ]
T [ 0 0 7 ]

>MA0002.2 SECOND
3 1
1 1
0 1
0 1
"""
MEME = """MEME version 4

ALPHABET= ACGT

strands: + -

MOTIF REB1 reb1-alias

log-odds matrix: alength= 4 w= 2 E= 0
   -40\t   -57\t   -72\t    77
   116\t  -353\t    59\t  -493

letter-probability matrix: alength= 4 w= 2 nsites= 9 E= 0
  0.0  0.0  0.0  1.0
  0.25 0.25 0.25 0.25

MOTIF ALONE NA
letter-probability matrix: alength= 4 w= 1
  1.0e-01 0.2 0.3 0.4
URL http://example.org
"""


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.jaspar", "a.jaspar.gz"])
def test_jaspar_counts_get_a_pseudocount(tmp_path: Path, name: str):
    first, second = read_motifs(write(tmp_path / name, JASPAR))
    assert (first.name, first.accession, first.width) == ("FIRST", "MA0001.1", 3)
    np.testing.assert_allclose(first.probabilities[0], np.array([10.25, 0.25, 0.25, 0.25]) / 11)
    np.testing.assert_allclose(first.probabilities[2], np.array([1.25, 1.25, 1.25, 7.25]) / 11)
    np.testing.assert_allclose(second.probabilities[0], np.array([3.25, 1.25, 0.25, 0.25]) / 5)


def test_meme_probabilities_weigh_by_their_sites(tmp_path: Path):
    first, second = read_motifs(write(tmp_path / "a.meme", MEME))
    assert (first.name, first.accession, first.width) == ("reb1-alias", "REB1", 2)
    np.testing.assert_allclose(first.probabilities[0], np.array([0.25, 0.25, 0.25, 9.25]) / 10)
    assert (second.name, second.width) == ("ALONE", 1)
    np.testing.assert_allclose(second.probabilities[0], (np.array([2.0, 4, 6, 8]) + 0.25) / 21)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t5\t9\n", "neither JASPAR nor MEME"),
        ("MEME version 4\n", "holds no motif"),
        (">M1 X\nA [ 1 2 ]\nC [ 1 2 ]\nG [ 1 2 ]\n", "cannot be read \\(M1\\)"),
        (">M1 X\nA [ 1 2 ]\nC [ 1 2 ]\nG [ 1 2 ]\nT [ 1 ]\n", "cannot be read \\(M1\\)"),
        (">M1 X\nA [ 0 ]\nC [ 0 ]\nG [ 0 ]\nT [ 0 ]\n", "cannot be read \\(M1\\)"),
        (">M1 X\nA [ -1 ]\nC [ 3 ]\nG [ 0 ]\nT [ 0 ]\n", "cannot be read \\(M1\\)"),
        ("MEME version 4\nMOTIF M2\nnothing\n", "cannot be read \\(M2\\)"),
        (
            "MEME version 4\nMOTIF M2\nletter-probability matrix: alength= 4 w= 3\n1 0 0 0\n",
            "cannot be read \\(M2\\)",
        ),
    ],
)
def test_files_that_are_no_collections_are_refused(tmp_path: Path, text: str, message: str):
    with pytest.raises(DataError, match=message):
        read_motifs(write(tmp_path / "bad", text))


def test_the_database_and_its_file_agree(shared: Path):
    pytest.importorskip("pyjaspar")
    place = shared / "yeast" / "motifs" / "JASPAR2026_CORE_fungi_latest.jaspar.gz"
    from_file = {motif.accession: motif for motif in read_motifs(place)}
    for motif in jaspar_motifs("fungi"):
        np.testing.assert_allclose(
            motif.probabilities, from_file[motif.accession].probabilities, atol=2e-3
        )


def test_real_collections_are_read(shared: Path):
    place = shared / "yeast" / "motifs"
    for name, least in (
        ("SwissRegulon_s_cer.meme", 100), ("macisaac_yeast.v1.meme", 124),
        ("yetfasco_all.meme.gz", 500), ("YEASTRACT_20130918.meme.gz", 100),
    ):  # fmt: skip
        assert len(read_motifs(place / name)) >= least


@pytest.mark.whole
@pytest.mark.timeout(400)  # numba compiles the comparison where its cache is empty
def test_a_motif_is_most_like_itself_on_either_strand():
    pytest.importorskip("memelite")
    rng = np.random.default_rng(0)
    targets = [
        Motif(str(i), str(i), rng.dirichlet(np.full(4, 0.3), 8) * 0.96 + 0.01) for i in range(40)
    ]
    queries = [targets[3].probabilities, targets[7].reversed().probabilities]
    likeness = compare_motifs(queries, targets)
    assert likeness.p_value.argmin(axis=1).tolist() == [3, 7]
    assert likeness.reverse[0, 3] != likeness.reverse[1, 7]
    assert likeness.p_value[0, 3] < 1e-6


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("pyjaspar", jaspar_motifs),
        ("memelite", lambda: compare_motifs([np.full((3, 4), 0.25)], [])),
    ],
)
def test_missing_packages_say_how_to_get_them(package, call, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name == package:
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=rf"needs {package}; .*\[motifs\]'"):
        call()
