"""DUST against its definition, spelt out, and against a published program."""

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Bool, UInt8

from cisgram.core.checks import ConfigError
from cisgram.data.dust import dust_mask
from cisgram.genome.alphabet import N, encode, reverse_complement
from cisgram.genome.reference import Reference

PUBLISHED = {"chrXII": (25_331, 1_296, 691_074_644), "chrM": (55_531, 348, 14_967_725)}
"""Masked bases, intervals and the sum of the intervals' starts."""


def by_definition(tokens: UInt8[np.ndarray, "_"], level: int, window: int) -> Bool[np.ndarray, "_"]:
    """Score every interval of triplets; mark those no part of which scores higher."""
    triplets = [tuple(tokens[i : i + 3].tolist()) for i in range(tokens.size - 2)]
    scores: dict[tuple[int, int], Fraction] = {}
    for first in range(len(triplets)):
        for last in range(first, min(first + window - 2, len(triplets))):
            inside = triplets[first : last + 1]
            if any(N in triplet for triplet in inside):
                break
            pairs = sum(n * (n - 1) // 2 for n in Counter(inside).values())
            scores[first, last] = Fraction(pairs, max(last - first, 1))
    mask = np.zeros(tokens.size, dtype=np.bool_)
    for (first, last), score in scores.items():
        parts = (scores[a, b] for a in range(first, last + 1) for b in range(a, last + 1))
        if score > Fraction(level, 10) and score == max(parts):
            mask[first : last + 3] = True
    return mask


def tandem(rng: np.random.Generator, length: int) -> UInt8[np.ndarray, "_"]:
    """Draw a sequence rich in A and T around a repeat with a few errors, and some N."""
    tokens = rng.choice(5, size=length, p=[0.4, 0.1, 0.1, 0.38, 0.02]).astype(np.uint8)
    unit = rng.integers(0, 4, size=rng.integers(1, 6))
    start = rng.integers(0, length - 24)
    tokens[start : start + 24] = np.resize(unit, 24)
    tokens[rng.integers(0, length, size=2)] = rng.integers(0, 4, size=2)
    return tokens


@pytest.mark.parametrize(("level", "window"), [(20, 64), (10, 16), (13, 4), (35, 30)])
def test_is_what_the_definition_says(rng: np.random.Generator, level: int, window: int) -> None:
    n_marked = 0
    for _ in range(12):
        tokens = tandem(rng, 50)
        expected = by_definition(tokens, level, window)
        found = dust_mask(tokens, level=level, window=window)
        np.testing.assert_array_equal(found, expected)
        n_marked += expected.sum()
    assert n_marked > 0 or window == 4


def test_longer_repeats_than_the_window_are_masked_whole() -> None:
    mask = dust_mask(encode("GATTCAGC" + "CAG" * 200 + "TGACTCGA"))
    assert mask[8:-8].all()
    assert mask.sum() < 600 + 8


def test_is_symmetric(rng: np.random.Generator) -> None:
    tokens = np.concatenate([tandem(rng, 80) for _ in range(200)])
    np.testing.assert_array_equal(dust_mask(reverse_complement(tokens)), dust_mask(tokens)[::-1])


def test_does_not_reach_across_unknown_bases() -> None:
    assert dust_mask(encode("A" * 20)).all()
    assert not dust_mask(encode("AAAAN" * 20)).any()


def test_of_next_to_nothing() -> None:
    for text in ("", "A", "AC", "ACG", "NNN"):
        assert not dust_mask(encode(text)).any()


def test_refuses_impossible_settings() -> None:
    tokens = encode("ACGT")
    with pytest.raises(ConfigError, match="level must be at least 1; got 0"):
        dust_mask(tokens, level=0)
    with pytest.raises(ConfigError, match="window must be at least 4; got 3"):
        dust_mask(tokens, window=3)


@pytest.mark.parametrize("chrom", PUBLISHED)
def test_agrees_with_sdust_on_yeast(shared: Path, tmp_path: Path, chrom: str) -> None:
    """The numbers are those of pydustmasker 3.3.0, which wraps minimap2's sdust."""
    fasta = shared / "yeast" / "genome" / "sacCer3.fa.gz"
    mask = dust_mask(Reference.from_fasta(fasta, tmp_path / "reference").contig(chrom))
    starts = np.flatnonzero(mask & ~np.append(False, mask[:-1]))
    assert (mask.sum(), starts.size, starts.sum()) == PUBLISHED[chrom]
