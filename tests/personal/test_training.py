"""Nothing of the people held out may reach a model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.personal.linear import MODELS, train_gene
from cisgram.personal.snp_prior import SnpPrior

PRIOR = SnpPrior(np.arange(60) * 500.0, np.ones(60))
OPTIONS = {"min_maf": 0.05, "max_missing": 0.1, "prior": PRIOR}


def make(seed, n_people=80, n_snps=60):
    rng = np.random.default_rng(seed)
    dosages = rng.binomial(2, 0.3, (n_people, n_snps)).astype(np.float32)
    dosages[rng.random(dosages.shape) < 0.02] = np.nan
    target = 0.8 * np.nan_to_num(dosages[:, 3]) + rng.standard_normal(n_people)
    return rng, dosages, target, np.arange(n_people) < 60, np.arange(n_people) % 5


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_test_people_cannot_change_a_model(model, seed):
    rng, dosages, target, train, folds = make(seed)
    first = train_gene(model, dosages, target, train=train, folds=folds, **OPTIONS)
    dosages[~train] = rng.choice([0, 1, 2, np.nan], dosages[~train].shape)
    target[~train] = rng.choice([np.nan, 100.0], (~train).sum())
    second = train_gene(model, dosages, target, train=train, folds=folds, **OPTIONS)
    np.testing.assert_array_equal(first.used, second.used)
    np.testing.assert_array_equal(first.coefficients, second.coefficients)
    np.testing.assert_array_equal(first.means, second.means)
    assert first.intercept == second.intercept


def test_frequency_and_missingness_are_those_of_training_people():
    _, dosages, target, train, folds = make(1)
    dosages[:] = np.nan_to_num(dosages)
    dosages[:, 0] = np.where(train, 0, 1)  # common, but not in training
    dosages[:3, 1], dosages[3:, 1] = 1, 0  # MAF of 2.5% in training
    dosages[:10, 2] = np.nan  # 17% missing in training
    model = train_gene("ridge", dosages, target, train=train, folds=folds, **OPTIONS)
    assert {0, 1, 2}.isdisjoint(model.used.tolist())
    assert model.n_window == dosages.shape[1] - 3
    whole = OPTIONS | {"min_maf": 0.01, "max_missing": 0.2}
    assert train_gene("ridge", dosages, target, train=train, folds=folds, **whole).n_window == 59


def test_a_missing_dosage_is_worth_the_training_mean():
    _, dosages, target, train, folds = make(2)
    model = train_gene("top-snp", dosages, target, train=train, folds=folds, **OPTIONS)
    snp = int(model.used[0])
    person = np.full((1, dosages.shape[1]), np.nan, np.float32)
    mean = np.nanmean(dosages[train, snp], dtype=np.float64)
    expected = model.intercept + mean * model.coefficients[0]
    assert model.predict(person)[0] == pytest.approx(expected, rel=1e-5)


def test_genes_that_cannot_be_fitted_give_none():
    _, dosages, target, train, folds = make(3)
    same = {"train": train, "folds": folds, **OPTIONS}
    assert (
        train_gene("lasso", dosages[:, :1], target, **same | {"prior": PRIOR.at(np.arange(1))})
        is None
    )
    assert train_gene("lasso", dosages, np.ones_like(target), **same) is None
    assert train_gene("lasso", np.ones_like(dosages) * 0, target, **same) is None
