import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.core.checks import DataError
from cisgram.data.regions import PROMOTER, REGIONS, region_classes, region_counts
from cisgram.genome.reference import Reference

LENGTH = 3000
HAND_MADE = """\
##gff-version 3
I\tx\tchromosome\t1\t3000\t.\t.\t.\tID=chromosome:I
I\tx\tgene\t1001\t1600\t.\t+\t.\tID=gene:A;biotype=protein_coding
I\tx\tmRNA\t1001\t1600\t.\t+\t.\tID=transcript:A;Parent=gene:A;biotype=protein_coding
I\tx\tfive_prime_UTR\t1001\t1020\t.\t+\t.\tParent=transcript:A
I\tx\texon\t1001\t1100\t.\t+\t.\tParent=transcript:A
I\tx\texon\t1201\t1600\t.\t+\t.\tParent=transcript:A
I\tx\texon\t1003\t1004\t.\t+\t.\tParent=transcript:A
I\tx\texon\t1010\t1012\t.\t+\t.\tParent=transcript:A
I\tx\tCDS\t1021\t1100\t.\t+\t0\tID=CDS:A;Parent=transcript:A
I\tx\tCDS\t1201\t1550\t.\t+\t0\tID=CDS:A;Parent=transcript:A
I\tx\tncRNA_gene\t1121\t1160\t.\t+\t.\tID=gene:sno;biotype=snoRNA
I\tx\tsnoRNA\t1121\t1160\t.\t+\t.\tID=transcript:sno;Parent=gene:sno;biotype=snoRNA
I\tx\texon\t1121\t1160\t.\t+\t.\tParent=transcript:sno
I\tx\tncRNA_gene\t801\t880\t.\t-\t.\tID=gene:t;biotype=tRNA
I\tx\ttRNA\t801\t880\t.\t-\t.\tID=transcript:t;Parent=gene:t;biotype=tRNA
I\tx\texon\t801\t830\t.\t-\t.\tParent=transcript:t
I\tx\texon\t861\t880\t.\t-\t.\tParent=transcript:t
I\tx\trRNA\t2101\t2200\t.\t+\t.\tID=r
I\tx\ttransposable_element_gene\t1501\t1700\t.\t+\t.\tID=gene:ty
I\tx\tmRNA\t1501\t1700\t.\t+\t.\tID=transcript:ty;Parent=gene:ty
I\tx\tCDS\t1501\t1700\t.\t+\t0\tParent=transcript:ty
I\tx\tTY1/TY2_soloLTR\t1801\t1850\t.\t-\t.\tID=LTR
I\tx\tgene\t2301\t2400\t.\t-\t.\tID=gene:B
I\tx\tmRNA\t2301\t2400\t.\t-\t.\tID=transcript:B;Parent=gene:B
I\tx\tCDS\t2301\t2345\t.\t-\t0\tParent=transcript:B
I\tx\tCDS\t2347\t2400\t.\t-\t0\tParent=transcript:B
I\tx\tpseudogene\t10\t60\t.\t+\t.\tID=gene:P;biotype=pseudogene
I\tx\tcentromere\t2951\t2990\t.\t+\t.\tID=CEN
"""


def stretches(codes: np.ndarray) -> list[tuple[int, str]]:
    """Write classes as where each begins, 1-based."""
    starts = np.flatnonzero(np.diff(codes, prepend=255))
    return [(int(start) + 1, REGIONS[codes[start]]) for start in starts]


def test_every_class_of_a_hand_made_genome(tmp_path: Path) -> None:
    (tmp_path / "a.gff3").write_text(HAND_MADE)
    classes = region_classes(tmp_path / "a.gff3", {"chrI": LENGTH, "chrII": 7})
    assert stretches(classes["chrI"]) == [
        (1, "intergenic"),
        (501, "promoter"),
        (801, "tRNA"),  # with its intron
        (881, "promoter"),
        (1001, "UTR"),
        (1021, "CDS"),
        (1101, "intron"),
        (1121, "ncRNA"),
        (1161, "intron"),
        (1201, "CDS"),
        (1501, "repeat"),  # above CDS and UTR
        (1701, "intergenic"),  # a transposon has no promoter
        (1801, "repeat"),
        (1851, "intergenic"),
        (2101, "rRNA"),
        (2201, "intergenic"),
        (2301, "CDS"),  # over the frameshift
        (2401, "promoter"),
        (2901, "intergenic"),
    ]
    assert stretches(classes["chrII"]) == [(1, "intergenic")]
    assert classes["chrI"].dtype == np.uint8


