import itertools

import numpy as np
import pytest

from cisgram.core.checks import DataError
from cisgram.explain.motifs import (
    UNIFORM,
    Motif,
    base_frequencies,
    both_strands,
    find_hits,
    match_scores,
    score_threshold,
)
from cisgram.genome.alphabet import decode, encode, one_hot, reverse_complement


def random_motif(width: int, seed: int = 0, sharpness: float = 0.4) -> Motif:
    rng = np.random.default_rng(seed)
    return Motif("random", "R0", rng.dirichlet(np.full(4, sharpness), width) * 0.98 + 0.005)


def score_by_hand(motif: Motif, tokens: np.ndarray, background: np.ndarray) -> float:
    return sum(
        np.log2(motif.probabilities[i, base] / background[base]) for i, base in enumerate(tokens)
    )


def test_scores_of_a_sequence_are_log_odds():
    rng = np.random.default_rng(1)
    motif, tokens = random_motif(6), rng.integers(0, 4, 40, dtype=np.uint8)
    background = np.array([0.3, 0.2, 0.2, 0.3])
    scores = match_scores(motif, one_hot(tokens, np.float64), background)
    for start in range(35):
        expected = score_by_hand(motif, tokens[start : start + 6], background)
        assert scores[start] == pytest.approx(expected)
    assert np.isneginf(scores[35:]).all()


def test_the_other_strand_counts_from_the_leftmost_base():
    rng = np.random.default_rng(2)
    motif, tokens = random_motif(5), rng.integers(0, 4, 30, dtype=np.uint8)
    reverse = both_strands(motif, one_hot(tokens, np.float64))[1]
    for start in range(26):
        site = reverse_complement(tokens[start : start + 5])
        assert reverse[start] == pytest.approx(score_by_hand(motif, site, UNIFORM))


def test_a_prediction_that_knows_nothing_scores_zero_and_a_sure_one_like_its_sequence():
    motif = random_motif(7)
    background = np.array([0.31, 0.19, 0.19, 0.31])
    ignorant = np.tile(background, (20, 1))
    np.testing.assert_allclose(match_scores(motif, ignorant, background)[:14], 0, atol=1e-12)
    best = motif.probabilities.argmax(axis=1).astype(np.uint8)
    half = 0.5 * one_hot(best, np.float64) + 0.5 * background
    sure = match_scores(motif, one_hot(best, np.float64), background)[0]
    assert 0 < match_scores(motif, half, background)[0] < sure


def test_expected_odds_are_those_of_sequences_drawn_from_the_prediction():
    rng = np.random.default_rng(3)
    motif, p = random_motif(3), rng.dirichlet(np.ones(4), 3)
    odds = motif.odds(UNIFORM)
    expected = sum(
        np.prod([p[i, base] * odds[i, base] for i, base in enumerate(word)])
        for word in itertools.product(range(4), repeat=3)
    )
    assert match_scores(motif, p)[0] == pytest.approx(np.log2(expected))


def test_short_and_unknown_sequence_scores_nothing():
    motif = random_motif(4)
    assert np.isneginf(match_scores(motif, np.full((3, 4), 0.25))).all()
    tokens = encode("ACGTNACGT")
    scores = match_scores(motif, one_hot(tokens, np.float64))
    assert np.isfinite(scores).nonzero()[0].tolist() == [0, 5]
    assert np.isneginf(match_scores(motif, np.full((5, 4), np.nan))).all()


