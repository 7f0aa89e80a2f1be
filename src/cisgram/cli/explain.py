"""`cisgram explain`: why a model predicts what it predicts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from cisgram.cli.claims import Directory, Overwrite
from cisgram.cli.options import (
    NO_FIGURE,
    NO_MOTIFS,
    FigureOptions,
    InsertOptions,
    ModelOptions,
    RegionOptions,
    say,
    show_section,
)
from cisgram.core.checks import ConfigError, check_directory, check_range, check_suffix
from cisgram.core.places import check_new

if TYPE_CHECKING:
    from cisgram.explain.gene import GeneExplanation
    from cisgram.explain.subject import Subject

app = App(name="explain", help="Show which bases a model's predictions depend on.")


@app.command
def ism(
    *,
    asked: ModelOptions,
    place: RegionOptions,
    readout: str | None = None,
    out: Path,
    drawing: FigureOptions = NO_FIGURE,
    overwrite: Overwrite = False,
) -> None:
    """Mutate every base of a region to every other (in-silico saturation mutagenesis).

    Interrupted, it keeps finished positions beside the output; the same command goes on from there.

    Args:
        asked: Model.
        place: Region and output.
        readout: What is read of the model. Models of tracks: gene (the default where genes are
            known), tracks, mean. Language models: masked (log-ratio of each base and the one that
            is there, the default), pseudo-likelihood. Any model: embedding-distance.
        out: .npz file; effects is length x 4 (A, C, G, T along the region's strand), mutant against
            reference: log2 ratios for tracks, differences for gene targets, nats for language
            models.
        drawing: Figure.
    """
    from cisgram.explain.mutate import mutate_resumably
    from cisgram.explain.sections import mutation_section

    check_suffix(out, ".npz")
    subject = _subject(asked, place, readout)
    sites = drawing.read_sites(subject.reference)
    with mutate_resumably(subject, out) as found:
        found.write_arrays(out)
    section = mutation_section(found, sites=sites)
    drawing.save(section.draw)
    show_section(section, f"Effects are in {out}.")


@app.command
def attribute(
    *,
    asked: ModelOptions,
    place: RegionOptions,
    readout: str | None = None,
    steps: int | None = None,
    out: Path,
    drawing: FigureOptions = NO_FIGURE,
    overwrite: Overwrite = False,
) -> None:
    """Attribute an output to the bases of a region by gradients times input, in one pass.

    Args:
        asked: Model.
        place: Region and output.
        readout: What is read of the model: gene, tracks, mean or outputs.
        steps: Number of steps of integrated gradients, from a quarter of each base; plain
            gradients by default.
        out: .npz file; contributions of the bases that are there, and hypothetical, length x 4
            (A, C, G, T along the region's strand), in log2 units for tracks.
        drawing: Figure.
    """
    from cisgram.explain.attribute import attribute_subject
    from cisgram.explain.sections import attribution_section

    check_suffix(out, ".npz")
    if steps is not None:
        check_range(steps, "steps", low=1)
    subject = _subject(asked, place, readout)
    sites = drawing.read_sites(subject.reference)
    found = attribute_subject(subject, n_steps=steps)
    found.write_arrays(out)
    section = attribution_section(found, sites=sites)
    drawing.save(section.draw)
    show_section(section, f"Contributions are in {out}.")


@app.command
def signal(
    *,
    asked: ModelOptions,
    region: str | None = None,
    gene: str | None = None,
    out: Path | None = None,
    drawing: FigureOptions = NO_FIGURE,
    overwrite: Overwrite = False,
) -> None:
    """Predict the signal along a region, or around a gene, and draw it over the genes there.

    Args:
        asked: Model.
        region: Region of any length, such as chrII:278000-278500.
        gene: Identifier or name of a gene, whose surroundings are predicted.
        out: .npz file with signal (rows x outputs) and the names of outputs.
        drawing: Figure.
    """
    from cisgram.explain.gene import region_signal, signal_region
    from cisgram.genome.interval import Interval

    if (region is None) == (gene is None):
        raise ConfigError("give one of --region and --gene, and not both.")
    if out is None and drawing.figure is None:
        raise ConfigError("give --out, --figure or both; got neither.")
    if out is not None:
        check_suffix(out, ".npz")
    session = asked.open()
    if gene is not None:
        (body,) = session.genes.find([gene]).values()
        place = signal_region(session, body)
    else:
        place = Interval.parse(region or "")
    sites = drawing.read_sites(session.reference)
    found = region_signal(session, place)
    if out is not None:
        found.write_arrays(out)
    drawing.save(lambda: found.plot(sites=sites))
    n_rows, n_outputs = found.values.shape
    files = " and ".join(str(path) for path in (out, drawing.figure) if path is not None)
    say(f"{place}: {n_rows:,} rows of {found.resolution} bases, {n_outputs} outputs, in {files}.")


@app.command
def insert(
    *,
    asked: ModelOptions,
    chosen: InsertOptions = NO_MOTIFS,
    output: str | None = None,
    out: Path,
    figure: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Insert motifs into shuffled promoters, and measure their effect on the genes.

    Each motif stands beside its own letters in other orders, the null. Means and 95 % intervals
    are over genes.

    Args:
        asked: Model.
        chosen: Motifs and genes.
        output: Gene target or track; by default the model's first gene target.
        out: Tab-separated table with columns motif sequence distance n effect low high null
            difference difference_low difference_high; log2 ratios for tracks, differences for gene
            targets.
        figure: Figure of the effects by distance, .png, .pdf or .svg.
    """
    from cisgram.explain.insert import insert as insert_motifs
    from cisgram.explain.sections import insertion_section

    drawing = FigureOptions(figure=figure)
    session = asked.open()
    insertion = chosen.read(session)
    found = insert_motifs(
        session,
        insertion.motifs,
        readout="gene",
        genes=insertion.genes,
        output=output,
        config=insertion.config,
    )
    found.write(out)
    drawing.save(found.plot)
    say(f"{insertion_section(found).sentence} Effects are in {out}.")


@app.command
def motifs(
    *,
    source: Annotated[Path, Parameter(name="--contributions")],
    motifs: Path,
    p_value: float = 1e-4,
    out: Path,
    figure: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Find motifs in the DNA of a region, and compare contributions there with each.

    Args:
        source: .npz file of `cisgram explain ism` or `cisgram explain attribute`.
        motifs: JASPAR or MEME file.
        p_value: Probability that random sequence matches as well at one position and strand; of
            motifs too short for it, the best sequence is found.
        out: Tab-separated table with columns motif accession chrom start end strand score
            importance importance_above match match_above, start counted from 0.
        figure: Figure of the contributions with the hits that they match better than at 95 % of the
            region's positions, .png, .pdf or .svg.
    """
    from cisgram.core.results import write_table
    from cisgram.explain.contributions import Contributions
    from cisgram.explain.hits import find_motifs
    from cisgram.explain.motif_files import read_motifs
    from cisgram.explain.sections import motif_section

    drawing = FigureOptions(figure=figure)
    found, known = Contributions.read(source), read_motifs(motifs)
    hits = find_motifs(found, known, p_value=p_value)
    write_table(hits, out)
    section = motif_section(found, hits, n_motifs=len(known))
    drawing.save(section.draw)
    say(f"{section.sentence} Hits are in {out}.")


@app.command
def logo(
    *,
    asked: ModelOptions,
    region: str,
    table: Path | None = None,
    out: Path,
    sites: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw what a language model expects at every base of a region while that base is masked.

    Args:
        asked: Model.
        region: Region such as chrXIV:187,486-188,060, counted from 1; a strand may follow, as in
            chrXIV:1-500(-).
        table: Tab-separated table of the probabilities, with a row for each base.
        out: Figure, .svg, .png or .pdf.
        sites: BED of known sites to mark in the figure.
    """
    from cisgram.explain.expected import expect
    from cisgram.explain.sections import expected_section

    drawing = FigureOptions(figure=out, sites=sites)
    session = asked.open()
    found = expect(session, region, sites=drawing.read_sites(session.reference))
    drawing.save(found.plot)
    if table is not None:
        found.write(table)
    show_section(expected_section(found), f"{found.map.region} is drawn in {out}.")


@app.command
def report(
    *,
    asked: ModelOptions,
    place: RegionOptions,
    language_model: str | None = None,
    sites: Path | None = None,
    scan: Path | None = None,
    chosen: InsertOptions = NO_MOTIFS,
    out: Directory,
    overwrite: Overwrite = False,
) -> None:
    """Explain a gene in every way on one self-contained HTML page, with arrays and figures.

    The page has the signal around the gene, and mutagenesis and attribution of a region near it.
    With --language-model it has what that expects there; with --motifs or --motif, what motifs do
    before other genes.

    Args:
        asked: Model of tracks and genes.
        place: Region and output.
        language_model: Language model whose expectation of the region is shown.
        sites: BED of known sites to mark and summarise.
        scan: JASPAR or MEME file whose motifs are looked for in the region.
        chosen: Motifs to insert before genes.
        out: Directory for report.html and the files of each section.
    """
    from cisgram.explain.gene import explain_gene
    from cisgram.explain.motif_files import read_motifs
    from cisgram.plot.sites import known_sites
    from cisgram.prediction.session import Session
    from cisgram.report.html import write_gene_page

    if not chosen.named and chosen != NO_MOTIFS:
        raise ConfigError(
            "there are options of motif insertion and no motifs; add --motifs, --motif or both."
        )
    check_new(check_directory(out), overwrite=overwrite)
    scanned = () if scan is None else read_motifs(scan)
    session = asked.open()
    insertion = chosen.read(session) if chosen.named else None
    other = None
    if language_model is not None:
        other = Session.open(language_model, genome=asked.genome)
    found = explain_gene(
        session,
        place.region,
        gene=place.gene,
        output=place.output,
        sites=known_sites(sites, session.reference),
        motifs=scanned,
        language_model=other,
        insertion=insertion,
    )
    page = write_gene_page(found, out)
    show_gene(found)
    say(f"Page: {page}")


def show_gene(found: "GeneExplanation") -> None:
    """Print what is predicted of a gene, and what each section says."""
    say(found.headline)
    for section in found.sections:
        show_section(section)


def _subject(asked: ModelOptions, place: RegionOptions, readout: str | None) -> "Subject":
    from cisgram.explain.subject import find_subject

    return find_subject(asked.open(), place.region, readout, gene=place.gene, output=place.output)
