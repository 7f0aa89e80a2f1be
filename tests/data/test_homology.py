import sys

import numpy as np
import polars as pl
import pytest
from jaxtyping import UInt8

from cisgram.core.checks import ConfigError
from cisgram.data import homology
from cisgram.data.homology import homology_hits, matched_bases
from cisgram.genome.alphabet import N, reverse_complement

LENGTH = 20_000


@pytest.fixture
def target(rng: np.random.Generator) -> UInt8[np.ndarray, "_"]:
    return rng.integers(0, 4, size=LENGTH).astype(np.uint8)


def mutated(
    rng: np.random.Generator, tokens: UInt8[np.ndarray, "_"], share: float
) -> UInt8[np.ndarray, "_"]:
    """Replace a share of the bases by others."""
    changed = tokens.copy()
    at = rng.choice(tokens.size, size=round(share * tokens.size), replace=False)
    changed[at] = (changed[at] + rng.integers(1, 4, size=at.size)) % 4
    return changed


def test_finds_where_a_copy_comes_from(
    rng: np.random.Generator, target: UInt8[np.ndarray, "_"]
) -> None:
    forward = target[4_000:7_000]
    backward = reverse_complement(target[9_000:11_000])
    foreign = rng.integers(0, 4, size=3_000).astype(np.uint8)
    foreign[-1] = (target[3_999] + 1) % 4  # or the alignment would reach one base further
    within = np.concatenate([foreign, forward])
    hits = homology_hits([forward, foreign, backward, within], {"other": foreign[:9], "x": target})
    assert hits.rows() == [
        (0, 0, 3_000, "x", 4_000, 7_000, 1, 3_000, 3_000),
        (2, 0, 2_000, "x", 9_000, 11_000, -1, 2_000, 2_000),
        (3, 3_000, 6_000, "x", 4_000, 7_000, 1, 3_000, 3_000),
    ]


def test_counts_matches(rng: np.random.Generator, target: UInt8[np.ndarray, "_"]) -> None:
    for share in (0.02, 0.08):
        query = mutated(rng, target[5_000:13_000], share)
        hits = homology_hits([query], {"x": target})
        assert hits.height == 1
        start, end, matches, columns = hits.select("start", "end", "matches", "columns").row(0)
        # Substitutions only: what lies on the diagonal is right, up to a few shifted bases.
        truth = (query[start:end] == target[5_000 + start : 5_000 + end]).sum()
        assert end - start > 7_900
        assert abs(matches - truth) <= 20
        assert abs(columns - (end - start)) <= 20


def test_unknown_bases_match_nothing(target: UInt8[np.ndarray, "_"]) -> None:
    query = target[:4_000].copy()
    query[1_000:1_100] = N
    found = matched_bases(homology_hits([query], {"x": target}))
    assert found["matched"].to_list() == [3_900]
    assert found["identity"].to_list() == [1]


def test_without_queries_or_targets(target: UInt8[np.ndarray, "_"]) -> None:
    for queries, targets in (([], {"x": target}), ([target], {})):
        hits = homology_hits(queries, targets)
        assert hits.is_empty()
        assert matched_bases(hits).is_empty()


def test_processes_find_what_one_finds(
    monkeypatch: pytest.MonkeyPatch, target: UInt8[np.ndarray, "_"]
) -> None:
    queries = [target[i : i + 1_000] for i in range(0, 19_000, 100)]
    monkeypatch.setattr(homology, "_FEW", 0)
    serial = homology_hits(queries, {"x": target}, executor="serial")
    assert serial["query"].to_list() == list(range(190))
    assert homology_hits(queries, {"x": target}).equals(serial)


def test_bases_count_once() -> None:
    """Of query 0, 0-100 and 50-120 cover 120 bases and 200-300 another 100."""
    hits = pl.DataFrame(
        {
            "query": [0, 0, 0, 2],
            "start": [200, 0, 50, 10],
            "end": [300, 100, 120, 30],
            "matches": [50, 90, 70, 18],
            "columns": [100, 100, 70, 20],
        }
    )
    assert matched_bases(hits).rows() == [(0, 1.0, 210), (2, 0.9, 18)]
    crowded = hits.with_columns(matches=pl.col("end") - pl.col("start"))
    assert matched_bases(crowded)["matched"].to_list() == [220, 20]


def test_refuses_an_unknown_preset(target: UInt8[np.ndarray, "_"]) -> None:
    with pytest.raises(ConfigError, match=r"preset must be one of asm5, .*got 'asm99'"):
        homology_hits([target], {"x": target}, preset="asm99")


def test_says_how_to_install_mappy(
    monkeypatch: pytest.MonkeyPatch, target: UInt8[np.ndarray, "_"]
) -> None:
    monkeypatch.setitem(sys.modules, "mappy", None)
    with pytest.raises(ConfigError, match=r"needs mappy; install it with: pip install"):
        homology_hits([target], {"x": target})
