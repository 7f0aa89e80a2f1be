import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from cisgram.core.checks import ConfigError, DataError
from cisgram.data.normalize import (
    TRANSFORMS,
    CovariateProjector,
    InverseNormal,
    TargetFit,
    expression_pcs,
)


def fit_target(values, covariates, train, *, transform):
    return TargetFit(covariates, train, transform=transform).target(values)


def _cohort(seed: int, n_people: int = 60, n_covariates: int = 5, n_genes: int = 30):
    rng = np.random.default_rng(seed)
    covariates = rng.normal(size=(n_people, n_covariates))
    values = rng.gamma(2.0, 1.5, size=(n_genes, n_people)) + covariates[:, 0]
    train = np.zeros(n_people, dtype=bool)
    train[rng.permutation(n_people)[: n_people * 4 // 5]] = True
    return values, covariates, train


def test_inverse_normal_is_bloms_score_of_average_ranks(rng):
    values = rng.integers(0, 20, size=200).astype(float)
    ranks = stats.rankdata(values)
    expected = stats.norm.ppf((ranks - 0.375) / 200.25)
    np.testing.assert_allclose(InverseNormal.fit(values).transform(values), expected, atol=1e-12)


def test_inverse_normal_interpolates_others_and_stops_at_the_ends():
    fitted = InverseNormal.fit(np.array([1.0, 2.0, 4.0]))
    low, mid, high = fitted.scores
    np.testing.assert_allclose(
        fitted.transform(np.array([-9.0, 3.0, 99.0, np.nan])), [low, (mid + high) / 2, high, np.nan]
    )


def test_inverse_normal_needs_a_value():
    with pytest.raises(DataError, match="no training person"):
        InverseNormal.fit(np.array([np.nan, np.nan]))


@pytest.mark.parametrize("transform", TRANSFORMS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), with_missing=st.booleans())
def test_nothing_of_a_held_out_person_reaches_the_training_side(transform, seed, with_missing):
    values, covariates, train = _cohort(seed)
    gene = np.abs(values[0])
    rng = np.random.default_rng(seed)
    if with_missing:
        gene[rng.random(gene.size) < 0.2] = np.nan
    other, other_covariates = gene.copy(), covariates.copy()
    other[~train] = rng.gamma(2.0, 100.0, size=(~train).sum())
    other_covariates[~train] += rng.normal(scale=50, size=other_covariates[~train].shape)

    one = fit_target(gene, covariates, train, transform=transform)
    two = fit_target(other, other_covariates, train, transform=transform)
    np.testing.assert_array_equal(one[train], two[train])
    # And a held-out person's own target depends on nobody else held out.
    someone = np.flatnonzero(~train)[0]
    other[someone], other_covariates[someone] = gene[someone], covariates[someone]
    three = fit_target(other, other_covariates, train, transform=transform)
    np.testing.assert_allclose(three[someone], one[someone], rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_expression_pcs_learn_from_training_people_only(seed):
    values, _, train = _cohort(seed)
    other = values.copy()
    other[:, ~train] = np.random.default_rng(seed).normal(scale=1e3, size=other[:, ~train].shape)
    np.testing.assert_array_equal(
        expression_pcs(values, train, 4)[train], expression_pcs(other, train, 4)[train]
    )


def test_residuals_are_those_of_a_regression_fitted_on_training_people():
    values, covariates, train = _cohort(1)
    model = LinearRegression().fit(covariates[train], values[:, train].T)
    expected = values - model.predict(covariates).T
    projector = CovariateProjector(covariates, train)
    np.testing.assert_allclose(projector.residual(values), expected, atol=1e-10)
    np.testing.assert_allclose(projector.residual(values[3]), expected[3], atol=1e-10)


def test_collinear_and_constant_covariates_change_nothing():
    values, covariates, train = _cohort(2)
    constant = np.where(train, 3.0, 99.0)
    more = np.column_stack([covariates, covariates @ np.arange(1.0, 6.0), constant])
    one, two = CovariateProjector(covariates, train), CovariateProjector(more, train)
    assert one.rank == two.rank == 6
    np.testing.assert_allclose(one.residual(values), two.residual(values), atol=1e-9)


def test_no_covariates_leave_the_training_mean_out():
    values, covariates, train = _cohort(3)
    residual = CovariateProjector(covariates[:, :0], train).residual(values[0])
    np.testing.assert_allclose(residual, values[0] - values[0, train].mean())


def test_covariates_on_wild_scales_are_regressed_out_exactly():
    values, covariates, train = _cohort(4)
    scaled = covariates * np.array([1e-6, 1.0, 1e6, 1e3, 1e-3]) + np.array([0, 1e4, 0, 1e6, 5.0])
    one, two = (CovariateProjector(c, train).residual(values) for c in (covariates, scaled))
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_a_gene_with_missing_values_is_fitted_on_the_people_who_have_it():
    values, covariates, train = _cohort(5)
    gene = values[0].copy()
    gene[::7] = np.nan
    seen = train & ~np.isnan(gene)
    model = LinearRegression().fit(covariates[seen], gene[seen])
    expected = gene - model.predict(covariates)
    result = CovariateProjector(covariates, train).residual(np.stack([values[1], gene]))
    np.testing.assert_allclose(result[1], expected, atol=1e-10)
    assert not np.isnan(result[0]).any()


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_targets_are_standardised_on_training_people(transform):
    values, covariates, train = _cohort(6)
    target = fit_target(np.abs(values[0]), covariates, train, transform=transform)
    assert target[train].mean() == pytest.approx(0, abs=1e-12)
    assert target[train].std(ddof=1) == pytest.approx(1)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_gene_constant_in_training_is_centred_and_not_blown_up(transform):
    _, covariates, train = _cohort(7)
    values = np.where(train, 5.0, 6.0)
    fitted = fit_target(values, covariates, train, transform=transform)
    assert np.abs(fitted).max() < 2
    np.testing.assert_allclose(fitted[train], 0, atol=1e-12)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("n_observed", [0, 3])
def test_too_few_training_values_give_nan(transform, n_observed):
    values, covariates, train = _cohort(8)
    gene = np.abs(values[0])
    gene[np.flatnonzero(train)[n_observed:]] = np.nan
    assert np.isnan(fit_target(gene, covariates, train, transform=transform)).all()


def test_more_covariates_than_people_are_refused():
    _, covariates, train = _cohort(9, n_people=10, n_covariates=8)
    with pytest.raises(ConfigError, match="8 training people are too few for 7 covariates"):
        CovariateProjector(covariates, train)


def test_missing_covariates_are_refused():
    _, covariates, train = _cohort(10)
    covariates[3, 2] = np.nan
    with pytest.raises(DataError, match="covariates must be finite"):
        CovariateProjector(covariates, train)


def test_a_logarithm_of_negative_values_is_refused():
    values, covariates, train = _cohort(11)
    with pytest.raises(ConfigError, match="above -1 and met -2"):
        fit_target(values[0] * 0 - 2, covariates, train, transform="log")


def test_unknown_transform_is_refused():
    values, covariates, train = _cohort(11)
    with pytest.raises(ConfigError, match="transform must be one of none, log, inverse-normal"):
        fit_target(values[0], covariates, train, transform="rank")


def test_expression_pcs_are_those_of_sklearn_on_standardised_genes():
    values, _, train = _cohort(12)
    mean, sd = values[:, train].mean(1), values[:, train].std(1, ddof=1)
    scaled = ((values - mean[:, None]) / sd[:, None]).T
    expected = PCA(5, svd_solver="full").fit(scaled[train]).transform(scaled)
    ours = expression_pcs(values, train, 5)
    signs = np.sign((expected * ours).sum(axis=0))
    np.testing.assert_allclose(ours, expected * signs, atol=1e-9)


def test_expression_pcs_leave_out_genes_that_say_nothing_and_take_missing_as_the_mean():
    values, _, train = _cohort(13)
    odd = np.vstack([values, np.full(60, 4.0), np.full(60, np.nan)])
    np.testing.assert_allclose(
        expression_pcs(odd, train, 3), expression_pcs(values, train, 3), atol=1e-10
    )
    odd[0, 5] = np.nan
    assert np.isfinite(expression_pcs(odd, train, 3)).all()


def test_more_pcs_than_people_are_refused():
    values, _, train = _cohort(14)
    with pytest.raises(ConfigError, match="between 1 and 30 for 48 training people and 30"):
        expression_pcs(values, train, 31)
