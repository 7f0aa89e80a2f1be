import gzip
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.genes import Annotation, Genes, read_genes
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference, open_reference
from toy import ToyGenome

ENSEMBL_GTF = """\
#!genome-build GRCh38
1\tens\tgene\t101\t200\t.\t-\t.\tgene_id "ENSG01"; gene_version "5"; \
gene_name "ABC"; gene_biotype "lncRNA";
1\tens\ttranscript\t101\t200\t.\t-\t.\tgene_id "ENSG01"; gene_version "5"; \
transcript_id "ENST01"; transcript_version "2"; transcript_biotype "retained_intron";
1\tens\texon\t151\t200\t.\t-\t.\tgene_id "ENSG01"; gene_version "5"; \
transcript_id "ENST01"; transcript_version "2";
1\tens\texon\t101\t120\t.\t-\t.\tgene_id "ENSG01"; gene_version "5"; \
transcript_id "ENST01"; transcript_version "2";
"""
GENCODE_GTF = """\
##description: evidence-based annotation
chr1\tHAVANA\tgene\t101\t200\t.\t-\t.\tgene_id "ENSG01.5"; gene_type "lncRNA"; \
gene_name "ABC"; level 2;
chr1\tHAVANA\ttranscript\t101\t200\t.\t-\t.\tgene_id "ENSG01.5"; transcript_id "ENST01.2"; \
gene_type "lncRNA"; gene_name "ABC"; transcript_type "retained_intron"; level 2;
chr1\tHAVANA\texon\t151\t200\t.\t-\t.\tgene_id "ENSG01.5"; transcript_id "ENST01.2";
chr1\tHAVANA\texon\t101\t120\t.\t-\t.\tgene_id "ENSG01.5"; transcript_id "ENST01.2";
"""
ENSEMBL_GFF3 = """\
##gff-version 3
1\tens\tncRNA_gene\t101\t200\t.\t-\t.\tID=gene:ENSG01;Name=ABC;biotype=lncRNA;gene_id=ENSG01;version=5
1\tens\tlnc_RNA\t101\t200\t.\t-\t.\tID=transcript:ENST01;Parent=gene:ENSG01;biotype=retained_intron;version=2
###
1\tens\texon\t151\t200\t.\t-\t.\tParent=transcript:ENST01;Name=ENSE1;rank=1;version=1
1\tens\texon\t101\t120\t.\t-\t.\tParent=transcript:ENST01;Name=ENSE2;rank=2;version=1
"""
GENCODE_GFF3 = """\
##gff-version 3
chr1\tHAVANA\tgene\t101\t200\t.\t-\t.\tID=ENSG01.5;gene_id=ENSG01.5;gene_type=lncRNA;gene_name=ABC
chr1\tHAVANA\ttranscript\t101\t200\t.\t-\t.\tID=ENST01.2;Parent=ENSG01.5;gene_id=ENSG01.5;\
gene_type=lncRNA;transcript_type=retained_intron
chr1\tHAVANA\texon\t151\t200\t.\t-\t.\tID=exon:ENST01.2:1;Parent=ENST01.2;gene_id=ENSG01.5
chr1\tHAVANA\texon\t101\t120\t.\t-\t.\tID=exon:ENST01.2:2;Parent=ENST01.2;gene_id=ENSG01.5
"""


def read(directory: Path, text: str, name: str = "genes.gtf") -> Annotation:
    (directory / name).write_text(text)
    return read_genes(directory / name)


@pytest.mark.parametrize("text", [ENSEMBL_GTF, GENCODE_GTF, ENSEMBL_GFF3, GENCODE_GFF3])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_four_styles_say_the_same(tmp_path: Path, text: str, end: str) -> None:
    annotation = read(tmp_path, text.replace("\n", end))
    assert annotation.genes.drop("chrom").rows(named=True) == [
        {"gene": "ENSG01.5", "name": "ABC", "biotype": "lncRNA"}
        | {"start": 100, "end": 200, "strand": "-", "tss": 199}
    ]
    assert annotation.transcripts.drop("chrom").rows() == [
        ("ENST01.2", "ENSG01.5", "retained_intron", 100, 200, "-", 199)
    ]
    assert annotation.exons.drop("chrom").rows() == [
        ("ENST01.2", "ENSG01.5", 150, 200, "-"),
        ("ENST01.2", "ENSG01.5", 100, 120, "-"),
    ]
    assert set(annotation.genes["chrom"]) < {"1", "chr1"}


