"""A region near a gene, and what a model is asked about the gene, by their names."""

from typing import NamedTuple

from cisgram.core.checks import ConfigError, DataError, check_choice
from cisgram.explain.region_options import RegionOptions
from cisgram.genome.alphabet import N
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.gene_places import gene_places, named_genes
from cisgram.predict.genes import gene_window
from cisgram.predict.model_genome import (
    OWN,
    GenomeOptions,
    model_annotation,
    open_model_genome,
)
from cisgram.predict.tracks import TrackReader


class GeneRegion(NamedTuple):
    """A region of the window in which a model reads a gene."""

    region: Interval
    gene: str
    """The gene's identifier."""
    body: Interval
    """Where it lies, on its strand."""
    track: str
    """Which of the numbers read of the gene is explained."""
    reader: TrackReader
    reference: Reference


def find_gene_region(asked: RegionOptions, *, genome: GenomeOptions = OWN) -> GeneRegion:
    """Open a model and its genome, and find a region and a gene in it.

    Args:
        asked: which model, region, gene and number or track; tracks are of the gene's strand.
        genome: what the region is of; what the model learnt from by default.

    Raises:
        ConfigError: the model predicts no tracks or not this one, or the region is too far from
            the gene or reaches past its contig.
        DataError: a file cannot be used, there is no such gene, or the region is all N.
    """
    place, reader = Interval.parse(asked.region), TrackReader.open(asked.model)
    chosen = choose_track(reader, asked.track)
    reference = open_model_genome(reader.card, genome)
    reference.check_inside(place)
    if (reference.fetch(place) == N).all():
        raise DataError(f"{place} is N from end to end; name a region with known bases.")
    source = model_annotation(reader.card, genome)
    if asked.gene is None:
        name, body = _nearest(gene_places(source, reference), place, reference)
    else:
        ((name, body),) = named_genes(source, reference, [asked.gene]).items()
    gene_window(reader, reference, body).locate(place)
    return GeneRegion(place, name, body, chosen, reader, reference)


def choose_track(reader: TrackReader, track: str | None) -> str:
    """Return the number of genes or track that is named, the model's first where none is.

    Raises:
        ConfigError: the model has no such number.
    """
    outputs = reader.columns.of_a_gene
    return outputs[0] if track is None else check_choice(track, outputs, "track")


def _nearest(
    genes: dict[str, Interval], region: Interval, reference: Reference
) -> tuple[str, Interval]:
    """Return the gene of the region's contig whose body starts nearest to its middle."""
    chrom, middle = reference.names.resolve(region.chrom), (region.start + region.end) // 2
    starts = {
        name: abs((gene.end if gene.strand == "-" else gene.start) - middle)
        for name, gene in genes.items()
        if gene.chrom == chrom
    }
    if not starts:
        raise ConfigError(
            f"no gene of the annotation lies on {region.chrom}; name a region near one."
        )
    name = min(starts, key=starts.__getitem__)
    return name, genes[name]
