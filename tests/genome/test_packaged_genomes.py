"""The genome in the package is the one its manifest, its script and other sources describe."""

import gzip
import importlib
import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from jaxtyping import UInt8

from cisgram.core.checks import DataError
from cisgram.genome.genes import read_features, read_genes
from cisgram.genome.interval import Interval
from cisgram.genome.packaged_genomes import packaged_genome, packaged_genome_names
from cisgram.genome.reference import Reference, open_reference

NAME = "yeast-r64"
ROOT = Path(__file__).parents[2]
PLACE = ROOT / "src" / "cisgram" / "genome" / "packaged" / NAME
MANIFEST = json.loads((PLACE / "manifest.json").read_text())
MOST_BYTES = 4_500_000
CODING = pl.col("biotype") == "protein_coding"
WHERE = ("chrom", "start", "end", "strand")
RECORD = """LOCUS       TOY                       60 bp    DNA     linear       18-JAN-2017
VERSION     TOY001.2
FEATURES             Location/Qualifiers
     source          1..60
                     /note="R64-2-1"
     gene            complement(3..30)
                     /gene="ADE5,7"
                     /locus_tag="YGL234W"
     mRNA            complement(join(3..10,
                     21..30))
                     /gene="ADE5,7"
                     /locus_tag="YGL234W"
     CDS             complement(join(3..10,
                     21..30))
                     /gene="ADE5,7"
                     /locus_tag="YGL234W"
                     /note="text that names /gene="
     gene            40..42
                     /locus_tag="tR(ACG)L"
     tRNA            join(40,42)
                     /locus_tag="tR(ACG)L"
     gene            45..50
                     /locus_tag="YFG1"
                     /pseudo
     CDS             45..50
                     /locus_tag="YFG1"
                     /pseudo
ORIGIN
        1 acgtacgtac gtacgtacgt acgtacgtac
       31 acgtacgtac gtacgtacgt acgtacgtan
//
"""
ROWS = """
gene 3 30 . - . ID=YGL234W;Name=ADE5%2C7;gene_id=YGL234W;biotype=protein_coding
mRNA 3 30 . - . ID=YGL234W_mRNA;Parent=YGL234W;biotype=protein_coding
exon 3 10 . - . Parent=YGL234W_mRNA
exon 21 30 . - . Parent=YGL234W_mRNA
CDS 3 10 . - 2 ID=YGL234W_CDS;Parent=YGL234W_mRNA
CDS 21 30 . - 0 ID=YGL234W_CDS;Parent=YGL234W_mRNA
gene 40 42 . + . ID=tR(ACG)L;Name=tR(ACG)L;gene_id=tR(ACG)L;biotype=tRNA
tRNA 40 42 . + . ID=tR(ACG)L_tRNA;Parent=tR(ACG)L;biotype=tRNA
exon 40 40 . + . Parent=tR(ACG)L_tRNA
exon 42 42 . + . Parent=tR(ACG)L_tRNA
pseudogene 45 50 . + . ID=YFG1;Name=YFG1;gene_id=YFG1;biotype=pseudogene
"""


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("make_yeast_genome")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CISGRAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield open_reference(NAME)


@pytest.fixture(scope="module")
def genes() -> pl.DataFrame:
    return read_genes(NAME).genes


def test_files_are_those_of_the_manifest() -> None:
    for name, facts in MANIFEST["files"].items():
        content = (PLACE / name).read_bytes()
        text = gzip.decompress(content)
        assert (len(content), sha256(content).hexdigest()) == (facts["bytes"], facts["sha256"])
        assert sha256(text).hexdigest() == facts["sha256_unpacked"]
        assert max(map(len, text.splitlines())) <= (80 if name == "genome.fa.gz" else 200)


def test_it_is_small_and_says_where_it_is_from() -> None:
    assert sum(path.stat().st_size for path in PLACE.iterdir()) < MOST_BYTES
    provenance = (PLACE / "PROVENANCE.md").read_text()
    assert MANIFEST["command"] in provenance
    assert MANIFEST["source"]["package"].removeprefix("PyPI ").replace("==", "` ") in provenance
    assert f"{MANIFEST['bases']:,} bases" in provenance
    assert f"{MANIFEST['genes']['protein_coding']:,} protein-coding genes" in provenance
    assert "Björn Johansson" in (PLACE / "COPYING").read_text()


def test_it_is_opened_by_its_name(reference: Reference, genes: pl.DataFrame) -> None:
    assert reference.name == NAME
    assert list(reference.contigs) == list(MANIFEST["source"]["records"])
    assert sum(reference.contigs.values()) == MANIFEST["bases"]
    assert dict(genes["biotype"].value_counts().iter_rows()) == MANIFEST["genes"]
    names = dict(genes.select("gene", "name").iter_rows())
    assert names["YAL038W"] == "CDC19"
    assert names["YGL234W"] == "ADE5,7"
    assert names["YAL067W-A"] == "YAL067W-A"