def test_quotes_of_a_gtf_are_read_as_such(tmp_path: Path) -> None:
    """A semicolon or a word between quotes ends or begins no attribute; either quote will do."""
    attributes = [
        "gene_id 'Y1'; gene_name 'ONE';",
        'note "of gene_id X; gene_name Z"; gene_id "Y2"; gene_name "a;b";',
        'note "5\' end; gene_id W"; gene_id "Y3"',
        "gene_id Y4; gene_biotype 'rna';",
    ]
    lines = (f"1\tx\tgene\t{n}1\t{n}9\t.\t+\t.\t{text}\n" for n, text in enumerate(attributes, 1))
    genes = read(tmp_path, "".join(lines)).genes
    assert genes["gene"].to_list() == ["Y1", "Y2", "Y3", "Y4"]
    assert genes["name"].to_list() == ["ONE", "a;b", "Y3", "Y4"]
    assert genes["biotype"].to_list() == [None, None, None, "rna"]


def test_gff3_details(tmp_path: Path) -> None:
    """RefSeq names, percent codes, shared exons, unknown strands, and a sequence at the end."""
    annotation = read(
        tmp_path,
        "##gff-version 3\n"
        "NC_1.1\tR\tgene\t11\t90\t.\t?\t.\tID=gene-A%2CB;Name=A%2CB;gene_biotype=protein_coding\n"
        "NC_1.1\tR\tmRNA\t11\t90\t.\t.\t.\tID=rna-1;Parent=gene-A%2CB\n"
        "NC_1.1\tR\tmRNA\t21\t90\t.\t.\t.\tID=rna-2;Parent=gene-A%2CB\n"
        "NC_1.1\tR\texon\t31\t90\t.\t.\t.\tID=e;Parent=rna-1,rna-2\n"
        "NC_1.1\tR\tCDS\t31\t90\t.\t.\t0\tID=c;Parent=rna-1\n"
        "NC_1.1\tR\tintron\t31\t40\t.\t.\t.\tID=i;Parent=gene-A%2CB\n"
        "##FASTA\n>NC_1.1\ngene\texon\n",
    )
    assert annotation.genes.rows() == [("A,B", "A,B", "protein_coding", "NC_1.1", 10, 90, ".", 10)]
    assert annotation.transcripts.select("transcript", "gene", "tss").rows() == [
        ("1", "A,B", 10), ("2", "A,B", 20)
    ]  # fmt: skip
    assert annotation.exons["transcript"].to_list() == ["1", "2"]


def test_parts_of_a_trans_spliced_gene_are_one(tmp_path: Path) -> None:
    """GFF3 lets one ID have several lines; where they lie on both strands the first counts."""
    line = "NC_1\tR\t{}\t{}\t{}\t.\t{}\t.\t{};part={}\n"
    text = "##gff-version 3\n" + "".join(
        [
            line.format("gene", 101, 200, "-", "ID=gene-rps12;Name=rps12", 1),
            line.format("gene", 501, 600, "+", "ID=gene-rps12;Name=rps12", 2),
            line.format("mRNA", 101, 200, "-", "ID=rna-1;Parent=gene-rps12", 1),
            line.format("gene", 901, 950, "+", "ID=gene-nad1;Name=nad1", 2),
            line.format("gene", 701, 800, "+", "ID=gene-nad1;Name=nad1", 1),
            line.format("gene", 51, 60, "-", "ID=gene-nad2;Name=nad2", 1),
            line.format("gene", 11, 20, "-", "ID=gene-nad2;Name=nad2", 2),
        ]
    )
    annotation = read(tmp_path, text)
    assert annotation.genes.select("gene", "start", "end", "strand", "tss").rows() == [
        ("rps12", 100, 200, "-", 199),
        ("nad1", 700, 950, "+", 700),
        ("nad2", 10, 60, "-", 59),
    ]
    assert annotation.transcripts["gene"].to_list() == ["rps12"]
    elsewhere = text + line.format("gene", 1, 9, "+", "ID=gene-nad1", 3).replace("NC_1", "NC_2")
    with pytest.raises(DataError, match="names nad1 more than once"):
        read(tmp_path, elsewhere)


GENE = 'chr1\ts\tgene\t{}\t{}\t.\t+\t.\tgene_id "{}";\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENSEMBL_GTF.replace("\tgene\t", "\tlocus\t"), "has no gene lines"),
        ("# nothing\n", "has no gene lines"),
        ("word\n", "is not a table of nine columns"),
        ("a\tb\n" * 3, "is not a table of nine columns"),
        (GENE.format(1, 5, "a") * 2, "names a more than once"),
        (GENE.format("x", 5, "a"), r"proper positions or attributes \(chr1 gene x 5\)"),
        (GENE.format(9, 5, "a"), r"proper positions or attributes \(chr1 gene 9 5\)"),
        (GENE.format(0, 5, "a"), r"proper positions or attributes \(chr1 gene 0 5\)"),
        (GENE.format(1, 5, "a") + "chr1\ts\tgene\t7\t9\n", "proper positions or attributes"),
        (GENE.format(7, 9, "a").replace("gene_id", "id"), "gene without a name at chr1:7"),
    ],
)
def test_bad_annotations_are_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


