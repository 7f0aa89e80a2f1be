"""Saturation mutagenesis of a named region for a named gene, to a file of arrays."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError, DataError, check_choice
from cisgram.explain.gene_maps import GeneMap, mutate_for_gene
from cisgram.genome.alphabet import N
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.gene_places import gene_places, named_genes
from cisgram.predict.model_genome import (
    OWN,
    GenomeOptions,
    model_annotation,
    open_model_genome,
)
from cisgram.predict.tracks import TrackReader


class NamedMap(NamedTuple):
    """A map with the names of what it is of."""

    map: GeneMap
    gene: str
    track: str
    """The output whose effects are `effects` in the file."""
    reference: Reference
    """What was mutated."""


def mutate_region(
    model: str,
    region: str,
    *,
    gene: str | None = None,
    track: str | None = None,
    genome: GenomeOptions = OWN,
) -> NamedMap:
    """Put every other base at every position of a region and read a gene.

    Args:
        model: packaged weights, a model's directory or a run of `cisgram train`.
        region: as `Interval.parse` reads it.
        gene: identifier or name; the one whose body starts nearest to the region's middle by
            default.
        track: a number of genes or a track of the gene's strand; the model's first by default.
        genome: what the region is of; what the model learnt from by default.

    Raises:
        ConfigError: the model predicts no tracks or not this one, or the region is too far from
            the gene or reaches past its contig.
        DataError: a file cannot be used, there is no such gene, or the region is all N.
    """
    place, reader = Interval.parse(region), TrackReader.open(model)
    outputs = reader.columns.of_a_gene
    chosen = outputs[0] if track is None else track
    check_choice(chosen, outputs, "track")
    reference = open_model_genome(reader.card, genome)
    reference.check_inside(place)
    if (reference.fetch(place) == N).all():
        raise DataError(f"{place} is N from end to end; name a region with known bases.")
    source = model_annotation(reader.card, genome)
    if gene is None:
        name, body = _nearest(gene_places(source, reference), place, reference)
    else:
        name, body = next(iter(named_genes(source, reference, [gene]).items()))
    found = mutate_for_gene(reader, reference, place, gene=body)
    return NamedMap(found, name, chosen, reference)


def write_map(found: NamedMap, out: Path) -> None:
    """Write a map as .npz.

    `effects` (positions, 4) and `reference` are of the chosen track, `all_effects` (positions, 4,
    outputs) and `all_reference` of each of `outputs`; `tokens` are the bases that are there, along
    the strand of `region`; `gene` and `track` are names.
    """
    number = found.map.outputs.index(found.track)
    with atomic_file(out) as building, building.open("wb") as stream:
        np.savez_compressed(
            stream,
            effects=found.map.of(found.track),
            reference=found.map.reference[number],
            tokens=found.map.tokens,
            region=str(found.map.region),
            gene=found.gene,
            track=found.track,
            outputs=np.array(found.map.outputs),
            all_effects=found.map.effects,
            all_reference=found.map.reference,
        )


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
