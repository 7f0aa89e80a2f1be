import numpy as np
import pytest

from cisgram.explain.agreement import compare_with_changes
from cisgram.explain.gene_maps import importance
from cisgram.explain.gradients import Attribution
from cisgram.genome.alphabet import N


def linear(n: int = 12) -> tuple[Attribution, np.ndarray]:
    """Weights of a network that is linear, as gradients and as changes see them."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(n, 4)).astype(np.float32)
    weights -= weights.mean(axis=1, keepdims=True)
    tokens = rng.integers(0, 4, n).astype(np.uint8)
    own = np.take_along_axis(weights, tokens[:, None], axis=1)
    return Attribution(hypothetical=weights, tokens=tokens, reference=0.0), weights - own


def test_of_a_linear_network_gradients_say_what_changes_do():
    found, effects = linear()
    assert compare_with_changes(found, effects) == pytest.approx((1, 1))
    np.testing.assert_allclose(found.contributions, 0.75 * importance(effects), rtol=1e-5)


def test_gradients_that_point_the_wrong_way_agree_below_zero():
    found, effects = linear()
    assert compare_with_changes(found, -effects) == pytest.approx((-1, -1))


def test_bases_and_changes_are_counted_apart():
    found, effects = linear()
    # Whatever two changes do to each other's favour is the same importance of the base.
    first, second = ((found.tokens + step) % 4 for step in (1, 2))
    moved = effects.copy()
    moved[np.arange(12), first] += 5
    moved[np.arange(12), second] -= 5
    agreement = compare_with_changes(found, moved)
    assert agreement.bases == pytest.approx(1, abs=1e-5)
    assert agreement.changes < 0.5


def test_unknown_bases_are_left_out():
    found, effects = linear()
    effects = effects + np.float32(0.3) * (effects > 0.5)
    whole = compare_with_changes(found, effects)
    hypothetical = np.insert(found.hypothetical, 3, np.nan, axis=0)
    tokens = np.insert(found.tokens, 3, N)
    longer = Attribution(hypothetical=hypothetical, tokens=tokens, reference=0.0)
    effects = np.insert(effects, 3, np.nan, axis=0)
    assert compare_with_changes(longer, effects) == pytest.approx(whole)
    assert whole.changes < 0.999
