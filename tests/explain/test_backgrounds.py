import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cisgram.core.checks import ConfigError, DataError
from cisgram.explain.backgrounds import (
    dinucleotide_shuffle,
    matched,
    nearest_distance,
    put_in,
    rate_ratio,
    reordered,
    share_beaten,
)
from cisgram.genome.alphabet import N, encode, reverse_complement


def pairs(tokens: np.ndarray) -> Counter:
    return Counter(zip(tokens[:-1].tolist(), tokens[1:].tolist(), strict=True))


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(0, 99))
def test_shuffles_keep_dinucleotides_and_ends(letters: list[int], seed: int):
    tokens = np.array(letters, dtype=np.uint8)
    shuffled = dinucleotide_shuffle(tokens, np.random.default_rng(seed))
    assert pairs(shuffled) == pairs(tokens)
    assert shuffled[:1].tolist() == letters[:1]
    assert shuffled[-1:].tolist() == letters[-1:]


def test_every_shuffle_is_equally_likely():
    rng = np.random.default_rng(0)
    tokens = np.array([0, 1, 0, 2, 0, 1, 1, 0], dtype=np.uint8)
    found = Counter(tuple(dinucleotide_shuffle(tokens, rng).tolist()) for _ in range(6000))
    # All sequences with these pairs and ends, by exhaustion.
    words = {
        word
        for word in np.ndindex(*(3,) * 8)
        if pairs(np.array(word)) == pairs(tokens) and word[0] == word[-1] == 0
    }
    assert set(found) == words
    expected = 6000 / len(words)
    chi = sum((n - expected) ** 2 / expected for n in found.values())
    assert chi < 3 * len(words) + 10


def test_matches_are_within_the_tolerance_and_different():
    rng = np.random.default_rng(1)
    values, candidates = np.array([0.0, 50, 900]), rng.uniform(-100, 100, 400)
    drawn = matched(values, candidates, n=8, tolerance=10, rng=rng)
    assert drawn.shape == (3, 8)
    assert (drawn[2] == -1).all()
    for value, row in zip(values[:2], drawn[:2], strict=True):
        assert len(set(row.tolist())) == 8
        assert (np.abs(candidates[row] - value) <= 10).all()


def test_matches_cover_all_that_may_be_drawn():
    rng = np.random.default_rng(2)
    candidates = np.array([5.0, 1, 2, 3, 9])
    drawn = [matched(np.array([2.0]), candidates, n=2, tolerance=1, rng=rng) for _ in range(60)]
    assert set(np.concatenate(drawn).ravel().tolist()) == {1, 2, 3}
    nan = matched(np.array([math.nan]), candidates, n=1, tolerance=1, rng=rng)
    assert nan.tolist() == [[-1]]


def test_share_beaten_is_the_area_under_the_curve():
    rng = np.random.default_rng(3)
    sites, background = rng.integers(0, 5, 30) + 1.0, rng.integers(0, 5, 200) + 0.0
    shares = share_beaten(sites, np.tile(background, (30, 1)))
    truth = np.r_[np.ones(30), np.zeros(200)]
    expected = roc_auc_score(truth, np.r_[sites, background])
    assert shares.mean() == pytest.approx(expected)
    holed = share_beaten(np.array([1.0]), np.array([[0.0, math.nan]]))
    assert math.isnan(holed[0])


def test_rate_ratio_and_its_interval():
    ratio = rate_ratio(40, 2.0, n_background=10, size_background=1.0)
    assert ratio.value == pytest.approx(2)
    assert 0.9 < ratio.low < 2 < ratio.high < 4.5
    assert rate_ratio(5, 1.0, n_background=0, size_background=1.0).value == math.inf
    assert rate_ratio(5, 1.0, n_background=0, size_background=1.0).high == math.inf
    assert 0.5 < rate_ratio(5, 1.0, n_background=0, size_background=1.0).low < 5
    assert rate_ratio(0, 1.0, n_background=5, size_background=1.0).value == 0
    with pytest.raises(DataError, match="none on either side"):
        rate_ratio(0, 1.0, n_background=0, size_background=1.0)
    with pytest.raises(ConfigError, match="size above 0"):
        rate_ratio(1, 0.0, n_background=1, size_background=1.0)


def test_rate_ratio_covers_the_truth():
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(300):
        one, two = rng.poisson(30), rng.poisson(10)
        found = rate_ratio(int(one), 3.0, n_background=int(two), size_background=2.0)
        covered += found.low <= 2 <= found.high
    assert 0.90 < covered / 300 <= 1


def test_distance_to_the_nearest_landmark():
    rng = np.random.default_rng(6)
    positions, landmarks = rng.integers(0, 1000, 50), rng.integers(0, 1000, 9)
    expected = np.abs(positions[:, None] - landmarks).min(axis=1)
    np.testing.assert_array_equal(nearest_distance(positions, landmarks), expected)
    assert np.isinf(nearest_distance(positions, landmarks[:0])).all()


def test_letters_in_another_order_are_neither_the_motif_nor_its_reverse_complement():
    rng = np.random.default_rng(7)
    for letters in ("TATAAA", "GGCC", "ANNC", "AC"):
        own = encode(letters)
        drawn = np.stack([reordered(own, rng) for _ in range(50)])
        np.testing.assert_array_equal(np.sort(drawn), np.tile(np.sort(own), (50, 1)))
        np.testing.assert_array_equal(drawn == N, np.tile(own == N, (50, 1)))
        for way in (own, reverse_complement(own)):
            assert (drawn != way).any(axis=1).all()
    assert len(np.unique([reordered(encode("TATAAA"), rng) for _ in range(90)], axis=0)) > 8
    assert reordered(encode("AANA"), rng).tolist() == [0, 0, 4, 0]


def test_unknown_bases_of_a_motif_leave_those_of_the_background():
    backgrounds = np.random.default_rng(8).integers(0, 4, (6, 50), dtype=np.uint8)
    before = backgrounds.copy()
    found = put_in(encode("ANT"), backgrounds, 7)
    np.testing.assert_array_equal(found[:, [7, 9]], [[0, 3]] * 6)
    rest = np.delete(np.arange(50), [7, 9])
    np.testing.assert_array_equal(found[:, rest], before[:, rest])
    np.testing.assert_array_equal(backgrounds, before)
