"""Bad inputs of models, weight files, reports, data sets and options."""

from dataclasses import asdict

from cisgram import __version__
from cisgram.core.journal import Journal, Record
from cisgram.personal.fit_config import FitConfig
from contracts.bad_files import FIT, IMPORT, Place, Row
from contracts.spoilers import (
    CALLS,
    FIRST_SNP,
    FIRST_VALUE,
    HANDLED,
    SNPS,
    Case,
    all_of,
    another_process,
    cut,
    directory,
    drop,
    further,
    metadata,
    move,
    put,
    query,
    replace,
    rows,
    run,
    write,
    zeros,
)

NEW = f"{FIT} --out new"
LISTED = f"{FIT} --genes list.txt --out new"
OTHER = f"{FIT.replace('cohort', 'other')} --out new"
BOTH = "personal evaluate fit fit2"
ACROSS = "personal evaluate fit --train-populations"
PREDICT = "personal predict weights.db --genotypes genotypes.vcf --out new.tsv"
EXPORT = "personal export fit --out new.db --build b37"
DRIVERS = "personal drivers fit --out new.tsv"
ASSOCIATE = (
    "personal associate weights.db --covariances weights.txt.gz --gwas gwas.tsv --out new.tsv"
)
REPORT = "report fit --out new.html"
FETCH = "data fetch sacCer3 --directory ."
OFFLINE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
FIRST_GENE = slice(1, 2)


def many_covariates(table: list[Row]) -> None:
    n = len(table[0]) - 1
    squares = ([str(i * j * j % 1009) for j in range(n)] for i in range(120))
    table.extend([f"covariate{i}", *row] for i, row in enumerate(squares))


def another_fit(place: Place) -> Journal:
    config = asdict(FitConfig(model="lasso"))
    journal = Journal(place.path / "new.partial", {"cisgram": __version__, "config": config})
    journal.add(0, Record({}, {}))
    return journal


def unfinished_fit(place: Place) -> None:
    another_fit(place).close()


def others_partial(place: Place) -> None:
    (place.path / "new.partial").mkdir()
    place.text("new.partial/notes.txt", "years")


def damaged_partial(place: Place) -> None:
    (place.path / "new.partial").mkdir()
    place.text("new.partial/journal.sqlite", "words" * 1000)


def other_cohort(place: Place) -> None:
    """Put a cohort of fewer people where that of the fit was."""
    place.run(f"{IMPORT} --out other")
    metadata("fit", "cohort", str(place.path / "other"))(place)


