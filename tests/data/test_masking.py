import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError
from cisgram.data.masking import MaskConfig, corrupt, mask_once
from cisgram.genome.alphabet import N


@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(0, 30))
def test_the_share_is_exact_and_spares_n(seed, rate, n_unknown):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (3, 50), dtype=np.uint8)
    tokens[0, :n_unknown] = N
    masked = corrupt(tokens, MaskConfig(rate=rate), rng)
    assert masked.asked.sum(axis=1).tolist() == [
        int(rate * (50 - n_unknown)),
        *[int(rate * 50)] * 2,
    ]
    assert not (masked.asked & (tokens == N)).any()
    assert (masked.hidden == masked.asked).all()
    assert (masked.shown == tokens).all()


def test_berts_split():
    rng = np.random.default_rng(0)
    tokens = np.zeros((20, 5000), dtype=np.uint8)
    masked = corrupt(tokens, MaskConfig(rate=0.2, random=0.1, unchanged=0.1), rng)
    n = masked.asked.sum()
    assert n == 20 * 1000
    assert abs(masked.hidden.sum() / n - 0.8) < 0.01
    visible = masked.asked & ~masked.hidden
    # A quarter of the random bases are the true one.
    assert abs((masked.shown[visible] != 0).mean() - 0.5 * 0.75) < 0.03
    assert (masked.shown[~masked.asked] == 0).all()


def test_rates_are_drawn_per_window():
    rng = np.random.default_rng(0)
    tokens = np.zeros((400, 1000), dtype=np.uint8)
    shares = corrupt(tokens, MaskConfig(rate=0.1, max_rate=0.3), rng).asked.mean(axis=1)
    assert shares.min() >= 0.099
    assert shares.max() <= 0.3
    assert abs(shares.mean() - 0.2) < 0.01
    assert shares.std() > 0.04


@given(st.integers(1, 200), st.data())
def test_every_position_is_hidden_once(length, data):
    n = data.draw(st.integers(1, length))
    masks = mask_once(length, n, np.random.default_rng(0))
    assert masks.shape == (n, length)
    assert (masks.sum(axis=0) == 1).all()
    assert np.ptp(masks.sum(axis=1)) <= 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rate": 1.5}, "rate must be between 0 and 1"),
        ({"rate": 0.3, "max_rate": 0.2}, r"max_rate must be between 0\.3 and 1"),
        ({"random": 0.6, "unchanged": 0.6}, "must add up to 1 at most"),
    ],
)
def test_settings_are_checked(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        MaskConfig(**settings)
