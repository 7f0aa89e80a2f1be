"""`cisgram demo`: the main job, start to finish, on real data inside the package."""

from importlib.resources import as_file, files
from json import loads
from pathlib import Path


def demo(*, out: Path, workers: int | None = None, json: Path | None = None) -> None:
    """Predict expression across people from a packaged slice of Geuvadis.

    Imports the cohort, fits four linear models with nested cross-validation,
    compares them and writes a report. Run again, it goes on where it stopped.

    Args:
        out: directory for the cohort, the fits and report.html.
        workers: genes fitted at once; all CPUs when left out.
        json: also write the comparison to this file.
    """
    from rich.console import Console

    from cisgram.cli.personal import show_evaluation
    from cisgram.core.artifact import is_artifact, write_json
    from cisgram.personal.cohort import import_cohort
    from cisgram.personal.evaluate import evaluate_fits
    from cisgram.personal.fit import fit_cohort
    from cisgram.personal.fit_config import MODELS, FitConfig
    from cisgram.report.html import build_report

    console = Console(soft_wrap=True, highlight=False)
    source = _source()
    console.print(source)
    cohort = out / "cohort"
    if not is_artifact(cohort, "cohort"):
        with as_file(files("cisgram") / "demo") as packaged:
            import_cohort(
                packaged / "genotypes.vcf.gz",
                packaged / "expression.bed.gz",
                covariates=packaged / "covariates.txt.gz",
                populations=packaged / "populations.tsv",
                out=cohort,
            )
    fits = [
        fit_cohort(cohort, FitConfig(model=model), out / model, workers=workers) for model in MODELS
    ]
    evaluation = evaluate_fits(fits)
    build_report(
        fits, evaluation.as_dict(), out / "report.html", title="cisgram demo", notes=(source,)
    )
    if json is not None:
        write_json(json, {"data": source, **evaluation.as_dict()})
    show_evaluation(evaluation)
    console.print(f"Report: {out / 'report.html'}")


def _source() -> str:
    """Say what the packaged data are."""
    facts = loads((files("cisgram") / "demo" / "manifest.json").read_text())
    return (
        f"This runs on a slice of Geuvadis that the package carries: {facts['n_people']} people, "
        f"{facts['n_genes']} genes and {facts['n_variants']:,} common SNVs of chromosome 22 "
        f"({facts['genes']}), cut from {facts['source']['package']}."
    )
