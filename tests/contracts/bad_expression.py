"""Bad inputs of `cisgram cohort`: tables of expression."""

from contracts.bad_files import Place
from contracts.bad_inputs import ANNOTATION, MEGABASES, NAMES, NEW
from contracts.spoilers import (
    FIRST_VALUE,
    GENES,
    HANDLED,
    Case,
    drop,
    move,
    put,
    rows,
    write,
)


def shifted_annotation(place: Place) -> None:
    lines = []
    for chrom, _, end, gene, *_ in place.rows("expression.bed")[1:]:
        at = int(end) + 500_000
        lines.append([chrom, "toy", "gene", str(at), str(at), ".", "+", ".", f'gene_id "{gene}";'])
    place.write("genes.gtf", lines)


def without_positions(place: Place) -> None:
    table = place.rows("expression.bed")
    place.write("expression.tsv", [[row[3], *row[FIRST_VALUE:]] for row in table])


EXPRESSION_CASES = (
    Case(
        "gene listed twice",
        NEW,
        "names ENSG1 more than once",
        put("expression.bed", "ENSG1", rows=slice(1, 3), columns=slice(3, 4)),
    ),
    Case(
        "text for a value",
        NEW,
        "'high' stands in line 2, column HG00096",
        put("expression.bed", "high", rows=slice(1, 2)),
    ),
    Case("infinite value", NEW, "'inf' stands in line 2", put("expression.bed", "inf")),
    Case(
        "expression table cut short",
        NEW,
        "line 6 has 40 columns and the header 106; it may be cut short",
        rows("expression.bed", lambda table: table[-1].__delitem__(slice(40, None))),
    ),
    Case("expression without header", NEW, "name its columns", drop("expression.bed", rows=NAMES)),
    Case(
        "expression without genes", NEW, "a header and no rows", drop("expression.bed", rows=GENES)
    ),
    Case(
        "expression in another format",
        NEW.replace("expression.bed", "gwas.xlsx"),
        "must end in .bed",
        move("gwas.tsv", "gwas.xlsx"),
    ),
    Case(
        "gene that ends before it starts",
        NEW,
        "no start below its end",
        put("expression.bed", "1", columns=slice(2, 3)),
    ),
    Case(
        "expression without positions of the genes",
        NEW.replace("expression.bed", "expression.tsv"),
        "give a GTF or GFF3",
        without_positions,
    ),
    Case(
        "annotation that is none", ANNOTATION, "give a GTF or GFF3", write("genes.gtf", "words\n")
    ),
    Case("annotation of another build", ANNOTATION, "another build", shifted_annotation),
    Case("counts without an annotation", f"{NEW} --counts", "annotation"),
    Case(
        "NaN for everybody in every gene", NEW, "no gene can be used", put("expression.bed", "NaN")
    ),
    Case(
        "NaN for everybody in one gene",
        NEW,
        r"genes +4 \(left out: 1 no value in anybody\)",
        put("expression.bed", "NaN", rows=slice(1, 2)),
        HANDLED,
    ),
    Case(
        "NaN for most people in one gene",
        NEW,
        r"genes +4 \(left out: 1 a value in fewer than 20 people\)",
        put("expression.bed", "NaN", rows=slice(1, 2), columns=slice(FIRST_VALUE + 10, None)),
        HANDLED,
    ),
    Case(
        "NaN for some people",
        NEW,
        r"missing values +6\.00%",
        put("expression.bed", "NaN", columns=slice(FIRST_VALUE, FIRST_VALUE + 6)),
        HANDLED,
    ),
    Case(
        "constant gene",
        NEW,
        r"genes +4 \(left out: 1 the same value in everybody\)",
        put("expression.bed", "2.5", rows=slice(1, 2)),
        HANDLED,
    ),
    Case(
        "gene on a chromosome without genotypes",
        NEW,
        r"genes +4 \(left out: 1 chromosome without genotypes\)",
        put("expression.bed", "chr21", rows=slice(1, 2), columns=slice(1)),
        HANDLED,
    ),
    Case(
        "every gene on a chromosome without genotypes",
        NEW,
        "genes are on chr21 and genotypes on chr22",
        put("expression.bed", "chr21", columns=slice(1)),
    ),
    Case(
        "no SNP near any gene",
        NEW,
        "no variant lies within 1,000,000 bases .* same genome build",
        put("expression.bed", MEGABASES, columns=slice(1, 3)),
    ),
)
