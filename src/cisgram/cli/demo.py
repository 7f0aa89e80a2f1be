"""`cisgram demo`: the main jobs, start to finish, on real data inside the package."""

from importlib.resources import as_file, files
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cisgram.report.gene_section import GeneSection
    from cisgram.report.region import RegionReading

_DEMO = files("cisgram") / "demo"
_SITES = _DEMO / "promoter" / "sites.bed"
_LANGUAGE_MODEL, _MODEL, _GENOME = "cisgram/yeast-lm", "cisgram/yeast-expression", "yeast-r64"
_PROMOTER = "chrXIV:187,486-188,060"
"""Between SUI1 and SLA2."""
_GENE, _BEFORE = "SLA2", "chrXIV:187,851-188,050"
"""A gene, and the 200 bases before it."""


def demo(*, out: Path, workers: int | None = None, json: Path | None = None) -> None:
    """Predict expression across people, then a yeast gene from its sequence, base by base.

    Imports a packaged slice of Geuvadis, fits four linear models with nested cross-validation and
    compares them. Then draws what the packaged language model of yeast expects at every base of a
    promoter that it never saw, what the packaged model of expression predicts of a gene there, and
    explains the 200 bases before the gene, by every change of a base, by gradients and by what the
    language model expects. All is in one report. Run again, it goes on where it stopped.

    Args:
        out: Directory for the cohort, the fits, report.html, promoter.svg and gene.
        workers: Genes fitted at once; all CPUs when left out.
        json: Also write the numbers to this file.
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
    show_evaluation(evaluation)
    console.print(
        f"\nNow the DNA between two yeast genes, SUI1 and SLA2, each base hidden in turn from "
        f"{_LANGUAGE_MODEL}, which was trained without this chromosome:"
    )
    promoter = _promoter(out / "promoter.svg")
    show_region(promoter)
    console.print(f"Picture: {out / 'promoter.svg'}\n")
    gene = _gene(out / "gene")
    _show_gene(gene)
    page = out / "report.html"
    build_report(fits, evaluation.as_dict(), page, title="cisgram demo", notes=(source,), gene=gene)
    console.print(f"Report: {page}")
    if json is not None:
        facts = {"data": source, **evaluation.as_dict()}
        write_json(json, facts | {"promoter": promoter.plain(), "gene": gene.plain()})


def _promoter(picture: Path) -> "RegionReading":
    """Draw what the language model expects in the promoter."""
    from cisgram.report.region import draw_region

    with as_file(_SITES) as sites:
        return draw_region(
            _LANGUAGE_MODEL,
            _GENOME,
            _PROMOTER,
            out=picture,
            sites=sites,
            title=f"Between SUI1 and SLA2: what {_LANGUAGE_MODEL} expects where a base is hidden",
        )


def _gene(out: Path) -> "GeneSection":
    """Predict the gene, explain every base before it, and say what is expected there."""
    from cisgram.explain.region_options import RegionOptions
    from cisgram.report.gene_section import make_gene_section

    asked = RegionOptions(model=_MODEL, region=_BEFORE, gene=_GENE)
    with as_file(_SITES) as sites:
        return make_gene_section(asked, out=out, sites=sites, language_model=_LANGUAGE_MODEL)


def _show_gene(gene: "GeneSection") -> None:
    """Print what is predicted of the gene and which changes are strongest."""
    from rich.console import Console

    from cisgram.cli.explain_page import show_gene

    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"{gene.model}, which learnt nothing from this chromosome either, predicts {gene.track} "
        f"{gene.level:.2f} for {gene.name}. The strongest changes of the bases before it:"
    )
    show_gene(gene)
    console.print(f"Pictures: {gene.directory}\n")


def _facts() -> dict[str, Any]:
    return loads((_DEMO / "manifest.json").read_text())


def _source() -> str:
    """Say what the packaged data are."""
    facts = _facts()
    return (
        f"This runs on a slice of Geuvadis that the package carries: {facts['n_people']} people, "
        f"{facts['n_genes']} genes and {facts['n_variants']:,} common SNVs of chromosome 22 "
        f"({facts['genes']}), cut from {facts['source']['package']}."
    )
