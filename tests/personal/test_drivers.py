"""Driver selection is compared with a slow version that correlates every sum anew."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import linregress, pearsonr

from cisgram.core.checks import ConfigError, DataError
from cisgram.personal.cohort import Cohort
from cisgram.personal.drivers import find_drivers, marginal_slopes, select_drivers
from cisgram.personal.fit_config import FitConfig
from linear_models import make_cohort, make_fit, make_store


def slow_forward(x: np.ndarray, effects: np.ndarray, prediction: np.ndarray) -> list[int]:
    order = np.argsort(-np.abs(effects), kind="stable")
    total = pearsonr(x @ effects, prediction)[0]
    before, chosen = 0.0, []
    for size, snp in enumerate(order, start=1):
        part = order[:size]
        share = pearsonr(x[:, part] @ effects[part], prediction)[0] / total
        own = pearsonr(x[:, snp] * effects[snp], prediction)
        if share - before > 0.05 and own[0] > 0 and own[1] < 0.01 / len(effects):
            chosen.append(int(snp))
        before = share
    return chosen


def slow_backward(x: np.ndarray, effects: np.ndarray, prediction: np.ndarray) -> list[int]:
    limit = 0.01 / len(effects)
    own = [pearsonr(x[:, i] * effects[i], prediction) for i in range(len(effects))]
    left = [i for i, (r, p) in enumerate(own) if r > 0 and p < limit]
    kept = list(range(len(effects)))
    chosen: list[int] = []
    while left:
        without = {
            i: pearsonr(x[:, rest] @ effects[rest], prediction)
            for i in left
            if (rest := [j for j in kept if j != i])
        }
        worst = min(without, key=lambda i: without[i][0])
        left.remove(worst)
        kept.remove(worst)
        chosen.append(worst)
        if not (without[worst][0] > 0 and without[worst][1] < limit):
            break
    return chosen


@pytest.fixture(params=range(4))
def example(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(request.param)
    x = rng.binomial(2, rng.uniform(0.1, 0.5, 25), (900, 25)).astype(np.float32)
    effects = rng.normal(size=25) * rng.choice([0.6, 1.5], 25)
    prediction = np.tanh(x @ effects / 4) + 0.1 * rng.normal(size=900)
    return x, effects, prediction


def test_forward_is_the_slow_way(example: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    x, effects, prediction = example
    found = select_drivers(x, effects, prediction)
    assert found.snps.tolist() == slow_forward(x, effects, prediction)
    assert found.total == pytest.approx(pearsonr(x @ effects, prediction)[0])
    own = [pearsonr(x[:, i] * effects[i], prediction) for i in found.snps]
    assert found.correlation.tolist() == pytest.approx([r for r, _ in own])
    assert found.p_value.tolist() == pytest.approx([p for _, p in own], rel=1e-4)


def test_backward_is_the_slow_way(example: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    x, effects, prediction = example
    found = select_drivers(x, effects, prediction, direction="backward")
    assert found.snps.tolist() == slow_backward(x, effects, prediction)
    kept = np.delete(np.arange(25), found.snps)
    lost = 1 - pearsonr(x[:, kept] @ effects[kept], prediction)[0] / found.total
    assert found.gain.sum() == pytest.approx(lost)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_one_snp_is_the_driver_of_itself(direction: str, rng: np.random.Generator) -> None:
    x = rng.binomial(2, 0.3, (50, 1)).astype(float)
    found = select_drivers(
        x, np.array([-0.5]), -x[:, 0], direction=direction  # pyright: ignore
    )  # fmt: skip
    assert found.snps.tolist() == [0]
    assert found.gain.tolist() == pytest.approx([1.0])
    still = np.column_stack([x, np.ones(50)])
    beside = select_drivers(
        still, np.array([-0.5, 1.0]), -x[:, 0], direction=direction  # pyright: ignore
    )  # fmt: skip
    assert beside.snps.tolist() == [0]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_no_prediction_has_no_driver(direction: str, rng: np.random.Generator) -> None:
    x = rng.binomial(2, 0.3, (50, 6)).astype(float)
    for effects, prediction in (
        (np.zeros(6), x[:, 0]), (np.ones(6), np.ones(50)), (np.ones(6), -x.sum(axis=1)),
    ):  # fmt: skip
        found = select_drivers(x, effects, prediction, direction=direction)  # pyright: ignore
        assert len(found.snps) == 0
    empty = select_drivers(
        x[:, :0], np.zeros(0), x[:, 0], direction=direction  # pyright: ignore
    )  # fmt: skip
    assert len(empty.snps) == 0


def test_unknown_dosages_count_as_the_mean(
    example: tuple[np.ndarray, np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    x, effects, prediction = example
    holes = np.where(rng.random(x.shape) < 0.05, np.nan, x)
    filled = np.where(np.isnan(holes), np.nanmean(holes, axis=0), holes)
    assert select_drivers(holes, effects, prediction).snps.tolist() == slow_forward(
        filled, effects, prediction
    )


@pytest.mark.unchecked
def test_bad_input_is_explained(rng: np.random.Generator) -> None:
    x = rng.random((10, 3))
    with pytest.raises(DataError, match="10 people x 3 SNPs, with 2 effects"):
        select_drivers(x, np.ones(2), np.ones(10))
    with pytest.raises(DataError, match="three people"):
        select_drivers(x[:2], np.ones(3), np.ones(2))
    with pytest.raises(ConfigError, match="direction"):
        select_drivers(x, np.ones(3), np.ones(10), direction="up")  # pyright: ignore
    with pytest.raises(ConfigError, match="min_gain"):
        select_drivers(x, np.ones(3), np.ones(10), min_gain=5)


def test_slopes_are_least_squares(rng: np.random.Generator) -> None:
    x = rng.binomial(2, 0.4, (60, 4)).astype(np.float32)
    x[:, 3] = 1
    y = x[:, 0] - 0.5 * x[:, 1] + rng.normal(size=60)
    y[:7] = np.nan
    slope, p = marginal_slopes(x, y)
    for i in range(3):
        expected = linregress(x[7:, i], y[7:])
        assert (slope[i], p[i]) == pytest.approx((expected.slope, expected.pvalue))
    assert np.isnan([slope[3], p[3]]).all()


GENES = pl.DataFrame(
    {"gene": ["A.1", "B.1", "C.1"], "name": ["a", "b", "c"], "chrom": "22", "start": 1000,
     "end": 1001, "tss": 1000, "strand": ["+", "-", "+"]}
)  # fmt: skip


@pytest.fixture
def cohort(tmp_path: Path, rng: np.random.Generator) -> Cohort:
    sites = [("22", 901 + 100 * i, f"rs{i}", "A", "G") for i in range(6)]
    store = make_store(tmp_path / "cohort", sites, rng.binomial(2, 0.4, (6, 80)))
    return make_cohort(store, GENES, ["GBR"] * 80)


def test_drivers_of_a_fit(tmp_path: Path, cohort: Cohort, rng: np.random.Generator) -> None:
    models = {"A.1": {0: 2.0, 1: -1.5, 5: 0.01}, "B.1": {2: 1.0, 4: 0.001}, "C.1": {3: 1.0}}
    x = cohort.genotypes.dosages(slice(0, 6))
    measured = np.stack([x[:, 0] + x[:, 1], -x[:, 2], x[:, 3]]).astype(np.float32)
    measured += 0.3 * rng.normal(size=measured.shape).astype(np.float32)
    fit = make_fit(cohort, models, rejected=["C.1"], measured=measured)
    found = find_drivers(fit, cohort)
    assert found.snps.select("gene", "id", "tss_distance", "agrees").rows() == [
        ("A.1", "rs0", -100, True), ("A.1", "rs1", 0, False), ("B.1", "rs2", -100, False),
    ]  # fmt: skip
    assert found.genes.rows_by_key("gene", unique=True)["A.1"][0] == 3
    assert found.genes["n_drivers"].to_list() == [2, 1]
    assert found.genes["correlation"].to_list() == pytest.approx([1, 1])
    assert found.agreement.value == pytest.approx(1 / 3)
    assert found.majority == pytest.approx(2 / 3)
    found.write(tmp_path / "drivers.tsv")
    assert pl.read_csv(tmp_path / "drivers.tsv", separator="\t").height == 3
    named = find_drivers(fit, cohort, genes=["C"], people=cohort.people[10:50])
    assert named.snps["gene"].to_list() == ["C.1"]
    slope = marginal_slopes(x[10:50, 3:4], measured[2, 10:50])[0][0]
    assert named.snps["slope"].to_list() == pytest.approx([slope])


def test_fits_without_drivers(cohort: Cohort) -> None:
    models = {"A.1": {0: 2.0}, "B.1": {2: 1.0}, "C.1": {3: 1.0}}
    fit = make_fit(cohort, models, rejected=list(models))
    with pytest.raises(DataError, match="no accepted gene"):
        find_drivers(fit, cohort)
    same = np.flatnonzero(cohort.genotypes.dosages(np.array([0]))[:, 0] == 1)
    people = [cohort.people[row] for row in same]
    none = find_drivers(fit, cohort, genes=["A"], people=people)
    assert none.snps.is_empty()
    assert np.isnan(none.agreement.value)
    with pytest.raises(DataError, match="no gene Z"):
        find_drivers(fit, cohort, genes=["Z"])


def test_genes_named_are_all_looked_at_or_refused(cohort: Cohort) -> None:
    fit = make_fit(cohort, {"A.1": {0: 2.0}, "B.1": {2: 1.0}}, rejected=["B.1"])
    with pytest.raises(DataError, match=r"fit has no gene C\.1; .* fitted"):
        find_drivers(fit, cohort, genes=["A", "C"])
    found = find_drivers(fit, cohort, genes=["A", "B"])
    assert found.genes.select("gene", "accepted").rows() == [("A.1", True), ("B.1", False)]


def test_permuted_fits_have_no_drivers(cohort: Cohort) -> None:
    null = make_fit(cohort, {"A.1": {0: 2.0}}, config=FitConfig(permutation=1))
    with pytest.raises(DataError, match="permuted genotypes"):
        find_drivers(null, cohort)
