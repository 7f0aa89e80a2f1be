import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.personal.evaluate import evaluate_fits
from cisgram.personal.fit import Fit
from cisgram.report.data import gather, read_evaluations


@pytest.fixture(scope="module")
def fits(make_fits) -> list[Fit]:
    return make_fits(n_genes=30, n_people=120)


def test_models_of_different_genes_are_refused(fits: list[Fit]) -> None:
    first, second = _rows(fits[0], slice(0, 20)), _rows(fits[3], slice(10, 30))
    with pytest.raises(DataError, match=r"has 20 genes and .* 20, or others; fit the same --genes"):
        gather([first, second])
    assert gather([first]).genes["gene"].to_list() == first.genes["gene"].to_list()


def test_sets_the_first_model_beside_top_snp(fits: list[Fit]) -> None:
    comparison = gather(fits).comparison
    assert comparison is not None
    assert (comparison.model, comparison.baseline) == ("top-snp", "elastic-net")
    assert gather(fits[:1]).comparison is None


def test_takes_null_rates_and_other_tasks_from_the_evaluation(
    fits: list[Fit], tmp_path: Path
) -> None:
    rows = json.loads(json.dumps(evaluate_fits(fits[:2]).as_dict()))["models"]
    null = {**_permuted(rows[0], n_accepted=1), "n_genes": 20}
    again = {**_permuted(rows[0], n_accepted=3), "n_genes": 30}
    across = {**rows[1], "task": "across people, seen genes, cross-population"}
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps({"models": [*rows, null, again, across]}))
    data = gather(fits, read_evaluations([path]))
    assert data.null_rates == (4 / 50, None, None, None)
    assert [row.task for row in data.other_tasks] == [across["task"]]
    assert [asdict(row) for row in data.accuracies[:1]] == [
        asdict(evaluate_fits(fits[:1]).models[0])
    ]


def test_refuses_fits_that_do_not_belong_together(fits: list[Fit]) -> None:
    with pytest.raises(ConfigError, match="at least one fit"):
        gather([])
    with pytest.raises(ConfigError, match="two fits are of one model"):
        gather([fits[0], fits[0]])
    raw = replace(fits[1], config=replace(fits[1].config, use_covariates=False))
    with pytest.raises(DataError, match="fitted with different use_covariates"):
        gather([fits[0], raw])
    with pytest.raises(DataError, match="different people"):
        gather([fits[0], replace(fits[1], folds=np.roll(fits[1].folds, 1))])


def test_refuses_a_null_of_other_people(fits: list[Fit]) -> None:
    row = json.loads(json.dumps(evaluate_fits(fits[:1]).as_dict()))["models"][0]
    other = {**_permuted(row, n_accepted=1), "n_people": 119}
    with pytest.raises(DataError, match="predicts 119 people and the fit 120"):
        gather(fits, {"models": [_permuted(row, n_accepted=1), other]})


@pytest.mark.parametrize("text", ["[", "{}", "[1]"])
def test_refuses_what_is_no_evaluation(tmp_path: Path, text: str) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(text)
    with pytest.raises(DataError, match="is no evaluation"):
        read_evaluations([path])


def test_names_what_an_evaluation_lacks(fits: list[Fit]) -> None:
    with pytest.raises(DataError, match=r"lacks task, n_genes"):
        gather(fits, {"models": [{"model": "lasso"}]})


def test_names_a_number_of_an_evaluation_that_is_none(fits: list[Fit]) -> None:
    row = json.loads(json.dumps(evaluate_fits(fits[:1]).as_dict()))["models"][0]
    with pytest.raises(ConfigError, match="mean_pearson in a model in the evaluation must be a"):
        gather(fits, {"models": [row | {"mean_pearson": "high"}]})


def _permuted(row: dict[str, Any], *, n_accepted: int) -> dict[str, Any]:
    return {**row, "task": row["task"] + ", genotypes permuted", "n_accepted": n_accepted}


def _rows(fit: Fit, rows: slice) -> Fit:
    genes = fit.genes[rows]
    return replace(
        fit,
        genes=genes,
        weights=fit.weights.filter(pl.col("gene").is_in(genes["gene"].implode())),
        predictions=fit.predictions[rows],
        measured=fit.measured[rows],
    )
