from pathlib import Path

import polars as pl
import pytest

from cisgram.core.checks import DataError
from cisgram.data.corpus_annotation import read_spans
from cisgram.genome.chromosomes import ChromosomeNames

NAMES = ChromosomeNames(["chrI", "chrII"])
ENSEMBL = """##gff-version 3
I	sgd	chromosome	1	9000	.	.	.	ID=chromosome:I
I	sgd	gene	101	1000	.	+	.	ID=gene:A;biotype=protein_coding
I	sgd	mRNA	101	1000	.	+	.	ID=transcript:A1;Parent=gene:A;biotype=protein_coding
I	sgd	exon	101	300	.	+	.	Parent=transcript:A1;rank=1
I	sgd	exon	401	600	.	+	.	Parent=transcript:A1;rank=2
I	sgd	exon	701	1000	.	+	.	Parent=transcript:A1;rank=3
I	sgd	CDS	151	300	.	+	0	Parent=transcript:A1
I	sgd	tRNA	2001	2100	.	-	.	ID=transcript:T;Parent=gene:T;biotype=tRNA
I	sgd	exon	2001	2030	.	-	.	Parent=transcript:T
I	sgd	exon	2071	2100	.	-	.	Parent=transcript:T
II	sgd	rRNA	1	500	.	+	.	ID=transcript:R;Parent=gene:R;biotype=rRNA
II	sgd	exon	1	500	.	+	.	Parent=transcript:R
II	sgd	transposable_element	601	700	.	+	.	ID=transcript:Y;biotype=transposable_element
II	sgd	exon	601	700	.	+	.	Parent=transcript:Y
Mito	sgd	exon	1	500	.	+	.	Parent=transcript:R
###
"""
GTF = """#!genome
chrI	x	gene	101	1000	.	+	.	gene_id "A"; gene_biotype "protein_coding";
chrI	x	transcript	101	1000	.	+	.	gene_id "A"; transcript_id "A1";
chrI	x	exon	101	300	.	+	.	gene_id "A"; transcript_id "A1"; exon_number "1";
chrI	x	exon	401	600	.	+	.	gene_id "A"; transcript_id "A1"; exon_number "2";
chrI	x	exon	701	1000	.	+	.	gene_id "A"; transcript_id "A1"; exon_number "3";
chrI	x	CDS	151	300	.	+	0	gene_id "A"; transcript_id "A1"; exon_number "1";
chrI	x	transcript	2001	2100	.	-	.	transcript_id "T1"; gene_biotype "tRNA";
chrI	x	exon	2001	2030	.	-	.	transcript_id "T1"; gene_biotype "tRNA";
chrI	x	exon	2071	2100	.	-	.	transcript_id "T1"; gene_biotype "tRNA";
chrII	x	exon	1	500	.	+	.	transcript_id "R1"; gene_type "rRNA";
"""
BARE = """chrI	x	gene	5	90	.	+	.	ID=g
chrI	x	CDS	5	30	.	+	0	ID=c1;Parent=g
chrI	x	CDS	61	90	.	+	0	ID=c2;Parent=g
chrI	x	tRNA	201	250	.	+	.	ID=tRNA-Pro:chrI
chrI	x	TY1/TY2_soloLTR	301	350	.	+	.	ID=ltr
chrI	x	Y_prime_element	401	450	.	+	.	ID=y
chrI	x	CDS	501	530	.	+	0	note=alone
"""
TABLE_OF_NUMBERS = """chrI	x	CDS	11.0	40.0	.	+	.	"transcript_id ""A-T"";"
chrI	x	CDS	61.0	90.0	.	+	.	"transcript_id ""A-T"";"
chrI	x	rRNA	101.0	150.0	.	+	.	"gene_id ""A"";"
chrX	x	CDS	40.0	11.0	.	-	.	"gene_id ""B""; transcript_id ""B-T"";"
"""
CODING = {("chrI", 100, 298), ("chrI", 402, 598), ("chrI", 702, 1000)}
TRNA = {("chrI", 2000, 2028), ("chrI", 2072, 2100)}


