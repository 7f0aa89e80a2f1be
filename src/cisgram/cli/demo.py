"""`cisgram demo`: the main jobs, start to finish, on real data inside the package."""

from importlib.resources import as_file, files
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING

from cisgram.cli.claims import Directory, Overwrite
from cisgram.cli.options import save_json, say
from cisgram.core.checks import DataError

if TYPE_CHECKING:
    from cisgram.explain.gene import GeneExplanation
    from cisgram.personal.fit_config import ModelName

MODELS: "tuple[ModelName, ...]" = ("elastic-net", "ridge", "top-snp", "prior-mixture")

_DEMO = files("cisgram") / "demo"
_SITES = _DEMO / "promoter" / "sites.bed"
_LANGUAGE_MODEL, _MODEL = "cisgram/yeast-lm", "cisgram/yeast-expression"
_GENE, _PROMOTER = "SLA2", "chrXIV:187,871-187,970"
"""A gene, and the 100 bases of its promoter with a site of Abf1 and the TATA box."""


def demo(
    *,
    out: Directory,
    workers: int | None = None,
    json: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Predict expression across people, then explain a yeast gene from its sequence.

    The demo imports a packaged slice of Geuvadis, fits four linear models with nested
    cross-validation, and compares them. Then the packaged model of yeast expression predicts a gene
    from its DNA, and 100 bases of the gene's promoter are explained: by in-silico mutagenesis, by
    gradients, and by what the packaged language model expects there. One report shows it all. Run
    again, the demo continues where it stopped.

    Args:
        out: Directory for the cohort, the fits, report.html and the files of the gene.
        workers: Number of genes fitted at once; all CPUs by default.
        json: File to write the numbers to as JSON.
    """
    from cisgram.cli.accuracy import show_evaluation
    from cisgram.cli.explain import show_gene
    from cisgram.core.artifact import is_artifact
    from cisgram.personal.cohort import import_cohort
    from cisgram.personal.evaluate import evaluate_fits
    from cisgram.personal.fit import fit_models
    from cisgram.personal.fit_config import FitConfig
    from cisgram.report.html import build_report, write_gene_page

    source = _source()
    say(source, wrap=False)
    cohort = out / "cohort"
    page = out / "report.html"
    if not is_artifact(cohort, "cohort"):
        if page.exists():
            raise DataError(f"{page} is there and no cohort beside it; choose another --out.")
        with as_file(_DEMO) as packaged:
            import_cohort(
                packaged / "genotypes.vcf.gz",
                packaged / "expression.bed.gz",
                covariates=packaged / "covariates.txt.gz",
                populations=packaged / "populations.tsv",
                out=cohort,
            )
    runs = {out / model: FitConfig(model=model) for model in MODELS}
    fits = fit_models(cohort, runs, workers=workers)
    evaluation = evaluate_fits(fits)
    show_evaluation(evaluation)
    say(
        "\nNow a yeast gene from its DNA, on a chromosome that neither model was trained on:",
        wrap=False,
    )
    gene = _gene()
    write_gene_page(gene, out / "gene")
    show_gene(gene)
    build_report(fits, evaluation.as_dict(), page, title="cisgram demo", notes=(source,), gene=gene)
    say(f"Report: {page}")
    save_json(json, {"data": source, **evaluation.as_dict(), "gene": gene.plain()})


def _gene() -> "GeneExplanation":
    """Predict the gene, and explain every base of its promoter."""
    from cisgram.explain.gene import explain_gene
    from cisgram.plot.sites import known_sites
    from cisgram.prediction.session import Session

    session = Session.open(_MODEL)
    with as_file(_SITES) as sites:
        known = known_sites(sites, session.reference)
    return explain_gene(
        session,
        _PROMOTER,
        gene=_GENE,
        sites=known,
        language_model=Session.open(_LANGUAGE_MODEL, genome="yeast-r64"),
    )


def _source() -> str:
    """Say what the packaged data are."""
    facts = loads((_DEMO / "manifest.json").read_text())
    return (
        f"This runs on a slice of Geuvadis that the package carries: {facts['n_people']} people, "
        f"{facts['n_genes']} genes and {facts['n_variants']:,} common SNVs of chromosome 22 "
        f"({facts['genes']}), cut from {facts['source']['package']}."
    )
