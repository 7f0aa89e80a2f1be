"""PLINK 2 filesets: they read as the VCF they were made of, and their tables are checked."""

from pathlib import Path

import numpy as np
import pytest

from cisgram.core.checks import DataError
from cisgram.genome.genotypes import genotype_people, import_genotypes
from cisgram.genome.interval import Interval
from genotype_files import load, write_pgen, write_vcf
from toy import ToyGenome


@pytest.mark.parametrize("suffix", [".pvar", ".pvar.gz"])
def test_pgen_reads_as_the_vcf_it_was_made_of(toy: ToyGenome, tmp_path: Path, suffix: str) -> None:
    vcf, _ = load(toy.vcf, tmp_path / "vcf")
    source = write_pgen(vcf, tmp_path, suffix)
    pgen, _ = load(source, tmp_path / "pgen", dosage_field=True)
    everything = slice(0, vcf.variants.height)
    assert pgen.variants.equals(vcf.variants)
    assert (pgen.alleles(everything) == vcf.alleles(everything)).all()
    np.testing.assert_array_equal(pgen.dosages(everything), vcf.dosages(everything))
    assert pgen.phased == vcf.phased
    some = [vcf.people[4], vcf.people[1]]
    part, _ = load(source, tmp_path / "part", people=some, region=Interval("2", 500, 9_000))
    rows = vcf.rows("chr2", 500, 9_000)
    assert (part.alleles(slice(0, part.variants.height)) == vcf.alleles(rows)[[4, 1]]).all()


def test_multiallelic_and_missing_calls_of_a_pgen(tmp_path: Path) -> None:
    pgenlib = pytest.importorskip("pgenlib")
    path = tmp_path / "calls.pgen"
    writer = pgenlib.PgenWriter(
        str(path).encode(),
        3,
        variant_ct=1,
        nonref_flags=False,
        allele_ct_limit=3,
        hardcall_phase_present=True,
    )
    pairs = np.array([0, 2, 2, 1, -9, -9], dtype=np.int32)
    writer.append_partially_phased(pairs, np.array([1, 0, 0], dtype=np.uint8), allele_ct=3)
    writer.close()
    (tmp_path / "calls.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n1\t5\trs\tA\tG,T\n")
    (tmp_path / "calls.psam").write_text("#FID\tIID\n0 ann\n0 bob\n0 eve\n")
    genotypes, counts = load(path, tmp_path)
    assert genotypes.variants["alt"].to_list() == ["G", "T"]
    assert genotypes.alleles(slice(0, 2))[0].tolist() == [[0, 0], [0, 1]]
    np.testing.assert_array_equal(
        genotypes.dosages(slice(0, 2)).T, [[0, 1, np.nan], [1, 1, np.nan]]
    )
    assert (counts.n_multiallelic_split, counts.n_missing_calls) == (1, 2)


@pytest.mark.parametrize(
    "table",
    [
        b"\xef\xbb\xbf#IID\tSEX\nann\t1\nbob\t2\n",
        b"## made\r\n#FID\tIID\tSEX\r\n\tann\t1\r\n\tbob\t2\r\n",
        b"#FID IID SEX\nf ann 1\n\ng  bob 2\n",
        b"f\tann\t0\t0\t1\ng\tbob\t0\t0\t2\n",
    ],
)
def test_layouts_of_the_same_people(tmp_path: Path, table: bytes) -> None:
    (tmp_path / "calls.psam").write_bytes(table)
    assert genotype_people(tmp_path / "calls.pgen") == ("ann", "bob")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("#IID\nAndr\xe9\n".encode("latin-1"), "is not a text file"),
        (b"#FID\tIID\nf\tann\ng\t\n", "names no people in a column IID"),
        (b"#FID\tNAME\nf\tann\n", "names no people in a column IID"),
        (b"#FID\tIID\n", "names no people in a column IID"),
        (b"\n", "names no people in a column IID"),
    ],
)
def test_people_tables_without_people_are_refused(tmp_path: Path, table: bytes, words: str) -> None:
    (tmp_path / "calls.psam").write_bytes(table)
    with pytest.raises(DataError, match=words):
        import_genotypes(tmp_path / "calls.pgen", tmp_path / "store")


def test_a_region_under_another_name(tmp_path: Path) -> None:
    rows = [f"{chrom} 5 A G GT 0|1 0|0 1|1" for chrom in ("22", "X")]
    source = write_pgen(load(write_vcf(tmp_path, *rows), tmp_path)[0], tmp_path, ".pvar")
    part, _ = load(source, tmp_path / "part", region=Interval("chr23", 0, 10))
    assert part.variants["chrom"].to_list() == ["X"]


