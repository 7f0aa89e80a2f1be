"""No text of a VCF ends the process: each bad line is refused by its number."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from cyvcf2 import VCF

from cisgram.cli.app import main
from cisgram.core.checks import DataError
from cisgram.genome.genotypes import import_genotypes
from cisgram.genome.interval import Interval
from cisgram.genome.vcf import read_sites
from cisgram.genome.vcf_writing import annotate_vcf
from genotype_files import load, vcf_text

GOOD = vcf_text("1 5 A G GT 0|1 0|0 1|1", "1 7 C T GT 0|0 0|1 1|1", "2 5 A G GT 0|1 0|0 1|1")
LINES = GOOD.splitlines(keepends=True)
HEADER, RECORDS = LINES[:-3], LINES[-3:]
FIRST = len(HEADER) + 1
SPOILT: dict[str, tuple[int, Callable[[], str]]] = {
    "a VCF joined to itself": (FIRST + 3, lambda: GOOD + GOOD),
    "a header at the end": (FIRST + 3, lambda: GOOD + "".join(HEADER)),
    "a comment at the end": (FIRST + 3, lambda: GOOD + "# end\n"),
    "a comment at the end without a newline": (FIRST + 3, lambda: GOOD + "#end"),
    "a comment among records": (FIRST + 1, lambda: GOOD.replace(RECORDS[1], "#\n" + RECORDS[1])),
    "a contig in the body": (FIRST + 1, lambda: GOOD.replace(RECORDS[1], LINES[1] + RECORDS[1])),
    "columns named again": (FIRST + 3, lambda: GOOD + HEADER[-1]),
    "garbage at the end": (FIRST + 3, lambda: GOOD + "garbage\n"),
    "garbage between tabs": (FIRST + 3, lambda: GOOD + "a\tb\tc\td\n"),
    "bytes that are no text": (FIRST + 3, lambda: GOOD + "\x00\x01\x02\n"),
    "blanks for tabs": (FIRST, lambda: "".join(HEADER) + "".join(RECORDS).replace("\t", " ")),
    "blanks for tabs of a new contig": (FIRST + 3, lambda: GOOD + "3 5 . A G . . . GT 0 0 0\n"),
    "a blank line": (FIRST + 1, lambda: GOOD.replace(RECORDS[1], "\n" + RECORDS[1])),
    "a blank line at the end": (FIRST + 3, lambda: GOOD + "\n"),
    "a blank for a contig": (FIRST, lambda: GOOD.replace("\n1\t5", "\n \t5")),
    "no contig": (FIRST, lambda: GOOD.replace("\n1\t5", "\n\t5")),
    "a new contig alone": (FIRST + 3, lambda: GOOD + "chr9\n"),
    "a new contig and a position": (FIRST + 3, lambda: GOOD + "chr9\t5\n"),
    "a record cut before ALT": (FIRST + 3, lambda: GOOD + "2\t9\trs9\tA\n"),
    "a new contig cut before ALT": (FIRST + 3, lambda: GOOD + "3\t9\trs9\tA\n"),
    "a new contig cut before INFO": (FIRST + 3, lambda: GOOD + "3\t9\trs9\tA\tG\t.\t.\n"),
    "an empty ALT": (FIRST + 3, lambda: GOOD + "3\t9\trs9\tA\t\t.\t.\t.\tGT\t0\t0\t0\n"),
    "a word for a contig": (FIRST + 3, lambda: GOOD + RECORDS[2].replace("2\t", "<2>\t", 1)),
    "a table beneath": (FIRST + 3, lambda: GOOD + "gene\tname\tp\n"),
}
"""Where the first bad line stands, and the text."""


def annotate(source: Path, out: Path) -> None:
    """Write the file again with an entry for its first allele."""
    values = [(("1", 5), {("A", "G"): ["G|x"]})]
    mode = "wb" if out.suffix == ".bcf" else "w"
    annotate_vcf(source, out, mode=mode, info=("NEW", "entries"), values=values)


@pytest.mark.parametrize("name", SPOILT)
@pytest.mark.parametrize("packed", [False, True])
def test_a_line_that_is_no_record_is_refused(tmp_path: Path, name: str, packed: bool) -> None:
    number, write = SPOILT[name]
    text, record = write().encode(), number - len(HEADER)
    refused = (
        rf"^line {number} of .*bad\.vcf.* is no record|^record {record} of .*bad\.vcf.* cannot"
    )
    path = tmp_path / ("bad.vcf.gz" if packed else "bad.vcf")
    path.write_bytes(gzip.compress(text) if packed else text)
    for read in (read_sites, lambda path: import_genotypes(path, tmp_path / "store")):
        with pytest.raises(DataError, match=refused):
            read(path)
    with pytest.raises(DataError, match=refused):
        import_genotypes(path, tmp_path / "store", region=Interval("2", 0, 10))
    assert not list((tmp_path / "store").iterdir())
    with pytest.raises(DataError, match=refused):
        annotate(path, tmp_path / "new.vcf")


@pytest.mark.parametrize(
    "row",
    [
        "9 here A G GT 0 0 0",
        "9 5 A G GT 0|0 0|0",
        "9 5 A G GT x|y 0|0 0|0",
        "9 5 A G GT:DS 0|0:a 0|0:b 0|0:c",
    ],
)
def test_a_record_of_a_new_contig_that_cannot_be_read_is_refused(tmp_path: Path, row: str) -> None:
    """Such as ended the process, where the header does not name the contig."""
    (tmp_path / "bad.vcf").write_text(GOOD + vcf_text(row).splitlines()[-1] + "\n")
    with pytest.raises(DataError, match=r"record 4 of .*bad\.vcf cannot be read"):
        import_genotypes(tmp_path / "bad.vcf", tmp_path / "store")


def test_contigs_that_the_header_does_not_name_are_read(tmp_path: Path) -> None:
    plain = GOOD.replace("##contig=<ID=1>\n##contig=<ID=2>\n", "").replace("\n2\t", "\nHLA:1*\t")
    (tmp_path / "a.vcf").write_text(plain)
    genotypes, counts = load(tmp_path / "a.vcf", tmp_path)
    assert (genotypes.variants["chrom"].to_list(), counts.n_read) == (["1", "1", "HLA:1*"], 3)
    (tmp_path / "a.vcf").write_text(GOOD.rstrip("\n").replace("\n", "\r\n"))
    assert load(tmp_path / "a.vcf", tmp_path)[1].n_kept == 3


@pytest.mark.parametrize("name", ["new.vcf", "new.bcf"])
def test_contigs_and_fields_that_the_header_does_not_name_are_written(
    name: str, tmp_path: Path
) -> None:
    rows = RECORDS[2].replace("2\t", "X\t", 1).replace("\t.\t.\t.\tGT", "\t.\tlow\tAF=0.5\tGT")
    (tmp_path / "a.vcf").write_text("".join([*HEADER, *RECORDS[:2], rows]))
    annotate(tmp_path / "a.vcf", tmp_path / name)
    found = [(r.CHROM, r.POS, r.FILTER, dict(r.INFO)) for r in VCF(str(tmp_path / name))]
    assert found == [
        ("1", 5, None, {"NEW": "G|x"}),
        ("1", 7, None, {}),
        ("X", 5, "low", {"AF": "0.5"}),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"rs7\tC", b"rs7\t\xff", "record 2 of .*a.vcf cannot be read"),
        (b"\tbob", b"\tb\xff", "a.vcf names a person with bytes that are no UTF-8"),
        (b"Type=String", b"Type=Strong", "the header of .*a.vcf gives FORMAT/GT no Type of"),
    ],
)
def test_bytes_and_types_that_are_none_are_refused(
    old: bytes, new: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.vcf").write_bytes(GOOD.encode().replace(old, new))
    with pytest.raises(DataError, match=message):
        import_genotypes(tmp_path / "a.vcf", tmp_path / "store")


def test_an_import_of_a_spoilt_file_says_one_line_and_leaves_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.vcf").write_text(GOOD + "# end\n")
    (tmp_path / "e.bed").write_text("#chr\tstart\tend\tgene\tann\tbob\teve\n1\t4\t5\tg\t1\t2\t3\n")
    words = f"cohort import --genotypes {tmp_path}/bad.vcf --expression {tmp_path}/e.bed"
    assert main([*words.split(), "--out", str(tmp_path / "new")]) == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.vcf", "e.bed"]
