"""`cisgram demo`: the main jobs, start to finish, on real data inside the package."""

from importlib.resources import as_file, files
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cisgram.report.region import RegionReading

_DEMO = files("cisgram") / "demo"
_LANGUAGE_MODEL = "cisgram/yeast-lm"


def demo(*, out: Path, workers: int | None = None, json: Path | None = None) -> None:
    """Predict expression across people, and read a promoter with a language model of yeast.

    Imports a packaged slice of Geuvadis, fits four linear models with nested cross-validation,
    compares them and writes a report. Then draws what the packaged language model expects at every
    base of a promoter that it never saw. Run again, it goes on where it stopped.

    Args:
        out: directory for the cohort, the fits, report.html and promoter.svg.
        workers: genes fitted at once; all CPUs when left out.
        json: also write the numbers to this file.
    """
    from rich.console import Console

    from cisgram.cli.lm import show_region
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
        with as_file(_DEMO) as packaged:
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
    show_evaluation(evaluation)
    console.print(f"Report: {out / 'report.html'}\n")
    console.print(_promoter_source())
    promoter = _promoter(out / "promoter.svg")
    show_region(promoter)
    console.print(f"Picture: {out / 'promoter.svg'}")
    if json is not None:
        facts = {"data": source, **evaluation.as_dict()}
        write_json(json, facts | {"promoter": promoter.plain()})


def _promoter(picture: Path) -> "RegionReading":
    """Draw the packaged promoter."""
    from cisgram.report.region import draw_region

    with as_file(_DEMO / "promoter") as packaged:
        return draw_region(
            _LANGUAGE_MODEL,
            packaged / "sequence.fa",
            _facts("promoter")["region"],
            out=picture,
            sites=packaged / "sites.bed",
            title=f"Between SUI1 and SLA2: what {_LANGUAGE_MODEL} expects where a base is hidden",
        )


def _promoter_source() -> str:
    """Say what the packaged promoter is."""
    return (
        "Now the DNA between two yeast genes, SUI1 and SLA2, each base hidden in turn from "
        f"{_LANGUAGE_MODEL}, which was trained without this chromosome. Positions count from the "
        f"first base of {_facts('promoter')['place']}:"
    )


def _facts(part: str = "") -> dict[str, Any]:
    return loads((_DEMO / part / "manifest.json").read_text())


def _source() -> str:
    """Say what the packaged data are."""
    facts = _facts()
    return (
        f"This runs on a slice of Geuvadis that the package carries: {facts['n_people']} people, "
        f"{facts['n_genes']} genes and {facts['n_variants']:,} common SNVs of chromosome 22 "
        f"({facts['genes']}), cut from {facts['source']['package']}."
    )
