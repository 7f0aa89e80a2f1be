"""The elastic net against scikit-learn, on the same objective."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Lasso

from cisgram.core.checks import ConfigError
from cisgram.personal.elastic_net import ElasticNetConfig, elastic_net_cv, find_distinct

EXACT = ElasticNetConfig(tolerance=1e-10, stop_early=False, n_strengths=40)


def make_gene(rng, n_people=120, n_snps=300, n_causal=4):
    """SNPs in blocks of strong LD, with copies and mirrored copies, and a target."""
    founders = rng.integers(0, 3, (n_snps // 6, n_people))
    noisy = np.where(rng.random((n_snps // 6, n_people)) < 0.1, 1, founders)
    snps = np.concatenate([founders, noisy, founders, 2 - founders, noisy, 2 - noisy])
    snps = snps[rng.permutation(len(snps))].astype(np.float32)
    weights = np.zeros(len(snps))
    weights[rng.choice(len(snps), n_causal, replace=False)] = 0.7
    target = weights @ snps + rng.standard_normal(n_people)
    return snps, target - target.mean(), rng.permutation(n_people) % 5


def standardize(snps):
    snps = snps.astype(np.float64)
    return ((snps - snps.mean(1, keepdims=True)) / snps.std(1, keepdims=True)).T


def sklearn_model(strength, l1_ratio):
    if l1_ratio == 1:
        return Lasso(alpha=strength, tol=1e-7, max_iter=100_000)
    return ElasticNet(alpha=strength, l1_ratio=l1_ratio, tol=1e-7, max_iter=100_000)


@pytest.mark.parametrize("l1_ratio", [0.3, 0.5, 1.0])
def test_weights_and_curve_equal_scikit_learn(rng, l1_ratio):
    snps, target, folds = make_gene(rng)
    config = ElasticNetConfig(tolerance=1e-10, stop_early=False, n_strengths=40, l1_ratio=l1_ratio)
    ours = elastic_net_cv(snps, target, folds, config=config)
    z = standardize(snps)
    strength = ours.strengths[ours.best]
    theirs = sklearn_model(strength, l1_ratio).fit(z, target)
    np.testing.assert_allclose(
        snps.T @ ours.coefficients + ours.intercept, theirs.predict(z), atol=2e-3
    )
    if l1_ratio < 1:  # the lasso's weights on copies are not unique
        np.testing.assert_allclose(ours.coefficients * snps.std(1), theirs.coef_, atol=1e-3)
    for step in (5, 15, 25):
        error = 0.0
        for fold in range(5):
            train = folds != fold
            model = sklearn_model(ours.strengths[step], l1_ratio).fit(z[train], target[train])
            error += ((model.predict(z[~train]) - target[~train]) ** 2).sum()
        assert ours.cv_mse[step] == pytest.approx(error / len(target), rel=5e-4)


def test_optimality_conditions_hold_at_every_snp(rng):
    snps, target, folds = make_gene(rng)
    fit = elastic_net_cv(snps, target, folds, config=EXACT)
    z, n = standardize(snps), len(target)
    residual = target - snps.T @ fit.coefficients - fit.intercept
    weights = fit.coefficients * snps.std(1)
    strength = fit.strengths[fit.best]
    gradient = z.T @ residual / n - strength * 0.5 * weights
    used = weights != 0
    assert used.sum() > 5
    np.testing.assert_allclose(
        gradient[used], np.sign(weights[used]) * strength * 0.5, atol=2e-3 * strength
    )
    assert np.abs(gradient[~used]).max() <= strength * 0.5 * 1.002


def test_collapsing_copies_changes_nothing(rng):
    snps, target, folds = make_gene(rng)
    one_by_one = ElasticNetConfig(tolerance=1e-10, stop_early=False, n_strengths=40, collapse=False)
    collapsed = elastic_net_cv(snps, target, folds, config=EXACT)
    plain = elastic_net_cv(snps, target, folds, config=one_by_one)
    np.testing.assert_allclose(collapsed.cv_mse, plain.cv_mse, rtol=5e-4)  # single precision
    np.testing.assert_allclose(collapsed.coefficients, plain.coefficients, atol=1e-3)


def test_stopping_early_keeps_the_chosen_strength(rng):
    for _ in range(20):
        snps, target, folds = make_gene(rng, n_causal=int(rng.integers(0, 6)))
        early = elastic_net_cv(snps, target, folds, config=ElasticNetConfig())
        whole = elastic_net_cv(snps, target, folds, config=ElasticNetConfig(stop_early=False))
        assert early.best == whole.best
        np.testing.assert_array_equal(early.coefficients, whole.coefficients)


def test_find_distinct_groups_copies_and_mirrors(rng):
    base = rng.standard_normal((5, 50)).astype(np.float32)
    snps = np.concatenate([base, -base[:2], base[1:3]])
    distinct = find_distinct(snps)
    assert len(distinct.representatives) == 5
    assert sorted(distinct.copies) == [1, 1, 2, 2, 3]
    rebuilt = distinct.sign[:, None] * snps[distinct.representatives][distinct.group]
    np.testing.assert_allclose(rebuilt, snps)
    weights = rng.standard_normal(5)
    np.testing.assert_allclose(
        distinct.give_back(weights) @ snps, weights @ snps[distinct.representatives], atol=1e-5
    )


def test_constant_snps_and_targets_get_no_weight(rng):
    snps, target, folds = make_gene(rng)
    snps[3] = 1
    assert elastic_net_cv(snps, target, folds, config=EXACT).coefficients[3] == 0
    flat = elastic_net_cv(snps, np.full(120, 2.0), folds, config=EXACT)
    assert not flat.coefficients.any()
    assert flat.intercept == pytest.approx(2)
    assert flat.cv_r2 == 0
    alone = elastic_net_cv(snps[:0], target, folds, config=EXACT)
    assert alone.intercept == pytest.approx(target.mean())


def test_one_fold_and_a_ridge_ratio_are_refused(rng):
    snps, target, folds = make_gene(rng)
    with pytest.raises(ConfigError, match="at least 2 folds; got 1"):
        elastic_net_cv(snps, target, folds * 0, config=EXACT)
    with pytest.raises(ConfigError, match=r"l1_ratio must be between 0.001 and 1; got 0\."):
        ElasticNetConfig(l1_ratio=0)


def test_expected_sizes_scale_the_penalties(rng):
    """The absolute penalty is divided by a SNP's size, the squared one by its square."""
    snps, target, folds = make_gene(rng)
    sizes = np.where(np.arange(len(snps)) % 5 == 0, 0, rng.uniform(0.3, 3, len(snps)))
    ours = elastic_net_cv(snps, target, folds, config=EXACT, sizes=sizes)
    theirs = sklearn_model(ours.strengths[ours.best], 0.5).fit(standardize(snps) * sizes, target)
    fitted = (ours.coefficients * snps.std(1)) @ standardize(snps).T
    np.testing.assert_allclose(fitted, (standardize(snps) * sizes) @ theirs.coef_, atol=2e-3)
    assert not ours.coefficients[sizes == 0].any()