def test_masked_repeats_join_the_named_ones(tmp_path: Path) -> None:
    (tmp_path / "a.gff3").write_text(HAND_MADE)
    mask = np.zeros(LENGTH, dtype=bool)
    mask[[0, 805, 1030, 1130]] = True
    plain = region_classes(tmp_path / "a.gff3", {"I": LENGTH})["I"]
    masked = region_classes(tmp_path / "a.gff3", {"I": LENGTH}, repeats={"I": mask})["I"]
    assert np.flatnonzero(plain != masked).tolist() == [0, 1030]
    assert {REGIONS[code] for code in masked[[0, 1030]]} == {"repeat"}
    for wrong in ({"I": mask[1:]}, {"II": mask}):
        with pytest.raises(DataError, match=r"^the repeat mask has [\d,]+ bases for .*FASTA\.$"):
            region_classes(tmp_path / "a.gff3", {"I": LENGTH}, repeats=wrong)


class Transcript(NamedTuple):
    """A gene with one transcript: exon bounds, and how many bases its ends leave beside CDS."""

    strand: str
    biotype: str
    bounds: list[int]
    utr: int

    @property
    def exons(self) -> list[tuple[int, int]]:
        return list(zip(self.bounds[::2], self.bounds[1::2], strict=True))

    @property
    def cds(self) -> list[tuple[int, int]]:
        first, last = self.bounds[0] + self.utr, self.bounds[-1] - self.utr
        cut = [(max(start, first), min(end, last)) for start, end in self.exons]
        return [(start, end) for start, end in cut if start < end]


