"""Motifs found where they are, on both strands, and compared with contributions."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError
from cisgram.explain.contributions import Contributions
from cisgram.explain.hits import apart, cosines, find_motifs
from cisgram.explain.motifs import Motif
from cisgram.genome.alphabet import decode, encode, one_hot, reverse_complement
from cisgram.genome.interval import Interval

REB1 = Motif.from_consensus("REB1", "TTACCCGG")
ABF1 = Motif.from_consensus("ABF1", "TCACTATACG")
RNG = np.random.default_rng(1)
BEFORE = "".join(RNG.choice(list("ACGT"), 30))
DNA = encode(BEFORE + "TTACCCGG" + "GATTACAGATTACA" + "CGTATAGTGA" + "CC")
"""REB1 at 30, and ABF1 at 52 on the other strand."""
FORWARD = Interval("c0", 1_000, 1_000 + len(DNA), "+")


def liking(stretch: slice) -> Contributions:
    """Return contributions of a model that likes the bases of a stretch, and cares little else."""
    scores = RNG.normal(0, 0.01, (len(DNA), 4))
    scores[stretch] += one_hot(DNA, np.float64)[stretch]
    scores = (scores - scores.mean(axis=1, keepdims=True)).astype(np.float32)
    return Contributions(
        region=FORWARD,
        subject="YAL001C",
        output="level",
        tokens=DNA,
        contributions=scores[np.arange(len(DNA)), DNA],
        hypothetical=scores,
        method="gradient times input",
    )


def test_what_the_model_prefers_comes_first() -> None:
    found = find_motifs(liking(slice(52, 62)), [REB1, ABF1])
    assert found.select("motif", "chrom", "start", "end", "strand").rows() == [
        ("ABF1", "c0", 1_052, 1_062, "-"),
        ("REB1", "c0", 1_030, 1_038, "+"),
    ]
    preferred, other = found.rows(named=True)
    assert preferred["match"] > 0.95 > abs(other["match"])
    assert preferred["match_above"] == pytest.approx(1 - 1 / (2 * (len(DNA) - 9)))
    assert preferred["importance_above"] > 0.95 > 0.9 > other["importance_above"]
    assert preferred["importance"] == pytest.approx(0.75, abs=0.03)


def test_a_model_that_prefers_another_sequence_is_against() -> None:
    liked = liking(slice(30, 38))
    (row,) = find_motifs(replace(liked, hypothetical=-liked.hypothetical), [REB1]).rows(named=True)
    assert row["match"] < -0.95
    assert row["match_above"] == 0


def test_a_region_of_the_other_strand_has_the_same_hits() -> None:
    forward = liking(slice(30, 38))
    backward = replace(
        forward,
        region=Interval("c0", FORWARD.start, FORWARD.end, "-"),
        tokens=reverse_complement(DNA),
        contributions=forward.contributions[::-1],
        hypothetical=forward.hypothetical[::-1, ::-1],
    )
    one, other = (find_motifs(way, [REB1, ABF1]) for way in (forward, backward))
    names, numbers = one.columns[:6], one.columns[6:]
    assert one.select(names).equals(other.select(names))
    np.testing.assert_allclose(one.select(numbers), other.select(numbers), rtol=1e-4)


def test_unknown_bases_and_short_regions_have_no_hits() -> None:
    found, tokens = liking(slice(0, 0)), DNA.copy()
    tokens[33] = 4
    unknown = find_motifs(replace(found, tokens=tokens), [REB1])
    assert unknown.is_empty()
    short = replace(
        found,
        region=Interval("c0", 0, 5),
        tokens=DNA[:5],
        contributions=found.contributions[:5],
        hypothetical=found.hypothetical[:5],
    )
    assert find_motifs(short, [REB1]).columns == unknown.columns


def test_a_motif_that_reads_the_same_on_both_strands_is_found_once() -> None:
    tokens = DNA.copy()
    tokens[43:46] = reverse_complement(DNA[40:43])
    both = Motif.from_consensus("palindrome", decode(tokens[40:46]))
    found = find_motifs(replace(liking(slice(0, 0)), tokens=tokens), [both])
    assert found["start"].to_list().count(1_040) == 1


def test_the_p_value_says_how_rare_a_hit_is() -> None:
    found = liking(slice(0, 0))
    assert find_motifs(found, [REB1], p_value=0.01).height > find_motifs(found, [REB1]).height
    with pytest.raises(ConfigError, match="p_value must be between 0 and 1"):
        find_motifs(found, [REB1], p_value=2.0)


def test_flat_scores_are_like_nothing() -> None:
    assert cosines(np.zeros((20, 4)), REB1).tolist() == [0.0] * 13


def test_the_first_of_overlapping_hits_is_kept() -> None:
    places = {"chrom": ["c", "c", "c", "d"], "start": [5, 8, 10, 5], "end": [10, 12, 14, 9]}
    hits = pl.DataFrame(places)
    assert apart(hits)["start"].to_list() == [5, 10, 5]
    assert apart(hits.clear()).is_empty()