FITS = (
    Case("unknown model", NEW.replace("top-snp", "forest"), 'Invalid value "forest"'),
    Case("no such cohort", OTHER, "other is no cisgram cohort"),
    Case(
        "unknown gene",
        LISTED,
        r"no gene ENSG99999999999; it has ENSG00000100314\.3",
        write("list.txt", "ENSG00000100314.3\nENSG99999999999\n"),
    ),
    Case("no such list of genes", LISTED, "list.txt is neither a gene of .* nor a file"),
    Case("empty list of genes", LISTED, "is empty", write("list.txt", "")),
    Case("list of genes with comments only", LISTED, "names no gene", write("list.txt", "# 1\n")),
    Case("list of genes that is no text", f"{FIT} --genes weights.txt.gz --out new", "not a text"),
    Case("no genes asked for", f"{FIT} --genes 0 --out new", "at least 1; got 0"),
    Case(
        "unknown population",
        f"{NEW} --train-populations XYZ --test-populations FIN",
        "nobody belongs to population XYZ; there are CEU, FIN, GBR, TSI",
    ),
    Case(
        "population on both sides",
        f"{NEW} --train-populations GBR --train-populations FIN --test-populations FIN",
        "FIN are both trained on and tested on",
    ),
    Case("populations on one side only", f"{NEW} --train-populations GBR", "name both"),
    Case("more folds than people", f"{NEW} --n-outer-folds 101", "at most the 100"),
    Case("MAF above one half", f"{NEW} --min-maf 0.9", r"between 0 and 0\.5; got 0\.9"),
    Case("negative window", f"{NEW} --window -5", "at least 0; got -5"),
    Case("no worker", f"{NEW.replace('serial', 'processes')} --workers 0", "workers must be at"),
    Case("more expression PCs than genes", f"{NEW} --n-expression-pcs 9", "between 1 and 5"),
    Case(
        "more covariates than people",
        OTHER,
        "too few for",
        all_of(
            rows("covariates.txt", many_covariates),
            run(f"{IMPORT} --covariates covariates.txt --out other"),
        ),
    ),
    Case("fit with other settings at the output", f"{FIT} --seed 2 --out fit", "other settings"),
    Case("cohort at the output", f"{FIT} --out cohort", "exists already and is no fit"),
    Case("fit inside a file", f"{FIT} --out gwas.tsv/new", "a part of the path is a file"),
    Case("unfinished fit with other settings", NEW, "unfinished run with other", unfinished_fit),
    Case("another fit writes the output", NEW, "another process is writing new", another_process),
    Case("directory of others at the output", NEW, "new.partial is in the way", others_partial),
    Case("damaged unfinished fit", NEW, "remove it, and run again", damaged_partial),
    Case("window without SNPs", f"{NEW} --window 0", "none of the 5 genes .* every fold", code=0),
    Case(
        "SNP without any call, gene with NaN for some people",
        OTHER,
        "over 5 genes in 100 people held out; .* 0 genes not scored",
        all_of(
            put("genotypes.vcf", ".|.", rows=slice(FIRST_SNP, FIRST_SNP + 1), columns=CALLS),
            put("expression.bed", "NaN", rows=FIRST_GENE, columns=slice(FIRST_VALUE, 30)),
            run(f"{IMPORT} --out other"),
        ),
        HANDLED,
    ),
    Case(
        "gene that varies in five people only",
        OTHER,
        "1 genes not scored",
        all_of(
            put("expression.bed", "0", rows=FIRST_GENE, columns=slice(FIRST_VALUE + 5, None)),
            run(f"{IMPORT} --out other"),
        ),
        HANDLED,
    ),
)
EVALUATIONS = (
    Case("no fit to evaluate", "personal evaluate", "name at least one fit"),
    Case("cohort for a fit", "personal evaluate cohort", "cohort is a cohort, not a fit"),
    Case("unfinished fit", "personal evaluate fit", "run the same", move("fit", "fit.partial")),
    Case("array of a fit damaged", BOTH, "has changed", zeros("fit/predictions.npy")),
    Case(
        "fit with unknown settings",
        BOTH,
        "fit has no field",
        all_of(replace("fit/manifest.json", "maf", "x"), metadata("fit", "again", "yes")),
    ),
    Case(
        "fits of other people",
        BOTH,
        "hold out different people",
        all_of(
            drop("expression.bed", columns=slice(60, None)),
            run(f"{IMPORT} --out other"),
            run(f"{FIT.replace('cohort', 'other')} --out fit2"),
        ),
    ),
    Case("fits of other folds", BOTH, "with the same seed", run(f"{FIT} --seed 2 --out fit2")),
    Case(
        "fits of other tasks", BOTH, "evaluate them apart", run(f"{FIT} --permutation 1 --out fit2")
    ),
    Case("no such population", f"{ACROSS} GBR --test-populations XYZ", "population XYZ"),
    Case("population to train and test", f"{ACROSS} GBR --test-populations GBR", "name different"),
    Case("populations to train on only", f"{ACROSS} GBR", "go together; name both"),
)
WEIGHTS = (
    Case("weights that are no SQLite", PREDICT, "no SQLite", write("weights.db", "gene,weight\n")),
    Case("weights cut short", PREDICT, "malformed", cut("weights.db", 0.4)),
    Case("empty weight file", PREDICT, "is empty", write("weights.db", "")),
    Case("no such weight file", PREDICT.replace("weights", "none"), "does not exist"),
    Case(
        "no table of weights",
        PREDICT,
        "no table weights",
        query("weights.db", "DROP TABLE weights"),
    ),
    Case(
        "weights without a column",
        PREDICT,
        "lacks column eff_allele in table weights",
        query("weights.db", "ALTER TABLE weights RENAME COLUMN eff_allele TO allele"),
    ),
    Case(
        "table without weights",
        PREDICT,
        "an empty table",
        query("weights.db", "DELETE FROM weights"),
    ),
    Case(
        "weight twice",
        PREDICT,
        "has several weights for",
        query("weights.db", "INSERT INTO weights SELECT * FROM weights LIMIT 1"),
    ),
    Case(
        "weight that is NULL",
        PREDICT,
        "finite",
        query("weights.db", "UPDATE weights SET weight=NULL"),
    ),
    Case(
        "no SNP in common",
        PREDICT,
        "none of the model's 5 SNPs can be used",
        all_of(
            put("genotypes.vcf", further(7), rows=SNPS, columns=slice(1, 2)),
            put("genotypes.vcf", ".", rows=SNPS, columns=slice(2, 3)),
        ),
    ),
    Case(
        "SNPs on another chromosome",
        PREDICT,
        "gave no variant of chr22:1-",
        put("genotypes.vcf", "chr21", rows=SNPS, columns=slice(1)),
    ),
    Case(
        "some SNPs not genotyped",
        PREDICT,
        "4 of 5 model SNPs were used",
        drop("genotypes.vcf", rows=slice(FIRST_SNP, FIRST_SNP + 200)),
        HANDLED,
    ),
    Case("prediction in another format", PREDICT.replace(".tsv", ".xlsx"), "must end in"),
    Case("prediction that exists", PREDICT, "new.tsv exists already; add", write("new.tsv", "")),
    Case("account that exists", PREDICT, "account.tsv exists", write("new.account.tsv", "")),
    Case("prediction to a stream", PREDICT.replace("new.tsv", "/dev/stdout"), "is a stream or a d"),
    Case("prediction is a directory", PREDICT, "it is a directory", directory("new.tsv")),
    Case(
        "fit without accepted models",
        "personal predict null --genotypes genotypes.vcf --out new.tsv",
        "no accepted gene",
        run(f"{FIT} --window 0 --out null"),
    ),
    Case(
        "permuted fit",
        EXPORT.replace(" fit", " fit2"),
        "permuted",
        run(f"{FIT} --permutation 1 --out fit2"),
    ),
    Case(
        "prediction from a permuted fit",
        "personal predict null --genotypes genotypes.vcf --out new.tsv",
        "permuted",
        run(f"{FIT} --permutation 1 --out null"),
    ),
    Case(
        "build of weights that name none",
        "personal predict fit --genotypes genotypes.vcf --build b37 --out new.tsv",
        "leave --build out",
    ),
    Case(
        "published models without a panel",
        "personal export weights.db --out new.db",
        "name a panel with --genotypes",
    ),
    Case(
        "more than the whole genome",
        "personal export weights.db --genotypes genotypes.vcf --genome-share 2 --out new.db",
        "genome_share",
    ),
    Case("export to another suffix", EXPORT.replace("new.db", "new.sqlite"), r"\.db"),
    Case("cohort of the fit gone", EXPORT, "gone is no", metadata("fit", "cohort", "gone")),
    Case("another cohort in its place", EXPORT, "no longer the cohort that fit", other_cohort),
    Case(
        "drivers of an unknown gene",
        f"{DRIVERS} --genes list.txt",
        "no gene X",
        write("list.txt", "X"),
    ),
    Case("drivers of another cohort", DRIVERS, "no longer the cohort that fit", other_cohort),
)
ASSOCIATIONS = (
    Case("GWAS without z-scores", ASSOCIATE, "no column for z", replace("gwas.tsv", "zscore", "q")),
    Case(
        "GWAS with text for a number",
        ASSOCIATE,
        "'high' instead of a number in column zscore",
        put("gwas.tsv", "high", columns=slice(5, 6)),
    ),
    Case("GWAS without rows", ASSOCIATE, "no row", drop("gwas.tsv", rows=slice(1, None))),
    Case(
        "GWAS with a line too long",
        ASSOCIATE,
        "check its",
        rows("gwas.tsv", lambda t: t[7].append("x")),
    ),
    Case(
        "GWAS with a line cut short",
        ASSOCIATE,
        "1 of 400 rows .* lack alleles or a z-score",
        rows("gwas.tsv", lambda t: t[7].__delitem__(slice(3, None))),
        HANDLED,
    ),
    Case(
        "GWAS with a row that cannot be",
        ASSOCIATE,
        "1 of 400 rows of gwas.tsv are left out: the same allele twice .22_[0-9]+.",
        put("gwas.tsv", "A", rows=slice(7, 8), columns=slice(3, 5)),
        HANDLED,
    ),
    Case(
        "GWAS of covariates",
        ASSOCIATE,
        "has rows of AGE in column test, and needs those of one additive test",
        rows("gwas.tsv", lambda t: [row.append("AGE" if i else "test") for i, row in enumerate(t)]),
    ),
    Case(
        "GWAS with several rows a variant",
        ASSOCIATE,
        "several rows with different z-scores of one variant",
        rows("gwas.tsv", lambda t: t.extend([[*row[:5], "9"] for row in t[1:]])),
    ),
    Case(
        "GWAS without the column that is named",
        f"{ASSOCIATE} --zscore-column zed",
        "has no column zed; it has chrom, position, snp",
    ),
    Case("GWAS that is no text", ASSOCIATE.replace("gwas.tsv", "weights.db"), "is no text"),
    Case(
        "GWAS of other SNPs",
        ASSOCIATE,
        "none of the model's 5 SNPs",
        all_of(
            put("gwas.tsv", further(7), columns=slice(1, 2)),
            put("gwas.tsv", "rs1", columns=slice(2, 3)),
        ),
    ),
    Case(
        "covariances of other models",
        ASSOCIATE,
        "have none of the models' SNPs",
        replace("weights.txt.gz", "ENSG", "G"),
    ),
    Case(
        "covariances with another header",
        ASSOCIATE,
        "must begin with GENE",
        replace("weights.txt.gz", "RSID1", "SNP"),
    ),
    Case("covariances cut short", ASSOCIATE, "is cut short", cut("weights.txt.gz", 0.6)),
    Case("heritability above 1", f"{ASSOCIATE} --h2 2", "between 0 and 1; got 2"),
)
OTHERS = (
    Case("report of no fit", "report --out new.html", "needs at least one fit"),
    Case("report of a cohort", "report cohort --out new.html", "cohort is a cohort, not a fit"),
    Case("report of two fits of one model", "report fit fit --out new.html", "name one of each"),
    Case(
        "results that are none",
        "bench compare list.json list.json",
        "list.json cannot be read",
        write("list.json", '{"rows": [{"task": 1}], "models": 1}'),
    ),
    Case("evaluation that is none", f"{REPORT} --evaluation gwas.tsv", "is no evaluation"),
    Case(
        "report inside a file", "report fit --out gwas.tsv/new.html", "a part of the path is a file"
    ),
    Case("unknown data set", "data fetch sacCer4", "did you mean sacCer3"),
    Case("unknown part of a data set", "data fetch 1000g-phase3 --parts 40", "no part 40"),
    Case(
        "no network",
        FETCH,
        "cannot be reached .* put it at sacCer3",
        directory("sacCer3"),
        env=OFFLINE,
    ),
    Case("no such mirror", FETCH, "CISGRAM_MIRROR is missing", env={"CISGRAM_MIRROR": "missing"}),
    Case("demo inside a file", "demo --out gwas.tsv", "a part of the path is a file"),
    Case("unknown command", "cohort imprt", 'Did you mean "import"'),
    Case("unknown option", "cohort import --genotype genotypes.vcf", "instead of --genotype"),
    Case("option left out", "personal fit cohort", "--out is missing"),
    Case("text for a number", f"{NEW} --window far", 'unable to convert "far"'),
)
MODEL_CASES = (*FITS, *EVALUATIONS, *WEIGHTS, *ASSOCIATIONS, *OTHERS)