def test_a_cut_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "genes.gtf.gz"
    path.write_bytes(gzip.compress((GENCODE_GTF * 9).encode())[:-20])
    with pytest.raises(DataError, match="is cut short"):
        read_genes(path)


def test_the_toy_genome(toy: ToyGenome) -> None:
    annotation = read_genes(toy.gtf)
    assert annotation.genes.height == 4
    assert set(annotation.genes["strand"]) == {"+", "-"}


def features(path: Path) -> Counter[str]:
    """Lines of each feature, counted without the reader."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return Counter(line.split("\t")[2] for line in stream if "\t" in line and line[0] != "#")


@pytest.fixture(scope="module")
def yeast(shared: Path) -> Path:
    return shared / "yeast" / "genome"


def test_yeast_gff3_of_ensembl(yeast: Path) -> None:
    path = yeast / "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz"
    annotation, counts = read_genes(path), features(path)
    kinds = ("gene", "ncRNA_gene", "transposable_element_gene", "pseudogene")
    assert annotation.genes.height == sum(counts[kind] for kind in kinds) == 7127
    assert annotation.transcripts.height == annotation.genes.height
    assert annotation.exons.height == counts["exon"] == 7507
    gal4 = annotation.genes.row(by_predicate=pl.col("name") == "GAL4", named=True)
    assert gal4 == {
        "gene": "YPL248C", "name": "GAL4", "biotype": "protein_coding", "chrom": "XVI",
        "start": 79_710, "end": 82_356, "strand": "-", "tss": 82_355,
    }  # fmt: skip


def test_yeast_gtf_of_ensembl(yeast: Path) -> None:
    path = yeast / "Saccharomyces_cerevisiae.R64-1-1.93_mod.gtf.gz"
    annotation, counts = read_genes(path), features(path)
    assert annotation.genes.height == counts["gene"] == 7126
    assert annotation.transcripts.height == counts["transcript"] == 7126
    assert annotation.exons.height == counts["exon"] == 7553
    assert (
        annotation.exons["transcript"].is_in(annotation.transcripts["transcript"].implode()).all()
    )


def test_yeast_gff3_of_sgd(yeast: Path) -> None:
    """Its identifiers are numbers of the file's own; the systematic names are what counts."""
    path = yeast / "SGD_genes_chrI_names.gff3.gz"
    annotation, counts = read_genes(path), features(path)
    assert annotation.genes.height == counts["gene"] + counts["transposable_element_gene"] == 6697
    assert annotation.transcripts.height == counts["mRNA"] == 6607
    pau8 = annotation.genes.row(by_predicate=pl.col("gene") == "YAL068C", named=True)
    assert (pau8["name"], pau8["chrom"], pau8["tss"]) == ("PAU8", "chrI", 2168)


def test_start_codons_lie_where_the_annotation_says(yeast: Path, tmp_path: Path) -> None:
    """The yeast files annotate coding regions, so a gene's first bases are ATG on its strand."""
    reference = Reference.from_fasta(yeast / "sacCer3.fa.gz", tmp_path / "reference")
    genes = read_genes(yeast / "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz").genes
    genes = genes.filter(pl.col("biotype") == "protein_coding")
    starting = 0
    for chrom, tss, strand in genes.select("chrom", "tss", "strand").iter_rows():
        contig = reference.contig(chrom)
        first = contig[tss : tss + 3] if strand == "+" else 3 - contig[tss - 2 : tss + 1][::-1]
        starting += first.tolist() == [0, 3, 2]
    assert genes.height == 6600
    assert starting / genes.height > 0.99


def test_an_annotation_without_genes_is_refused(shared: Path) -> None:
    path = shared / "yeast" / "fungi" / "Candida_albicans_SC5314_A22.features.gtf.gz"
    with pytest.raises(DataError, match="has no gene lines"):
        read_genes(path)
    assert "gene" not in features(path)


GENES = """\
chrI\ts\tgene\t11\t20\t.\t+\t.\tgene_id "Y1"; gene_name "GAL1";
chrI\ts\tgene\t31\t60\t.\t-\t.\tgene_id "Y2"; gene_name "TWIN";
chrI\ts\tgene\t71\t80\t.\t.\t.\tgene_id "Y3";
chrII\ts\tgene\t11\t20\t.\t+\t.\tgene_id "Y4"; gene_name "TWIN";
chrII\ts\tgene\t31\t40\t.\t+\t.\tgene_id "Y5"; gene_name "Y1";
chrX\ts\tgene\t11\t20\t.\t+\t.\tgene_id "Y6"; gene_name "GAL1";
chrX\ts\tgene\t11\t20\t.\t+\t.\tgene_id "Y7"; gene_name "FAR1";
"""


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    """A genome that spells chrI `I` and lacks chrX."""
    (tmp_path / "genome.fa").write_text(f">I\n{'A' * 100}\n>II\n{'C' * 100}\n>III\n{'G' * 100}\n")
    return Reference.from_fasta(tmp_path / "genome.fa", tmp_path / "reference")


