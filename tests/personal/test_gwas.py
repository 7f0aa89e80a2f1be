"""GWAS tables are found out by their headers, and never by luck."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from cisgram.core.checks import ConfigError, DataError
from cisgram.personal.gwas import read_gwas
from cisgram.personal.gwas_columns import COLUMNS, GwasOptions

TESTS = {"AGE": 9, "ADD": 2, "DOMDEV": 8}


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
    "plink 2, A1 is REF": (
        "#CHROM\tPOS\tID\tREF\tALT\tA1\tTEST\tOBS_CT\tBETA\tSE\tT_STAT\tP\tERRCODE",
        "1\t11\trs1\tG\tA\tG\tADD\t300\t0.2\t0.1\t2.01\t0.0455\t.",
    ),
    "bolt-lmm": (
        "SNP\tCHR\tBP\tGENPOS\tALLELE1\tALLELE0\tA1FREQ\tF_MISS\tBETA\tSE\tP_BOLT_LMM_INF",
        "rs1\t1\t11\t0.05\tG\tA\t0.3\t0\t0.2\t0.1\t0.0455",
    ),
    "finngen": (
        "#chrom\tpos\tref\talt\trsids\tnearest_genes\tpval\tmlogp\tbeta\tsebeta\taf_alt",
        "1\t11\tA\tG\trs1\tABC\t0.0455\t1.34\t0.2\t0.1\t0.3",
    ),
    "pgc": (
        "\ufeff##fileformat=ours\r\n##cohort=3\r\n\r\nCHROM\tID\tPOS\tA1\tA2\tBETA\tSE\tPVAL\tNEFF\r",
        "1\trs1\t11\tG\tA\t0.2\t0.1\t0.0455\t300\r",
    ),
    "gwas-ssf": (
        "chromosome\tbase_pair_location\teffect_allele\tother_allele\tbeta\tstandard_error\t"
        "effect_allele_frequency\tp_value\tvariant_id\trsid\tn",
        "1\t11\tG\tA\t0.2\t0.1\t0.3\t0.0455\t1_11_A_G\trs1\t300",
    ),
    "R": (
        '"SNP" "CHR" "BP" "A1" "A2" "BETA" "SE" "P"',
        '"1" "rs1" "1" 11 "G" "A" 0.2 0.1 0.0455',
    ),
    "R, rows named by SNP": (
        '"CHR"\t"BP"\t"A1"\t"A2"\t"BETA"\t"SE"',
        '"rs1"\t"1"\t11\t"G"\t"A"\t0.2\t0.1',
    ),
    "tabs at the ends": ("SNP\tCHR\tBP\tA1\tA2\tBETA\tSE", "rs1\t1\t11\tG\tA\t0.2\t0.1\t"),
    "R, CSV": (
        '"","SNP","CHR","BP","A1","A2","OR","P"',
        '"1","rs1",1.0,11,"G","A",1.2214028,0.04550026',
    ),
    "variant IDs": (
        "variant\trsid\tminor_allele\tn_complete_samples\tbeta\tse\ttstat\tpval",
        "1:11:A:G\trs1\tA\t300\t0.2\t0.1\t2\t0.0455",
    ),
    "vcf": (
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tieu-a-2",
        "1\t11\trs1\tA\tG\t.\tPASS\tAF=0.3\tES:SE:LP:AF:SS:ID\t0.2:0.1:1.34:0.3:300:rs1\n"
        "1\t12\trs2\tA\tG\t.\tPASS\t.\tES:SE:LP:SS\t-0.2:0.1:1.34:.",
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
    assert (row["chrom"], row["start"]) == ((None, None) if name == "metal" else ("1", 10))
    sized = ("plink 2", "plink 2, A1 is REF", "regenie", "pgc", "gwas-ssf", "variant IDs", "vcf")
    assert gwas.n == (300 if name in sized else None)
    assert gwas.variants["z"].to_list()[1:] == ([pytest.approx(-2.0)] if name == "vcf" else [])


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
    with pytest.raises(DataError, match="no column for effect allele, other allele, SNP ID"):
        read_gwas(path)
    names = {"id": "x", "effect_allele": "y", "other_allele": "w", "z": "score"}
    gwas = read_gwas(path, columns=names)
    assert gwas.variants.row(0) == ("rs1", None, None, "G", "A", 3.0, None)
    assert gwas.columns == names
    with pytest.raises(DataError, match="has no column absent"):
        read_gwas(path, columns={**names, "z": "absent"})
    with pytest.raises(ConfigError, match="columns must be among"):
        read_gwas(path, columns={"effect": "y"})


@pytest.mark.parametrize(
    "form", ["22:11:A:G", "chr22_11_A_G_b37", "22-11-A-G", "22:11", "22:11_A/G"]
)
def test_positions_are_read_from_ids(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / "g.tsv", "SNP\tA1\tA2\tZ", f"{form}\tG\tA\t2", "rs5\tC\tT\t1")
    found = read_gwas(path).variants.select("chrom", "start", "ref", "alt").rows()
    assert found[0] == ("chr22" if form.startswith("chr") else "22", 10, "A", "G")
    assert found[1] == (None, None, "T", "C")


def test_only_the_additive_test_is_read(tmp_path: Path) -> None:
    header = "ID\tA1\tA2\tTEST\tBETA\tSE"
    rows = [f"rs{i}\tA\tG\t{test}\t{beta}\t1" for i in (1, 2) for test, beta in TESTS.items()]
    gwas = read_gwas(write(tmp_path / "g.tsv", header, *rows))
    assert gwas.variants["z"].to_list() == [2, 2]
    assert gwas.notes[0].endswith(
        "4 of 6 rows of {} are left out: other tests (AGE, DOMDEV).".format(tmp_path / "g.tsv")
    )
    with pytest.raises(DataError, match="rows of AGE, DOMDEV in column TEST, and needs those of"):
        read_gwas(write(tmp_path / "h.tsv", header, *(row for row in rows if "ADD" not in row)))


def test_variants_whose_rows_disagree_are_left_out(tmp_path: Path) -> None:
    rows = ["1\t11\trs1\tA\tG\t2", "1\t11\trs1\tG\tA\t-2", "1\t12\trs2\tA\tG\t2",
            "1\t13\t.\tA\tG\t1", "1\t13\t.\tG\tA\t1"]  # fmt: skip
    gwas = read_gwas(write(tmp_path / "g.tsv", "chr\tpos\tid\tea\tnea\tz", *rows))
    assert gwas.variants["id"].to_list() == ["rs1", "rs1", "rs2"]
    assert gwas.notes[0].endswith(
        "several rows with different z-scores of one variant (1:13, 1:13)."
    )
    with pytest.raises(DataError, match=r"in 2 of 3 rows \(1:13, 1:13\); keep the rows"):
        read_gwas(write(tmp_path / "h.tsv", "chr\tpos\tid\tea\tnea\tz", *rows[2:]))


def test_impossible_rows_are_left_out_and_named(tmp_path: Path) -> None:
    rows = [f"rs{i}\tA\tG\t1.5\t0.1\t0.04" for i in range(9)]
    wrong = ["rs10\tA\tG\t0\t0.1\t0.04", "rs11\tA\tG\t2\t0.1\t1.2", "rs12\tA\ta\t2\t0.1\t0.5",
             "rs13\tA\tG\tbig\t0.1\t0.5", "rs14\tA\tG\t2\t-1\t0.5"]  # fmt: skip
    gwas = read_gwas(write(tmp_path / "g.tsv", "snp\ta1\ta2\tor\tse\tp", *rows, *wrong))
    assert gwas.variants["id"].to_list() == [f"rs{i}" for i in range(9)]
    assert [note.partition("left out: ")[2] for note in gwas.notes] == [
        "'big' instead of a number in column or (rs13).",
        "a p-value outside 0 to 1 (rs11).",
        "an odds ratio of 0 or less (rs10).",
        "a standard error below 0 (rs14).",
        "the same allele twice (rs12).",
    ]


def test_every_option_names_its_column() -> None:
    fields = [name for name in GwasOptions.__dataclass_fields__ if name != "n"]
    roles = GwasOptions(**{name: name for name in fields}).roles()
    assert roles == {
        "id": "snp_column", "chrom": "chromosome_column", "position": "position_column",
        "effect_allele": "effect_allele_column", "other_allele": "non_effect_allele_column",
        "z": "zscore_column", "beta": "beta_column", "odds_ratio": "or_column", "se": "se_column",
        "p": "pvalue_column", "neg_log10_p": "log_pvalue_column",
    }  # fmt: skip
    assert set(roles) < set(COLUMNS)


def test_statistics_that_are_named_go_before_others(tmp_path: Path) -> None:
    path = write(
        tmp_path / "g.tsv", "snp\ta1\ta2\tz\tbeta\tse\tB2\tmy_p", "rs1\tA\tG\t9\t9\t9\t-4\t.0455"
    )
    named = GwasOptions(beta_column="B2", pvalue_column="my_p").roles()
    assert read_gwas(path, columns=named).variants["z"][0] == pytest.approx(-2, abs=1e-4)
    named = GwasOptions(or_column="se").roles()
    assert read_gwas(path, columns=named | {"se": "z"}).variants["z"][0] == np.log(9) / 9


HEADER = "rsid\teffect_allele\tother_allele\tzscore"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([HEADER, "rs1\tA\tG\tbig"], "'big' instead of a number in column zscore in 1 of 1"),
        ([HEADER, "rs1\tA\tG\tNA"], "no row with alleles and a z-score"),
        ([HEADER], "no row"),
        (
            [HEADER, "rs1\tA\ta\t1"],
            "same allele twice in 1 of 1 rows .rs1.; keep the rows of one test",
        ),
        (["rsid\tA1\tA2\tOR\tSE", "rs1\tA\tG\t-1\t1"], "odds ratio of 0 or less"),
        (["rsid\tA1\tA2\tbeta\tP", "rs1\tA\tG\t-1\t12"], "p-value outside 0 to 1"),
        (["rsid\tA1\tA2\tbeta", "rs1\tA\tG\t-1"], r"no column for z-score \(or effect"),
        ([HEADER, "rs1\tA\tG\t1\t1\t1"], "cannot be read"),
        ([""], "is empty"),
        (["##fileformat=VCFv4.2", "#CHROM\tPOS", "1\t2"], "is a VCF of 0 studies"),
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
