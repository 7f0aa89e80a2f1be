from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cisgram.core.checks import ConfigError, DataError
from cisgram.explain.marginalize import (
    WordEffect,
    distances,
    likeliest_word,
    marginalize,
    put_in,
    shuffles,
)
from cisgram.explain.motifs import Motif
from cisgram.genome.alphabet import N, encode, reverse_complement
from cisgram.models.base import Model
from cisgram.prediction.reuse import ReuseConfig
from models.tiny import tiny_tracks

WORD = encode("GATTACA")
POSITIONS = [0, 20, 43]


class Counter(Model):
    """Counts a word; every hit counts as many as the position of its first base, and one more."""

    kind, multiple, window = "counter", 1, 50

    def __init__(self) -> None:
        super().__init__()
        self.unit = nn.Parameter(torch.ones(1))
        self.n_read = 0

    def forward(self, tokens: torch.Tensor, species: torch.Tensor | None = None) -> torch.Tensor:
        self.n_read += len(tokens)
        pieces = tokens.unfold(1, len(WORD), 1)
        hits = (pieces == torch.from_numpy(WORD.copy())).all(dim=-1).float()
        places = 1 + torch.arange(hits.shape[1])
        return torch.stack([hits.sum(dim=1), (hits * places).sum(dim=1)], dim=1) * self.unit


def how_many(output: torch.Tensor) -> torch.Tensor:
    return output[:, 0]


def where(output: torch.Tensor) -> torch.Tensor:
    return output[:, 1]


@pytest.fixture
def backgrounds(rng: np.random.Generator) -> np.ndarray:
    """Six windows without the word."""
    return rng.integers(0, 3, (6, 50), dtype=np.uint8)  # it has a T


def test_a_word_that_is_counted_adds_one(backgrounds: np.ndarray) -> None:
    found = marginalize(Counter(), WORD, backgrounds, position=20, reduce=how_many)
    np.testing.assert_array_equal(found.effects, np.ones(6))
    np.testing.assert_array_equal(found.references, np.zeros(6))
    assert found.position == 20
    assert found.mean() == (1, 1, 1)


def test_what_a_background_has_is_taken_off(backgrounds: np.ndarray) -> None:
    backgrounds[2, 20:27] = WORD  # the same word in the same place
    backgrounds[3, 5:12] = WORD  # elsewhere
    backgrounds[4, 23:30] = WORD  # cut by the one put in
    found = marginalize(Counter(), WORD, backgrounds, position=20, reduce=how_many)
    np.testing.assert_array_equal(found.references, [0, 0, 1, 1, 1, 0])
    np.testing.assert_array_equal(found.effects, [1, 1, 0, 1, 0, 1])
    estimate = found.mean()
    assert estimate.value == pytest.approx(4 / 6)
    assert 0 <= estimate.low < 4 / 6 < estimate.high <= 1
    assert estimate == found.mean(seed=0)


def test_both_ways_round_are_averaged(backgrounds: np.ndarray) -> None:
    options: dict[str, Any] = {"position": 20, "reduce": how_many}
    turned = marginalize(Counter(), reverse_complement(WORD), backgrounds, **options)
    assert not turned.effects.any()
    both = marginalize(Counter(), WORD, backgrounds, both_strands=True, **options)
    np.testing.assert_array_equal(both.effects, np.full(6, 0.5))
    np.testing.assert_array_equal(both.references, np.zeros(6))


def test_effects_are_followed_along_the_window(backgrounds: np.ndarray) -> None:
    model = Counter()
    found = distances(model, WORD, backgrounds, positions=POSITIONS, reduce=where)
    assert [effect.position for effect in found] == POSITIONS
    for effect in found:
        np.testing.assert_array_equal(effect.effects, np.full(6, effect.position + 1))
    assert model.n_read == 6 * (1 + len(POSITIONS))  # the backgrounds themselves once
    both = distances(
        Counter(), WORD, backgrounds, positions=POSITIONS, reduce=where, both_strands=True
    )
    assert [effect.effects[0] for effect in both] == [0.5, 10.5, 22]


