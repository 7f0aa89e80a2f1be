"""Held-out accuracy against scipy, fold by fold."""

import numpy as np
import pytest
from scipy import stats

from cisgram.personal.accuracy import held_out_accuracy


@pytest.fixture
def people(rng):
    folds = (np.arange(100) % 5).astype(np.int8)
    measured = rng.standard_normal(100)
    return 0.3 * measured + rng.standard_normal(100) + 5.0 * folds, measured, folds


def test_statistics_are_means_over_folds(people):
    predicted, measured, folds = people
    found = held_out_accuracy(predicted, measured, folds, gene="G")
    by_fold = [(predicted[folds == f], measured[folds == f]) for f in range(5)]
    r = np.array([stats.pearsonr(p, m)[0] for p, m in by_fold])
    assert found.pearson == pytest.approx(r.mean())
    assert found.pearson_sd == pytest.approx(r.std(ddof=1))
    assert found.spearman == pytest.approx(np.mean([stats.spearmanr(p, m)[0] for p, m in by_fold]))
    explained = [1 - ((m - p) ** 2).sum() / ((m - m.mean()) ** 2).sum() for p, m in by_fold]
    assert found.r2 == pytest.approx(np.mean(explained))
    z = np.arctanh(r) * np.sqrt(17)
    combined = stats.combine_pvalues(stats.norm.sf(z), method="stouffer")
    assert found.z == pytest.approx(combined.statistic)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(found.z)))
    fisher = stats.combine_pvalues(2 * stats.norm.sf(np.abs(z)), method="fisher")
    assert found.fisher_p_value == pytest.approx(fisher.pvalue)


def test_fold_means_cannot_pass_for_accuracy(rng):
    folds = (np.arange(100) % 5).astype(np.int8)
    measured = rng.standard_normal(100) + 10.0 * folds
    found = held_out_accuracy(10.0 * folds, measured, folds, gene="G")
    assert found.pearson == 0
    assert found.n_constant_folds == 5
    assert not found.accepted


def test_people_never_held_out_do_not_count(people):
    predicted, measured, folds = people
    folds = np.where(folds > 2, -1, folds).astype(np.int8)
    whole = held_out_accuracy(predicted, measured, folds, gene="G")
    predicted = np.where(folds < 0, np.nan, predicted)
    assert held_out_accuracy(predicted, measured, folds, gene="G") == whole


def test_a_wrong_sign_is_never_accepted(people):
    predicted, measured, folds = people
    right = held_out_accuracy(measured + 0.1 * predicted, measured, folds, gene="G")
    wrong = held_out_accuracy(-measured, measured, folds, gene="G")
    assert right.accepted
    assert wrong.pearson == pytest.approx(-1)
    assert not wrong.accepted
