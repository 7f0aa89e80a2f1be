"""`cisgram explain`: why a model predicts what it predicts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from cisgram.core.checks import ConfigError
from cisgram.predict.model_genome import OWN, GenomeOptions

if TYPE_CHECKING:
    from cisgram.explain.gene_map_files import NamedMap

app = App(name="explain", help="Show which bases a model's predictions hang on.")


@app.command
def ism(
    *,
    model: str,
    region: str,
    gene: str | None = None,
    track: str | None = None,
    genome: Annotated[GenomeOptions, Parameter(name="*")] = OWN,
    sites: Path | None = None,
    out: Path,
    figure: Path | None = None,
) -> None:
    """Put every other base at every position of a region (in-silico saturation mutagenesis).

    Args:
        model: packaged weights such as cisgram/yeast-expression, a model's directory, or a run of
            `cisgram train`.
        region: such as chrII:278000-278500, counted from 1; a strand may follow, as in
            chrII:278000-278500(-).
        gene: what is read, by identifier or name; the gene that starts nearest to the region's
            middle by default.
        track: a number of genes that the model learnt, or a track; its first number by default.
        genome: what the region is of.
        sites: BED of what is known, to be drawn in the figure.
        out: .npz file; effects is length x 4 (A, C, G, T along the region's strand), put in minus
            as it is: log2 ratios for tracks, differences for numbers of genes.
        figure: also draw it, as .png, .pdf or .svg.
    """
    from cisgram.explain.gene_map_files import mutate_region, write_map
    from cisgram.report.logo import known_sites
    from cisgram.report.mutation_figure import check_figure, draw_named_map

    if figure is not None:
        check_figure(figure)
    elif sites is not None:
        raise ConfigError("--sites are drawn in the figure; add --figure, or leave them out.")
    found = mutate_region(model, region, gene=gene, track=track, genome=genome)
    drawn = known_sites(sites, found.reference)
    write_map(found, out)
    if figure is not None:
        draw_named_map(found, figure, sites=drawn)
    _say(found, out)


def _say(found: "NamedMap", out: Path) -> None:
    import numpy as np
    from rich.console import Console

    from cisgram.genome.alphabet import LETTERS

    effects, region = found.map.of(found.track), found.map.region
    at, base = np.unravel_index(np.nanargmax(np.abs(effects)), effects.shape)
    position = region.end - int(at) if region.strand == "-" else region.start + int(at) + 1
    change = f"{LETTERS[found.map.tokens[at]]}>{LETTERS[base]}"
    Console().print(
        f"{found.gene}, {found.track}: the strongest of {3 * region.length:,} changes is "
        f"{region.chrom}:{position:,} {change}, {effects[at, base]:+.4f}. Effects are in {out}.",
        highlight=False,
    )
