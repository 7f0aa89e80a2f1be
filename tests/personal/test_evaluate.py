"""Tables of accuracy: intervals, tasks, populations, differences."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cisgram.core.checks import DataError
from cisgram.personal.evaluate import evaluate_across, evaluate_fits, population_pearson
from cisgram.personal.fit import Fit, FitConfig, fit_cohort
from resealing import reseal

RIDGE = FitConfig(model="ridge")


@pytest.fixture(scope="module")
def fits(demo_run):
    models = ("ridge", "top-snp")
    return [Fit.open(demo_run(*models) / model) for model in models]


def test_summary_is_over_scored_genes(fits):
    evaluation = evaluate_fits(fits)
    ridge, top = evaluation.models
    r = fits[0].genes["pearson"].to_numpy()
    assert ridge.mean_pearson == pytest.approx(r.mean())
    assert ridge.median_pearson == pytest.approx(np.median(r))
    assert ridge.ci95[0] < r.mean() < ridge.ci95[1]
    bootstrap = stats.bootstrap((r,), np.mean, method="percentile", rng=1)
    assert ridge.ci95 == pytest.approx(tuple(bootstrap.confidence_interval), abs=0.01)
    assert ridge.n_accepted == fits[0].genes["accepted"].sum()
    assert ridge.n_people == 358
    assert ridge.n_train == 358 - 72
    assert ridge.task == top.task == "across people, seen genes"
    assert {row.population for row in ridge.populations} == {"CEU", "FIN", "GBR", "TSI"}
    assert sum(row.n_people for row in ridge.populations) == 358


def test_difference_is_paired_from_the_first(fits):
    (difference,) = evaluate_fits(fits).differences
    ridge, top = (fit.genes["pearson"].to_numpy() for fit in fits)
    assert difference.baseline == "ridge"
    assert difference.mean_difference == pytest.approx((top - ridge).mean())
    assert difference.share_better == pytest.approx((top > ridge).mean())


def test_population_pearson_is_within_the_population(fits):
    member = np.array(fits[0].populations) == "FIN"
    by_hand = stats.pearsonr(fits[0].predictions[7, member], fits[0].measured[7, member])[0]
    assert population_pearson(fits[0], "FIN")[7] == pytest.approx(by_hand, abs=1e-5)


def test_across_populations_trains_anew_and_says_so(fits):
    across = evaluate_across(fits[1:], train=["CEU", "GBR", "TSI"], test=["FIN"], executor="serial")
    (row,) = across.models
    assert row.task == "across people, seen genes, cross-population"
    finns = np.array(fits[0].populations) == "FIN"
    assert row.n_people == finns.sum()
    assert row.n_train == 358 - finns.sum()
    assert [p.population for p in row.populations] == ["FIN"]


def test_different_tasks_or_people_never_share_a_table(fits, cohort, tmp_path):
    genes = cohort.genes["gene"].to_list()[:2]
    null = fit_cohort(
        cohort.path,
        replace(RIDGE, permutation=1),
        tmp_path / "null",
        genes=genes,
        executor="serial",
    )
    with pytest.raises(DataError, match=r"answers '.*genotypes permuted' and"):
        evaluate_fits([fits[0], null])
    other = fit_cohort(
        cohort.path, replace(RIDGE, seed=9), tmp_path / "seed", genes=genes, executor="serial"
    )
    with pytest.raises(DataError, match="hold out different people"):
        evaluate_fits([fits[0], other])
    narrow = fit_cohort(
        cohort.path, replace(RIDGE, window=20_000), tmp_path / "w", genes=genes, executor="serial"
    )
    with pytest.raises(DataError, match=r"has 2 genes and .* 49, or others; fit the same --genes"):
        evaluate_fits([fits[0], narrow])
    wide = fit_cohort(cohort.path, RIDGE, tmp_path / "v", genes=genes, executor="serial")
    with pytest.raises(DataError, match="were fitted with different window; compare fits that"):
        evaluate_fits([wide, narrow])
    with pytest.raises(DataError, match="name at least one fit"):
        evaluate_fits([])


def test_across_populations_refuses_another_cohort_in_its_place(fits, cohort, tmp_path):
    """Same names, other values: a new fit of it would pass for one of the first."""
    path = shutil.copytree(cohort.path, tmp_path / "cohort")
    genes = cohort.genes["gene"].to_list()[:2]
    fit = fit_cohort(
        path, FitConfig(model="top-snp"), tmp_path / "fit", genes=genes, executor="serial"
    )
    reseal(path, again=True)
    with pytest.raises(DataError, match="is no longer the cohort that"):
        evaluate_across([fit], train=["CEU"], test=["FIN"], executor="serial")