@pytest.mark.parametrize("p_value", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("background", [UNIFORM, np.array([0.4, 0.1, 0.1, 0.4])])
def test_threshold_is_that_of_all_words(p_value: float, background: np.ndarray):
    motif = random_motif(6, seed=4)
    words = np.array(list(itertools.product(range(4), repeat=6)))
    odds = np.log2(motif.odds(background))
    scores = odds[np.arange(6), words].sum(axis=1)
    weights = background[words].prod(axis=1)
    threshold = score_threshold(motif, p_value, background=background)
    reached = weights[scores >= threshold].sum()
    # Rounding of the distribution moves the threshold by a few hundredths of a bit.
    assert weights[scores >= threshold + 0.1].sum() <= p_value
    assert reached <= p_value + weights[np.abs(scores - threshold) < 0.1].sum()
    assert reached >= p_value / 2 - weights.max()


def test_a_short_word_is_found_even_where_chance_finds_it_too():
    motif = Motif.from_consensus("start codon", "ATG")
    hits = find_hits(motif, encode("CCATGCCCATCC"), p_value=1e-4)
    assert (hits.start.tolist(), hits.reverse.tolist()) == ([2, 1, 7], [False, True, True])


@pytest.mark.parametrize("width", range(3, 9))
def test_the_best_word_of_any_motif_is_found(width):
    rng = np.random.default_rng(width)
    for number in range(40):
        motif = Motif(f"{number}", f"{number}", rng.dirichlet(np.full(4, 0.5), width) * 0.96 + 0.01)
        best = motif.probabilities.argmax(axis=1).astype(np.uint8)
        hits = find_hits(motif, np.concatenate([best, [4], best]).astype(np.uint8))
        forward = hits.start[~hits.reverse].tolist()
        assert {0, width + 1} <= set(forward)


def test_hits_are_as_rare_as_their_p_value():
    rng = np.random.default_rng(5)
    background = np.array([0.31, 0.19, 0.19, 0.31])
    tokens = rng.choice(4, 200_000, p=background).astype(np.uint8)
    hits = find_hits(random_motif(10), tokens, p_value=1e-3, background=background)
    assert len(hits.start) == pytest.approx(400, rel=0.3)
    assert 0.35 < hits.reverse.mean() < 0.65


def test_both_strands_of_a_sequence_hold_the_same_hits():
    rng = np.random.default_rng(6)
    tokens, motif = rng.integers(0, 4, 20_000, dtype=np.uint8), random_motif(8)
    one, other = (
        find_hits(motif, own, p_value=1e-3) for own in (tokens, reverse_complement(tokens))
    )
    turned = sorted(
        zip((20_000 - 8 - other.start).tolist(), (~other.reverse).tolist(), strict=True)
    )
    assert sorted(zip(one.start.tolist(), one.reverse.tolist(), strict=True)) == turned


def test_consensus_letters_come_back():
    text = "ACGTRYSWKMBDHVN"
    motif = Motif.from_consensus("all", text.lower())
    assert motif.consensus == text
    assert decode(motif.reversed().probabilities.argmax(axis=1).astype(np.uint8)[-4:]) == "ACGT"


@pytest.mark.parametrize("text", ["", "ACX", "AC GT"])
def test_other_letters_are_refused(text: str):
    with pytest.raises(DataError, match="must hold IUPAC letters"):
        Motif.from_consensus("bad", text)


def test_tables_that_are_no_probabilities_are_refused():
    with pytest.raises(DataError, match="motif M1 must have a positive probability"):
        Motif("m", "M1", np.array([[1.0, 0, 0, 0]]))
    with pytest.raises(DataError, match="do not add up to 1"):
        Motif("m", "M1", np.full((2, 4), 0.3))


def test_base_frequencies_are_the_same_on_both_strands():
    tokens = np.random.default_rng(7).choice(5, 1000, p=[0.5, 0.1, 0.2, 0.1, 0.1]).astype(np.uint8)
    own = base_frequencies(tokens)
    np.testing.assert_allclose(own, base_frequencies(reverse_complement(tokens)))
    assert own[0] == own[3]
    assert own.sum() == pytest.approx(1)


def test_the_likeliest_sequence_has_the_first_of_ties_and_n_where_all_are_alike():
    p = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.3, 0.3, 0.2, 0.2]])
    assert decode(Motif("m", "m", p).likeliest) == "TNA"
