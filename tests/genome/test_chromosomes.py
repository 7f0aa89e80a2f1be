import pytest
from hypothesis import given
from hypothesis import strategies as st

from cisgram.core.checks import DataError
from cisgram.genome.chromosomes import ChromosomeNames, canonical, same_chromosome

AUTOSOMES = [str(n) for n in range(1, 23)]
UCSC = [f"chr{name}" for name in [*AUTOSOMES, "X", "Y", "M"]]
ENSEMBL = [*AUTOSOMES, "X", "Y", "MT"]
PLINK = [str(n) for n in range(1, 27)]
YEAST = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "Mito"]


def test_ucsc_and_ensembl_names_find_each_other() -> None:
    ucsc, ensembl = ChromosomeNames(UCSC), ChromosomeNames(ENSEMBL)
    assert [ensembl.resolve(name) for name in UCSC] == ENSEMBL
    assert [ucsc.resolve(name) for name in ENSEMBL] == UCSC


def test_names_resolve_to_themselves_first() -> None:
    names = ChromosomeNames(["1", "chr1", "chr2", "chr2"])
    assert names.known == ("1", "chr1", "chr2")
    assert names.resolve("1") == "1"
    assert names.resolve("chr1") == "chr1"
    assert names.resolve("Chr1") is None, "two spellings fit equally"
    assert names.resolve("CHR2") == "chr2"


@pytest.mark.parametrize("name", ["M", "chrM", "MT", "chrMT", "Mito", "mitochondrion"])
def test_the_mitochondrion_has_many_names(name: str) -> None:
    assert canonical(name) == "MT"
    assert ChromosomeNames(YEAST).resolve(name) == "Mito"


@pytest.mark.parametrize(
    "name", ["chr01", "01", "NC_000001.11", "CM000663.2", "chromosome1", "chr"]
)
def test_nothing_is_guessed(name: str) -> None:
    assert ChromosomeNames(UCSC).resolve(name) is None
    assert ChromosomeNames([*UCSC, name]).resolve(name) == name


def test_roman_numerals_stay_roman() -> None:
    names = ChromosomeNames(YEAST)
    assert names.resolve("chrIV") == "IV"
    assert names.resolve("4") is None
    assert names.resolve("23") is None, "X is the tenth here"
    assert not same_chromosome("chrX", "10")


def test_plink_numbers_mean_human_chromosomes_only() -> None:
    assert [ChromosomeNames(UCSC).resolve(n) for n in ("23", "24", "26")] == [
        "chrX",
        "chrY",
        "chrM",
    ]
    assert ChromosomeNames(UCSC).resolve("25") is None
    assert [ChromosomeNames(PLINK).resolve(n) for n in ("chrX", "Y", "chrM")] == ["23", "24", "26"]
    dog = ChromosomeNames([*(f"chr{n}" for n in range(1, 39)), "chrX"])
    assert dog.resolve("23") == "chr23"
    assert dog.resolve("X") == "chrX"
    cattle = ChromosomeNames([str(n) for n in range(1, 30)])
    assert cattle.resolve("X") is None
    assert cattle.resolve("30") is None


def test_require_says_what_there_is() -> None:
    names = ChromosomeNames(UCSC)
    assert names.require("7", "reference r.fa") == "chr7"
    message = "chromosome 40 is not in reference r.fa, which has chr1, chr2, chr3 and 22 more"
    with pytest.raises(DataError, match=message):
        names.require("40", "reference r.fa")


@given(st.text("chrCHRMmtT01XY_.", min_size=1, max_size=8))
def test_a_prefix_alone_makes_no_other_chromosome(name: str) -> None:
    assert same_chromosome(name, name)
    assert same_chromosome(f"chr{canonical(name)}", name)
    assert ChromosomeNames([f"chr{canonical(name)}"]).resolve(name) == f"chr{canonical(name)}"
