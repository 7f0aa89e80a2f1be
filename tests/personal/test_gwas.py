"""GWAS tables are found out by their headers, and never by luck."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from cisgram.core.checks import ConfigError, DataError
from cisgram.personal.gwas import read_gwas


def write(path: Path, header: str, *rows: str) -> Path:
    text = "\n".join((header, *rows)) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


FORMATS = {
    "gwas catalog": (
        "chromosome\tbase_pair_location\teffect_allele\tother_allele\tbeta\tstandard_error\t"
        "p_value\trsid",
        "1\t11\tG\tA\t0.2\t0.1\t0.0455\trs1",
    ),
    "metaxcan": (
        "rsid,chromosome,position,effect_allele,non_effect_allele,zscore,beta",
        "rs1,1,11,G,A,2.0,0.2",
    ),
    "plink 1": (
        " CHR   SNP    BP  A1  A2   BETA    SE    P ",
        "   1   rs1    11   G   A    0.2   0.1   0.0455 ",
    ),
    "plink 2": (
        "#CHROM\tPOS\tID\tREF\tALT\tA1\tOMITTED\tOBS_CT\tBETA\tSE\tT_STAT\tP",
        "1\t11\trs1\tG\tA\tG\tA\t300\t0.2\t0.1\t2.01\t0.0455",
    ),
    "regenie": (
        "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ N TEST BETA SE CHISQ LOG10P",
        "1 11 rs1 A G 0.3 300 ADD 0.2 0.1 4 1.34",
    ),
    "saige": (
        "CHR\tPOS\tMarkerID\tAllele1\tAllele2\tAF_Allele2\tBETA\tSE\tTstat\tp.value",
        "1\t11\trs1\tA\tG\t0.3\t0.2\t0.1\t20\t0.0455",
    ),
    "metal": (
        "MarkerName\tAllele1\tAllele2\tEffect\tStdErr\tP-value",
        "rs1\tg\ta\t0.2\t0.1\t0.0455",
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_usual_formats(tmp_path: Path, name: str) -> None:
    gwas = read_gwas(write(tmp_path / "gwas.txt", *FORMATS[name]))
    row = gwas.variants.row(0, named=True)
    assert (row["id"], row["ref"], row["alt"]) == ("rs1", "A", "G")
    assert row["z"] == pytest.approx(2.0)
    assert row["beta"] == pytest.approx(0.2)
    assert row["start"] == (None if name == "metal" else 10)
    assert gwas.n == (300 if name in ("plink 2", "regenie") else None)


@pytest.mark.parametrize("role", ["n", "id"])
def test_saige_effects_are_those_of_allele_2_whatever_else_is_named(
    tmp_path: Path, role: str
) -> None:
    header, row = (
        f"{line}\t{more}" for line, more in zip(FORMATS["saige"], ("x", "77"), strict=True)
    )
    path = write(tmp_path / "g.tsv", header, row)
    gwas = read_gwas(path, columns={role: "x"})
    assert gwas.variants.select("ref", "alt", "z").row(0) == ("A", "G", pytest.approx(2.0))
    named = {"effect_allele": "Allele1", "other_allele": "Allele2"}
    assert read_gwas(path, columns=named).variants.select("ref", "alt").row(0) == ("G", "A")
    path = write(tmp_path / "h.tsv", header.replace("Allele1\tAllele2\t", "A2\tA1\t"), row)
    assert read_gwas(path).variants.select("ref", "alt").row(0) == ("A", "G")


def test_odds_ratios_and_p_values(tmp_path: Path) -> None:
    path = write(
        tmp_path / "or.tsv.gz", "SNP\tA1\tA2\tOR\tP", "rs1\tA\tG\t0.5\t1e-20", "rs2\tA\tG\t2\t0",
        "rs3\tA\tG\tNA\t0.1", "rs4\tA\tG\t1.5\t1",
    )  # fmt: skip
    gwas = read_gwas(path)
    assert gwas.variants["id"].to_list() == ["rs1", "rs2", "rs4"]
    assert gwas.variants["beta"][0] == pytest.approx(np.log(0.5))
    assert gwas.variants["z"].to_list() == pytest.approx(
        [-norm.isf(5e-21), 38.485, 0.0], rel=1e-3, abs=1e-9
    )
    assert [note.split()[0] for note in gwas.notes] == ["1", "1"]


def test_p_values_beyond_what_numbers_hold(tmp_path: Path) -> None:
    path = write(
        tmp_path / "g.tsv", "rsid\teffect_allele\tother_allele\tbeta\tneg_log_10_p_value",
        "rs1\tA\tG\t-0.1\t1000", "rs2\tA\tG\t0.1\t10",
    )  # fmt: skip
    z = read_gwas(path).variants["z"].to_list()
    assert z[0] == pytest.approx(-67.796, abs=0.001)
    assert z[1] == pytest.approx(norm.isf(0.5e-10))


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "g.tsv", "x\ty\tw\tscore\tz", "rs1\tA\tG\t3\t9")
    with pytest.raises(DataError, match="no column for effect_allele, other_allele, id"):
        read_gwas(path)
    names = {"id": "x", "effect_allele": "y", "other_allele": "w", "z": "score"}
    gwas = read_gwas(path, columns=names)
    assert gwas.variants.row(0) == ("rs1", None, None, "G", "A", 3.0, None)
    assert gwas.columns == names
    with pytest.raises(DataError, match="has no column absent"):
        read_gwas(path, columns={**names, "z": "absent"})
    with pytest.raises(ConfigError, match="columns must be among"):
        read_gwas(path, columns={"effect": "y"})


HEADER = "rsid\teffect_allele\tother_allele\tzscore"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([HEADER, "rs1\tA\tG\tbig"], "'big' in column zscore of data row 1"),
        ([HEADER, "rs1\tA\tG\tNA"], "no row with alleles and a z-score"),
        ([HEADER], "no row"),
        ([HEADER, "rs1\tA\ta\t1"], "same allele in columns"),
        (["rsid\tA1\tA2\tOR\tSE", "rs1\tA\tG\t-1\t1"], "odds ratios of 0 or less"),
        (["rsid\tA1\tA2\tbeta\tP", "rs1\tA\tG\t-1\t12"], "that are no p"),
        (["rsid\tA1\tA2\tbeta", "rs1\tA\tG\t-1"], r"no column for z \(or beta"),
        ([HEADER, "rs1\tA\tG\t1\t1\t1"], "cannot be read"),
        ([""], "is empty"),
    ],
)
def test_bad_tables_are_explained(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read_gwas(write(tmp_path / "g.tsv", *rows))
    assert "\n" not in str(error.value)


def test_columns_keep_their_meaning_in_any_order(tmp_path: Path, rng: np.random.Generator) -> None:
    table = pl.DataFrame(
        {
            "beta": rng.normal(size=20), "rsid": [f"rs{i}" for i in range(20)], "junk": "x",
            "other_allele": "A", "se": rng.uniform(0.1, 1, 20), "effect_allele": "C",
        }
    )  # fmt: skip
    for _ in range(5):
        shuffled = table.select(rng.permutation(table.columns).tolist())
        shuffled.write_csv(tmp_path / "g.tsv", separator="\t")
        found = read_gwas(tmp_path / "g.tsv").variants
        assert found["z"].to_list() == pytest.approx((table["beta"] / table["se"]).to_list())
        assert found["ref"].unique().to_list() == ["A"]