def test_what_did_not_pass_is_kept_and_counted(tmp_path: Path) -> None:
    rows = [f"1 {n} A G GT 0|1 0|0 1|1" for n in (5, 6, 7, 8)]
    source = write_pgen(load(write_vcf(tmp_path, *rows), tmp_path)[0], tmp_path, ".pvar")
    verdicts = iter(("FILTER", "PASS", "Low", ".", ""))
    table = source.with_suffix(".pvar")
    lines = [
        line if line.startswith("##") else f"{line}\t{next(verdicts)}"
        for line in table.read_text().splitlines()
    ]
    table.write_text("\n".join(lines) + "\n")
    counts = load(source, tmp_path / "part")[1]
    assert (counts.n_read, counts.n_kept, counts.n_not_passed) == (4, 4, 1)


@pytest.mark.parametrize("column", range(5))
def test_variants_without_one_of_their_cells_are_refused(column: int, tmp_path: Path) -> None:
    rows = [f"1 {n} A G GT 0|1 0|0 1|1" for n in (5, 6)]
    source = write_pgen(load(write_vcf(tmp_path, *rows), tmp_path)[0], tmp_path, ".pvar")
    *lines, last = source.with_suffix(".pvar").read_text().splitlines()
    cells = last.split("\t")
    cells[column] = ""
    source.with_suffix(".pvar").write_text("\n".join([*lines, "\t".join(cells)]))
    with pytest.raises(DataError, match=r"variant 2 of .*calls.pvar lacks one of contig, ID"):
        import_genotypes(source, tmp_path / "store")


BED = bytes([0x6C, 0x1B, 0x01, 0b00101110, 0b00000001, 0b00000011])
"""Of three people, two bits each from the lowest on: 00 two A1, 10 one, 11 none, 01 missing."""
BIM = "1\trs5\t0\t5\tG\tA\n23 rs7 0 7 T C\n\n23\trs9\t0\t9\t0\tC\n"


def write_bed(place: Path, bim: str = BIM, calls: bytes = BED) -> Path:
    (place / "old.bed").write_bytes(calls)
    (place / "old.bim").write_text(bim)
    (place / "old.fam").write_text("f ann 0 0 1 -9\nf\tbob\t0\t0\t2\t-9\ng eve 0 0 0 -9\n")
    return place / "old.bed"


def test_a_fileset_of_plink_1(tmp_path: Path) -> None:
    """A1 is counted; the alleles of the last variant are not both known."""
    pytest.importorskip("pgenlib")
    found, counts = load(write_bed(tmp_path), tmp_path, people=["eve", "ann", "bob"])
    assert found.variants.select("chrom", "start", "ref", "alt").rows() == [
        ("1", 4, "A", "G"),
        ("23", 6, "C", "T"),
    ]
    assert (counts.n_read, counts.n_no_alternate) == (3, 1)
    expected = [[1, 2], [1, np.nan], [0, 2]]
    np.testing.assert_array_equal(found.dosages(slice(0, 2)), expected)
    part, _ = load(tmp_path / "old.bed", tmp_path / "x", region=Interval("chrX", 0, 9))
    assert part.variants["id"].to_list() == ["rs7"]


@pytest.mark.parametrize(
    ("bim", "calls", "message"),
    [
        (BIM.replace("rs7 0 7", "rs7 0"), BED, "variant 2 of .*old.bim lacks one of contig, ID"),
        (BIM.replace("0 7", "0 here"), BED, "variant 2 of .*old.bim lacks one of contig, ID"),
        (BIM + "1\trs1\t0\t1\tG\tA\n", BED, r"old.bim is not sorted: 1:1 \(variant 4\)"),
        (BIM.replace("rs7", "rs\1"), BED, r"old.bim is no text"),
        (BIM, BED[:4], r"old.bed cannot be read with its .bim and .fam"),
        (BIM, b"chr1\t5\t9\n", r"old.bed cannot be read with its .bim and .fam"),
    ],
)
def test_filesets_of_plink_1_that_do_not_fit(
    bim: str, calls: bytes, message: str, tmp_path: Path
) -> None:
    pytest.importorskip("pgenlib")
    with pytest.raises(DataError, match=message):
        import_genotypes(write_bed(tmp_path, bim, calls), tmp_path / "store")


def test_a_row_of_the_pvar_that_lacks_a_field_is_named(toy: ToyGenome, tmp_path: Path) -> None:
    vcf, _ = load(toy.vcf, tmp_path / "vcf")
    source = write_pgen(vcf, tmp_path, ".pvar")
    table = source.with_suffix(".pvar")
    lines = table.read_text().split("\n")
    lines[4] = lines[4].replace("\t", " ")
    table.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"variant 3 of .*calls\.pvar lacks one of contig, ID"):
        load(source, tmp_path / "pgen")
