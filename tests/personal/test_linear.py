"""The four models behind one call."""

import numpy as np
import pytest
from scipy.stats import linregress

from cisgram.core.checks import ConfigError
from cisgram.personal.linear import MODELS, fit_linear


@pytest.fixture
def gene(rng):
    snps = rng.binomial(2, 0.3, (80, 200)).astype(np.float32)
    return snps, 0.8 * snps[17] + rng.standard_normal(200), rng.permutation(200) % 10


@pytest.mark.parametrize("model", MODELS)
def test_every_model_finds_the_causal_snp_and_its_sign(gene, model):
    snps, target, folds = gene
    fit = fit_linear(model, snps, target, folds=folds)
    assert np.abs(fit.coefficients).argmax() == 17
    assert fit.coefficients[17] > 0
    mirrored = fit_linear(model, 2 - snps, target, folds=folds)
    np.testing.assert_allclose(mirrored.coefficients, -fit.coefficients, atol=1e-3)


def test_top_snp_is_ordinary_regression_on_the_best_snp(gene):
    snps, target, folds = gene
    fit = fit_linear("top-snp", snps, target, folds=folds)
    truth = linregress(snps[17], target)
    assert fit.coefficients[17] == pytest.approx(truth.slope, rel=1e-4)
    assert fit.intercept == pytest.approx(truth.intercept, rel=1e-4)
    assert np.count_nonzero(fit.coefficients) == 1


def test_top_snp_of_constant_snps_is_the_mean(gene):
    snps, target, folds = gene
    fit = fit_linear("top-snp", np.ones_like(snps), target, folds=folds)
    assert not fit.coefficients.any()
    assert fit.intercept == pytest.approx(target.mean())


def test_unknown_model_is_refused(gene):
    snps, target, folds = gene
    with pytest.raises(ConfigError, match="model must be one of elastic-net, lasso"):
        fit_linear("boosting", snps, target, folds=folds)
