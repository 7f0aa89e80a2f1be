"""Motifs in a map: found where they are, on both strands, and held against what bases do."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.cli.app import main
from cisgram.explain.base_map import BaseMap
from cisgram.explain.motif_hits import apart, cosines, hits_in_map
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


def a_map(tokens: np.ndarray, region: Interval, *, likes: slice) -> BaseMap:
    """Return a map that wants the bases of a stretch as they are, and little else."""
    wants = RNG.normal(0, 0.01, (len(tokens), 4))
    wants[likes] += one_hot(tokens, np.float64)[likes]
    wants -= wants.mean(axis=1, keepdims=True)
    return BaseMap(
        region=region,
        gene="YAL001C",
        track="level",
        tokens=tokens,
        heights_are="contribution",
        heights=wants[np.arange(len(tokens)), tokens].astype(np.float32),
        wants=wants.astype(np.float32),
    )


def test_what_the_map_wants_comes_first() -> None:
    found = hits_in_map(a_map(DNA, FORWARD, likes=slice(52, 62)), [REB1, ABF1])
    assert found.select("motif", "chrom", "start", "end", "strand").rows() == [
        ("ABF1", "c0", 1_052, 1_062, "-"),
        ("REB1", "c0", 1_030, 1_038, "+"),
    ]
    wanted, other = found.rows(named=True)
    assert wanted["match"] > 0.95 > abs(other["match"])
    assert wanted["match_above"] == pytest.approx(1 - 1 / (2 * (len(DNA) - 9)))
    assert wanted["importance_above"] > 0.95 > 0.9 > other["importance_above"]
    assert wanted["importance"] == pytest.approx(0.75, abs=0.03)


def test_a_map_that_wants_another_sequence_is_against() -> None:
    liked = a_map(DNA, FORWARD, likes=slice(30, 38))
    against = BaseMap(**(vars(liked) | {"wants": -liked.wants}))
    (row,) = hits_in_map(against, [REB1]).rows(named=True)
    assert row["match"] < -0.95
    assert row["match_above"] == 0


def test_a_region_of_the_other_strand_has_the_same_hits() -> None:
    forward = a_map(DNA, FORWARD, likes=slice(30, 38))
    turned = BaseMap(
        region=Interval("c0", FORWARD.start, FORWARD.end, "-"),
        gene="YAL001C",
        track="level",
        tokens=reverse_complement(DNA),
        heights=forward.heights[::-1],
        heights_are="contribution",
        wants=forward.wants[::-1, ::-1],
    )
    one, other = (hits_in_map(way, [REB1, ABF1]) for way in (forward, turned))
    names, numbers = one.columns[:6], one.columns[6:]
    assert one.select(names).equals(other.select(names))
    np.testing.assert_allclose(one.select(numbers), other.select(numbers), rtol=1e-4)


def test_unknown_bases_and_short_regions_have_no_hits() -> None:
    tokens = DNA.copy()
    tokens[33] = 4
    found = a_map(DNA, FORWARD, likes=slice(0, 0))
    hidden = BaseMap(**(vars(found) | {"tokens": tokens}))
    assert hits_in_map(hidden, [REB1]).is_empty()
    short = BaseMap(
        region=Interval("c0", 0, 5),
        gene="g",
        track="t",
        tokens=DNA[:5],
        heights=found.heights[:5],
        heights_are="contribution",
        wants=found.wants[:5],
    )
    assert hits_in_map(short, [REB1]).columns == hits_in_map(hidden, [REB1]).columns


def test_a_motif_that_reads_the_same_on_both_strands_is_found_once() -> None:
    found = a_map(DNA, FORWARD, likes=slice(0, 0))
    tokens = DNA.copy()
    tokens[43:46] = reverse_complement(DNA[40:43])
    both = Motif.from_consensus("palindrome", decode(tokens[40:46]))
    held = BaseMap(**(vars(found) | {"tokens": tokens}))
    assert hits_in_map(held, [both])["start"].to_list().count(1_040) == 1


def test_a_flat_map_is_like_nothing() -> None:
    assert cosines(np.zeros((20, 4)), REB1).tolist() == [0.0] * 13


def test_the_first_of_overlapping_hits_is_kept() -> None:
    places = {"chrom": ["c", "c", "c", "d"], "start": [5, 8, 10, 5], "end": [10, 12, 14, 9]}
    hits = pl.DataFrame(places)
    assert apart(hits)["start"].to_list() == [5, 10, 5]
    assert apart(hits.clear()).is_empty()


@pytest.mark.parametrize("kind", ["effects", "hypothetical"])
def test_the_command_reads_what_others_wrote(tmp_path: Path, kind: str, capsys) -> None:
    found = a_map(DNA, FORWARD, likes=slice(52, 62))
    as_written = found.wants
    if kind == "effects":
        as_written = found.wants - found.wants[np.arange(len(DNA)), DNA][:, None]
    np.savez(
        tmp_path / "map.npz",
        **{kind: as_written, "contributions": found.heights, "tokens": DNA},
        region=str(FORWARD), gene="YAL001C", track="level",
    )  # fmt: skip
    rows = [" ".join(f"{p:.4f}" for p in row) for row in one_hot(encode("TCACTATACG"), float)]
    head = "MEME version 5\n\nMOTIF A1 ABF1\nletter-probability matrix: w= 10 nsites= 100\n"
    (tmp_path / "motifs.meme").write_text(head + "\n".join(rows) + "\n")
    words = ["explain", "hits", "--map", str(tmp_path / "map.npz")]
    words += ["--motifs", str(tmp_path / "motifs.meme"), "--out", str(tmp_path / "hits.tsv")]
    assert main([*words, "--figure", str(tmp_path / "hits.svg")]) == 0
    table = pl.read_csv(tmp_path / "hits.tsv", separator="\t")
    (row,) = table.rows(named=True)
    assert (row["start"], row["strand"]) == (1_052, "-")
    assert row["match"] > 0.9
    # Minus the mean effect of three changes is four thirds of what a base adds.
    own = hits_in_map(found, [ABF1])["importance"][0] * (4 / 3 if kind == "effects" else 1)
    assert row["importance"] == pytest.approx(own, abs=1e-4)
    said = " ".join(capsys.readouterr().out.split())
    assert "the best for level of YAL001C is ABF1 at c0:1,053-1,062(-)" in said
    assert "◂ ABF1" in (tmp_path / "hits.svg").read_text()
