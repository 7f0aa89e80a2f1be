"""Tasks of models of tracks on a small yeast: rows with baselines, nulls and intervals."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmark.toy_tracks import toy_context, toy_sites_context
from cisgram.benchmark.base import Context, Predictor, Row, Rows, evaluations
from cisgram.benchmark.folds import UNTRAINED, read_folds
from cisgram.benchmark.kmers import PROMOTER, RIDGE, KmerRidge, count_kmers, ridge_predict
from cisgram.genome.alphabet import one_hot

TASKS = ("yeast-signal", "yeast-genes", "yeast-variants", "yeast-reporters", "yeast-insertion")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return toy_context(tmp_path_factory.mktemp("yeast"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few bootstrap samples and small libraries."""
    from cisgram.benchmark import statistics
    from cisgram.benchmark.tasks import yeast_insertion, yeast_reporters, yeast_variants

    monkeypatch.setattr(statistics, "N_DRAWS", 20)
    monkeypatch.setattr(yeast_variants, "FEWEST", 1)
    monkeypatch.setattr(yeast_reporters, "N_HOSTS", 1)
    small = dataclasses.replace(
        yeast_insertion.CONFIG, distances=(100, 200), n_backgrounds=1, n_nulls=1, n_genes=2
    )
    monkeypatch.setattr(yeast_insertion, "CONFIG", small)
    monkeypatch.setattr(yeast_insertion, "DISTANCES", (100, 200))


def rows_of(task: str, context: Context) -> list[Row]:
    rows = Rows(task, ["toy"])
    evaluations()[task].run(context, rows)
    return rows.rows


@pytest.mark.filterwarnings("ignore:No contig of .* has the bases")
@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_its_numbers_beside_a_baseline_and_a_null(
    task: str, context: Context
) -> None:
    rows = rows_of(task, context)
    keys = [(row.subset, row.predictor, row.output, row.metric) for row in rows]
    assert len(keys) == len(set(keys))
    own = {(row.subset, row.output, row.metric) for row in rows if row.predictor == "toy"}
    null = {(row.subset, row.output, row.metric) for row in rows if row.predictor == UNTRAINED}
    if task != "yeast-insertion":  # whose null is the motif's letters in other orders
        assert {key for key in own if not key[2].startswith("minus ")} == null
    baselines = {row.predictor for row in rows if row.baseline}
    assert any(name.startswith("ridge") or name.startswith("1- to") for name in baselines)
    for row in rows:
        if row.predictor != "chance" and not np.isnan(row.value):
            assert row.low <= row.value + 1e-9
            assert row.value <= row.high + 1e-9
            assert row.n
    assert all(row.baseline == (row.predictor != "toy") for row in rows)


def test_gradients_at_known_sites_stand_beside_two_backgrounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cisgram.benchmark.tasks import yeast_attribution

    monkeypatch.setattr(yeast_attribution, "N_MUTATED", 2)
    monkeypatch.setattr(yeast_attribution, "MUTATED", 4)
    rows = rows_of("yeast-attribution", toy_sites_context(tmp_path))
    for who in ("toy", UNTRAINED):
        own = {row.metric for row in rows if row.predictor == who and row.subset == "TATA box"}
        assert own == {
            f"{what}, auroc, same {background}"
            for what in ("importance", "match")
            for background in ("distance", "sequence")
        }
        (agreement,) = [row for row in rows if row.predictor == who and not row.subset]
        assert agreement.metric == "r with mutagenesis"
        assert agreement.n == 2
    assert all(row.low <= row.value <= row.high for row in rows)


def test_folds_hold_out_what_every_predictor_held_out(context: Context) -> None:
    (fold,) = read_folds(context)
    assert fold.contigs == ("chr4",)
    assert set(fold.genes) == set(context.targets.genes.filter(chrom="chr4")["gene"])
    assert list(fold.sessions) == ["toy", UNTRAINED]
    toy = context.predictors[0]
    ((session, _),) = toy.parts
    parts = ((session, ("chr1", "chr2")), (session, ("chr3", "chr4")))
    two = dataclasses.replace(context, predictors=(Predictor("two", parts),))
    assert [own.contigs for own in read_folds(two)] == [("chr1", "chr2"), ("chr3", "chr4")]
    both = dataclasses.replace(context, predictors=(Predictor("two", parts), toy))
    assert [own.contigs for own in read_folds(both)] == [("chr4",)]


def test_folds_are_predicted_together(context: Context) -> None:
    session = context.predictors[0].session
    parts = ((session, ("chr1", "chr2")), (session, ("chr3", "chr4")))
    folds = dataclasses.replace(context, predictors=(Predictor("toy", parts),))
    one, both = (rows_of("yeast-genes", own) for own in (context, folds))
    n_of = {row.n for row in both if row.metric == "r" and row.output == "segregants"}
    assert n_of == {4 * n for n in {row.n for row in one if row.output == "segregants"}}


def test_a_ridge_regression_is_a_model_of_promoters() -> None:
    rng = np.random.default_rng(0)
    windows = rng.integers(0, 5, (3, PROMOTER), dtype=np.uint8)
    weights = rng.normal(size=(2, 257))
    import torch

    hot = torch.from_numpy(np.stack([one_hot(own, np.float64) for own in windows]))
    found = KmerRidge(weights)(hot.transpose(1, 2)).numpy()
    np.testing.assert_allclose(found, ridge_predict(weights, count_kmers(windows)), atol=1e-4)
    assert RIDGE == "ridge, promoter 4-mers"
