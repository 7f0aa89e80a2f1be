import numpy as np
import pytest

from cisgram.benchmark.seqlets import PatternConfig, find_patterns, find_seqlets
from cisgram.core.checks import ConfigError
from cisgram.explain.motifs import core_means
from cisgram.genome.alphabet import decode, encode, one_hot, reverse_complement
from cisgram.prediction.perplexity import information

CONFIG = PatternConfig(core=7, flank=4, likeness=0.6, smallest=10)
BACKGROUND = np.array([0.31, 0.19, 0.19, 0.31])


def planted(words: list[str], n: int, *, seed: int, length: int = 40) -> np.ndarray:
    """Predictions that know nothing but, somewhere and on some strand, one of the words."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(40 * BACKGROUND, n * length).reshape(n, length, 4)
    for row in p:
        word = encode(words[rng.integers(len(words))])
        word = reverse_complement(word) if rng.random() < 0.5 else word
        start = rng.integers(12, length - 12 - len(word))
        site = row[start : start + len(word)]
        site[:] = 0.3 * site + 0.7 * one_hot(word, np.float64)
    return p.reshape(-1, 4)


def cut(p: np.ndarray, threshold: float = 0.3) -> np.ndarray:
    starts = find_seqlets(information(p), np.ones(len(p), bool), threshold=threshold, config=CONFIG)
    return np.stack([p[start : start + CONFIG.width] for start in starts])


def test_planted_words_are_found_whatever_their_place_and_strand():
    words = ["TTACCCG", "TACTAAC"]
    stretches = cut(planted(words, 120, seed=0))
    assert len(stretches) == 120
    patterns = find_patterns(stretches, BACKGROUND, config=CONFIG)
    assert len(patterns) == 2
    for pattern in patterns:
        text = decode(pattern.probabilities.argmax(axis=1).astype(np.uint8))
        other = decode(reverse_complement(encode(text)))
        assert any(word in text or word in other for word in words)
        assert 0.2 < pattern.reverse.mean() < 0.8
        assert len(set(pattern.members.tolist())) == len(pattern.members)
    assert sum(len(pattern.members) for pattern in patterns) > 110


def test_members_lie_where_the_pattern_says():
    stretches = cut(planted(["TTACCCG"], 60, seed=1))
    (pattern,) = find_patterns(stretches, BACKGROUND, config=CONFIG)
    width, total = CONFIG.width, np.zeros((CONFIG.width, 4))
    count = np.zeros((width, 1))
    for member, shift, reverse in zip(*pattern[1:], strict=True):
        own = stretches[member]
        own = own[::-1, ::-1] if reverse else own
        for i in range(width):
            if 0 <= i + shift < width:
                total[i + shift] += own[i]
                count[i + shift] += 1
    np.testing.assert_allclose(pattern.probabilities, total / count)


def test_noise_makes_no_pattern():
    rng = np.random.default_rng(2)
    stretches = rng.dirichlet(np.ones(4), 100 * CONFIG.width).reshape(100, CONFIG.width, 4)
    assert find_patterns(stretches, BACKGROUND, config=CONFIG) == []
    assert find_patterns(stretches[:0], BACKGROUND, config=CONFIG) == []


def test_unknown_positions_read_as_background():
    stretches = cut(planted(["TTACCCG"], 40, seed=3))
    holed = stretches.copy()
    holed[:, 0] = np.nan
    stretches[:, 0] = BACKGROUND
    one, other = (find_patterns(s, BACKGROUND, config=CONFIG)[0] for s in (holed, stretches))
    np.testing.assert_allclose(one.probabilities, other.probabilities)


def test_stretches_do_not_touch_and_best_come_first():
    rng = np.random.default_rng(4)
    values, usable = rng.random(500), np.ones(500, bool)
    usable[100:200] = False
    starts = find_seqlets(values, usable, threshold=0.5, config=CONFIG)
    means = core_means(values, CONFIG.core)[starts + CONFIG.flank]
    assert (np.diff(means) <= 0).all()
    assert means.min() >= 0.5
    cores = np.sort(starts) + CONFIG.flank
    assert np.diff(cores).min() >= CONFIG.core
    assert not any(usable[core : core + CONFIG.core].sum() < CONFIG.core for core in cores)
    # Nothing that could still be added is left out.
    for start in range(500 - CONFIG.width + 1):
        core = start + CONFIG.flank
        good = core_means(values, CONFIG.core)[core] >= 0.5 and usable[core : core + 7].all()
        assert not good or np.abs(starts - start).min() < CONFIG.core


def test_short_sequence_has_no_stretch():
    none = find_seqlets(np.ones(10), np.ones(10, bool), threshold=0, config=CONFIG)
    assert none.size == 0


@pytest.mark.parametrize("field", ["core", "flank", "likeness", "smallest"])
def test_configs_are_checked(field: str):
    with pytest.raises(ConfigError, match=field):
        PatternConfig(**{field: -1})
