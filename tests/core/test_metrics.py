import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from cisgram.core import metrics
from cisgram.core.checks import ConfigError, DataError


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Predicted and measured values of 40 genes in 60 people, with ties and gaps."""
    rng = np.random.default_rng(1)
    measured = rng.normal(size=(40, 60))
    predicted = np.round(0.5 * measured + rng.normal(size=(40, 60)), 1)
    measured[rng.random(measured.shape) < 0.1] = np.nan
    predicted[rng.random(predicted.shape) < 0.1] = np.nan
    return predicted, measured


def _oracle(function, predicted, measured):
    used = ~np.isnan(predicted) & ~np.isnan(measured)
    return [function(p[u], m[u]) for p, m, u in zip(predicted, measured, used, strict=True)]


def test_correlations_equal_scipy_where_values_are_missing_and_tied(rows):
    np.testing.assert_allclose(
        metrics.pearson(*rows), _oracle(lambda p, m: stats.pearsonr(p, m)[0], *rows), atol=1e-12
    )
    np.testing.assert_allclose(
        metrics.spearman(*rows), _oracle(lambda p, m: stats.spearmanr(p, m)[0], *rows), atol=1e-12
    )


def test_r2_is_one_minus_rss_over_tss_and_not_the_squared_correlation(rows):
    def oracle(p, m):
        return 1 - ((m - p) ** 2).sum() / ((m - m.mean()) ** 2).sum()

    np.testing.assert_allclose(metrics.r2(*rows), _oracle(oracle, *rows), atol=1e-12)
    measured = np.array([1.0, 2.0, 3.0])
    assert metrics.r2(-measured, measured) < -1
    assert metrics.pearson(-measured, measured) == pytest.approx(-1)


@pytest.mark.parametrize("metric", [metrics.pearson, metrics.spearman])
def test_constant_prediction_scores_zero_and_constant_measurement_is_undefined(metric):
    varied, constant = np.array([0.3, 0.1, 0.7, 0.2]), np.full(4, 0.1 + 0.2)
    assert metric(constant, varied) == 0
    assert metric(constant + np.array([0, 1e-17, 0, 5.6e-17]), varied) == 0
    assert np.isnan(metric(varied, constant))
    assert np.isnan(metric(varied, np.array([1.0, np.nan, np.nan, np.nan])))
    assert np.isnan(metric(np.zeros(0), np.zeros(0)))


def test_constant_prediction_has_an_r2_but_constant_measurement_has_none():
    varied = np.array([0.0, 2.0])
    assert metrics.r2(np.ones(2), varied) == 0
    assert metrics.r2(np.zeros(2), varied) == -1
    assert np.isnan(metrics.r2(varied, np.ones(2)))


def test_only_the_people_of_both_sides_decide_whether_a_row_is_constant():
    predicted = np.array([1.0, 1.0, 1.0, 9.0])
    measured = np.array([1.0, 2.0, 3.0, np.nan])
    assert metrics.pearson(predicted, measured) == 0


def test_rows_broadcast_and_float32_is_accepted(rows):
    predicted, measured = rows
    stacked = metrics.pearson(np.stack([predicted, -predicted]), measured)
    np.testing.assert_allclose(stacked[1], -stacked[0])
    single = metrics.pearson(predicted.astype(np.float32), measured.astype(np.float32))
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, stacked[0], atol=1e-6)


@pytest.mark.unchecked
def test_different_people_or_genes_are_refused():
    with pytest.raises(DataError, match="3 people and measurements for 4"):
        metrics.pearson(np.zeros(3), np.zeros((2, 4)))
    with pytest.raises(DataError, match="got 5 and 3 values"):
        metrics.bootstrap_difference(np.zeros(5), np.zeros(3), seed=0)


numbers = st.floats(-1e150, 1e150, allow_subnormal=False)


@settings(deadline=None)
@given(arrays(np.float64, (3, 12), elements=numbers), arrays(np.float64, (3, 12), elements=numbers))
def test_correlations_stay_within_bounds_and_ignore_scale_and_order(predicted, measured):
    for metric in (metrics.pearson, metrics.spearman):
        r = metric(predicted, measured)
        assert np.all(np.isnan(r) | (np.abs(r) <= 1))
        np.testing.assert_allclose(metric(predicted * -(2.0**40), measured), -r, atol=1e-9)
        np.testing.assert_allclose(metric(predicted[:, ::-1], measured[:, ::-1]), r, atol=1e-9)


@settings(deadline=None)
@given(arrays(np.float64, (4, 9), elements=st.sampled_from([-1.0, 0.0, 2.0, 5.0])))
def test_ranks_equal_scipy(values):
    used = np.ones(values.shape, dtype=bool)
    np.testing.assert_array_equal(metrics._ranks(values, used), stats.rankdata(values, axis=-1))


def test_fisher_z_is_standard_normal_without_correlation():
    rng = np.random.default_rng(2)
    r = metrics.pearson(rng.normal(size=(4000, 30)), rng.normal(size=(4000, 30)))
    assert stats.kstest(metrics.fisher_z(r, 30), "norm").pvalue > 0.01
    assert metrics.fisher_z(0.5, 28) == pytest.approx(math.atanh(0.5) * 5)
    assert np.isfinite(metrics.fisher_z(np.array([-1.0, 1.0]), 10)).all()
    assert np.isnan(metrics.fisher_z(0.5, 3))


def test_combined_p_values_equal_scipy_and_skip_missing_folds():
    z = np.random.default_rng(3).normal(1, 1, size=(20, 5))
    p = metrics.two_sided_p(z)
    np.testing.assert_allclose(p, 2 * stats.norm.sf(np.abs(z)), rtol=1e-12)
    upper = stats.norm.sf(z)
    np.testing.assert_allclose(
        metrics.stouffer(z), [stats.combine_pvalues(row, "stouffer")[0] for row in upper]
    )
    np.testing.assert_allclose(
        metrics.fisher_combined_p(p), [stats.combine_pvalues(row, "fisher")[1] for row in p]
    )
    gap = np.c_[z, np.full(20, np.nan)]
    np.testing.assert_array_equal(metrics.stouffer(gap), metrics.stouffer(z))
    np.testing.assert_array_equal(
        metrics.fisher_combined_p(metrics.two_sided_p(gap)), metrics.fisher_combined_p(p)
    )
    assert np.isnan(metrics.stouffer(np.full(3, np.nan)))
    assert np.isnan(metrics.fisher_combined_p(np.full(3, np.nan)))
    assert metrics.fisher_combined_p(np.zeros(2)) == 0


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_bootstrap_interval_equals_scipy(statistic):
    values = np.random.default_rng(4).gamma(2, size=300)
    ours = metrics.bootstrap_ci(values, seed=0, statistic=statistic, n=4000)
    theirs = stats.bootstrap(
        (values,),
        getattr(np, statistic),
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ours.value == getattr(np, statistic)(values)
    width = theirs.high - theirs.low
    assert abs(ours.low - theirs.low) < 0.08 * width
    assert abs(ours.high - theirs.high) < 0.08 * width


def test_bootstrap_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(5)
    intervals = [
        metrics.bootstrap_ci(rng.normal(size=50), seed=i, n=400, level=0.9) for i in range(300)
    ]
    covered = np.mean([low <= 0 <= high for _, low, high in intervals])
    assert 0.84 < covered < 0.95


def test_bootstrap_does_not_depend_on_the_block_size_and_skips_nan(monkeypatch):
    values = np.random.default_rng(6).normal(size=101)
    whole = metrics.bootstrap_ci(values, seed=7)
    monkeypatch.setattr(metrics, "_BLOCK", 101 * 30)
    assert metrics.bootstrap_ci(values, seed=7) == whole
    assert metrics.bootstrap_ci(np.r_[values, np.nan], seed=7) == whole
    assert metrics.bootstrap_ci(values, seed=8) != whole


def test_paired_bootstrap_is_narrower_than_the_spread_both_share():
    rng = np.random.default_rng(8)
    second = rng.normal(scale=10, size=200)
    first = second + rng.normal(0.5, 0.1, size=200)
    first[0] = np.nan
    value, low, high = metrics.bootstrap_difference(first, second, seed=0)
    assert 0.45 < low < value < high < 0.55
    same = metrics.bootstrap_difference(second, second, seed=0, statistic="median")
    assert same == (0, 0, 0)


def test_binomial_interval_equals_scipy():
    for k, n, level in [(0, 5, 0.95), (5, 5, 0.95), (30, 97, 0.9), (1, 1000, 0.99)]:
        theirs = stats.binomtest(k, n).proportion_ci(level, method="wilson")
        ours = metrics.binomial_ci(k, n, level=level)
        assert ours == pytest.approx((k / n, theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.binomial_ci(6, 5), "successes must be between 0 and 5; got 6"),
        (lambda: metrics.binomial_ci(0, 0), "n must be at least 1; got 0"),
        (lambda: metrics.binomial_ci(1, 2, level=1.0), "level must be above 0 and below 1"),
        (lambda: metrics.bootstrap_ci(np.ones(3), seed=0, n=0), "n must be at least 1; got 0"),
        (lambda: metrics.bootstrap_ci(np.ones(3), seed=0, level=95), "level must be above 0"),
        (lambda: metrics.bootstrap_ci(np.ones(3), seed=0, statistic="mode"), "statistic must be"),
    ],
)
def test_options_outside_their_range_are_refused(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


def test_bootstrap_of_nothing_is_refused():
    with pytest.raises(DataError, match="every one of them is missing"):
        metrics.bootstrap_ci(np.full(3, np.nan), seed=0)


def test_one_gene_has_no_interval():
    one, two = np.array([0.5, np.nan]), np.array([0.25, 0.75])
    for value, *ends in (
        metrics.bootstrap_ci(one, seed=0),
        metrics.bootstrap_difference(one, two, seed=0),
    ):
        assert value in (0.5, 0.25)
        assert np.isnan(ends).all()
