"""Fitting a cohort: results, interruption, permutation, populations, leaks."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.genes import read_gene_list
from cisgram.personal.fit import Fit, FitConfig, fit_cohort, fit_models
from cisgram.personal.gene_fit import GeneFitter
from resealing import reseal

QUICK = FitConfig(model="top-snp")


@pytest.fixture(scope="session")
def some_genes(cohort) -> list[str]:
    return cohort.genes["gene"].to_list()[10:16]


def without_seconds(fit: Fit) -> pl.DataFrame:
    return fit.genes.drop("seconds")


def test_a_fit_holds_what_it_promises(cohort, some_genes, tmp_path):
    fit = fit_cohort(
        cohort.path,
        FitConfig(model="elastic-net"),
        tmp_path / "fit",
        genes=some_genes,
        executor="serial",
    )
    assert fit.genes["gene"].to_list() == some_genes
    assert fit.task == "across people, seen genes"
    assert fit.predictions.shape == (6, len(cohort.people))
    for row in fit.genes.iter_rows(named=True):
        weights = fit.weights.filter(pl.col("gene") == row["gene"])
        assert len(weights) == row["n_snps_model"] <= row["n_snps_window"]
        assert weights["start"].is_between(row["start"] - 10**6, row["end"] + 10**6).all()
        assert row["accepted"] == (
            row["pearson"] > 0.1 and row["p_value"] < 0.05 and row["n_snps_model"] > 0
        )
    position = fit.genes["pearson"].arg_max()
    r = [
        np.corrcoef(fit.predictions[position, members], fit.measured[position, members])[0, 1]
        for members in (fit.folds == fold for fold in range(5))
    ]
    assert fit.genes["pearson"][position] == pytest.approx(np.mean(r), abs=1e-5)
    assert not (tmp_path / "fit.partial").exists()


def test_final_weights_rebuild_the_prediction(cohort, some_genes, tmp_path):
    fit = fit_cohort(
        cohort.path,
        FitConfig(model="elastic-net"),
        tmp_path / "fit",
        genes=some_genes,
        executor="serial",
    )
    row = fit.genes.sort("n_snps_model").row(-1, named=True)
    weights = fit.weights.filter(pl.col("gene") == row["gene"])
    keys = cohort.genotypes.variants.with_row_index("row").select("row", "start", "ref", "alt")
    rows = weights.join(keys, on=["start", "ref", "alt"], how="left", maintain_order="left")["row"]
    dosages = cohort.genotypes.dosages(rows.to_numpy().astype(np.int64))
    predicted = row["intercept"] + dosages @ weights["weight"].to_numpy()
    position = fit.genes["gene"].to_list().index(row["gene"])
    held_out = fit.predictions[position]
    assert np.corrcoef(predicted, held_out)[0, 1] > 0.7
    assert abs(predicted.mean()) < 1e-3  # targets are residuals with mean 0


def test_all_models_share_folds_and_window(cohort, some_genes, tmp_path):
    fits = [
        fit_cohort(
            cohort.path,
            FitConfig(model=model),
            tmp_path / model,
            genes=some_genes[:2],
            executor="serial",
        )
        for model in ("lasso", "ridge", "top-snp")
    ]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.folds, fits[0].folds)
        np.testing.assert_array_equal(fit.measured, fits[0].measured)
        assert (fit.genes["n_snps_window"] == fits[0].genes["n_snps_window"]).all()


def test_interrupted_and_resumed_equals_uninterrupted(cohort, some_genes, tmp_path, monkeypatch):
    whole = fit_cohort(cohort.path, QUICK, tmp_path / "whole", genes=some_genes, executor="serial")
    fitted: list[int] = []
    fit_one = GeneFitter.__call__

    def counted(self, gene):
        if len(fitted) == 3:
            raise KeyboardInterrupt
        fitted.append(gene)
        return fit_one(self, gene)

    monkeypatch.setattr(GeneFitter, "__call__", counted)
    with pytest.raises(KeyboardInterrupt):
        fit_cohort(cohort.path, QUICK, tmp_path / "cut", genes=some_genes, executor="serial")
    assert not (tmp_path / "cut").exists()
    with pytest.raises(DataError, match="is not finished; run the same `personal fit` again"):
        Fit.open(tmp_path / "cut")
    again: list[int] = []
    monkeypatch.setattr(
        GeneFitter, "__call__", lambda self, gene: again.append(gene) or fit_one(self, gene)
    )
    resumed = fit_cohort(cohort.path, QUICK, tmp_path / "cut", genes=some_genes, executor="serial")
    assert not set(again) & set(fitted)
    assert len(again) + len(fitted) == 6
    assert without_seconds(resumed).equals(without_seconds(whole))
    assert resumed.weights.equals(whole.weights)
    for name in ("predictions.npy", "measured.npy"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.whole
def test_a_killed_run_resumes(cohort, tmp_path):
    out, genes = tmp_path / "fit", cohort.genes["gene"].to_list()[:12]
    command = [sys.executable, "-m", "cisgram", "personal", "fit", str(cohort.path)]
    command += [
        "--model",
        "ridge",
        "--executor",
        "serial",
        "--out",
        str(out),
        "--genes",
        ",".join(genes),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    journal = tmp_path / "fit.partial" / "journal.sqlite-wal"
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size > 30_000):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    resumed = fit_cohort(cohort.path, FitConfig(model="ridge"), out, genes=genes)
    direct = GeneFitter(cohort.path, FitConfig(model="ridge"))(3)
    assert len(resumed.genes) == len(genes)
    assert resumed.genes["pearson"][3] == direct.row["pearson"]


def test_a_finished_fit_is_reused_and_another_refused(cohort, some_genes, tmp_path, monkeypatch):
    out = tmp_path / "fit"
    fit_cohort(cohort.path, QUICK, out, genes=some_genes, executor="serial")
    monkeypatch.setattr(GeneFitter, "__call__", None)
    assert len(fit_cohort(cohort.path, QUICK, out, genes=some_genes).genes) == 6
    with pytest.raises(DataError, match="other settings or data; remove it or choose another"):
        fit_cohort(cohort.path, replace(QUICK, seed=2), out, genes=some_genes)


@pytest.mark.whole
def test_permuted_genotypes_predict_nothing(cohort, demo_run, tmp_path):
    null = fit_cohort(cohort.path, replace(QUICK, permutation=1), tmp_path / "null")
    real = Fit.open(demo_run(QUICK.model) / QUICK.model)
    assert null.task.endswith("genotypes permuted")
    r = null.genes["pearson"].to_numpy()
    assert abs(r.mean()) < 4 * r.std() / np.sqrt(len(r))
    assert null.genes["accepted"].mean() < 0.1 < real.genes["accepted"].mean()


def test_populations_are_kept_apart(cohort, some_genes, tmp_path):
    config = replace(QUICK, train_populations=("GBR", "CEU"), test_populations=("FIN",))
    fit = fit_cohort(cohort.path, config, tmp_path / "fit", genes=some_genes, executor="serial")
    finns = np.array(fit.populations) == "FIN"
    np.testing.assert_array_equal(fit.folds >= 0, finns)
    assert np.isnan(fit.predictions[:, ~finns]).all()
    assert not np.isnan(fit.predictions[:, finns]).any()
    split = GeneFitter(cohort.path, config).splits[0]
    assert set(np.array(cohort.populations)[split.train]) == {"GBR", "CEU"}
    assert "cross-population" in fit.task


def test_held_out_expression_cannot_change_what_is_learnt(cohort):
    """Replace the expression of one outer fold: its own model must stay the same."""
    fitter = GeneFitter(cohort.path, FitConfig(model="ridge", n_expression_pcs=0))
    split = fitter.splits[0]
    expression = np.array(cohort.expression[4])
    before = split.target.target(expression)[split.train]
    expression[split.test] *= 50
    np.testing.assert_array_equal(split.target.target(expression)[split.train], before)
    leaky = GeneFitter(cohort.path, FitConfig(model="ridge", normalize_on="everyone")).splits[0]
    assert not np.array_equal(leaky.target.target(expression)[split.train], before)


@pytest.mark.parametrize("normalize_on", ["training", "everyone"])
def test_expression_pcs_of_held_out_people_reach_nothing(cohort, tmp_path, normalize_on):
    """Replace what every gene does in one outer fold; only the leaky setting may notice."""
    shutil.copytree(cohort.path, tmp_path / "other")
    config = FitConfig(model="ridge", n_expression_pcs=5, normalize_on=normalize_on)
    split = GeneFitter(cohort.path, config).splits[0]
    values = np.load(tmp_path / "other" / "expression.npy")
    values[:, split.test] = values[:, split.test][::-1] * 50
    np.save(tmp_path / "other" / "expression.npy", values)
    reseal(tmp_path / "other")
    other = GeneFitter(tmp_path / "other", config).splits[0]
    before = split.target.target(np.array(cohort.expression[4]))[split.train]
    after = other.target.target(values[4])[split.train]
    assert np.array_equal(before, after) == (normalize_on == "training")


def test_populations_are_one_setting_however_they_are_written():
    config = FitConfig(train_populations=("GBR, CEU",), test_populations=("FIN",))
    assert config.train_populations == ("CEU", "GBR")
    assert config == FitConfig(train_populations=("CEU", "GBR"), test_populations=("FIN",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "forest"}, "model must be one of elastic-net, lasso, ridge, top-snp,"),
        ({"min_maf": 0.7}, "min_maf must be between 0 and 0.5; got 0.7"),
        ({"train_populations": ("GBR",)}, "go together; name both"),
        (
            {"train_populations": ("GBR",), "test_populations": ("GBR",)},
            "GBR are both trained on and tested on",
        ),
    ],
)
@pytest.mark.unchecked
def test_bad_settings_are_one_sentence(change, message):
    with pytest.raises(ConfigError, match=message):
        FitConfig(**change)


def test_unknown_population_and_gene_are_named(cohort, tmp_path):
    config = replace(QUICK, train_populations=("GBR",), test_populations=("XXX",))
    with pytest.raises(ConfigError, match="nobody belongs to population XXX"):
        fit_cohort(cohort.path, config, tmp_path / "fit", executor="serial")
    with pytest.raises(DataError, match="the cohort has no gene NOPE; it has ENSG"):
        fit_cohort(cohort.path, QUICK, tmp_path / "fit", genes=["NOPE"], executor="serial")
    assert list(tmp_path.iterdir()) == []


def test_gene_lists(cohort, tmp_path):
    names = cohort.genes["gene"].to_list()
    assert read_gene_list("3", names, "cohort") == names[:3]
    listed = Path(tmp_path / "genes.txt")
    listed.write_text(f"# mine\n{names[5]}\tsymbol\n\n{names[2].split('.')[0]}\n")
    assert read_gene_list(str(listed), names, "cohort") == [names[5], names[2].split(".")[0]]
    listed.write_text("# none\n")
    with pytest.raises(DataError, match="names no gene; write one a line"):
        read_gene_list(str(listed), names, "cohort")


def test_models_fitted_together_are_those_fitted_alone(cohort, some_genes, tmp_path):
    runs = {tmp_path / model: FitConfig(model=model) for model in ("top-snp", "ridge")}
    alone = fit_cohort(
        cohort.path, QUICK, tmp_path / "alone", genes=some_genes[:2], executor="serial"
    )
    together = fit_models(cohort.path, runs, genes=some_genes[:2], executor="serial")
    assert [fit.config.model for fit in together] == ["top-snp", "ridge"]
    assert without_seconds(together[0]).equals(without_seconds(alone))
    assert together[0].weights.equals(alone.weights)
    assert not list(tmp_path.glob("*.partial"))


def test_models_stopped_midway_go_on(cohort, some_genes, tmp_path, monkeypatch):
    runs = {tmp_path / str(seed): replace(QUICK, seed=seed) for seed in (1, 2)}
    fitted: list[int] = []
    fit_one = GeneFitter.__call__

    def counted(self, gene):
        if len(fitted) == 3:
            raise KeyboardInterrupt
        fitted.append(gene)
        return fit_one(self, gene)

    monkeypatch.setattr(GeneFitter, "__call__", counted)
    with pytest.raises(KeyboardInterrupt):
        fit_models(cohort.path, runs, genes=some_genes[:2], executor="serial")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2.partial"]
    monkeypatch.setattr(
        GeneFitter, "__call__", lambda self, gene: fitted.append(gene) or fit_one(self, gene)
    )
    fits = fit_models(cohort.path, runs, genes=some_genes[:2], executor="serial")
    assert len(fitted) == 4
    assert [fit.config.seed for fit in fits] == [1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
