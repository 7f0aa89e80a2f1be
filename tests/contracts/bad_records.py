"""Bad records: lines of VCF, BED and GFF3 that are none, or that cannot be scored as they are."""

from contracts.bad_effects import HEADER, SCORE_GENES
from contracts.bad_files import Place
from contracts.bad_inputs import NEW
from contracts.bad_tracks import OF_GENOME
from contracts.spoilers import HANDLED, Case, Spoil, write

VCF, GENOTYPES, GFF = "variants.vcf", "genotypes.vcf", "toy.gff3"
OF_BED = f"{OF_GENOME} --bed places.bed"
OF_GENES = f"{OF_GENOME} --annotation toy.gff3 --genes"
TWIN = "c0\tx\tgene\t81\t120\t.\t+\t.\tID=gene:{};Name=TWIN\n"
BEYOND = "c0\tx\tgene\t1981\t2030\t.\t+\t.\tID=gene:RING;Name=RING\n"


def add(name: str, text: str) -> Spoil:
    """Write more at the end of a file."""
    return lambda place: place.text(name, (place.path / name).read_text() + text)


def twice(name: str) -> Spoil:
    """Write a file again at its end."""
    return lambda place: place.text(name, (place.path / name).read_text() * 2)


def blanks_for_tabs(place: Place) -> None:
    lines = (place.path / VCF).read_text().splitlines(keepends=True)
    place.text(VCF, "".join(line if line[0] == "#" else line.replace("\t", " ") for line in lines))


def contig_in_the_body(place: Place) -> None:
    *lines, last = (place.path / VCF).read_text().splitlines(keepends=True)
    place.text(VCF, "".join([*lines, "##contig=<ID=c0,length=2000>\n", last]))


def of_alleles(ref: str = "{}", *alts: str) -> Spoil:
    """Write alternate alleles of base 51, and one of base 61 that is as it should be.

    In both, braces stand for the base that the genome has.
    """

    def spoil(place: Place) -> None:
        bases = (place.path / "toy.fa").read_text().split("\n")[1]
        rows = [(51, ref.format(bases[50]), alt.format(bases[50])) for alt in alts]
        rows.append((61, bases[60], "C" if bases[60] == "A" else "A"))
        lines = (f"c0\t{at}\t.\t{ref}\t{alt}\t.\t.\t.\n" for at, ref, alt in rows)
        place.text(VCF, HEADER + "".join(lines))

    return spoil


def hide_a_base(place: Place) -> None:
    """Put N for base 51 of the genome."""
    of_alleles("A", "C")(place)
    name, bases, *others = (place.path / "toy.fa").read_text().split("\n")
    place.text("toy.fa", "\n".join([name, bases[:50] + "N" + bases[51:], *others]))


def wrong_ref(place: Place) -> None:
    bases = (place.path / "toy.fa").read_text().split("\n")[1]
    ref, alt = [base for base in "ACGT" if base != bases[50]][:2]
    of_alleles(ref, alt)(place)


def deleted_gene(place: Place) -> None:
    """Delete bases 75 to 125; the gene is 81 to 120."""
    bases = (place.path / "toy.fa").read_text().split("\n")[1]
    place.text(VCF, f"{HEADER}c0\t74\t.\t{bases[73:125]}\t{bases[73]}\t.\t.\t.\n")


RECORDS = (
    Case("VCF that ends in a comment", NEW, "line 406 of", add(GENOTYPES, "# end\n")),
    Case("VCF that ends in words", NEW, "line 406 of .* is no record", add(GENOTYPES, "the end\n")),
    Case("VCF joined to itself", NEW, "line 406 of .* is no record", twice(GENOTYPES)),
    Case("variants of a VCF joined to itself", SCORE_GENES, "line 9 of .* is no rec", twice(VCF)),
    Case(
        "VCF joined to itself, to be annotated",
        SCORE_GENES.replace("new.tsv", "new.vcf"),
        "line 9 of variants.vcf is no record",
        twice(VCF),
    ),
    Case("VCF with blanks for tabs", SCORE_GENES, "line 4 of .* is no record", blanks_for_tabs),
    Case("VCF with a contig in its body", SCORE_GENES, "line 8 of .*'##con", contig_in_the_body),
)
ALLELES = (
    Case("one wrong REF", SCORE_GENES, "--skip-bad", wrong_ref),
    Case(
        "one wrong REF that is skipped",
        f"{SCORE_GENES} --skip-bad",
        "1 alternate alleles, .* 1 left out whose REF is not what the genome has",
        wrong_ref,
        code=HANDLED,
    ),
    Case(
        "variants to ambiguous letters, to any and to the same base",
        SCORE_GENES,
        "1 alternate alleles, .* 4 without another sequence of A C G T left out",
        of_alleles("{}", "R", "*", ".", "{}"),
        code=HANDLED,
    ),
    Case(
        "variant where the genome has N",
        SCORE_GENES,
        "1 alternate alleles, .* 1 left out where the genome has N",
        hide_a_base,
        code=HANDLED,
    ),
)
GENES = (
    Case(
        "name that two genes have",
        f"{OF_GENES} TWIN",
        r"has 2 genes named TWIN \(Y1, Y2\); give the identifier",
        add(GFF, TWIN.format("Y1") + TWIN.format("Y2")),
    ),
    Case(
        "gene past the end of its contig",
        f"{OF_GENES} RING",
        "every gene reaches past the end of its contig, such as RING",
        add(GFF, BEYOND),
    ),
    Case(
        "a gene among others past the end of its contig",
        f"{OF_GENES} c0_2,RING",
        r"2 genes are in new.tsv; 1 reach past the end of their contig .* \(RING\)",
        add(GFF, BEYOND),
        code=HANDLED,
    ),
    Case(
        "gene that a variant deletes whole",
        f"{SCORE_GENES} --genes c0_2",
        r"1 pairs have no effect \(NaN\), as the variant deletes the whole gene \(c0_2\)",
        deleted_gene,
        code=HANDLED,
    ),
)
BEDS = (
    Case(
        "BED with lines of a browser, blank and ragged ones",
        OF_BED,
        "2 regions are in new.tsv",
        write("places.bed", "track name=a\nc0\t100\t164\ta\t0\t+\n\nc0\t200\t264\n"),
        code=HANDLED,
    ),
    Case("BED with blanks for tabs", OF_BED, "line 1 of BED", write("places.bed", "c0 1 9\n")),
    Case("BED of a track line alone", OF_BED, "no region", write("places.bed", "track name=a\n")),
)
FILES = (
    Case(
        "chromosome in two genotype files",
        NEW.replace(GENOTYPES, f"{GENOTYPES} again.vcf"),
        "chromosome chr22 is both in genotypes.vcf and in again.vcf",
        lambda place: place.text("again.vcf", (place.path / GENOTYPES).read_text()),
    ),
    Case(
        "genotype files of different people",
        NEW.replace(GENOTYPES, f"{GENOTYPES} again.vcf"),
        "are not of the same people",
        lambda place: place.text(
            "again.vcf", (place.path / GENOTYPES).read_text().replace("HG00096", "other")
        ),
    ),
)
RECORD_CASES = (*RECORDS, *ALLELES, *GENES, *BEDS, *FILES)