@pytest.fixture
def genes(tmp_path: Path, reference: Reference) -> Genes:
    (tmp_path / "genes.gtf").write_text(GENES)
    return Genes(tmp_path / "genes.gtf", reference)


def test_genes_lie_on_the_contigs_of_the_reference(genes: Genes) -> None:
    assert list(genes.places) == ["Y1", "Y2", "Y3", "Y4", "Y5"]
    assert genes.places["Y2"] == Interval("I", 30, 60, "-")
    assert genes.places["Y3"] == Interval("I", 70, 80, ".")
    assert [genes.name(gene) for gene in genes.places] == ["GAL1", "TWIN", "Y3", "TWIN", "Y1"]


def test_genes_are_found_by_identifier_or_name(genes: Genes, tmp_path: Path) -> None:
    # Y1 is a gene's identifier and another one's name; the second GAL1 is on no contig.
    found = genes.find(["Y5", "GAL1", "Y1", "Y2"])
    assert found == {gene: genes.places[gene] for gene in ("Y5", "Y1", "Y2")}
    (tmp_path / "list.txt").write_text("# mine\nY2 the second\n\n  GAL1\n")
    assert genes.read_names(str(tmp_path / "list.txt")) == ["Y2", "GAL1"]
    assert genes.read_names("Y2, GAL1") == ["Y2", "GAL1"]
    assert genes.read_names("3") == ["Y1", "Y2", "Y3"]
    assert genes.find([]) == {}


def test_a_name_of_several_genes_is_told_with_their_identifiers(genes: Genes) -> None:
    with pytest.raises(DataError, match=r"has 2 genes named TWIN \(Y2, Y4\); give the identifier"):
        genes.find(["Y1", "TWIN"])


def test_genes_that_cannot_be_found_are_named(genes: Genes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"genes\.gtf has no gene Y8, Y9; use its names"):
        genes.find(["Y8", "Y1", "Y9"])
    with pytest.raises(DataError, match=r"gene FAR1 lies on chrX, which .* lacks; give the annot"):
        genes.find(["FAR1"])
    with pytest.raises(DataError, match="has no gene GAL1; use its identifiers"):
        genes.name("GAL1")
    (tmp_path / "list.txt").write_text("# nothing\n")
    with pytest.raises(DataError, match=r"list\.txt names no gene; write one a line"):
        genes.read_names(str(tmp_path / "list.txt"))
    with pytest.raises(DataError, match=r"Y8 is neither a gene of annotation .* nor a file"):
        genes.read_names("Y1,Y8")
    with pytest.raises(DataError, match=r"none\.txt is neither a gene of .* nor a file"):
        genes.read_names("none.txt")


def test_a_name_that_is_taken_gives_way_to_the_identifier(genes: Genes) -> None:
    assert list(genes.by_name) == ["GAL1", "TWIN", "Y3", "Y4", "Y5"]
    assert genes.by_name["GAL1"] == genes.places["Y1"]


@pytest.mark.parametrize(("start", "end", "gene"), [(0, 20, "Y1"), (30, 40, "Y2"), (90, 99, "Y3")])
def test_the_nearest_gene_starts_nearest_to_the_middle(
    genes: Genes, start: int, end: int, gene: str
) -> None:
    """TSS of chrI are at 10, 59 (strand `-`) and 70."""
    assert genes.nearest(Interval("chrI", start, end)) == gene


def test_genes_need_a_contig(genes: Genes, tmp_path: Path, reference: Reference) -> None:
    with pytest.raises(ConfigError, match="no gene of the annotation lies on III; name a region"):
        genes.nearest(Interval("III", 0, 9))
    (tmp_path / "other.gtf").write_text(GENE.format(1, 5, "a"))
    with pytest.raises(DataError, match=r"no gene of .*other\.gtf lies on a contig of .*reference"):
        Genes(tmp_path / "other.gtf", reference)


def test_genes_of_a_packaged_genome() -> None:
    genes = Genes("yeast-r64", open_reference("yeast-r64"))
    [(identifier, place)] = genes.find(["SLA2"]).items()
    assert (identifier, genes.name(identifier)) == ("YNL243W", "SLA2")
    assert place.strand == "+"
    assert genes.nearest(Interval.parse("chrXIV:187,851-188,050")) == identifier
