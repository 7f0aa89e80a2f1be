"""Predictions are compared with sums worked out one SNP at a time."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.genotypes import Genotypes
from cisgram.personal.export import export_predictdb
from cisgram.personal.predict import predict_file, predict_people
from cisgram.personal.predictdb import WeightSet
from linear_models import Site, make_cohort, make_fit, make_store, make_weights, write_vcf

SITES: list[Site] = [
    ("22", 100, "rs1", "A", "G"),
    ("22", 200, "rs2", "C", "T"),
    ("22", 300, "rs3", "G", "A"),
    ("22", 400, "rs4", "T", "C"),
]
MODELS = {"G1": {0: 0.5, 1: -0.25, 2: 1.0}, "G2": {3: 2.0}}
GENES = pl.DataFrame(
    {"gene": ["G1", "G2"], "name": ["one", "two"], "chrom": "22", "start": 250, "end": 350,
     "tss": 250, "strand": "+"}
)  # fmt: skip


@pytest.fixture
def dosages(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 3, (4, 30))


@pytest.fixture
def store(tmp_path: Path, dosages: np.ndarray) -> Genotypes:
    return make_store(tmp_path / "cohort", SITES, dosages)


@pytest.fixture
def models(store: Genotypes) -> WeightSet:
    return WeightSet.from_fit(make_fit(make_cohort(store, GENES, [""] * 30), MODELS))


def test_models_of_a_fit_predict_z_scores(
    models: WeightSet, store: Genotypes, dosages: np.ndarray
) -> None:
    done = predict_people(models, store)
    centred = dosages - dosages.mean(axis=1, keepdims=True)
    assert done.centred
    assert done.people == store.people
    assert done.genes.rows() == [("G1", "one"), ("G2", "two")]
    expected = [0.5 * centred[0] - 0.25 * centred[1] + centred[2], 2 * centred[3]]
    np.testing.assert_allclose(done.values, expected, atol=1e-5)
    np.testing.assert_allclose(done.values.mean(axis=1), 0, atol=1e-5)
    assert done.account["missing"].to_list() == [0.0, 0.0]


def test_people_who_were_learnt_from_are_told(
    tmp_path: Path, models: WeightSet, store: Genotypes, dosages: np.ndarray
) -> None:
    assert any(
        "30 of 30 people were learnt from" in note for note in predict_people(models, store).notes
    )
    strangers = make_store(tmp_path / "b", SITES, dosages)
    others = replace(models, learnt_from=frozenset({"somebody else"}))
    assert not any("learnt from" in note for note in predict_people(others, strangers).notes)


def test_a_person_named_as_a_column_is_refused(models: WeightSet, store: Genotypes) -> None:
    other = Genotypes.open(store.directory, ("gene", *store.people[1:]))
    with pytest.raises(DataError, match="have a person named gene, as a column of the prediction"):
        predict_people(models, other)


def test_swapped_and_flipped_alleles_predict_the_same(
    tmp_path: Path, models: WeightSet, store: Genotypes, dosages: np.ndarray
) -> None:
    sites: list[Site] = [
        ("chr22", 100, "rs1", "G", "A"), ("chr22", 200, "rs2", "G", "A"),
        ("chr22", 300, "rs3", "T", "C"), ("chr22", 400, "rs4", "T", "C"),
    ]  # fmt: skip
    other = make_store(
        tmp_path / "b", sites, np.stack([2 - dosages[0], dosages[1], 2 - dosages[2], dosages[3]])
    )
    done = predict_people(models, other)
    np.testing.assert_allclose(done.values, predict_people(models, store).values, atol=1e-5)
    account = done.account.select("n_used", "n_swapped", "n_flipped")
    assert account.rows() == [(3, 2, 2), (1, 0, 0)]


def test_unknown_dosages_and_absent_snps_count_as_the_training_mean(
    tmp_path: Path, models: WeightSet, dosages: np.ndarray
) -> None:
    holes = dosages.copy()
    holes[0, 4] = -1
    other = make_store(tmp_path / "b", [SITES[0], SITES[2]], holes[[0, 2]])
    done = predict_people(models, other, people=["p7", "p4"])
    mean = dosages.mean(axis=1)
    centred = dosages - mean[:, None]
    assert done.people == ("p7", "p4")
    np.testing.assert_allclose(
        done.values[0], [0.5 * centred[0, 7] + centred[2, 7], centred[2, 4]], atol=1e-5
    )
    assert np.isnan(done.values[1]).all()
    assert done.account["missing"].to_list() == [0.25, None]
    assert done.account["n_absent"].to_list() == [1, 1]
    listed = done.snps.select("gene", "rsid", "position", "outcome", "found_alt", "missing")
    assert listed.rows() == [
        ("G1", "rs1", 100, "used", "G", 0.5), ("G1", "rs2", 200, "absent", None, None),
        ("G1", "rs3", 300, "used", "A", 0.0), ("G2", "rs4", 400, "absent", None, None),
    ]  # fmt: skip


def test_models_of_a_file_give_raw_sums(
    tmp_path: Path, store: Genotypes, dosages: np.ndarray
) -> None:
    fit = make_fit(make_cohort(store, GENES, [""] * 30), MODELS)
    path = export_predictdb(fit, make_cohort(store, GENES, [""] * 30), tmp_path / "m.db",
                            build="b37").database  # fmt: skip
    holes = dosages.copy()
    holes[3, 0] = -1
    done = predict_people(WeightSet.read(path), make_store(tmp_path / "b", SITES, holes))
    assert not done.centred
    np.testing.assert_allclose(
        done.values[0], 0.5 * dosages[0] - 0.25 * dosages[1] + dosages[2], atol=1e-5
    )
    assert done.values[1, 0] == pytest.approx(2 * dosages[3, 1:].mean())


def test_file_is_predicted_as_its_store(
    tmp_path: Path, models: WeightSet, store: Genotypes, dosages: np.ndarray
) -> None:
    far: Site = ("22", 40_000_000, "rs9", "A", "C")
    vcf = write_vcf(tmp_path / "x.vcf", [*SITES, far], np.vstack([dosages, dosages[:1]]))
    done = predict_file(models, vcf)
    np.testing.assert_array_equal(done.values, predict_people(models, store).values)
    some = predict_file(models, vcf, people=["p3", "p1"])
    np.testing.assert_allclose(some.values, done.values[:, [3, 1]], atol=1e-6)
    with pytest.raises(DataError, match="people"):
        predict_file(models, vcf, people=["nobody"])


def test_models_without_positions_read_the_whole_file(tmp_path: Path, dosages: np.ndarray) -> None:
    vcf = write_vcf(tmp_path / "x.vcf", SITES, dosages)
    weights = make_weights([{"gene": "g", "rsid": "rs2", "ref": "C", "eff": "T", "weight": 1.0}])
    np.testing.assert_array_equal(predict_file(weights, vcf).values[0], dosages[1])


def test_large_genes_are_summed_in_pieces(
    models: WeightSet, store: Genotypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predict_people(models, store)
    monkeypatch.setattr("cisgram.personal.predict._BLOCK", 60)
    pieces = predict_people(models, store)
    np.testing.assert_allclose(pieces.values, whole.values, atol=1e-6)


def test_nothing_in_common_names_the_file(tmp_path: Path, models: WeightSet) -> None:
    vcf = write_vcf(tmp_path / "x.vcf", [("22", 150, "rs8", "A", "G")], np.ones((1, 3)))
    with pytest.raises(DataError, match=r"none of the model's 4 SNPs .*x\.vcf"):
        predict_file(models, vcf)
    write_vcf(vcf, [("22", 40_000_000, "rs8", "A", "G")], np.ones((1, 3)))
    with pytest.raises(DataError, match=r"x\.vcf"):
        predict_file(models, vcf)
    with pytest.raises(DataError, match="1 people are not in"):
        predict_people(models, make_store(tmp_path / "b", SITES, np.ones((4, 3))), people=["x"])
    with pytest.raises(DataError, match="list of people is empty"):
        predict_people(models, make_store(tmp_path / "c", SITES, np.ones((4, 3))), people=[])


@pytest.mark.parametrize("name", ["out.tsv", "out.tsv.gz", "out.parquet"])
def test_written_tables(tmp_path: Path, models: WeightSet, store: Genotypes, name: str) -> None:
    done = predict_people(models, store)
    listed = done.write(tmp_path / name)
    assert listed == tmp_path / "out.snps.tsv"
    assert pl.read_csv(listed, separator="\t")["outcome"].to_list() == ["used"] * 4
    counts = pl.read_csv(tmp_path / "out.account.tsv", separator="\t")
    assert counts["n_used"].to_list() == [3, 1]
    path = tmp_path / name
    if name.endswith("parquet"):
        table = pl.read_parquet(path)
    else:
        raw = path.read_bytes()
        table = pl.read_csv(gzip.decompress(raw) if name.endswith("gz") else raw, separator="\t")
    assert table.columns == ["gene", "name", *store.people]
    np.testing.assert_allclose(table.select(store.people).to_numpy(), done.values, rtol=1e-6)


def test_a_square_table_is_not_turned(tmp_path: Path, models: WeightSet, store: Genotypes) -> None:
    done = predict_people(models, store, people=["p7", "p4"])
    done = replace(done, values=np.asfortranarray(done.values))
    done.write(tmp_path / "out.parquet")
    written = pl.read_parquet(tmp_path / "out.parquet").select("p7", "p4").to_numpy()
    np.testing.assert_array_equal(written, done.values)


def test_a_build_that_cannot_be_compared_is_refused_at_once(
    tmp_path: Path, models: WeightSet
) -> None:
    with pytest.raises(ConfigError, match=r"fit, .* no assembly; leave --build out"):
        predict_file(models, tmp_path / "absent.vcf", build="b38")


def test_written_tables_need_a_known_suffix(
    tmp_path: Path, models: WeightSet, store: Genotypes
) -> None:
    with pytest.raises(ConfigError, match="must end in"):
        predict_people(models, store).write(tmp_path / "out.xlsx")
    assert list(tmp_path.glob("out*")) == []
