import gzip

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.data.covariates import read_covariates, read_populations
from cisgram.data.numeric_table import MISSING


def _file(tmp_path, text, name="covariates.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_geuvadis_covariates_get_readable_names(geuvadis):
    covariates = read_covariates(geuvadis.covariates)
    assert covariates.values.shape == (358, 53)
    assert covariates.names[:4] == (
        "genotypes_PC1", "genotypes_PC2", "genotypes_PC3", "genes_PC1",
    )  # fmt: skip
    assert covariates.sources[0].endswith("output/genotypes_1_1_svd_PC1")
    assert covariates.values[0, 0] == -13.1128


@pytest.mark.parametrize("separator", ["\t", " ", "   "])
@pytest.mark.parametrize("suffix", ["txt", "txt.gz"])
def test_both_orientations_separators_and_gzip(tmp_path, separator, suffix):
    rows = [["id", "ann", "bob", "cyd", "dan"], ["age", "30", "41", "NA", "9"],
            ["sex", "1", "2", "2", "1"]]  # fmt: skip
    for turned in (rows, list(zip(*rows, strict=True))):
        text = "".join(separator.join(row) + "\n" for row in turned).encode()
        path = tmp_path / f"c.{suffix}"
        path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
        covariates = read_covariates(path)
        assert covariates.names == ("age", "sex")
        assert covariates.people == ("ann", "bob", "cyd", "dan")
        np.testing.assert_array_equal(covariates.values, [[30, 1], [41, 2], [np.nan, 2], [9, 1]])


def test_known_people_decide_the_orientation(tmp_path):
    path = _file(tmp_path, "id\tPC1\tPC2\tPC3\nann\t1\t2\t3\nbob\t4\t5\t7\n")
    assert read_covariates(path).people == ("PC1", "PC2", "PC3")
    covariates = read_covariates(path, people=["bob", "eve"])
    assert covariates.people == ("ann", "bob")
    assert covariates.names == ("PC1", "PC2", "PC3")


def test_r_row_names_and_plink_family_columns(tmp_path):
    for quote in ("", '"'):
        names = [f"{quote}{name}{quote}" for name in ("age", "sex", "ann", "bob", "cyd")]
        r = _file(tmp_path, "{} {}\n{} 1 2\n{} 3 4\n{} 6 5\n".format(*names))
        assert read_covariates(r, people=["ann", "bob", "cyd"]).names == ("age", "sex")
    plink = _file(tmp_path, "#FID IID age\nf1 ann 1\nf1 bob 2\n")
    assert read_covariates(plink, people=["ann"]).people == ("ann", "bob")


@pytest.mark.parametrize("missing", MISSING[1:])
def test_a_missing_value_leaves_a_number_a_number(tmp_path, missing):
    covariates = read_covariates(_file(tmp_path, f"id\tann\tbob\tcyd\nage\t30\t{missing}\t41\n"))
    assert covariates.names == ("age",)
    np.testing.assert_array_equal(covariates.values[:, 0], [30, np.nan, 41])


def test_minus_nine_beside_other_negative_numbers_is_one(tmp_path):
    text = "id\tann\tbob\tcyd\nPC1\t-9\t-1\t3\nage\t-9.0\t1\t2\n"
    assert read_covariates(_file(tmp_path, text)).values.tolist() == [[-9, -9], [-1, 1], [3, 2]]


def test_categories_become_indicators_and_constants_go(tmp_path):
    path = _file(
        tmp_path, "id\tann\tbob\tcyd\tdan\nbatch\tb\ta\tNA\tc\nsite\t1\t1\t1\t1\nlab\tx\tx\tx\tx\n"
    )
    covariates = read_covariates(path)
    assert covariates.names == ("batch=b", "batch=c")
    assert covariates.sources == ("batch", "batch")
    assert covariates.constant == ("site", "lab")
    np.testing.assert_array_equal(covariates.values, [[1, 0], [0, 0], [np.nan, np.nan], [0, 1]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id ann bob ann\nage 1 2 3\n", "ann more than once; every person"),
        ("id ann bob cyd\nage 1 2 3\nage 1 2 4\n", "age more than once; every covariate"),
        ("id\tann\tbob\nage\t1\n", "line 2 has 2 columns and the header 3"),
        ("id\n", "must name people and covariates"),
        ("id ann bob cyd\nage 1 -inf 3\n", "an infinite age for bob; correct it, or write NA"),
        ("id ann bob cyd\nage inf inf inf\n", "an infinite age for ann"),
        ("id ann bob cyd\nage 1 unknown 3\n", "'unknown' for age beside 2 different numbers"),
        ("id ann bob cyd\nage 30,5 31,5 32,1\n", "'30,5' for age; write numbers with a point"),
        (
            "id " + " ".join("abcdefghijklm") + "\nage" + "".join(f" {n}y" for n in range(13)),
            "has 13 different words for age of 13 people .0y, 1y, 2y and 10 more., too many",
        ),
        ("id ann bob cyd\nage 1 -9 3\n", "has -9, PLINK's missing value, for age .1 times"),
    ],
)
def test_bad_covariates_are_named(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_covariates(_file(tmp_path, text))


def test_the_1000_genomes_panel(geuvadis):
    populations = read_populations(geuvadis.populations)
    assert populations["HG00096"] == "GBR"
    assert len(set(populations.values())) == 26
    assert read_populations(geuvadis.populations, column="super_pop")["HG00096"] == "EUR"
    with pytest.raises(ConfigError, match="no column region; it has sample, pop, super_pop"):
        read_populations(geuvadis.populations, column="region")


@pytest.mark.parametrize("header", ["", "person\tpopulation\n", "IID\tpop\n"])
def test_two_columns_with_or_without_a_header(tmp_path, header):
    path = _file(tmp_path, f"{header}ann\tFIN\nbob\tNA\n")
    assert read_populations(path) == {"ann": "FIN", "bob": ""}


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("FamilyID SampleID Sex Population", "Population"),
        ("#FID IID Sex pop", "pop"),
        ("family person pop Sex", "Sex"),
        ("pop sample Sex Population", "Population"),
    ],
)
def test_the_column_of_the_person_is_found_by_name(tmp_path, header, column):
    path = _file(tmp_path, f"{header}\nf1 ann 1 FIN\nf1 bob 2 GBR\n")
    place = header.split().index(column)
    rows = (("ann", "1", "FIN"), ("bob", "2", "GBR"))
    assert read_populations(path, column=column) == {row[0]: row[place - 1] for row in rows}


def test_two_columns_the_other_way_round(tmp_path):
    path = _file(tmp_path, "pop\tsample\nFIN\tann\nFIN\tbob\n")
    assert read_populations(path) == {"ann": "FIN", "bob": "FIN"}


def test_a_population_of_two_words_is_not_cut(tmp_path):
    path = _file(tmp_path, "sample pop\nann Great Britain\n")
    with pytest.raises(DataError, match="line 2 has 3 columns and the header 2"):
        read_populations(path)


def test_a_person_in_two_populations_is_refused(tmp_path):
    with pytest.raises(DataError, match="ann more than once"):
        read_populations(_file(tmp_path, "ann\tFIN\nann\tGBR\n"))
