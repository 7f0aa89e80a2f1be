from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cyvcf2 import VCF

from cisgram.cli.app import main
from cisgram.genome.alphabet import decode
from predict.toy_reader import write_toy_model

HEADER = """##fileformat=VCFv4.2
##contig=<ID=c0,length=2000>
##INFO=<ID=AF,Number=A,Type=Float,Description="frequency">
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    reference = write_toy_model(tmp_path)
    bases = decode(reference.contig("c0"))
    two = [base for base in "ACGT" if base != bases[589]][:2]
    rows = [
        ("c0", 590, "snp", bases[589], ",".join(two), ".", "PASS", "AF=0.1,0.2"),
        ("c0", 646, "del", bases[645:648], bases[645], ".", "PASS", "."),
        ("c0", 650, "sv", bases[649], "<DEL>", ".", "PASS", "."),
        ("c0", 1900, "far", bases[1899], "A" if bases[1899] != "A" else "C", ".", "PASS", "."),
    ]
    text = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    text += "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (tmp_path / "some.vcf").write_text(HEADER + text)
    return tmp_path


def score(place: Path, out: str, *more: str) -> Path:
    words = ["variants", "score", "--model", str(place / "model"), "--vcf", str(place / "some.vcf")]
    words += ["--genome", str(place / "toy.fa"), "--annotation", str(place / "genes.gff3")]
    assert main([*words, "--reach", "40", "--out", str(place / out), *more]) == 0
    return place / out


def test_a_vcf_becomes_a_table_and_the_same_vcf_with_effects(place, capsys):
    table = pl.read_csv(score(place, "effects.tsv"), separator="\t")
    said = " ".join(capsys.readouterr().out.split())
    assert "4 alternate alleles, 3 pairs with genes; 1 have no gene within 40 bases" in said
    assert "1 without a sequence left out" in said
    assert table.columns == ["chrom", "pos", "ref", "alt", "gene", "track", "effect"]
    assert table["pos"].to_list() == [590, 590, 590, 590, 646, 646]
    assert table["track"].to_list() == ["worth", "word+"] * 3
    records = {record.ID: record for record in VCF(str(score(place, "annotated.vcf.gz")))}
    assert list(records) == ["snp", "del", "sv", "far"]
    entries = [text.split("|") for text in records["snp"].INFO["CISGRAM"].split(",")]
    assert [entry[:3] for entry in entries] == [
        [alt, "left", track] for alt in records["snp"].ALT for track in ("worth", "word+")
    ]
    effects = [float(entry[3]) for entry in entries]
    np.testing.assert_allclose(effects, table["effect"][:4], atol=1e-4)
    assert records["snp"].INFO["AF"] == pytest.approx((0.1, 0.2))
    assert records["far"].INFO.get("CISGRAM") is None
    parquet = pl.read_parquet(score(place, "effects.parquet"))
    np.testing.assert_allclose(parquet["effect"], table["effect"], atol=1e-4)


def test_genes_are_chosen_by_identifier_or_name(place):
    (place / "genes.txt").write_text("LEF1\n")
    table = pl.read_csv(
        score(place, "some.tsv", "--genes", str(place / "genes.txt")), separator="\t"
    )
    assert set(table["gene"]) == {"left"}


def test_a_vcf_of_another_genome_is_refused_and_nothing_is_written(place, capsys):
    (place / "other.fa").write_text(">c0\n" + "ACGT" * 500 + "\n")
    words = ["variants", "score", "--model", str(place / "model"), "--vcf", str(place / "some.vcf")]
    words += ["--genome", str(place / "other.fa"), "--annotation", str(place / "genes.gff3")]
    assert main([*words, "--out", str(place / "out.tsv")]) == 2
    assert "variants" in capsys.readouterr().err
    assert not (place / "out.tsv").exists()