def test_coding_sequence_is_open_from_start_to_stop(reference: Reference) -> None:
    lines = read_features(NAME).filter(pl.col("feature") == "CDS")
    spliced: dict[str, UInt8[np.ndarray, "bases"]] = {}
    for chrom, start, end, strand, id in lines.select(*WHERE, "id").iter_rows():
        pieces = [reference.fetch(Interval(chrom, start, end, strand))]
        before = [spliced[id]] if id in spliced else []
        spliced[id] = np.concatenate(before + pieces if strand == "+" else pieces + before)
    assert len(spliced) == MANIFEST["genes"]["protein_coding"]
    codons = [tokens.reshape(-1, 3) @ [16, 4, 1] for tokens in spliced.values()]
    stops = [0b110000, 0b110010, 0b111000]  # TAA, TAG, TGA
    assert np.isin([of[-1] for of in codons], stops).all()
    assert not np.isin(np.concatenate([of[:-1] for of in codons]), stops).any()
    assert np.mean([of[0] == 0b001110 for of in codons]) > 0.99  # ATG


def test_other_names_are_no_genomes(tmp_path: Path) -> None:
    assert packaged_genome_names() == (NAME,)
    for name in ("yeast", "", ".", NAME + "/", str(PLACE), "../packaged/" + NAME):
        assert packaged_genome(name) is None
    message = r"yeast-r46 does not exist and is no packaged genome \(yeast-r64\); check the path"
    for opens in (open_reference, read_genes, read_features):
        with pytest.raises(DataError, match=message):
            opens(tmp_path / "yeast-r46")


def test_a_record_becomes_lines_of_genes(script: ModuleType) -> None:
    lines = script.gff3({"chrT": RECORD}, {"chrT": list(script.features(RECORD))}).splitlines()
    assert lines[:2] == ["##gff-version 3", "##sequence-region chrT 1 60"]
    expected = [f"chrT GenBank {row}".split(" ") for row in ROWS.strip().splitlines()]
    assert [line.split("\t") for line in lines[2:]] == expected
    bases = "ACGT" * 7 + "AC" + "ACGT" * 7 + "AN"
    assert script.fasta({"chrT": RECORD, "chrU": RECORD}) == (
        f">chrT TOY001.2\n{bases}\n>chrU TOY001.2\n{bases}\n"
    )
    assert script.packed("ACGT") == script.packed("ACGT")


@pytest.mark.parametrize("location", ["<3..30", "order(3..5,9..12)", "J00194.1:100..202", "3^4"])
def test_a_location_of_another_kind_is_refused(script: ModuleType, location: str) -> None:
    record = RECORD.replace("complement(3..30)", location)
    with pytest.raises(SystemExit, match="is not understood"):
        list(script.features(record))


def test_the_sequence_is_that_of_the_reference(reference: Reference, shared: Path) -> None:
    other = shared / "yeast" / "genome" / "sacCer3.fa.gz"
    expected = Reference.from_fasta(other, reference.path.parent / "sacCer3")
    assert set(expected.contigs) - set(reference.contigs) == {"chrM"}
    for chrom in reference.contigs:
        assert (reference.contig(chrom) == expected.contig(chrom)).all(), chrom


def test_the_genes_are_those_of_ensembl(genes: pl.DataFrame, shared: Path) -> None:
    place = shared / "yeast" / "genome" / "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz"
    ensembl = read_genes(place).genes.with_columns(chrom="chr" + pl.col("chrom"))
    coding, theirs = genes.filter(CODING), ensembl.filter(CODING, pl.col("chrom") != "chrMito")
    both = coding.join(theirs, on="gene", suffix="_theirs")
    assert (coding.height, theirs.height, both.height) == (5_983, 6_572, 5_892)
    moved = both.filter(pl.any_horizontal(pl.col(x) != pl.col(x + "_theirs") for x in WHERE))
    # They begin with an exon of one base, which Ensembl lacks.
    assert set(moved["gene"]) == {"YIL111W", "YJL041W", "YMR242C", "YOR312C"}
    only = coding.join(theirs, on="gene", how="anti").join(ensembl, on="gene", suffix="_theirs")
    assert Counter(only["biotype_theirs"]) == {"transposable_element": 91}
    differ = both.filter(pl.col("name") != pl.col("name_theirs"))
    assert (differ["name_theirs"] == differ["gene"]).all()
    assert differ.height == 34
