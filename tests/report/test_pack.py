import base64
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cisgram.personal.fit import Fit
from cisgram.report.data import ReportData, gather
from cisgram.report.pack import choose_detail, pack
from report.synthetic import across_populations

_TYPES = {"u8": "u1", "i16": "<i2", "i32": "<i4", "f32": "<f4"}


@pytest.fixture(scope="module")
def fits(make_fits) -> list[Fit]:
    return make_fits(n_genes=40, n_people=150)


@pytest.fixture(scope="module")
def data(fits: list[Fit]) -> ReportData:
    return gather(fits)


def test_small_cohorts_are_drawn_whole(data: ReportData) -> None:
    detail = choose_detail(data)
    assert detail.genes.tolist() == list(range(40))
    assert detail.people.tolist() == list(range(150))


def test_numbers_survive_packing(fits: list[Fit]) -> None:
    data = gather([_with_r2(fits[0], first=-12.224, second=None), *fits[1:]])
    packed = pack(data, choose_detail(data))
    assert _unpack(packed["models"][0]["r2"])[0] == np.float32(-12.224)
    for model, results in zip(packed["models"], data.models, strict=True):
        for name in ("pearson", "spearman"):
            r = _unpack(model[name]) / 1e4
            np.testing.assert_allclose(r, results.column(name), atol=5.1e-5)
        np.testing.assert_allclose(_unpack(model["r2"]), results.column("r2"), rtol=1e-6)
        p_value = 10.0 ** -_unpack(model["logP"])
        np.testing.assert_allclose(p_value, results.column("p_value"), rtol=1e-4)
    measured = packed["measured"]
    low, high = _unpack(measured["low"])[:, None], _unpack(measured["high"])[:, None]
    codes = _unpack(measured["codes"]).reshape(40, 150)
    values = np.where(codes == 255, np.nan, low + codes * (high - low) / 254)
    np.testing.assert_allclose(values, data.measured, atol=float((high - low).max()) / 500)


def test_the_largest_weights_find_their_gene_and_variant(data: ReportData) -> None:
    detail = choose_detail(data)
    assert detail.most_weights == 150
    packed = pack(data, detail)
    start, names = _unpack(packed["variants"]["start"]), packed["variants"]["id"]
    for part, results in zip(packed["weights"], data.models, strict=True):
        first, variant, value = (_unpack(part[name]) for name in ("first", "variant", "value"))
        gene = 17
        rows = slice(first[gene], first[gene + 1])
        expected = (
            results.weights.filter(pl.col("gene") == data.genes["gene"][gene])
            .top_k(150, by=pl.col("weight").abs())
            .sort("start", "ref", "alt")
        )
        np.testing.assert_array_equal(start[variant[rows]], expected["start"])
        np.testing.assert_allclose(value[rows], expected["weight"], rtol=1e-6)
        assert [names[v] for v in variant[rows]] == expected["id"].to_list()


def test_the_same_place_on_two_chromosomes_is_two_variants(fits: list[Fit]) -> None:
    row = fits[3].weights[:1]
    other = row.with_columns(
        pl.lit("21").alias("chrom"),
        pl.lit("rs21").alias("id"),
        pl.lit(fits[3].genes["gene"][1]).alias("gene"),
    )
    data = gather([replace(fits[3], weights=pl.concat([row, other]))])
    packed = pack(data, choose_detail(data))
    assert sorted(packed["variants"]["id"]) == sorted(["rs21", row["id"][0]])


def test_large_cohorts_keep_the_strongest_genes_and_a_fair_sample_of_people(
    make_fits: Callable[..., list[Fit]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cisgram.report.pack._BYTES", 200_000)
    data = gather(make_fits(n_genes=100, n_people=800, models=("elastic-net", "top-snp")))
    detail = choose_detail(data)
    assert len(detail.people) == 400
    populations = np.array(data.populations)
    for name in set(data.populations):
        expected = np.mean(populations == name)
        assert np.mean(populations[detail.people] == name) == pytest.approx(expected, abs=0.01)
    kept = np.zeros(100, dtype=bool)
    kept[detail.genes] = True
    r = np.abs([model.column("pearson") for model in data.models]).max(axis=0)
    assert 0 < kept.sum() < 100
    assert r[kept].min() >= r[~kept].max()
    assert len(json.dumps(pack(data, detail))) < 1.1 * 200_000


def test_only_people_held_out_are_drawn(make_fits: Callable[..., list[Fit]]) -> None:
    fit = across_populations(make_fits(n_genes=10, n_people=120, models=("lasso",))[0])
    data = gather([fit])
    detail = choose_detail(data)
    assert {data.populations[person] for person in detail.people} == {"FIN"}
    packed = pack(data, detail)
    assert packed["populations"] == ["FIN"]
    assert (_unpack(packed["population"]) == 0).all()
    assert (_unpack(packed["agreement"][0]["n"]) <= len(detail.people)).all()


def test_a_constant_or_missing_row_packs(fits: list[Fit]) -> None:
    predictions = fits[0].predictions.copy()
    predictions[0], predictions[1] = 0.25, np.nan
    data = gather([replace(fits[0], predictions=predictions)])
    packed = pack(data, choose_detail(data))["predicted"][0]
    codes = _unpack(packed["codes"]).reshape(40, 150)
    assert (codes[0] == 0).all()
    assert (codes[1] == 255).all()
    assert _unpack(packed["low"])[0] == pytest.approx(0.25)


def _with_r2(fit: Fit, *, first: float, second: float | None) -> Fit:
    r2 = pl.Series("r2", [first, second, *fit.genes["r2"][2:]])
    return replace(fit, genes=fit.genes.with_columns(r2))


def _unpack(packed: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["base64"]), dtype=_TYPES[packed["type"]])
