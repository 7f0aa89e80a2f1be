"""Bad inputs of `cisgram variants` and `cisgram explain`."""

import numpy as np

from contracts.bad_files import Place
from contracts.spoilers import HANDLED, Case, cut, write

HEADER = (
    "##fileformat=VCFv4.2\n##contig=<ID=c0,length=2000>\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)
STEP = 10
"""Bases from one variant to the next."""
SCORE = "variants score --model signal --vcf variants.vcf --out new.tsv"
SCORE_GENES = f"{SCORE} --genome toy.fa --annotation toy.gff3"
ISM = "explain ism --model signal --out new.npz"
ISM_GENES = f"{ISM} --genome toy.fa --annotation toy.gff3"
ISM_HERE = f"{ISM_GENES} --region c0:91-110"
ATTRIBUTE_HERE = ISM_HERE.replace("ism", "attribute")

SIGNAL = "explain signal --model signal --genome toy.fa --annotation toy.gff3"

INSERT = "explain insert --model signal --genome toy.fa --annotation toy.gff3 --out new.tsv"
PAGE = (
    "explain report --model signal --genome toy.fa --annotation toy.gff3 --region c0:91-110 "
    "--out new"
)
MOTIFS = "explain motifs --out new.tsv"
INSERT_HERE = f"{INSERT} --motif TATA=TATAAA --promoter 40 --distances "


def write_effect_files(place: Place) -> None:
    """Write variants of the genome that `write_track_files` wrote."""
    bases = (place.path / "toy.fa").read_text().split("\n")[1]
    records = [
        f"c0\t{at + 1}\t.\t{bases[at]}\t{'C' if bases[at] == 'A' else 'A'}\t.\t.\t.\n"
        for at in range(50, 100, STEP)
    ]
    place.text("variants.vcf", HEADER + "".join(records))


def of_variant(position: int, ref: str, alt: str, *, chrom: str = "c0") -> str:
    """Return a VCF of one record."""
    return f"{HEADER}{chrom}\t{position}\t.\t{ref}\t{alt}\t.\t.\t.\n"


def hide_bases(place: Place) -> None:
    """Put N for the first bases of the genome."""
    name, bases, *others = (place.path / "toy.fa").read_text().split("\n")
    place.text("toy.fa", "\n".join([name, "N" * 120 + bases[120:], *others]))


SCORES = (
    Case(
        "variants of a missing VCF",
        SCORE_GENES.replace("variants.vcf", "none.vcf"),
        "none.vcf does not exist",
    ),
    Case(
        "variants annotated over their own VCF",
        SCORE_GENES.replace("new.tsv", "variants.vcf --overwrite"),
        "variants.vcf is the VCF that is scored",
    ),
    Case(
        "variants of a VCF cut short within a line",
        SCORE_GENES,
        "record 5 of variants.vcf .* cut short",
        cut("variants.vcf", 0.975),
    ),
    Case(
        "variants of a text that is no VCF",
        SCORE_GENES,
        "header of variants.vcf cannot be read",
        write("variants.vcf", "c0 51 A C\n"),
    ),
    Case(
        "variants of another genome",
        SCORE_GENES,
        "1 of 1 variants do not fit toy",
        write("variants.vcf", of_variant(51, "AAAAAAAAAA", "A")),
    ),
    Case(
        "variants of a contig that the genome lacks",
        SCORE_GENES,
        "no chromosome c7",
        write("variants.vcf", of_variant(51, "A", "C", chrom="c7")),
    ),
    Case(
        "variants without a sequence only",
        SCORE_GENES,
        "0 alternate alleles, .* 2 without another sequence of A C G T left out",
        write("variants.vcf", of_variant(51, "N", "<DEL>,<DUP>")),
        code=HANDLED,
    ),
    Case("variants without a genome", SCORE, "add --genome"),
    Case(
        "variants of a genome that is not there",
        f"{SCORE} --genome none.fa --annotation toy.gff3",
        "none.fa does not exist",
    ),
    Case(
        "variants and a gene that the annotation does not know",
        f"{SCORE_GENES} --genes list.txt",
        "has no gene YFG1",
        write("list.txt", "c0_1\nYFG1\n"),
    ),
    Case("variants below no distance", f"{SCORE_GENES} --reach -1", "reach must be"),
    Case(
        "cache of variants that is a file",
        f"{SCORE_GENES} --cache toy.fa",
        "cannot write toy.fa: a part of the path is a file",
    ),
    Case(
        "variants of genes and a language model",
        f"{SCORE_GENES.replace('signal', 'lm')} --readout gene",
        "gene",
    ),
    Case("variants and a readout that is none", f"{SCORE_GENES} --readout best", "readout must be"),
)
MUTAGENESIS = (
    Case("explanation without a genome", f"{ISM} --region c0:91-110", "add --genome"),
    Case(
        "explanation of a genome that is not there",
        f"{ISM} --genome none.fa --annotation toy.gff3 --region c0:91-110",
        "none.fa does not exist",
    ),
    Case(
        "explanation of a gene that the annotation does not know",
        f"{ISM_HERE} --gene YFG1",
        "has no gene YFG1",
    ),
    Case(
        "explanation of a track that the model lacks",
        f"{ISM_HERE} --output tpm",
        "output must be one of",
    ),
    Case(
        "explanation of a region that is none",
        f"{ISM_GENES} --region c0:110-91",
        "must count from 1 and not fall",
    ),
    Case(
        "explanation of a region past its contig",
        f"{ISM_GENES} --region c0:1,991-2,010",
        "reaches past the 2,000 bases of c0",
    ),
    Case(
        "explanation of unknown bases",
        ISM_HERE,
        "is N from end to end",
        hide_bases,
    ),
    Case(
        "explanation of a region of another genome",
        f"{ISM_GENES} --region chr7:91-110",
        "chr7 is not in",
    ),
    Case(
        "explanation of a region far from its gene",
        f"{ISM_GENES} --region c0:1,001-1,020 --gene c0_2",
        "reaches outside",
    ),
    Case(
        "explanation of a contig without genes",
        f"{ISM_GENES} --region c3:91-110",
        "no gene .* lies on c3",
        write("toy.gff3", "##gff-version 3\nc0\tx\tgene\t81\t120\t.\t+\t.\tID=c0_2\n"),
    ),
    Case(
        "figure of another format",
        f"{ISM_HERE} --figure new.jpg",
        "new.jpg must end in .png, .pdf, .svg",
    ),
    Case(
        "sites of a figure that are no BED",
        f"{ISM_HERE} --figure new.png --sites toy.fa",
        "line 1 of BED toy.fa has no contig",
    ),
    Case(
        "sites without a figure",
        f"{ISM_HERE} --sites places.bed",
        "--sites .* --figure",
    ),
)
GRADIENTS = (
    Case("effects into a text file", ISM_HERE.replace("npz", "txt"), r"must end in \.npz"),
    Case(
        "contributions into a text file", ATTRIBUTE_HERE.replace("npz", "txt"), r"must end in \.npz"
    ),
    Case("gradients of no steps", f"{ATTRIBUTE_HERE} --steps 0", "steps must be at least 1; got 0"),
    Case(
        "gradients of a track that the model lacks",
        f"{ATTRIBUTE_HERE} --output tpm",
        "output must be one of",
    ),
    Case("gradients far from the gene", f"{ATTRIBUTE_HERE} --gene c0_40", "reaches outside"),
    Case(
        "gradients of sites without a figure",
        f"{ATTRIBUTE_HERE} --sites places.bed",
        "add --figure",
    ),
    Case("gradients of a mask", f"{ATTRIBUTE_HERE.replace('signal', 'lm')}", "which masked is not"),
)
SIGNALS = (
    Case("signal of nowhere", f"{SIGNAL} --out new.npz", "give one of --region and --gene"),
    Case(
        "signal of a region and a gene",
        f"{SIGNAL} --out new.npz --region c0:91-110 --gene c0_2",
        "give one of --region and --gene",
    ),
    Case("signal for nothing", f"{SIGNAL} --region c0:91-110", "give --out, --figure or both"),
    Case(
        "signal into a text file", f"{SIGNAL} --region c0:91-110 --out new.txt", "must end in .npz"
    ),
    Case(
        "signal past the end of a contig",
        f"{SIGNAL} --region c0:1,991-2,010 --out new.npz",
        "reaches past the 2,000 bases of c0",
    ),
    Case(
        "signal of a gene that the annotation does not know",
        f"{SIGNAL} --gene YFG1 --out new.npz",
        "has no gene YFG1",
    ),
)
INSERTIONS = (
    Case("motif insertion without a motif", INSERT, "there are no motifs to insert"),
    Case("motif without a name", f"{INSERT} --motif TATAAA", "must look like Reb1=TTACCCK"),
    Case("motif of other letters", f"{INSERT} --motif TATA=TAXA", "must hold IUPAC letters"),
    Case(
        "motif of any bases",
        f"{INSERT} --motif gap=NNN --promoter 40 --distances 20",
        "has no base that is likelier",
    ),
    Case(
        "motifs that are none",
        f"{INSERT} --motifs toy.fa.txt",
        "neither JASPAR nor MEME",
        write("toy.fa.txt", "words\n"),
    ),
    Case(
        "distances that are none",
        f"{INSERT} --motif TATA=TATAAA --distances 20,near",
        "distances must be whole numbers between commas",
    ),
    Case("motif that reaches into the gene", f"{INSERT_HERE}1", "reaches past the 40 bases"),
    Case("motif before the promoter", f"{INSERT_HERE}50", "reaches past the 40 bases"),
    Case("motifs before one gene", f"{INSERT_HERE}20 --n-genes 1", "n_genes must be at least 2"),
    Case(
        "motifs before genes without promoters",
        f"{INSERT_HERE}20 --genes list.txt",
        "needs two with their promoters in the model's window",
        write("list.txt", "c0_0\n"),
    ),
    Case(
        "motifs into a figure of another format",
        f"{INSERT_HERE}20 --figure new.jpg",
        "must end in .png",
    ),
)
PAGES = (
    Case("page of a region far from its gene", f"{PAGE} --gene c0_40", "reaches outside"),
    Case(
        "page with a language model that is none",
        f"{PAGE} --language-model signal",
        "signal predicts word",
    ),
    Case(
        "page with a language model that is not there",
        f"{PAGE} --language-model none",
        "there is no model 'none'",
    ),
    Case(
        "page with options of motif insertion and no motif",
        f"{PAGE} --n-genes 4",
        "options of motif insertion and no motifs",
    ),
    Case(
        "page with motifs before the promoter",
        f"{PAGE} --motif TATA=TATAAA --promoter 40 --distances 50",
        "reaches past the 40 bases",
    ),
    Case("page with motifs that are none", f"{PAGE} --scan toy.fa", "matrix that cannot be read"),
    Case(
        "page with sites that are no BED",
        f"{PAGE} --sites toy.fa",
        "line 1 of BED toy.fa has no contig",
    ),
    Case("page into a file", PAGE.replace("new", "toy.fa"), "toy.fa is a file"),
)
MOTIF_MATCHES = (
    Case(
        "contributions that are not there",
        f"{MOTIFS} --contributions none.npz --motifs toy.fa",
        "there are no contributions",
    ),
    Case(
        "contributions that are a FASTA",
        f"{MOTIFS} --contributions toy.fa --motifs toy.fa",
        "toy.fa holds no contributions",
    ),
    Case(
        "contributions that are other arrays",
        f"{MOTIFS} --contributions other.npz --motifs toy.fa",
        "other.npz holds no contributions",
        lambda place: np.savez(
            place.path / "other.npz", effects=np.zeros(3), region="c0:1-9", tokens=[]
        ),
    ),
    Case(
        "matches into a figure of another format",
        f"{MOTIFS} --contributions none.npz --motifs toy.fa --figure new.jpg",
        "must end in .png",
    ),
)
EFFECT_CASES = (*SCORES, *MUTAGENESIS, *GRADIENTS, *SIGNALS, *INSERTIONS, *PAGES, *MOTIF_MATCHES)
