"""Bad inputs of `cisgram cohort`: files that are damaged or do not fit each other."""

import gzip

from contracts.bad_covariates import COVARIATE_CASES, NAMES
from contracts.bad_files import IMPORT, Place, Row
from contracts.spoilers import (
    CALLS,
    FIRST_PERSON,
    FIRST_SNP,
    HANDLED,
    SNPS,
    Case,
    another_process,
    cut,
    drop,
    further,
    metadata,
    move,
    no_longer_human,
    put,
    replace,
    rows,
    write,
    zeros,
)

NEW = f"{IMPORT} --out new"
PACKED = NEW.replace("genotypes.vcf", "genotypes.vcf.gz")
POPULATIONS = f"{IMPORT} --populations populations.tsv --out new"
REFERENCE = f"{IMPORT} --reference reference.fa --out new"
ANNOTATION = f"{IMPORT} --annotation genes.gtf --out new"
SHOW = "cohort show cohort"
EMPTY_BLOCK = 28  # bytes that end a bgzipped file
MEGABASES = further(20_000_000)


def damage(place: Place) -> None:
    path = place.path / "genotypes.vcf.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def cut_between_blocks(place: Place) -> None:
    path = place.path / "genotypes.vcf.gz"
    path.write_bytes(path.read_bytes()[:-EMPTY_BLOCK])


def cut_plain_gzip(place: Place) -> None:
    place.pack("genotypes.vcf", gzip.compress)
    place.cut("genotypes.vcf.gz", 0.6)


def person_twice(table: list[Row]) -> None:
    header = table[FIRST_SNP - 1]
    header[FIRST_PERSON] = header[FIRST_PERSON + 1]


def swap_snps(table: list[Row]) -> None:
    table[FIRST_SNP + 10], table[FIRST_SNP + 20] = table[FIRST_SNP + 20], table[FIRST_SNP + 10]


