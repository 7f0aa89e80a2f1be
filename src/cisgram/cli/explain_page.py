"""`cisgram explain report`: one page of a gene."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cisgram.core.checks import ConfigError
from cisgram.explain.page_options import PLAIN, PageOptions
from cisgram.explain.region_options import RegionOptions
from cisgram.explain.word_options import GeneSample, WordConfig, WordOptions
from cisgram.predict.model_genome import OWN, GenomeOptions

if TYPE_CHECKING:
    from cisgram.report.gene_section import GeneSection

_NO_WORDS, _SAMPLE, _WORDS = WordOptions(), GeneSample(), WordConfig()


def report(
    *,
    asked: Annotated[RegionOptions, Parameter(name="*")],
    beside: Annotated[PageOptions, Parameter(name="*")] = PLAIN,
    chosen: Annotated[WordOptions, Parameter(name="*")] = _NO_WORDS,
    sample: Annotated[GeneSample, Parameter(name="*")] = _SAMPLE,
    config: Annotated[WordConfig, Parameter(name="*")] = _WORDS,
    genome: Annotated[GenomeOptions, Parameter(name="*")] = OWN,
    out: Path,
) -> None:
    """Explain a gene in every way on one self-contained HTML page, with all arrays and pictures.

    Signal around the gene, mutagenesis and gradients of a region near it; what a language model
    expects there, if one is named; and what words do before other genes, if --motifs or --word are
    given.

    Args:
        asked: Which region, and of what.
        beside: What is set beside.
        chosen: Words and distances.
        sample: Genes that words are put before.
        config: How words are put in.
        genome: What the region is of.
        out: Directory for report.html, tracks, effects, gradients, hits, expected and
            words.
    """
    from rich.console import Console

    from cisgram.explain.motif_files import read_motifs
    from cisgram.explain.word_choice import WordRequest
    from cisgram.report.gene_page import write_gene_page
    from cisgram.report.gene_section import make_gene_section

    if not chosen.named and (chosen, sample, config) != (_NO_WORDS, _SAMPLE, _WORDS):
        raise ConfigError("there are options of words and no words; add --motifs, --word or both.")
    words = WordRequest(chosen=chosen, sample=sample, config=config) if chosen.named else None
    found = make_gene_section(
        asked,
        out=out,
        genome=genome,
        sites=beside.sites,
        motifs=() if beside.scan is None else read_motifs(beside.scan),
        language_model=beside.language_model,
        words=words,
    )
    page = out / "report.html"
    write_gene_page(found, page)
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"{found.model} predicts {found.track} {found.level:.2f} for {found.name}. The strongest "
        f"changes of {found.region}:"
    )
    show_gene(found)
    console.print(f"Page: {page}")


def show_gene(gene: "GeneSection") -> None:
    """Print which changes are strongest, what stands out in known sites, and how far ways agree."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    table = Table(box=None, pad_edge=False)
    for name in ("position", "change", "effect"):
        table.add_column(name, justify="left" if name == "change" else "right")
    if gene.n_sites:
        table.add_column("known site")
    for change in gene.bases.strongest:
        row = [f"{change.position:,}", f"{change.reference}>{change.alternative}"]
        row.append(f"{change.effect:+.3f}")
        if gene.n_sites:
            row.append(change.site)
        table.add_row(*row)
    console.print(table)
    changes, gradients, agreement = (
        gene.bases.changes,
        gene.bases.gradients,
        gene.bases.agreement,
    )
    if gene.n_sites:
        console.print(
            f"A base's strongest change weighs {changes.in_sites:.3f} on average in known sites, "
            f"{changes.elsewhere:.3f} elsewhere; what it adds by gradients "
            f"{gradients.in_sites:.3f} and {gradients.elsewhere:.3f}."
        )
    console.print(
        f"Gradients and changes correlate at {agreement.bases:.2f} over bases, "
        f"{agreement.changes:.2f} over changes."
    )
