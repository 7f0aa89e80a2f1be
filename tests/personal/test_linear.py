"""Every linear model behind one call."""

import numpy as np
import pytest
from scipy.stats import linregress

from cisgram.core.checks import ConfigError
from cisgram.personal.linear import MODELS, fit_linear
from cisgram.personal.snp_prior import SnpPrior

FLAT = SnpPrior(np.zeros(80), np.ones(80))


@pytest.fixture
def gene(rng):
    snps = rng.binomial(2, 0.3, (80, 200)).astype(np.float32)
    return snps, 0.8 * snps[17] + rng.standard_normal(200), rng.permutation(200) % 10


@pytest.mark.parametrize("model", MODELS)
def test_every_model_finds_the_causal_snp_and_its_sign(gene, model):
    snps, target, folds = gene
    fit = fit_linear(model, snps, target, folds=folds, prior=FLAT)
    assert np.abs(fit.coefficients).argmax() == 17
    assert fit.coefficients[17] > 0
    mirrored = fit_linear(model, 2 - snps, target, folds=folds, prior=FLAT)
    np.testing.assert_allclose(mirrored.coefficients, -fit.coefficients, atol=1e-3)


def test_top_snp_is_ordinary_regression_on_the_best_snp(gene):
    snps, target, folds = gene
    fit = fit_linear("top-snp", snps, target, folds=folds, prior=FLAT)
    truth = linregress(snps[17], target)
    assert fit.coefficients[17] == pytest.approx(truth.slope, rel=1e-4)
    assert fit.intercept == pytest.approx(truth.intercept, rel=1e-4)
    assert np.count_nonzero(fit.coefficients) == 1


def test_top_snp_of_constant_snps_is_the_mean(gene):
    snps, target, folds = gene
    fit = fit_linear("top-snp", np.ones_like(snps), target, folds=folds, prior=FLAT)
    assert not fit.coefficients.any()
    assert fit.intercept == pytest.approx(target.mean())


def test_unknown_model_is_refused(gene):
    snps, target, folds = gene
    with pytest.raises(ConfigError, match="model must be one of elastic-net, lasso"):
        fit_linear("boosting", snps, target, folds=folds, prior=FLAT)


@pytest.mark.parametrize("model", [name for name in MODELS if name.startswith("prior-")])
def test_a_prior_chooses_between_copies_of_a_snp(gene, model):
    """The target cannot tell two copies apart; the nearer one, or the heavier one, gets more."""
    snps, target, folds = gene
    snps[40] = snps[17]
    far, light = np.zeros(80), np.ones(80)
    far[40], light[40] = 40_000, 0.1
    for prior in (SnpPrior(far, np.ones(80)), SnpPrior(np.zeros(80), light)):
        weights = fit_linear(model, snps, target, folds=folds, prior=prior).coefficients
        assert weights[17] > 4 * abs(weights[40])
        assert 0.2 < weights[17] < 1.1  # the effect is 0.8; many small ones are shrunk


def test_the_mixture_beats_its_parts_where_effects_are_of_both_kinds(rng):
    """Mean correlation with the genetic value of 40 genes: one large effect, many small ones."""
    snps = rng.binomial(2, 0.3, (150, 400)).astype(np.float32)
    distance = rng.uniform(0, 100_000, 150)
    prior, folds, train = SnpPrior(distance, np.ones(150)), np.arange(200) % 5, snps[:, :200]
    scores = {"prior-mixture": [], "ridge": [], "top-snp": []}
    for _ in range(40):
        effects = 0.1 * rng.standard_normal(150) * np.exp(-distance / 20_000)
        effects[distance.argsort()[rng.integers(20)]] += 0.35
        target = effects @ train + rng.standard_normal(200)
        for model, found in scores.items():
            fit = fit_linear(model, train, target, folds=folds, prior=prior)
            held_out = snps[:, 200:]
            own = fit.coefficients @ held_out
            found.append(np.corrcoef(own, effects @ held_out)[0, 1] if own.any() else 0)
    mixture = np.mean(scores["prior-mixture"])
    assert mixture > np.mean(scores["ridge"]) + 0.05
    assert mixture > np.mean(scores["top-snp"]) + 0.02