FIRST = slice(FIRST_SNP, FIRST_SNP + 1)
GENOTYPES = (
    Case(
        "bgzipped VCF cut short within a block",
        PACKED,
        "genotypes.vcf.gz is cut short; copy or download it again",
        cut("genotypes.vcf.gz", 0.6),
    ),
    Case(
        "bgzipped VCF cut short between blocks",
        PACKED,
        "genotypes.vcf.gz is cut short; copy or download it again",
        cut_between_blocks,
    ),
    Case("gzipped VCF cut short", PACKED, r"record \d+ .*damaged or cut short", cut_plain_gzip),
    Case("bgzipped VCF with a damaged byte", PACKED, r"record \d+ .*damaged or cut short", damage),
    Case("VCF cut short within a line", NEW, r"record \d+ .*cut short", cut("genotypes.vcf", 0.6)),
    Case(
        "VCF with a word for a position",
        NEW,
        "record 1 of genotypes.vcf cannot be read",
        put("genotypes.vcf", "here", rows=FIRST, columns=slice(1, 2)),
    ),
    Case(
        "VCF with a call that is none",
        NEW,
        "record 1 of genotypes.vcf cannot be read",
        put("genotypes.vcf", "x|y", rows=FIRST, columns=CALLS),
    ),
    Case("text that is no VCF", NEW, "is no VCF or BCF", write("genotypes.vcf", "words\n")),
    Case(
        "BCF that is none", NEW.replace(".vcf", ".bcf"), "no VCF", write("genotypes.bcf", "words")
    ),
    Case(
        "PGEN without its tables",
        NEW.replace(".vcf", ".pgen"),
        "genotypes.psam does not exist",
        write("genotypes.pgen", "words"),
    ),
    Case("genotypes in another format", NEW.replace("genotypes.vcf", "gwas.tsv"), "must end in"),
    Case("no such genotype file", NEW.replace("genotypes.vcf", "none.vcf"), "does not exist"),
    Case("a directory for genotypes", NEW.replace("genotypes.vcf", "cohort"), "is a directory"),
    Case("empty genotype file", NEW, "is empty", write("genotypes.vcf", "")),
    Case("VCF with a header only", NEW, "gave no variant", drop("genotypes.vcf", rows=SNPS)),
    Case("VCF without people", NEW, "no sample col", drop("genotypes.vcf", columns=slice(8, None))),
    Case(
        "VCF without genotypes",
        NEW,
        "declares neither GT nor DS",
        replace("genotypes.vcf", "FORMAT=<ID=GT", "FORMAT=<ID=AD"),
    ),
    Case("unsorted VCF", NEW, r"chr22:12,430 .*bcftools sort", rows("genotypes.vcf", swap_snps)),
    Case("VCF that names a person twice", NEW, "twice", rows("genotypes.vcf", person_twice)),
    Case(
        "calls of three alleles",
        NEW,
        "only haploid and diploid calls",
        put("genotypes.vcf", "0|0|1", rows=FIRST, columns=CALLS),
    ),
    Case(
        "wrong build",
        REFERENCE,
        "of 400 variants do not fit reference.fa.*wrong build",
        put("genotypes.vcf", further(100), rows=SNPS, columns=slice(1, 2)),
    ),
    Case(
        "reference without the chromosome",
        REFERENCE,
        "reference.fa, which has no chromosome chr22",
        replace("reference.fa", ">chr22", ">chr21"),
    ),
    Case("protein for a reference", REFERENCE, "not a prot", write("reference.fa", ">p\nMEEPQS\n")),
    Case("no such reference", REFERENCE, "does not exist", move("reference.fa", "moved.fa")),
    Case(
        "chromosome named 22 in one file and chr22 in the other",
        NEW,
        "near a variant +5 within",
        put("genotypes.vcf", "22", rows=SNPS, columns=slice(1)),
        HANDLED,
    ),
    Case(
        "SNP without any call",
        NEW,
        "read 400, kept 400, .*all missing 1, missing calls 100",
        put("genotypes.vcf", ".|.", rows=FIRST, columns=CALLS),
        HANDLED,
    ),
    Case(
        "SNP that nobody carries",
        NEW,
        "read 400, kept 400, monomorphic 1",
        put("genotypes.vcf", "0|0", rows=FIRST, columns=CALLS),
        HANDLED,
    ),
    Case(
        "SNP listed twice",
        NEW,
        "read 401, kept 400, duplicate 1",
        rows("genotypes.vcf", lambda table: table.insert(FIRST_SNP, table[FIRST_SNP])),
        HANDLED,
    ),
)
PEOPLE = (
    Case(
        "no people in common",
        NEW,
        "no person has both .* HG00096, .* mouse00096.* give files of the same people",
        put("expression.bed", no_longer_human, rows=NAMES),
    ),
    Case(
        "names spelled differently",
        NEW,
        "HG00096 and hg00096 look like the same person, so rename one side",
        put("expression.bed", str.lower, rows=NAMES),
    ),
    Case("3 people", NEW, "only 3 people .* 20", drop("expression.bed", columns=slice(9, None))),
    *COVARIATE_CASES,
    Case(
        "populations of other people",
        POPULATIONS,
        "the population table names none of the 100 people; it has mouse00096",
        put("populations.tsv", no_longer_human, columns=slice(1)),
    ),
    Case(
        "no such column of populations",
        f"{POPULATIONS} --population-column region",
        "has no column region; it has person, population, year",
        rows("populations.tsv", lambda table: [row.append("year") for row in table]),
    ),
    Case(
        "populations of some people only",
        POPULATIONS,
        "populations +.*, unknown 51",
        drop("populations.tsv", rows=slice(50, None)),
        HANDLED,
    ),
)
PLACES = (
    Case("output exists", f"{IMPORT} --out cohort", "cohort exists already; remove it"),
    Case("output inside a file", f"{IMPORT} --out gwas.tsv/new", "a part of the path is a file"),
    Case(
        "another import writes the output", NEW, "another process is writing new", another_process
    ),
    Case("option out of range", f"{NEW} --kinship-threshold 2", "between 0.04 and 0.5; got 2"),
    Case("directory that is no cohort", "cohort show .", "no cisgram cohort"),
    Case("fit for a cohort", "cohort show fit", "fit is a fit, not a cohort"),
    Case(
        "cohort of a later version",
        SHOW,
        "has format 9 of cohort and this cisgram reads 1",
        replace("cohort/manifest.json", '"version": 1,', '"version": 9,'),
    ),
    Case("file of a cohort cut short", SHOW, "cut short", cut("cohort/genotypes/calls.u8", 0.5)),
    Case("file of a cohort missing", SHOW, "is missing", move("cohort/people.parquet", "p")),
    Case("file of a cohort damaged", SHOW, "has changed since", zeros("cohort/people.parquet")),
    Case("empty manifest", SHOW, "cannot be read", cut("cohort/manifest.json", 0.0)),
    Case(
        "manifest without its account", SHOW, "cannot be read", metadata("cohort", "account", None)
    ),
    Case("JSON output inside a file", f"{SHOW} --json gwas.tsv/a.json", "a part of the path is a"),
    Case("JSON output is a directory", f"{SHOW} --json fit", "fit: it is a directory; name a file"),
)
COHORT_CASES = (*GENOTYPES, *PEOPLE, *PLACES)
