"""The sum of single effects against Bayes' rule by hand."""

import numpy as np
import pytest

from cisgram.personal.single_effects import single_effects


def make(rng, effects, n_people=400):
    snps = rng.standard_normal((len(effects), n_people)).astype(np.float32)
    snps = (snps - snps.mean(1, keepdims=True)) / snps.std(1, keepdims=True)
    target = effects @ snps + rng.standard_normal(n_people)
    return snps, target - target.mean()


def test_two_causal_snps_are_found_and_hardly_shrunk(rng):
    effects = np.zeros(50)
    effects[[7, 30]] = 0.5, -0.4
    snps, target = make(rng, effects)
    found = single_effects(snps, target, np.ones(50))
    np.testing.assert_allclose(found[[7, 30]], [0.5, -0.4], atol=0.12)
    assert np.abs(np.delete(found, [7, 30])).max() < 0.02


def test_copies_share_an_effect_by_their_prior(rng):
    """With the same data, probabilities are those of the prior: 3 to 1."""
    snps, target = make(rng, np.r_[0.5, np.zeros(9)])
    snps[1] = snps[0]
    found = single_effects(snps, target, np.r_[3.0, 1.0, np.ones(8)])
    assert found[0] / found[1] == pytest.approx(3, rel=0.02)
    assert found[:2].sum() == pytest.approx(
        single_effects(snps[1:], target, np.r_[4.0, np.ones(8)])[0], rel=0.02
    )


def test_noise_has_no_effect(rng):
    snps, target = make(rng, np.zeros(200))
    assert np.abs(single_effects(snps, target, np.ones(200))).sum() < 0.15
    assert not single_effects(snps, np.zeros(400), np.ones(200)).any()