def test_a_network_says_what_it_says_of_the_windows_themselves(rng: np.random.Generator) -> None:
    model = tiny_tracks()
    backgrounds = rng.integers(0, 4, (3, 64), dtype=np.uint8)
    word, places = encode("TATAAANA"), [8, 30]

    def says(windows: np.ndarray) -> np.ndarray:
        species = torch.ones(len(windows), dtype=torch.int64)
        with torch.no_grad():
            return model(torch.from_numpy(windows), species=species)[:, :, 2].sum(dim=1).numpy()

    found = distances(
        model,
        word,
        backgrounds,
        positions=places,
        reduce=lambda output: output[:, :, 2].sum(dim=1),
        species=1,
        config=ReuseConfig(tile=16),
    )
    for effect, place in zip(found, places, strict=True):
        windows = backgrounds.copy()
        windows[:, place : place + 6] = word[:6]
        windows[:, place + 7] = word[7]
        expected = says(windows) - says(backgrounds)
        assert np.abs(expected).min() > 1e-3
        np.testing.assert_allclose(effect.effects, expected, atol=1e-4)
        np.testing.assert_allclose(effect.references, says(backgrounds), rtol=1e-5)


def test_a_motif_stands_for_its_likeliest_word(backgrounds: np.ndarray) -> None:
    motif = Motif.from_consensus("word", "GATTACA")
    found = marginalize(Counter(), motif, backgrounds, position=3, reduce=where)
    np.testing.assert_array_equal(found.effects, np.full(6, 4))
    p = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.3, 0.3, 0.2, 0.2]])
    np.testing.assert_array_equal(likeliest_word(Motif("m", "m", p)), [3, N, 0])


def test_unknown_bases_of_a_word_leave_those_of_the_background(backgrounds: np.ndarray) -> None:
    before = backgrounds.copy()
    found = put_in(encode("ANT"), backgrounds, 7)
    np.testing.assert_array_equal(found[:, 7], np.zeros(6))
    np.testing.assert_array_equal(found[:, 9], np.full(6, 3))
    rest = np.delete(np.arange(50), [7, 9])
    np.testing.assert_array_equal(found[:, rest], before[:, rest])
    np.testing.assert_array_equal(backgrounds, before)


def test_shuffles_follow_the_sequence_they_are_of(rng: np.random.Generator) -> None:
    sequences = np.stack([encode("ACGTTGCAAC" * 4), encode("AAAAATTTTT" * 4)])
    found = shuffles(sequences, n=5, rng=rng)
    assert found.shape == (10, 40)
    for number, shuffled in enumerate(found):
        own = sequences[number // 5]
        np.testing.assert_array_equal(np.bincount(shuffled), np.bincount(own))
        assert (shuffled != own).any()
    assert len(np.unique(found, axis=0)) == 10


def test_one_background_has_no_interval() -> None:
    one = WordEffect(position=0, effects=np.ones(1, np.float32), references=np.ones(1, np.float32))
    with pytest.raises(DataError, match="two backgrounds or more; got one"):
        one.mean()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": [44]}, "a word of 7 bases must lie within the window of 50; at 44 it"),
        ({"positions": [3, -1]}, "within the window of 50; at -1 it does not"),
        ({"positions": []}, "a word, a background and a position; one has none"),
        ({"word": np.empty(0, np.uint8)}, "a word, a background and a position"),
        ({"backgrounds": np.empty((0, 50), np.uint8)}, "a word, a background and a position"),
        ({"reduce": lambda output: output}, r"one number a window, \(4,\), of an output of \(4, 2"),
    ],
)
def test_what_cannot_be_put_in_is_refused(
    changes: dict, message: str, backgrounds: np.ndarray
) -> None:
    options = {"word": WORD, "backgrounds": backgrounds, "positions": [5], "reduce": how_many}
    with pytest.raises(ConfigError, match=message):
        distances(Counter(), **(options | changes))


@pytest.mark.parametrize(
    ("n", "length", "message"), [(0, 5, "n must be at least 1; got 0"), (1, 0, "got none")]
)
def test_shuffles_need_sequences(
    n: int, length: int, message: str, rng: np.random.Generator
) -> None:
    with pytest.raises(ConfigError, match=message):
        shuffles(np.zeros((1, length), np.uint8), n=n, rng=rng)
