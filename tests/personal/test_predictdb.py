"""Weight files are read back by SQL and arithmetic that know nothing of the writer."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.personal.cohort import Cohort
from cisgram.personal.export import export_predictdb
from cisgram.personal.fit import Fit
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.predictdb import WeightSet, training_people
from linear_models import make_cohort, make_fit, make_store

SITES = [
    ("22", 100, "rs1", "A", "G"),
    ("22", 200, ".", "C", "T"),
    ("22", 300, "rs3", "G", "A"),
    ("22", 301, "rs3", "T", "A"),
    ("22", 400, "rs4", "AT", "A"),
    ("22", 500, "rs5;rs50", "G", "C"),
    ("22", 600, "rs6", "G", "T"),
]
MODELS = {
    "ENSG1.3": {0: 0.5, 1: -0.25, 4: 0.125},
    "ENSG2.1": {2: 1.0, 3: -1.0, 5: 0.75},
    "ENSG3.1": {6: 0.3},
}


@pytest.fixture
def cohort(tmp_path: Path, rng: np.random.Generator) -> Cohort:
    dosages = rng.integers(0, 3, (len(SITES), 40))
    dosages[2, :5] = -1
    genes = pl.DataFrame(
        {
            "gene": list(MODELS), "name": ["ONE", "TWO", "THREE"], "chrom": "22",
            "start": 250, "end": 350, "tss": 250, "strand": "+",
        }
    )  # fmt: skip
    store = make_store(tmp_path / "cohort", SITES, dosages)
    return make_cohort(store, genes, ["GBR"] * 25 + ["YRI"] * 15)


@pytest.fixture
def fit(cohort: Cohort) -> Fit:
    return make_fit(cohort, MODELS, rejected=["ENSG3.1"])


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as base:
        return base.execute(sql).fetchall()


def test_export_answers_the_queries_of_metaxcan(tmp_path: Path, cohort: Cohort, fit: Fit) -> None:
    done = export_predictdb(fit, cohort, tmp_path / "out" / "m.db", build="GRCh37")
    weights = query(
        done.database, "SELECT rsid, gene, weight, ref_allele, eff_allele, varID FROM weights"
    )
    assert weights == [
        ("rs1", "ENSG1.3", 0.5, "A", "G", "22_100_A_G_b37"),
        ("22_200_C_T_b37", "ENSG1.3", -0.25, "C", "T", "22_200_C_T_b37"),
        ("rs4", "ENSG1.3", 0.125, "AT", "A", "22_400_AT_A_b37"),
        ("22_300_G_A_b37", "ENSG2.1", 1.0, "G", "A", "22_300_G_A_b37"),
        ("22_301_T_A_b37", "ENSG2.1", -1.0, "T", "A", "22_301_T_A_b37"),
        ("rs5", "ENSG2.1", 0.75, "G", "C", "22_500_G_C_b37"),
    ]
    assert done.n_renamed == 3
    extra = query(
        done.database,
        "SELECT gene, genename, `n.snps.in.model`, `pred.perf.R2`, `pred.perf.pval`, "
        "`pred.perf.qval`, weight_scale, nested_cv_fisher_pval FROM extra",
    )
    assert [row[:3] for row in extra] == [("ENSG1.3", "ONE", 3), ("ENSG2.1", "TWO", 3)]
    r = fit.genes["pearson"].to_list()
    assert [row[3] for row in extra] == pytest.approx([r[0] ** 2, r[1] ** 2])
    assert all(row[4] <= row[5] <= 1 for row in extra)  # pyright: ignore
    assert "z-score" in str(extra[0][6])
    assert [row[7] for row in extra] == fit.genes["fisher_p_value"].to_list()[:2]
    assert query(done.database, "SELECT n_samples, population FROM sample_info") == [
        (40, "GBR,YRI")
    ]
    assert query(done.database, "SELECT chromosome, cv_seed FROM construction") == [("22", 1)]
    indexes = {row[0] for row in query(done.database, "SELECT name FROM sqlite_master")}
    assert {"weights_rsid", "weights_gene", "weights_rsid_gene"} <= indexes


def test_q_values_are_benjamini_hochberg_over_all_tested_genes(fit: Fit) -> None:
    p = np.sort(fit.genes["p_value"].to_numpy())
    q = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    found = WeightSet.from_fit(fit, accepted_only=False).genes.sort("p_value")["q_value"]
    assert found.to_list() == pytest.approx(q.tolist())


def test_covariances_are_those_of_the_training_people(
    tmp_path: Path, cohort: Cohort, fit: Fit
) -> None:
    done = export_predictdb(fit, cohort, tmp_path / "m.db", build="b37")
    lines = gzip.decompress(done.covariances.read_bytes()).decode().splitlines()
    assert lines[0] == "GENE RSID1 RSID2 VALUE"
    rows = [line.split() for line in lines[1:]]
    assert [row[0] for row in rows] == ["ENSG1.3"] * 6 + ["ENSG2.1"] * 6
    assert [row[1:3] for row in rows[:4]] == [
        ["rs1", "rs1"], ["rs1", "22_200_C_T_b37"], ["rs1", "rs4"],
        ["22_200_C_T_b37", "22_200_C_T_b37"],
    ]  # fmt: skip
    for snps, values in (([0, 1, 4], rows[:6]), ([2, 3, 5], rows[6:])):
        dosages = cohort.genotypes.dosages(np.array(snps)).astype(float)
        dosages = np.where(np.isnan(dosages), np.nanmean(dosages, axis=0), dosages)
        expected = np.cov(dosages.T)[np.triu_indices(3)]
        assert [float(row[3]) for row in values] == pytest.approx(expected.tolist(), rel=1e-6)


def test_export_is_the_same_bytes_twice(tmp_path: Path, cohort: Cohort, fit: Fit) -> None:
    first = export_predictdb(fit, cohort, tmp_path / "a.db", build="b37")
    second = export_predictdb(fit, cohort, tmp_path / "b.db", build="b37")
    assert first.database.read_bytes() == second.database.read_bytes()
    assert first.covariances.read_bytes() == second.covariances.read_bytes()


def test_export_of_populations_uses_their_people(tmp_path: Path, cohort: Cohort) -> None:
    config = FitConfig(train_populations=("GBR",), test_populations=("YRI",))
    fit = make_fit(cohort, MODELS, config=config)
    assert training_people(fit) == cohort.people[:25]
    done = export_predictdb(fit, cohort, tmp_path / "m.db", build="b37")
    assert query(done.database, "SELECT n_samples, population FROM sample_info") == [(25, "GBR")]
    value = float(gzip.decompress(done.covariances.read_bytes()).split()[7])
    dosages = cohort.genotypes.dosages(np.array([0]))[:25, 0]
    assert value == pytest.approx(np.var(dosages, ddof=1))


def test_round_trip_keeps_the_models(tmp_path: Path, cohort: Cohort, fit: Fit) -> None:
    export_predictdb(fit, cohort, tmp_path / "m.db", build="hg38", accepted_only=False)
    ours, back = WeightSet.from_fit(fit, accepted_only=False), WeightSet.read(tmp_path / "m.db")
    same = ["gene", "chrom", "start", "ref", "eff", "weight"]
    assert back.weights.select(same).equals(ours.weights.select(same))
    assert back.genes.drop("phi").equals(ours.genes.drop("phi"))
    assert (back.build, ours.centred, back.centred) == ("b38", True, False)


def test_failure_leaves_nothing(
    tmp_path: Path, cohort: Cohort, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(cohort.genotypes), "dosages", broken)
    with pytest.raises(DataError, match="disk is full"):
        export_predictdb(fit, cohort, tmp_path / "out" / "m.db", build="b37")
    assert not list(tmp_path.glob("out/*"))


def test_export_refuses_what_is_no_real_model(tmp_path: Path, cohort: Cohort, fit: Fit) -> None:
    out = tmp_path / "m.db"
    with pytest.raises(DataError, match="no accepted gene"):
        export_predictdb(make_fit(cohort, MODELS, rejected=list(MODELS)), cohort, out, build="b37")
    null = make_fit(cohort, MODELS, config=FitConfig(permutation=1))
    with pytest.raises(DataError, match="permuted genotypes"):
        export_predictdb(null, cohort, out, build="b37")
    with pytest.raises(DataError, match="permuted genotypes"):
        WeightSet.from_fit(null, accepted_only=False)
    other = make_cohort(
        make_store(tmp_path / "other", [("22", 7, "rs7", "A", "G")], np.ones((1, 3))),
        cohort.genes, ["", "", ""],
    )  # fmt: skip
    with pytest.raises(DataError, match=r"6 SNPs .* not in this cohort"):
        export_predictdb(fit, other, out, build="b37")
    assert not out.exists()


@pytest.mark.parametrize("name", ["x.Blood", "x.db.gz", "x"])
def test_export_keeps_its_covariances_apart(
    tmp_path: Path, cohort: Cohort, fit: Fit, name: str
) -> None:
    with pytest.raises(ConfigError, match=rf"{name} must end in \.db"):
        export_predictdb(fit, cohort, tmp_path / "out" / name, build="b37")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="'banana' is no assembly; name one such as b37"):
        export_predictdb(fit, cohort, tmp_path / "x.db", build="banana")
    blood = export_predictdb(fit, cohort, tmp_path / "x.Blood.db", build="b37")
    assert blood.covariances == tmp_path / "x.Blood.txt.gz"


WEIGHTS_V7 = "CREATE TABLE weights (rsid TEXT, gene TEXT, weight DOUBLE, ref_allele CHARACTER, eff_allele CHARACTER, varID TEXT)"  # noqa: E501
EXTRA_V7 = 'CREATE TABLE extra (gene TEXT, genename TEXT, "pred.perf.R2" DOUBLE, "n.snps.in.model" INTEGER, "pred.perf.pval" DOUBLE, "pred.perf.qval" DOUBLE)'  # noqa: E501


def write_base(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as base, base:
        for statement in statements:
            base.execute(statement)
    return path


def test_reads_gtex_v7(tmp_path: Path) -> None:
    path = write_base(
        tmp_path / "v7.db", WEIGHTS_V7, EXTRA_V7,
        "INSERT INTO weights VALUES ('rs9', 'ENSG1.4', 0.5, 'c', 't', '1_12345_C_T_b37')",
        "INSERT INTO extra VALUES ('ENSG1.4', 'G1', 0.04, 1, 0.001, 0.002)",
        "INSERT INTO extra VALUES ('ENSG9.9', 'EMPTY', 0.0, 0, 1, 1)",
    )  # fmt: skip
    models = WeightSet.read(path)
    assert models.build == "b37"
    assert models.weights.row(0) == (
        "ENSG1.4", "rs9", "1_12345_C_T_b37", "1", 12344, "C", "T", 0.5, None,
    )  # fmt: skip
    assert models.genes.row(0) == ("ENSG1.4", "G1", None, None, 1, 0.04, 0.001, 0.002, None)


def test_reads_gtex_v8_and_phi(tmp_path: Path) -> None:
    path = write_base(
        tmp_path / "v8.db",
        "CREATE TABLE weights (gene TEXT, rsid TEXT, varID TEXT, ref_allele TEXT, eff_allele TEXT, "
        "weight REAL)",
        "CREATE TABLE extra (gene TEXT, genename TEXT, gene_type TEXT, `n.snps.in.model` INT, "
        "`pred.perf.R2` REAL, `pred.perf.pval` REAL, `pred.perf.qval` REAL, phi REAL)",
        "INSERT INTO weights VALUES ('ENSG1', NULL, 'chr1_12345_C_CTA_b38', 'C', 'CTA', -1)",
        "INSERT INTO weights VALUES ('ENSG2', NULL, 'chr2_5_A_G_b38', 'A', 'G', 2)",
        "INSERT INTO extra VALUES ('ENSG1', 'G1', 'protein_coding', 1, NULL, NULL, NULL, 3e-6)",
    )
    models = WeightSet.read(path)
    assert models.build == "b38"
    assert models.weights["start"].to_list() == [12344, 4]
    assert models.weights["chrom"].to_list() == ["chr1", "chr2"]
    assert models.genes["gene"].to_list() == ["ENSG1", "ENSG2"]
    assert models.genes["name"].to_list() == ["G1", "ENSG2"]
    assert models.genes["phi"].to_list() == [3e-6, None]


def test_reads_old_files_without_variant_ids(tmp_path: Path) -> None:
    path = write_base(
        tmp_path / "old.db",
        "CREATE TABLE weights (rsid TEXT, gene TEXT, weight DOUBLE, ref_allele TEXT, "
        "eff_allele TEXT)",
        'CREATE TABLE extra (gene TEXT, genename TEXT, R2 DOUBLE, "n.snps" INTEGER)',
        "INSERT INTO weights VALUES ('rs9', 'A1BG', 0.5, 'C', 'T')",
        "INSERT INTO weights VALUES ('3_77_A_G_b37', 'A1BG', 0.5, 'A', 'G')",
        "INSERT INTO extra VALUES ('A1BG', 'A1BG', 0.04, 2)",
    )
    models = WeightSet.read(path)
    assert models.weights["start"].to_list() == [None, 76]
    assert models.genes["r2"].to_list() == [0.04]


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ([EXTRA_V7], "has no table weights"),
        ([WEIGHTS_V7, "INSERT INTO weights VALUES ('r','g',1,'A','C','')"], "has no table extra"),
        ([WEIGHTS_V7, EXTRA_V7], "empty table weights"),
        (
            ["CREATE TABLE weights (gene TEXT, weight REAL, ref_allele TEXT)", EXTRA_V7],
            "lacks column eff_allele, rsid or varID in table weights",
        ),
        (
            [
                WEIGHTS_V7, EXTRA_V7, "INSERT INTO extra VALUES ('g','g',1,1,1,1)",
                "INSERT INTO weights VALUES ('r','g','much','A','C','')",
            ],
            "1 rows of weights without",
        ),
        (
            [
                WEIGHTS_V7, EXTRA_V7,
                "INSERT INTO weights VALUES ('r','g',1,'A','C','1_2_A_C_b37')",
                "INSERT INTO weights VALUES ('s','g',1,'A','C','1_3_A_C_b38')",
                "INSERT INTO extra VALUES ('g','g',1,1,1,1)",
            ],
            "mixes assemblies",
        ),
    ],
)  # fmt: skip
def test_says_what_a_database_lacks(tmp_path: Path, statements: list[str], message: str) -> None:
    path = write_base(tmp_path / "bad.db", *statements)
    with pytest.raises(DataError, match=message):
        WeightSet.read(path)


def test_refuses_other_files(tmp_path: Path, cohort: Cohort, fit: Fit) -> None:
    path = tmp_path / "file.db"
    with pytest.raises(DataError, match="does not exist"):
        WeightSet.read(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="empty"):
        WeightSet.read(path)
    path.write_text("gene\trsid\nA\trs1\n")
    with pytest.raises(DataError, match="no SQLite database"):
        WeightSet.read(path)
    whole = export_predictdb(fit, cohort, tmp_path / "whole.db", build="b37").database
    path.write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"cannot be read|has no table"):
        WeightSet.read(path)
