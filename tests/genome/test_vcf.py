"""What is read of the fields, names and places of a VCF."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.genotypes import ImportCounts, import_genotypes
from cisgram.genome.interval import Interval
from genotype_files import FORMATS, load, write_vcf
from toy import ToyGenome

GT, DS = FORMATS.splitlines(keepends=True)
PS = '##FORMAT=<ID=PS,Number=1,Type={},Description="Phase set">\n'


def test_dosages_of_the_file(tmp_path: Path) -> None:
    """Haploid DS runs to 1 and counts twice, as a haploid call does."""
    rows = (
        "1 5 A G,T,* GT:DS 0|1:1,0,0 2|.:0.1,1,0 1:1,0,0",
        "1 7 ac a GT 0/1 1/0 ./1",
        "1 9 C G GT:DS 1:0.8 .:0.3 0|1:0.8",
        "1 11 C G GT:DS 1:. .:. 0|1:0.8",
    )
    genotypes, counts = load(write_vcf(tmp_path, *rows), tmp_path, dosage_field=True)
    found = genotypes.dosages(slice(0, 5))
    expected = [[1, 0, 1, 1.6, 2], [0.1, 1, 1, 0.6, np.nan], [2, 0, np.nan, 0.8, 0.8]]
    np.testing.assert_allclose(found, expected, atol=0.5 / 16384)
    assert counts.n_dosages_from_calls == 3  # GT alone of two people, and one call without DS


@pytest.mark.parametrize("formats", [DS, FORMATS])
def test_dosages_stand_in_for_calls(tmp_path: Path, formats: str) -> None:
    """Whether or not the header declares the GT that no record has."""
    rows = ("1 5 A G,T DS 0.05,1.95 1,0.5 .,.", "1 6 A C DS 2 0 1.08")
    genotypes, _ = load(write_vcf(tmp_path, *rows, formats=formats), tmp_path)
    found = genotypes.alleles(slice(0, 3)).sum(axis=1)
    assert found.tolist() == [[0, 2, 2], [1, -2, 0], [-2, -2, 1]]
    np.testing.assert_allclose(genotypes.dosages(slice(1, 2))[:2, 0], [1.95, 0.5], atol=1e-4)


def test_a_record_of_dosages_among_calls(tmp_path: Path) -> None:
    rows = ("1 5 A G GT 0|1 0|0 1|1", "1 6 A C DS 1.95 0.5 .", "1 7 A C GT 0|0 1|1 0|0")
    genotypes, _ = load(write_vcf(tmp_path, *rows), tmp_path)
    nan = np.nan
    np.testing.assert_array_equal(
        genotypes.dosages(slice(0, 3)).T, [[1, 0, 2], [2, nan, nan], [0, 2, 0]]
    )


def test_dosages_that_are_not_there_are_missed(tmp_path: Path) -> None:
    source = write_vcf(tmp_path, "1 5 A G GT 0|1 0|0 1|1", formats=GT)
    with pytest.raises(ConfigError, match=r"needs FORMAT/DS, which .* does not declare"):
        import_genotypes(source, tmp_path / "store", dosage_field=True)


@pytest.mark.parametrize(
    ("row", "dosage_field"),
    [
        ("GP 1 1 1", False),
        ("GT ./. . .|.", False),
        ("DS . . .", False),
        ("GT:DS .|.:. .:. .:.", True),
    ],
)
def test_an_import_without_a_single_call_is_refused(
    tmp_path: Path, row: str, dosage_field: bool
) -> None:
    with pytest.raises(DataError, match="every call is missing in the 1 variants kept"):
        load(write_vcf(tmp_path, f"1 5 A G {row}"), tmp_path, dosage_field=dosage_field)
    assert not list((tmp_path / "store").iterdir())


def test_what_did_not_pass_is_kept_and_counted(tmp_path: Path) -> None:
    source = write_vcf(tmp_path, *(f"1 {n} A G GT 0|1 0|0 1|1" for n in (5, 6, 7, 8)))
    text = source.read_text().replace(FORMATS, FORMATS + '##FILTER=<ID=Low,Description="">\n')
    for place, verdict in (("rs5", "Low"), ("rs6", "PASS"), ("rs7", "Low;Low")):
        text = text.replace(f"{place}\tA\tG\t.\t.", f"{place}\tA\tG\t.\t{verdict}")
    source.write_text(text)
    assert load(source, tmp_path)[1] == ImportCounts(n_read=4, n_kept=4, n_not_passed=2)


@pytest.mark.parametrize("kind", ["Integer", "String"])
def test_another_phase_set_is_not_phased(tmp_path: Path, kind: str) -> None:
    rows = (
        "1 5 A G GT:PS 0|1:5 0|0:5 1|1:5",
        "1 6 A G GT:PS 1|0:5 0|1:6 1|1:7",
        "1 9 A G GT:PS 1|0:9 0|1:6 1|1:9",
        "2 9 A G GT:PS 1|0:9 0|1:9 0|1:.",
        "2 10 A G GT 0|0 0|0 0|1",
    )
    source = write_vcf(tmp_path, *rows, formats=FORMATS + PS.format(kind))
    genotypes, counts = load(source, tmp_path)
    assert not genotypes.phased
    assert counts == ImportCounts(n_read=5, n_kept=5, n_unphased=1)
    together, _ = load(source, tmp_path / "two", region=Interval("2", 0, 10))
    assert together.phased


@pytest.mark.parametrize("people", ["ann,bob eve joe", "^ann bob eve"])
def test_names_that_htslib_cannot_choose_are_refused(tmp_path: Path, people: str) -> None:
    source = write_vcf(tmp_path, "1 5 A G GT 0|1 0|0 1|1", people=people)
    with pytest.raises(DataError, match="must not hold a comma or begin with"):
        import_genotypes(source, tmp_path / "store")


@pytest.mark.parametrize("indexed", [False, True])
def test_a_region_with_and_without_index(toy: ToyGenome, tmp_path: Path, indexed: bool) -> None:
    source = tmp_path / "toy.vcf.gz"
    shutil.copyfile(toy.vcf, source)
    if indexed:
        if shutil.which("tabix") is None:
            pytest.skip("needs tabix")
        subprocess.run(["tabix", "-p", "vcf", str(source)], check=True)
    everything, _ = load(toy.vcf, tmp_path / "all")
    part, counts = load(source, tmp_path, region=Interval("2", 5_000, 9_000))
    rows = everything.rows("chr2", 5_000, 9_000)
    assert part.variants.equals(everything.variants[rows])
    assert (part.calls == everything.calls[rows]).all()
    assert counts.n_kept == rows.stop - rows.start > 10


@pytest.mark.parametrize(("given", "asked"), [("chrM", "MT"), ("MT", "chrM"), ("23", "chrX")])
@pytest.mark.parametrize("indexed", [False, True])
def test_a_region_under_another_name(tmp_path: Path, given: str, asked: str, indexed: bool) -> None:
    source = write_vcf(
        tmp_path,
        *(f"{chrom} 5 A G GT 0|1 0|0 1|1" for chrom in ("22", given)),
        formats=f"##contig=<ID=22>\n##contig=<ID={given}>\n{FORMATS}",
    )
    if indexed:
        if shutil.which("tabix") is None:
            pytest.skip("needs bgzip and tabix")
        subprocess.run(["bgzip", str(source)], check=True)
        source = source.with_suffix(".vcf.gz")
        subprocess.run(["tabix", "-p", "vcf", str(source)], check=True)
    part, _ = load(source, tmp_path, region=Interval(asked, 0, 10))
    assert part.variants["chrom"].to_list() == [given]


def test_contigs_missing_from_the_header_are_read_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write_vcf(tmp_path, "chr22 5 A G GT 0|1 0|0 1|1")
    genotypes, _ = load(source, tmp_path)
    assert genotypes.rows("22", 0, 10) == slice(0, 1)
    assert capfd.readouterr().err == ""