BIOTYPES = ("protein_coding", "tRNA", "rRNA", "lncRNA", "pseudogene", "transposable_element")
transcripts = st.builds(
    Transcript,
    strand=st.sampled_from("+-"),
    biotype=st.sampled_from(BIOTYPES),
    bounds=st.lists(st.integers(0, LENGTH // 20 - 1), min_size=2, max_size=8, unique=True).map(
        lambda at: [20 * x for x in sorted(at)[: len(at) // 2 * 2]]
    ),
    utr=st.sampled_from([0, 3, 30]),
)


def bases(parts: Iterable[tuple[int, int]]) -> set[int]:
    return {i for start, end in parts for i in range(start, end)}


def classify(genes: list[Transcript]) -> list[str]:
    """Say what each base is, set by set."""
    sets: dict[str, set[int]] = {name: set() for name in REGIONS}
    for gene in genes:
        span = [(gene.bounds[0], gene.bounds[-1])]
        if gene.biotype == "transposable_element":
            sets["repeat"] |= bases(span)
            continue
        if gene.biotype in ("tRNA", "rRNA"):
            sets[gene.biotype] |= bases(span)
        if gene.biotype == "lncRNA":
            sets["ncRNA"] |= bases(gene.exons)
        sets["intron"] |= bases(span) - bases(gene.exons)
        if gene.biotype == "protein_coding" and gene.cds:
            sets["CDS"] |= bases(gene.cds)
            sets["UTR"] |= bases(gene.exons)
            start, end = span[0]
            upstream = (start - PROMOTER, start) if gene.strand == "+" else (end, end + PROMOTER)
            sets["promoter"] |= bases([upstream])
    sets["intergenic"] = set(range(LENGTH))
    return [next(name for name in REGIONS if i in sets[name]) for i in range(LENGTH)]


def write_gtf(genes: list[Transcript]) -> str:
    lines: list[str] = []
    for n, gene in enumerate(genes):
        said = f'gene_id "g{n}"; gene_biotype "{gene.biotype}";'
        of = f'{said} transcript_id "t{n}";'
        span = [(gene.bounds[0], gene.bounds[-1])]
        cds = gene.cds if gene.biotype in ("protein_coding", "transposable_element") else []
        for feature, parts, text in (
            ("gene", span, said),
            ("transcript", span, of),
            ("exon", gene.exons, of),
            ("CDS", cds, of),
        ):
            lines += [
                f"chr1\tx\t{feature}\t{start + 1}\t{end}\t.\t{gene.strand}\t.\t{text}"
                for start, end in parts
            ]
    return "\n".join(lines) + "\n"


def write_gff3(genes: list[Transcript]) -> str:
    """Write what `write_gtf` does, names of features and all in the manner of GFF3."""
    names = {"tRNA": "tRNA", "rRNA": "rRNA", "lncRNA": "lnc_RNA", "protein_coding": "mRNA"}
    lines: list[str] = []
    for line in write_gtf(genes).splitlines():
        columns = line.split("\t")
        said: Mapping[str, str] = dict(re.findall(r'(\w+) "([^"]+)"', columns[8]))
        if columns[2] == "gene":
            columns[8] = f"ID={said['gene_id']};biotype={said['gene_biotype']}"
        elif columns[2] == "transcript":
            columns[2] = names.get(said["gene_biotype"], "transcript")
            columns[8] = f"ID={said['transcript_id']};Parent={said['gene_id']}"
        else:
            columns[8] = f"Parent={said['transcript_id']}"
        lines.append("\t".join(columns))
    return "\n".join(lines) + "\n"


@given(st.lists(transcripts, min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_agrees_with_sets_of_bases(genes: list[Transcript]) -> None:
    expected = classify(genes)
    for write in (write_gtf, write_gff3):
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "genes.txt"
            path.write_text(write(genes))
            try:
                codes = region_classes(path, {"1": LENGTH})["1"]
            except DataError:
                # Nothing but pseudogenes of one exon.
                assert set(expected) == {"intergenic"}
                continue
        assert [REGIONS[code] for code in codes] == expected


def test_positions_as_tools_mangle_them(tmp_path: Path) -> None:
    """A table program has quoted the attributes, and minus strands run backwards."""
    said = '"gene_id ""g{0}""; transcript_id ""t{0}""; gene_biotype ""{1}"";"'
    rows = [
        ("CDS", "700.0", "601.0", "-", said.format(1, "protein_coding")),
        ("CDS", "900.0", "801.0", "-", said.format(1, "protein_coding")),
        ("CDS", "2001", "2100", "+", said.format(2, "novel_transcript")),
        ("retrotransposon", "2201.0", "2300.0", "+", said.format(3, "retrotransposon")),
        ("tRNA", "2401.0", "2500.0", "+", '"gene_id ""g1"";"'),
    ]
    path = tmp_path / "a.gtf"
    path.write_text(
        "".join("\t".join(("c", "x", *r[:3], ".", r[3], ".", r[4])) + "\n" for r in rows)
    )
    assert stretches(region_classes(path, {"c": 2600})["c"]) == [
        (1, "intergenic"),
        (601, "CDS"),
        (701, "intron"),
        (801, "CDS"),
        (901, "promoter"),
        (1401, "intergenic"),
        (2201, "repeat"),
        (2301, "intergenic"),
        (2401, "tRNA"),
        (2501, "intergenic"),
    ]


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3"
    path.write_text(HAND_MADE)
    one_sentence = r"^annotation [^.]*\.gff3 {}[^.]*; give the annotation of this {}\.$"
    with pytest.raises(DataError, match=one_sentence.format("tells of no gene", "genome")):
        region_classes(path, {"chrXX": LENGTH})
    with pytest.raises(DataError, match=one_sentence.format("has a line at I:2,", "assembly")):
        region_classes(path, {"I": 2000})
    path.write_text("##gff-version 3\nI\tx\tchromosome\t1\t9\t.\t.\t.\tID=I\n")
    with pytest.raises(DataError, match=one_sentence.format("tells of no gene", "genome")):
        region_classes(path, {"I": 9})
    path.write_text("##gff-version 3\n")
    with pytest.raises(DataError, match="holds no line"):
        region_classes(path, {"I": 9})


def test_features_reach_past_the_end_of_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3"
    path.write_text("M\tx\tgene\t91\t120\t.\t+\t.\tID=g\nM\tx\tCDS\t91\t120\t.\t+\t0\tParent=g\n")
    assert region_counts(region_classes(path, {"chrM": 100})) == dict.fromkeys(REGIONS, 0) | {
        "CDS": 10,
        "promoter": 90,
    }


def shares(annotation: Path, contigs: dict[str, int]) -> dict[str, float]:
    counts = region_counts(region_classes(annotation, contigs))
    assert sum(counts.values()) == sum(contigs.values())
    return {name: count / sum(contigs.values()) for name, count in counts.items()}


def test_yeast(shared: Path, tmp_path: Path) -> None:
    """Ensembl and SGD tell the same of the genome of UCSC."""
    place = shared / "yeast" / "genome"
    contigs = Reference.from_fasta(place / "sacCer3.fa.gz", tmp_path / "ref").contigs
    ensembl = shares(place / "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz", contigs)
    sgd = shares(place / "SGD_genes_chrI_names.gff3.gz", contigs)
    assert ensembl["CDS"] == pytest.approx(0.706, abs=0.002)
    assert ensembl["repeat"] == pytest.approx(0.02, abs=0.002)
    assert all(abs(ensembl[name] - sgd[name]) < 0.002 for name in REGIONS)
    assert ensembl["tRNA"] == pytest.approx(299 * 80 / 12.157e6, rel=0.1)


@pytest.mark.parametrize(
    ("annotation", "fasta", "expected"),
    [
        ("strains/SK1.all_feature.gff.gz", "strains/SK1.genome.fa.gz", {"repeat": 0.034}),
        (
            "fungi/Candida_albicans_SC5314_A22.features.gtf.gz",
            "fungi/Candida_albicans_SC5314_A22_haplotypeA.fa.gz",
            {"CDS": 0.627, "ncRNA": 0.00074},
        ),
    ],
)
def test_other_genomes(
    shared: Path, tmp_path: Path, annotation: str, fasta: str, expected: dict[str, float]
) -> None:
    contigs = Reference.from_fasta(shared / "yeast" / fasta, tmp_path / "ref").contigs
    found = shares(shared / "yeast" / annotation, contigs)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=0.03)
    assert found["tRNA"] > 0.0005
    assert 0.1 < found["promoter"] < 0.2
