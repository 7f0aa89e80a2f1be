import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.data.expression import ExpressionTable, read_expression
from cisgram.genome.genes import read_genes

PEOPLE = ("ann", "bob", "cyd")


def _write(path: Path, *rows: str) -> Path:
    text = "".join("\t".join(row.split(" ")) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("suffix", ["bed", "bed.gz"])
@pytest.mark.parametrize(
    ("beside", "cells", "strand"),
    [
        ("", ("", ""), (".", ".")),
        (" strand", (" +", " -"), ("+", "-")),
        (" grp", (" x", " y"), (".", ".")),
        (" length strand", (" 1049", " 77"), None),
        (" pos sense", (" x +", " y -"), ("+", "-")),
        (" score strand", (" 0 +", " 0 -"), ("+", "-")),
        (" gid strand", (" . .", " . ."), (".", ".")),
        (" length strand", (" 1049 +", " 77 -"), ("+", "-")),
    ],
)
def test_bed_with_four_five_or_six_leading_columns(tmp_path, suffix, beside, cells, strand):
    if strand is None:
        beside, strand = " length", (".", ".")
    path = _write(
        tmp_path / f"x.{suffix}",
        f"#chr start end gene{beside} ann bob cyd",
        f"chr1 99 100 g1{cells[0]} 1.5 NA -2",
        f"chr2 199 200 g2{cells[1]} 0 3e-2 7",
    )
    table = read_expression(path)
    assert table.people == PEOPLE
    np.testing.assert_array_equal(table.values, [[1.5, np.nan, -2], [0, 0.03, 7]])
    assert table.genes.rows() == [
        ("g1", "g1", "chr1", 99, 100, 99, strand[0]),
        ("g2", "g2", "chr2", 199, 200, 199, strand[1]),
    ]


@pytest.mark.parametrize(
    ("header", "ann", "bob"),
    [
        ("ann bob", (1, 2), (".", ".")),
        ("ann bob", (1, 2), ("", "")),
        ("ann bob", ("", ""), (1, 2)),
        ("ann bob", (".", "NA"), (1, 2)),
        ("ann bob", ("", ""), ("", "")),
        ("ID name", (1, 2), (3, 4)),
        ("score ID", (1, "NA"), ("", 4)),
    ],
)
@pytest.mark.parametrize("suffix", ["bed", "tsv"])
def test_no_person_is_taken_for_a_column_of_genes(tmp_path, suffix, header, ann, bob):
    path = _write(
        tmp_path / f"x.{suffix}",
        f"#chr start end gene {header} cyd dan",
        f"1 99 100 g1 {ann[0]} {bob[0]} 5 6",
        f"1 199 200 g2 {ann[1]} {bob[1]} 7 8",
    )
    assert read_expression(path).people == (*header.split(), "cyd", "dan")


def test_the_tss_of_a_gene_body_is_its_last_base_on_the_minus_strand(tmp_path):
    path = _write(
        tmp_path / "x.bed",
        "#chr start end id gid strand ann",
        "1 100 200 g1 g1 + 1",
        "1 100 200 g2 g2 - 1",
    )
    assert read_expression(path).genes["tss"].to_list() == [100, 199]


def test_geuvadis_positions_are_the_annotated_tss(geuvadis, shared):
    table = read_expression(geuvadis.expression)
    assert table.values.shape == (608, 358)
    assert not np.isnan(table.values).any()
    known = pl.read_csv(
        shared / "human/annotation/gene-ids-and-positions.hg38_hg19.tsv.gz",
        separator="\t", infer_schema=False, null_values="NA",
    )  # fmt: skip
    genes = table.genes.with_columns(gene_id=pl.col("gene").str.replace(r"\.\d+$", ""))
    both = genes.join(known, on="gene_id").filter(pl.col("chr_hg19") == "chr22")
    same = pl.col("tss") + 1 == pl.col("tss_hg19").cast(pl.Int64)
    shares = both.group_by("strand").agg(same.mean())
    assert shares["tss"].min() > 0.9


def test_gct_1_2(tmp_path):
    path = _write(
        tmp_path / "x.gct", "#1.2", "2 3", "Name Description ann bob cyd", "ENSG01.1 AB 1 2 3",
        "g2.4 CD 4 nan 6",
    )  # fmt: skip
    gtf = _gtf(tmp_path)
    table = read_expression(path, annotation=read_genes(gtf))
    np.testing.assert_array_equal(table.values, [[1, 2, 3], [4, np.nan, 6]])
    assert table.people == PEOPLE


def test_gct_1_3_skips_the_rows_about_people(tmp_path):
    path = _write(
        tmp_path / "x.gct.gz", "#1.3", "2 3 2 1", "id symbol chrom ann bob cyd",
        "tissue na na lcl lcl lcl", "ENSG01 AB 1 1 2 3", "ENSG02 CD 1 4 5 6",
    )  # fmt: skip
    table = read_expression(path, annotation=read_genes(_gtf(tmp_path)))
    np.testing.assert_array_equal(table.values, [[1, 2, 3], [4, 5, 6]])
    assert table.genes["chrom"].to_list() == ["chr1", "1"]
    assert table.genes["name"].to_list() == ["ALPHA", "CD"]


def test_gct_that_is_cut_short(tmp_path):
    path = _write(tmp_path / "x.gct", "#1.2", "3 1", "Name Description ann", "g1 AB 1")
    with pytest.raises(DataError, match="says 3 genes and 1 people and holds 1 and 1"):
        read_expression(path)


@pytest.mark.parametrize(
    ("version", "sizes"),
    [("#1.2", ""), ("#1.2", "1"), ("#1.2", "1 1 0 0"), ("#1.3", "1 1"), ("#1.3", "1 1 2"),
     ("#1.3", "1 1 0 x"), ("#1.1", "1 1")],
)  # fmt: skip
def test_gct_sizes_are_two_or_four(tmp_path, version, sizes):
    path = _write(tmp_path / "x.gct", version, sizes, "Name Description ann", "g1 AB 1")
    with pytest.raises(DataError, match=r"#1\.2 and a line of 2 sizes, or #1\.3 and one of 4"):
        read_expression(path)


def test_gct_of_one_tissue_of_gtex(tmp_path):
    path = _write(
        tmp_path / "x.gct", "#1.2", "2 2", "id Name Description GTEX-1 GTEX-2",
        "0 ENSG01.1 AB 1 2", "1 ENSG02.1 CD 3 4",
    )  # fmt: skip
    table = read_expression(path, annotation=read_genes(_gtf(tmp_path)))
    assert table.people == ("GTEX-1", "GTEX-2")
    assert table.genes["gene"].to_list() == ["ENSG01.1", "ENSG02.1"]
    assert table.genes["name"].to_list() == ["ALPHA", "CD"]


@pytest.mark.parametrize("index", ["gene_id", "__index_level_0__"])
def test_parquet_with_the_index_of_pandas(tmp_path, index):
    frame = pl.DataFrame(
        {"#chr": ["1"], "start": [9], "end": [10], "ann": [1.0], "bob": [2.0], index: ["g1"]}
    )
    frame.write_parquet(tmp_path / "x.parquet")
    table = read_expression(tmp_path / "x.parquet")
    assert table.people == ("ann", "bob")
    assert table.genes.rows() == [("g1", "g1", "1", 9, 10, 9, ".")]


@pytest.mark.parametrize("suffix", ["tsv", "parquet"])
def test_the_order_of_tensorqtl(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    frame = pl.DataFrame(
        {"#chr": ["1", "1"], "start": [9, 19], "end": [10, 20], "phenotype_id": ["g1", "g2"],
         "ann": [1.0, 3.0], "bob": [2.0, 4.0]}
    )  # fmt: skip
    frame.write_parquet(path) if suffix == "parquet" else frame.write_csv(path, separator="\t")
    table = read_expression(path)
    assert table.people == ("ann", "bob")
    assert table.genes.rows() == [
        ("g1", "g1", "1", 9, 10, 9, "."), ("g2", "g2", "1", 19, 20, 19, "."),
    ]  # fmt: skip


def test_tsv_and_parquet_say_the_same(tmp_path):
    rows = ("gene chrom tss strand ann bob cyd", "g1 1 99 - 1 2 3", "g2 2 10 + 4  6")
    from_text = read_expression(_write(tmp_path / "x.tsv", *rows))
    frame = pl.DataFrame(
        {"gene": ["g1", "g2"], "chrom": ["1", "2"], "tss": [99, 10], "strand": ["-", "+"],
         "ann": [1.0, 4.0], "bob": [2.0, None], "cyd": [3, 6]}
    )  # fmt: skip
    frame.write_parquet(tmp_path / "x.parquet")
    from_parquet = read_expression(tmp_path / "x.parquet")
    assert from_text.genes.equals(from_parquet.genes)
    assert from_text.genes.rows()[0] == ("g1", "g1", "1", 99, 100, 99, "-")
    np.testing.assert_array_equal(from_text.values, from_parquet.values)
    np.testing.assert_array_equal(from_text.values, [[1, 2, 3], [4, np.nan, 6]])


def test_the_table_that_geuvadis_publishes(tmp_path):
    header = "TargetID Gene_Symbol Chr Coord HG00096 HG00097"
    rows = ("ENSG01.5 ENSG01.5 22 1001 0.5 1.5", "ENSG02.3 ENSG02.3 22 2001 2.5 3.5")
    table = read_expression(_write(tmp_path / "GD462.resk10.txt", header, *rows))
    assert table.people == ("HG00096", "HG00097")
    assert table.genes.rows()[0] == ("ENSG01.5", "ENSG01.5", "22", 1000, 1001, 1000, ".")


def test_an_annotation_places_genes_whatever_their_version(tmp_path):
    path = _write(tmp_path / "x.tsv", "gene ann bob", "ENSG01.9 1 2", "ENSG02 3 4", "other 5 6")
    genes = read_expression(path, annotation=read_genes(_gtf(tmp_path))).genes
    assert genes["gene"].to_list() == ["ENSG01.9", "ENSG02", "other"]
    assert genes["name"].to_list() == ["ALPHA", "ENSG02", "other"]
    assert genes.row(0)[2:] == ("chr1", 999, 2000, 1999, "-")
    assert genes["chrom"].to_list() == ["chr1", None, None]


def _placed(tmp_path, annotated):
    """Four genes at 1,000, and an annotation with them elsewhere, 1-based."""
    genes = [f"chr22 1000 1001 g{i} {i} 2" for i in range(4)]
    path = _write(tmp_path / "x.bed", "#chr start end gene ann bob", *genes)
    gtf = tmp_path / "genes.gtf"
    gtf.write_text(
        "".join(
            f'{chrom}\tx\tgene\t{start}\t{start + 5000}\t.\t-\t.\tgene_id "g{i}"\n'
            for i, (chrom, start) in enumerate(annotated)
        )
    )
    return path, read_genes(gtf)


@pytest.mark.parametrize(
    "annotated",
    [
        [("22", 500), ("22", 500), ("22", 90_000), ("5", 500)],
        [("22", 10_900)] * 3,
        [],
    ],
)
def test_an_annotation_may_move_some_genes_and_all_a_little(tmp_path, annotated):
    path, annotation = _placed(tmp_path, [*annotated, *[("22", 500)] * (4 - len(annotated))])
    assert read_expression(path, annotation=annotation).genes["strand"].to_list() == ["-"] * 4


@pytest.mark.parametrize(
    ("annotated", "place"),
    [
        ([("22", 500)] + [("22", 12_000)] * 3, "22:17,000"),
        ([("22", 500)] + [("5", 500)] * 3, "5:5,500"),
        ([("22", 500)] + [("NC_000022.11", 12_000)] * 3, "NC_000022.11:17,000"),
    ],
)
def test_an_annotation_of_another_build_is_refused(tmp_path, annotated, place):
    path, annotation = _placed(tmp_path, annotated)
    message = f"of another build, .* 3 of 4 genes .*, such as g1 at {place} and not chr22:1,001;"
    with pytest.raises(DataError, match=message):
        read_expression(path, annotation=annotation)


@pytest.mark.parametrize("chunk", [30, 1 << 22])
def test_blank_lines_at_the_end_are_nothing(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("cisgram.genome.streams._CHUNK", chunk)
    rows = [f"1 {i} {i + 1} g{i} 1 2 3" for i in range(5)]
    path = _write(tmp_path / "x.bed", HEADER, *rows, *[""] * 40)
    assert read_expression(path).values.shape == (5, 3)
    path = _write(tmp_path / "y.bed", HEADER, *rows, *[""] * 40, rows[0])
    with pytest.raises(DataError, match="line 7 has 1 columns and the header 7"):
        read_expression(path)


def test_many_blocks_are_read_like_one(tmp_path, monkeypatch, rng):
    monkeypatch.setattr("cisgram.genome.streams._CHUNK", 1000)
    values = rng.normal(size=(200, 5)).round(3)
    rows = [f"chr1 {i} {i + 1} g{i} " + " ".join(map(str, row)) for i, row in enumerate(values)]
    path = _write(tmp_path / "x.bed.gz", "#chr start end gene a b c d e", *rows)
    np.testing.assert_array_equal(read_expression(path).values, values)


HEADER = "#chr start end gene ann bob cyd"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((HEADER, "1 9 10 g1 1 x 3"), "'x' stands in line 2, column bob"),
        ((HEADER, "1 9 10 g1 1 2 inf"), "finite numbers; 'inf'"),
        ((HEADER, "1 9 10 g1 1 2"), "line 2 has 6 columns and the header 7"),
        ((HEADER, "1 9 10 g1 1 2 3 4"), "line 2 has 8 columns and the header 7"),
        ((HEADER, "1 9 10 g1 1 2 3", "1 9 10 g1 1 2 3"), "names g1 more than once"),
        (("#chr start end gene ann ann", "1 9 10 g1 1 2"), "names ann more than once"),
        ((HEADER,), "header and no rows"),
        (("1 9 10 g1 1 2 3",), "must name its columns"),
        (("#chr,start,end,gene,ann", "1,9,10,g1,1"), "must name its columns"),
        ((HEADER, "1 10 10 g1 1 2 3"), "gene g1 no start below its end"),
        ((HEADER, "1 a 10 g1 1 2 3"), "gene g1 no start below its end"),
        ((HEADER, "1 9 10  1 2 3"), "without the name of a gene"),
    ],
)
def test_bad_beds_are_named(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_expression(_write(tmp_path / "x.bed", *rows))


def test_a_truncated_gzip_is_named(tmp_path):
    whole = gzip.compress((HEADER + "\n").replace(" ", "\t").encode() * 50)
    (tmp_path / "x.bed.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"x\.bed\.gz"):
        read_expression(tmp_path / "x.bed.gz")


def test_parquet_that_is_none_or_holds_text(tmp_path):
    (tmp_path / "x.parquet").write_text("nothing of the kind")
    with pytest.raises(DataError, match="no parquet file"):
        read_expression(tmp_path / "x.parquet")
    pl.DataFrame({"gene": ["g1"], "ann": ["high"]}).write_parquet(tmp_path / "y.parquet")
    with pytest.raises(DataError, match="'high' stands in line 1, column ann"):
        read_expression(tmp_path / "y.parquet")


def test_unknown_formats_and_lost_genes_say_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"must end in \.bed, \.gct, \.tsv"):
        read_expression(_write(tmp_path / "x.csv", "gene ann", "g1 1"))
    with pytest.raises(ConfigError, match="give a GTF or GFF3"):
        read_expression(_write(tmp_path / "x.tsv", "gene ann", "g1 1"))
    with pytest.raises(DataError, match="does not exist"):
        read_expression(tmp_path / "nowhere.bed")


@pytest.mark.unchecked
def test_a_table_checks_its_own_shape():
    genes = pl.DataFrame({"gene": ["g1"]})
    with pytest.raises(DataError, match=r"1 genes by 1 people; got \(2, 1\)"):
        ExpressionTable(genes, ("ann",), np.zeros((2, 1)))


def _gtf(tmp_path: Path) -> Path:
    attributes = 'gene_id "ENSG01.2"; gene_name "ALPHA"; gene_type "protein_coding";'
    transcript = attributes + ' transcript_id "ENST01";'
    rows = [("gene", attributes), ("transcript", transcript), ("exon", transcript)]
    path = tmp_path / "genes.gtf"
    path.write_text(
        "".join(f"chr1\tx\t{kind}\t1000\t2000\t.\t-\t.\t{text}\n" for kind, text in rows)
    )
    return path