def spans(tmp_path: Path, text: str) -> dict[str, set[tuple[str, int, int]]]:
    path = tmp_path / "annotation.gff"
    path.write_text(text)
    table = read_spans(path, NAMES)
    return {
        str(kind): set(rows.select("chrom", "start", "end").rows())
        for (kind,), rows in table.group_by("kind")
    }


def test_reads_ensembl_gff3(tmp_path: Path) -> None:
    assert spans(tmp_path, ENSEMBL) == {
        "exon": CODING | TRNA | {("chrII", 0, 500), ("chrII", 600, 700)},
        "protein_coding": CODING,
        "tRNA": TRNA,
        "rRNA": {("chrII", 0, 500)},
        "repeat": {("chrII", 600, 700)},
    }


def test_reads_gtf(tmp_path: Path) -> None:
    assert spans(tmp_path, GTF) == {
        "exon": CODING | TRNA | {("chrII", 0, 500)},
        "protein_coding": CODING,
        "tRNA": TRNA,
        "rRNA": {("chrII", 0, 500)},
    }


def test_reads_files_without_exons(tmp_path: Path) -> None:
    coding = {("chrI", 4, 28), ("chrI", 62, 90), ("chrI", 500, 530)}
    assert spans(tmp_path, BARE) == {
        "exon": coding | {("chrI", 200, 250)},
        "protein_coding": coding,
        "tRNA": {("chrI", 200, 250)},
        "repeat": {("chrI", 300, 350), ("chrI", 400, 450)},
    }


def test_reads_what_a_spreadsheet_has_been_at(tmp_path: Path) -> None:
    coding = {("chrI", 10, 38), ("chrI", 62, 90)}
    assert spans(tmp_path, TABLE_OF_NUMBERS) == {
        "exon": coding | {("chrI", 100, 150)},
        "protein_coding": coding,
        "rRNA": {("chrI", 100, 150)},
    }


def test_ends_where_a_sequence_begins(tmp_path: Path) -> None:
    assert spans(tmp_path, BARE + "##FASTA\n>chrI\nACGT\n") == spans(tmp_path, BARE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GTF.replace("chr", "scaffold_"), r"has contigs scaffold_I.*and the FASTA chrI, chrII; "),
        (
            GTF.replace("401\t600", "401\tsix"),
            r"positions or attributes \(chrI exon 401 None\)",
        ),
        (
            GTF.replace("401\t600", "600\t401"),
            r"positions or attributes \(chrI exon 600 401\)",
        ),
        (
            GTF.replace("\t401\t", "\t0\t"),
            r"positions or attributes \(chrI exon 0 600\)",
        ),
        ("chrI\tx\tgene\t1\t9\t.\t+\t.\tID=a\n", "has no line of an exon, CDS or RNA"),
        (">chrI\nACGT\n", "is not a table of nine columns"),
        ("", "is empty"),
    ],
)
def test_refuses_what_is_no_annotation_of_the_genome(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        spans(tmp_path, text)


def test_covers_what_was_published_of_yeast(shared: Path) -> None:
    """Exons of all kinds cover 73.83% of the nuclear genome, those of coding genes 71.22%.

    Those figures are of a later release of the same annotation.
    """
    path = shared / "yeast" / "genome" / "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz"
    names = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII"]
    table = read_spans(path, ChromosomeNames([*names, "XIV", "XV", "XVI"]))
    nuclear = 12_071_326
    for kind, published in (("exon", 0.7383), ("protein_coding", 0.7122)):
        reached = pl.col("end").cum_max().shift(1, fill_value=0).over("chrom")
        fresh = (pl.col("end") - pl.max_horizontal("start", reached)).clip(lower_bound=0)
        covered = table.filter(pl.col("kind") == kind).sort("chrom", "start").select(fresh.sum())
        assert covered.item() / nuclear == pytest.approx(published, abs=0.003)
