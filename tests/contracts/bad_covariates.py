"""Bad covariates of `cisgram cohort import`."""

from contracts.bad_files import IMPORT
from contracts.spoilers import HANDLED, Case, all_of, no_longer_human, put, rows

NAMES = slice(0, 1)
"""The row with the names of the people, but in the VCF."""
COVARIATES = f"{IMPORT} --covariates covariates.txt --out new"
COVARIATE_CASES = (
    Case(
        "covariates of other people",
        COVARIATES,
        "the covariate table names none of the 100 people; it has mouse00096",
        put("covariates.txt", no_longer_human, rows=NAMES, columns=slice(1, None)),
    ),
    Case(
        "covariates missing for most people",
        COVARIATES,
        "10 of them all covariates.*complete those of",
        put("covariates.txt", "NA", columns=slice(11, None)),
    ),
    Case(
        "covariates missing for some people",
        COVARIATES,
        r"people +90 \(left out: 10 lacking covariates\)",
        put("covariates.txt", "NA", columns=slice(1, 11)),
        HANDLED,
    ),
    Case(
        "constant covariate",
        COVARIATES,
        r"covariates +5: .*\(left out: 1 the same in everybody\)",
        put("covariates.txt", "1", rows=slice(1, 2), columns=slice(1, None)),
        HANDLED,
    ),
    Case(
        "covariate that varies only in people left out",
        COVARIATES,
        r"covariates +5: .*\(left out: 1 the same in everybody\)",
        all_of(
            put("covariates.txt", "1", rows=slice(1, 2), columns=slice(1, 91)),
            put("covariates.txt", "NA", rows=slice(2, 3), columns=slice(91, None)),
        ),
        HANDLED,
    ),
    Case(
        "infinite covariate",
        COVARIATES,
        "has an infinite genotype_PC1",
        put("covariates.txt", "inf", rows=slice(1, 2), columns=slice(1, 2)),
    ),
    Case(
        "covariate with a word among its numbers",
        COVARIATES,
        "'unknown' for genotype_PC1 beside",
        put("covariates.txt", "unknown", rows=slice(1, 2), columns=slice(1, 2)),
    ),
    Case(
        "covariate with PLINK's missing value",
        COVARIATES,
        "has -9, PLINK's missing value, for genotype_PC1",
        all_of(
            put("covariates.txt", lambda value: value.lstrip("-"), columns=slice(1, None)),
            put("covariates.txt", "-9", rows=slice(1, 2), columns=slice(1, 2)),
        ),
    ),
    Case(
        "covariate with a missing value of a spreadsheet",
        COVARIATES,
        r"people +99 \(left out: 1 lacking covariates\)",
        put("covariates.txt", "#N/A", rows=slice(1, 2), columns=slice(1, 2)),
        HANDLED,
    ),
    Case(
        "covariate table cut short",
        COVARIATES,
        "line 7 has 51 columns and the header 101; it may be cut short",
        rows("covariates.txt", lambda table: table[-1].__delitem__(slice(51, None))),
    ),
    Case(
        "covariate listed twice",
        COVARIATES,
        "names PC1 more than once",
        put("covariates.txt", "PC1", rows=slice(1, 3), columns=slice(1)),
    ),
)
