"""`cisgram bench`: evaluations on frozen tasks, beside baselines."""

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from cisgram.cli.claims import Directory, Overwrite
from cisgram.cli.options import Plugins, numeric_columns, save_json, say, show_table
from cisgram.core.checks import ConfigError, DataError

if TYPE_CHECKING:
    import polars as pl

app = App(name="bench", help="Evaluate models on frozen tasks, beside baselines.")


@app.command(name="list")
def list_tasks(*, json: Path | None = None, overwrite: Overwrite = False) -> None:
    """List the tasks, the suite of each, and the models that it evaluates.

    Args:
        json: File to write the list to as JSON.
    """
    from cisgram.benchmark.base import evaluations

    names = ("name", "suite", "needs", "title")
    rows = [[getattr(own, name) for name in names] for own in evaluations().values()]
    save_json(json, [dict(zip(names, row, strict=True)) for row in rows])
    show_table(("task", "suite", "models", "what is asked"), rows)


@app.command
def run(
    *tasks: str,
    model: tuple[str, ...],
    data: Path | None = None,
    targets: Path | None = None,
    genome: str | None = None,
    annotation: Path | None = None,
    contigs: tuple[str, ...] = (),
    plugins: Plugins = (),
    out: Directory,
) -> None:
    """Run tasks on models, each on the chromosomes that it was not trained on.

    Args:
        tasks: Tasks or suites, such as yeast; `cisgram bench list` shows them.
        model: Packaged weights, model directory or run; NAME=MODEL to name it in tables, and
            NAME=RUN,RUN for the runs of several folds. Several --model may be given.
        data: Directory with the public files of the suite; perplexity needs none.
        targets: Measured tracks and gene targets, the directory data of a run of `cisgram train`.
        genome: FASTA or packaged genome to measure perplexity on, in place of the model's own.
        annotation: GTF or GFF3 of its genes, for perplexity by region.
        contigs: Contigs of the genome that were held out; baselines learn from the others. Those of
            the model's card by default. Several --contigs may be given.
        plugins: Python file with an architecture of your own, imported before a model is read.
            Several --plugins may be given.
        out: Directory for results.json and report.html; tasks that it holds are not run again.
    """
    from cisgram.benchmark.base import OwnGenome
    from cisgram.benchmark.run import run_evaluations, table_of
    from cisgram.core.plugins import import_plugins
    from cisgram.report.evaluation import write_evaluation_page

    if not tasks:
        raise ConfigError("name a task or a suite, such as yeast; cisgram bench list shows them.")
    page, results = out / "report.html", out / "results.json"
    if page.exists() and not results.exists():
        raise DataError(f"{page} is there and no results.json beside it; choose another --out.")
    if genome is None and (annotation is not None or contigs):
        raise ConfigError("--annotation and --contigs are of a genome; add --genome.")
    import_plugins(plugins)
    own = None
    if genome is not None:
        own = OwnGenome(genome=genome, annotation=annotation, contigs=contigs)
    result = run_evaluations(
        tasks,
        dict(_named(text) for text in model),
        data=data,
        targets=targets,
        out=results,
        genome=own,
    )
    write_evaluation_page(result, page)
    _show(table_of(result))
    say(f"Results are in {results}, the page is {page}.")


@app.command
def compare(
    first: Path, second: Path, /, *, out: Path | None = None, overwrite: Overwrite = False
) -> None:
    """Compare two results row by row.

    Args:
        first: File results.json of `cisgram bench run`.
        second: Another one; differences are the second minus the first.
        out: Table to write, tab-separated or .parquet.
    """
    from cisgram.benchmark.run import compare as compared
    from cisgram.benchmark.run import read_result
    from cisgram.core.results import write_table

    table = compared(read_result(first), read_result(second))
    if out is not None:
        write_table(table, out)
    _show(table.drop("low", "high", "low_2", "high_2", "n", "n_2"))


def _named(text: str) -> tuple[str, list[str]]:
    name, equals, models = text.partition("=")
    return (name, models.split(",")) if equals else (text, [text])


def _show(table: "pl.DataFrame") -> None:
    """Print a table, numbers to three digits."""
    rows = [
        [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in table.iter_rows()
    ]
    show_table(table.columns, rows, numbers=numeric_columns(table))
