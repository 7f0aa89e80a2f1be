"""`cisgram cohort`: from files to a checked cohort, and what one holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from cisgram.cli.claims import Directory, Overwrite
from cisgram.cli.options import GenotypeFiles, save_json
from cisgram.personal.cohort_options import DEFAULTS, ImportOptions

if TYPE_CHECKING:
    from cisgram.personal.cohort_summary import CohortSummary

app = App(
    name="cohort",
    help="Bring genotypes and expression of the same people together.",
    version_flags=[],
)


@app.command(name="import")
def import_(
    *,
    genotypes: GenotypeFiles,
    expression: Path,
    out: Directory,
    covariates: Path | None = None,
    populations: Path | None = None,
    reference: Path | None = None,
    annotation: Path | None = None,
    options: Annotated[ImportOptions, Parameter(name="*")] = DEFAULTS,
) -> None:
    """Read, match and check the files of a cohort.

    Args:
        genotypes: VCF, BCF (.gz allowed), or .pgen or .bed of PLINK; or several, one for each
            chromosome, of the same people.
        expression: BED of phenotypes, GCT, TSV or parquet; a row a gene.
        out: Directory to make.
        covariates: Table of covariates by people, either way round.
        populations: Table of person and population, such as a 1000 Genomes panel.
        reference: FASTA or reference directory to check the alleles against.
        annotation: GTF or GFF3 with names and positions of the genes.
    """
    from cisgram.personal.cohort import import_cohort
    from cisgram.personal.cohort_summary import describe

    cohort = import_cohort(
        genotypes,
        expression,
        out=out,
        covariates=covariates,
        populations=populations,
        reference=reference,
        annotation=annotation,
        options=options,
    )
    _show(describe(cohort))


@app.command
def show(
    directory: Path,
    /,
    *,
    json: Annotated[Path | None, Parameter("--json")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Say what a cohort holds, and what its import left out and why.

    Args:
        directory: A cohort made by `cisgram cohort import`.
        json: File to write the same to, as JSON.
    """
    from dataclasses import asdict

    from cisgram.personal.cohort import Cohort
    from cisgram.personal.cohort_summary import describe

    summary = describe(Cohort.open(directory))
    _show(summary)
    save_json(json, asdict(summary))


def _show(summary: "CohortSummary") -> None:
    """Print the numbers of a cohort as aligned lines."""
    from rich.table import Table

    from cisgram.cli.terminal import Terminal

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in summary.lines():
        table.add_row(name, text)
    Terminal().print(table)
