"""One gene, base by base: predicted signal around it, and what each base before it does."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cisgram.explain.gene_files import write_map
from cisgram.explain.gene_maps import GeneMap, mutate_for_gene
from cisgram.explain.gene_regions import find_gene_region
from cisgram.explain.region_options import RegionOptions
from cisgram.genome.alphabet import LETTERS
from cisgram.genome.genes import read_genes
from cisgram.genome.interval import Interval
from cisgram.predict.gene_places import genes_by_name
from cisgram.predict.genes import predict_genes
from cisgram.predict.model_genome import model_annotation
from cisgram.predict.region_signal import predict_signal, region_of_gene
from cisgram.report.base_figure import draw_map
from cisgram.report.logo import Site, known_sites
from cisgram.report.track_figure import draw_tracks

EFFECTS, EFFECTS_PICTURE, TRACKS_PICTURE = "effects.npz", "effects.svg", "tracks.svg"


class Change(NamedTuple):
    """A single-base change and what it does."""

    position: int
    """Counted from 1."""
    reference: str
    alternative: str
    effect: float
    site: str
    """Known sites that it lies in, empty for none."""


@dataclass(frozen=True, kw_only=True)
class GeneSection:
    """What is shown of a gene."""

    model: str
    gene: str
    name: str
    region: str
    track: str
    """Number of the gene that effects are on."""
    numbers: dict[str, float]
    """What is predicted of the gene as it is."""
    strongest: list[Change]
    in_sites: float
    """Mean size of effects on the bases of known sites."""
    elsewhere: float
    directory: Path
    """Where the pictures and effects lie."""

    def plain(self) -> dict[str, Any]:
        """Return it as what JSON can hold, without the pictures."""
        own = asdict(self) | {"strongest": [change._asdict() for change in self.strongest]}
        return {name: value for name, value in own.items() if name != "directory"}

    @property
    def pictures(self) -> tuple[str, str]:
        """Signal and effects, each an svg element."""
        texts = ((self.directory / file).read_text() for file in (TRACKS_PICTURE, EFFECTS_PICTURE))
        tracks, effects = (text[text.index("<svg") :] for text in texts)
        return tracks, effects


def make_gene_section(
    model: str,
    gene: str,
    region: str,
    *,
    out: Path,
    sites: Path | None = None,
    n_strongest: int = 5,
) -> GeneSection:
    """Predict the signal around a gene and mutate a region; write arrays and pictures.

    Args:
        model: packaged weights, whose genome the package has, or a run of `cisgram train` on one.
        gene: identifier or name.
        region: what is mutated, near the gene.
        out: directory for effects.npz, effects.svg and tracks.svg.
        sites: BED of known sites.
        n_strongest: changes that are listed.

    Raises:
        ConfigError: the model predicts no tracks, or the region is too far from the gene.
        DataError: there is no such gene, or the BED cannot be used.
    """
    place = find_gene_region(RegionOptions(model=model, region=region, gene=gene))
    reader, known = place.reader, known_sites(sites, place.reference)
    found = mutate_for_gene(reader, place.reference, place.region, gene=place.body)
    write_map(place, found, out / EFFECTS)
    draw_map(place, found, out / EFFECTS_PICTURE, sites=known)
    annotation = model_annotation(reader.card)
    table = read_genes(annotation).genes
    names = dict(table.select("gene", "name").iter_rows())
    around = region_of_gene(reader, place.reference, place.body)
    draw_tracks(
        predict_signal(reader, place.reference, around),
        out / TRACKS_PICTURE,
        genes=genes_by_name(annotation, place.reference),
        marked=place.region,
    )
    kept = predict_genes(reader, place.reference, [place.body])[0].tolist()
    effects = found.of(place.track)
    sizes, inside = np.abs(effects).max(axis=1), _inside(place.region, known)
    return GeneSection(
        model=model,
        gene=place.gene,
        name=names[place.gene],
        region=str(place.region),
        track=place.track,
        numbers=dict(zip(reader.columns.of_a_gene, kept, strict=True)),
        strongest=strongest_changes(found, place.track, sites=known, n=n_strongest),
        in_sites=float(np.nanmean(sizes[inside])) if inside.any() else float("nan"),
        elsewhere=float(np.nanmean(sizes[~inside])) if not inside.all() else float("nan"),
        directory=out,
    )


def strongest_changes(found: GeneMap, track: str, *, sites: list[Site], n: int) -> list[Change]:
    """Return the strongest change of each of the `n` positions where it is strongest."""
    effects, region = found.of(track), found.region
    sizes = np.nan_to_num(np.abs(effects)).max(axis=1)
    changes: list[Change] = []
    for at in np.argsort(-sizes, kind="stable")[:n].tolist():
        base = int(np.nanargmax(np.abs(effects[at])))
        place = region.position(at)
        here = Interval(region.chrom, place, place + 1)
        names = ", ".join(site.name for site in sites if site.place.overlaps(here))
        reference = LETTERS[int(found.tokens[at])]
        changes.append(Change(place + 1, reference, LETTERS[base], float(effects[at, base]), names))
    return changes


def _inside(region: Interval, sites: list[Site]) -> np.ndarray:
    """Say which positions of a region lie in a site."""
    inside = np.zeros(region.length, dtype=np.bool_)
    for site in sites:
        if site.place.overlaps(region):
            start, end = region.locate(site.place)
            inside[max(start, 0) : end] = True
    return inside
