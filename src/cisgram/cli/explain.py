"""`cisgram explain`: why a model predicts what it predicts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from cisgram.core.checks import ConfigError, check_range, check_suffix
from cisgram.explain.figure_options import FIGURES, NO_FIGURE, FigureOptions
from cisgram.explain.region_options import RegionOptions
from cisgram.explain.word_options import GeneSample, WordConfig, WordOptions
from cisgram.predict.model_genome import OWN, GenomeOptions

if TYPE_CHECKING:
    import polars as pl

    from cisgram.explain.gene_regions import GeneRegion

app = App(name="explain", help="Show which bases a model's predictions hang on.")
app.command(
    "cisgram.cli.explain_page:report",
    name="report",
    help="Explain a gene in every way on one HTML page, with all arrays and pictures.",
)
_NO_WORDS, _SAMPLE, _WORDS = WordOptions(), GeneSample(), WordConfig()


@app.command
def ism(
    *,
    asked: Annotated[RegionOptions, Parameter(name="*")],
    genome: Annotated[GenomeOptions, Parameter(name="*")] = OWN,
    out: Path,
    drawing: Annotated[FigureOptions, Parameter(name="*")] = NO_FIGURE,
) -> None:
    """Put every other base at every position of a region (in-silico saturation mutagenesis).

    Args:
        asked: Which region, and of what.
        genome: What the region is of.
        out: .npz file; effects is length x 4 (A, C, G, T along the region's strand), put in minus
            as it is: log2 ratios for tracks, differences for numbers of genes.
        drawing: Figure of it.
    """
    import numpy as np

    from cisgram.explain.gene_files import write_map
    from cisgram.explain.gene_maps import mutate_for_gene
    from cisgram.explain.gene_regions import find_gene_region
    from cisgram.genome.alphabet import LETTERS
    from cisgram.report.base_figure import draw_map
    from cisgram.report.sites import known_sites

    check_suffix(out, ".npz")
    place = find_gene_region(asked, genome=genome)
    sites = known_sites(drawing.sites, place.reference)
    found = mutate_for_gene(place.reader, place.reference, place.region, gene=place.body)
    write_map(place, found, out)
    if drawing.figure is not None:
        draw_map(place, found, drawing.figure, sites=sites)
    effects = found.of(place.track)
    at, base = np.unravel_index(np.nanargmax(np.abs(effects)), effects.shape)
    _say(
        place,
        f"the strongest of {3 * place.region.length:,} changes",
        f"{_place(place, int(at))} {LETTERS[found.tokens[at]]}>{LETTERS[base]}, "
        f"{effects[at, base]:+.4f}. Effects are in {out}.",
    )


@app.command
def gradients(
    *,
    asked: Annotated[RegionOptions, Parameter(name="*")],
    steps: int | None = None,
    genome: Annotated[GenomeOptions, Parameter(name="*")] = OWN,
    out: Path,
    drawing: Annotated[FigureOptions, Parameter(name="*")] = NO_FIGURE,
) -> None:
    """Say what each base of a region adds, by gradients times input, at the cost of one pass.

    Args:
        asked: Which region, and of what.
        steps: Take integrated gradients, with so many passes on the way from a quarter of each
            base; plain gradients by default.
        genome: What the region is of.
        out: .npz file; contributions is of the bases that are there, hypothetical is length x 4
            (A, C, G, T along the region's strand), in units of log2 for tracks.
        drawing: Figure of it.
    """
    import numpy as np

    from cisgram.explain.gene_files import write_gradients
    from cisgram.explain.gene_gradients import attribute_to_gene
    from cisgram.explain.gene_regions import find_gene_region
    from cisgram.genome.alphabet import LETTERS
    from cisgram.report.base_figure import draw_gradients
    from cisgram.report.sites import known_sites

    check_suffix(out, ".npz")
    if steps is not None:
        check_range(steps, "steps", low=1)
    place = find_gene_region(asked, genome=genome)
    sites = known_sites(drawing.sites, place.reference)
    found = attribute_to_gene(
        place.reader, place.reference, place.body, output=place.track, n_steps=steps
    )
    write_gradients(place, found, out)
    if drawing.figure is not None:
        draw_gradients(place, found, drawing.figure, sites=sites)
    own = found.within(place.region)
    at = int(np.nanargmax(np.abs(own.contributions)))
    gap = own.completeness_gap
    missing = "" if gap is None else f" The sum over the whole window is off by {gap:+.4f}."
    _say(
        place,
        f"the strongest of {place.region.length:,} bases",
        f"{_place(place, at)} {LETTERS[own.tokens[at]]}, {own.contributions[at]:+.4f}."
        f"{missing} Contributions are in {out}.",
    )


@app.command
def tracks(
    *,
    model: str,
    region: str | None = None,
    gene: str | None = None,
    genome: Annotated[GenomeOptions, Parameter(name="*")] = OWN,
    out: Path | None = None,
    drawing: Annotated[FigureOptions, Parameter(name="*")] = NO_FIGURE,
) -> None:
    """Predict the signal along a region, or around a gene, and draw it with the genes there.

    Give --region or --gene, and --out, --figure or both.

    Args:
        model: Packaged weights such as cisgram/yeast-expression, a model's directory, or a run of
            `cisgram train`.
        region: Such as chrII:278000-278500, counted from 1, of any length; a strand may follow, as
            in chrII:278000-278500(-), and bins and strands are then those of it.
        gene: In place of a region, all that is predicted in the window around this gene.
        genome: What the region is of.
        out: .npz file; signal is bins x tracks, in counts of a bin.
        drawing: Figure of it.
    """
    from rich.console import Console

    from cisgram.genome.interval import Interval
    from cisgram.predict.gene_places import genes_by_name, named_genes
    from cisgram.predict.model_genome import model_annotation, open_model_genome
    from cisgram.predict.region_signal import predict_signal, region_of_gene, write_signal
    from cisgram.predict.tracks import TrackReader
    from cisgram.report.sites import known_sites
    from cisgram.report.track_figure import draw_tracks

    named = [text for text in (region, gene) if text is not None]
    if len(named) != 1:
        raise ConfigError(f"give --region or --gene; got {'both' if named else 'neither'}.")
    if out is None and drawing.figure is None:
        raise ConfigError("give --out, --figure or both; got neither.")
    if out is not None:
        check_suffix(out, ".npz")
    reader = TrackReader.open(model)
    reference = open_model_genome(reader.card, genome)
    if gene is None:
        place = Interval.parse(named[0])
    else:
        (body,) = named_genes(model_annotation(reader.card, genome), reference, named).values()
        place = region_of_gene(reader, reference, body)
    sites, genes = known_sites(drawing.sites, reference), dict[str, Interval]()
    if drawing.figure is not None:
        genes = genes_by_name(model_annotation(reader.card, genome), reference)
    found = predict_signal(reader, reference, place)
    if out is not None:
        write_signal(found, out)
    if drawing.figure is not None:
        draw_tracks(found, drawing.figure, genes=genes, sites=sites)
    n_bins, n_tracks = found.signal.shape
    Console().print(
        f"{place}: {n_bins:,} bins of {found.resolution} bases, {n_tracks} tracks, are in "
        f"{' and '.join(str(path) for path in (out, drawing.figure) if path is not None)}.",
        highlight=False,
    )


@app.command
def words(
    *,
    model: str,
    chosen: Annotated[WordOptions, Parameter(name="*")] = _NO_WORDS,
    sample: Annotated[GeneSample, Parameter(name="*")] = _SAMPLE,
    track: str | None = None,
    config: Annotated[WordConfig, Parameter(name="*")] = _WORDS,
    genome: Annotated[GenomeOptions, Parameter(name="*")] = OWN,
    out: Path,
    figure: Path | None = None,
) -> None:
    """Put words before genes whose promoters are shuffled, and say what they do to the genes.

    Beside each word stands what its letters do in other orders. Genes are the unit of which means
    and 95 % intervals are.

    Args:
        model: Packaged weights such as cisgram/yeast-expression, a model's directory, or a run of
            `cisgram train`.
        chosen: Words and distances.
        sample: Genes.
        track: A number of genes that the model learnt, or a track; its first number by default.
        config: How words are put in.
        genome: What the genes are of.
        out: Tab-separated table with columns word sequence distance genes effect low high null
            difference difference_low difference_high; log2 ratios for tracks, differences for
            numbers of genes.
        figure: Also draw effects by distance, as .png, .pdf or .svg.
    """
    from cisgram.explain.gene_files import write_table
    from cisgram.explain.gene_regions import choose_track
    from cisgram.explain.gene_words import words_for_genes
    from cisgram.explain.word_choice import WordRequest, choose_words
    from cisgram.predict.model_genome import model_annotation, open_model_genome
    from cisgram.predict.tracks import TrackReader
    from cisgram.report.word_figure import draw_words

    if figure is not None:
        check_suffix(figure, *FIGURES)
    request = WordRequest(chosen=chosen, sample=sample, config=config)
    reader = TrackReader.open(model)
    output, reference = choose_track(reader, track), open_model_genome(reader.card, genome)
    put_in = choose_words(reader, reference, model_annotation(reader.card, genome), asked=request)
    found = words_for_genes(
        reader,
        reference,
        put_in.genes,
        words=put_in.words,
        distances=put_in.distances,
        config=config,
    )
    table = found.table(output, seed=config.seed)
    write_table(table, out)
    if figure is not None:
        draw_words(table, figure, track=output)
    _say_words(table, output, f"Effects are in {out}.", n_left_out=put_in.n_left_out)


@app.command
def hits(
    *,
    source: Annotated[Path, Parameter(name="--map")],
    motifs: Path,
    p_value: float = 1e-4,
    out: Path,
    figure: Path | None = None,
) -> None:
    """Find motifs in the DNA of a map, and say whether the map wants them there.

    Args:
        source: What `cisgram explain ism` or `cisgram explain gradients` wrote.
        motifs: JASPAR or MEME file.
        p_value: Probability that random sequence matches as well at one position and strand; of
            motifs too short for it, the best word is found.
        out: Tab-separated table with columns motif accession chrom start end strand score
            importance importance_above match match_above, start counted from 0.
        figure: Also draw the map, with the best hit of each place that it wants more than 95 % of
            the region's places, as .png, .pdf or .svg.
    """
    from rich.console import Console

    from cisgram.explain.base_map import BaseMap
    from cisgram.explain.gene_files import write_table
    from cisgram.explain.motif_files import read_motifs
    from cisgram.explain.motif_hits import hits_in_map
    from cisgram.report.base_figure import draw_hits

    if figure is not None:
        check_suffix(figure, *FIGURES)
    found, wanted = BaseMap.read(source), read_motifs(motifs)
    table = hits_in_map(found, wanted, p_value=p_value)
    write_table(table, out)
    if figure is not None:
        draw_hits(found, table, figure)
    matched = table["motif"].n_unique()
    said = f"{table.height:,} matches, of {matched:,} of {len(wanted):,} motifs, in {found.region}"
    if table.height:
        best = table.row(0, named=True)
        said += (
            f"; the best for {found.track} of {found.gene} is {best['motif']} at {best['chrom']}:"
            f"{best['start'] + 1:,}-{best['end']:,}({best['strand']}), cosine "
            f"{best['match']:+.2f}, above {best['match_above']:.1%} of places"
        )
    Console().print(f"{said}. They are in {out}.", highlight=False)


def _say_words(table: "pl.DataFrame", track: str, where: str, *, n_left_out: int) -> None:
    """Print the word and distance that do most beyond shuffled letters."""
    from rich.console import Console

    beyond = table["difference"].fill_nan(None)
    sizes = table["effect"] if beyond.null_count() == len(beyond) else beyond
    row = table.row(sizes.abs().arg_max() or 0, named=True)
    said = f"{row['genes']:,} genes, {track}"
    if n_left_out:
        said += f"; {n_left_out:,} without their promoter in the window left out"
    said += (
        f": {row['word']}, {row['distance']:,} bases before a gene, does most: "
        f"{row['effect']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
    )
    if sizes is beyond:
        said += f", its letters in other orders {row['null']:+.4f}"
    Console().print(f"{said}. {where}", highlight=False)


def _place(place: "GeneRegion", offset: int) -> str:
    return f"{place.region.chrom}:{place.region.position(offset) + 1:,}"


def _say(place: "GeneRegion", what: str, found: str) -> None:
    from rich.console import Console

    Console().print(f"{place.gene}, {place.track}: {what} is {found}", highlight=False)
