"""Predictions of tracks and genes from files to files."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float32

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError
from cisgram.genome.bed import read_bed
from cisgram.genome.bigwig import write_bigwig
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.gene_places import gene_places
from cisgram.predict.genes import predict_genes
from cisgram.predict.model_genome import (
    OWN,
    GenomeOptions,
    model_annotation,
    open_model_genome,
)
from cisgram.predict.region_tracks import predict_regions
from cisgram.predict.reuse import ReuseConfig
from cisgram.predict.tracks import TrackReader

_PLACE = ("chrom", "start", "end", "strand")


class Regions(NamedTuple):
    """Named stretches of a genome."""

    names: list[str]
    places: list[Interval]


def predict_gene_file(
    model: str,
    genes: str,
    out: Path,
    *,
    genome: GenomeOptions = OWN,
    config: ReuseConfig | None = None,
) -> pl.DataFrame:
    """Write a table of what a model says of genes.

    Columns are gene, chrom, start (from 0), end and strand, the numbers of genes that the model
    learnt, in their own units, then for each track of the gene's strand, `name+`, or of none, the
    sum of counts over the gene's body and the bases before it that count to it.

    Args:
        model: packaged weights, a model's directory or a run.
        genes: `all`, or a file with the name of a gene a line.
        out: tab-separated file to write.
        genome: what the genes are of; what the model learnt from by default.
        config: sizes, memory and cache.

    Raises:
        DataError: a file cannot be used, or the annotation lacks a gene that is asked for.
        ConfigError: the model predicts no tracks, or has no genome and none is named.
    """
    reader = TrackReader.open(model)
    annotation = model_annotation(reader.card, genome)
    reference = open_model_genome(reader.card, genome)
    chosen = gene_places(annotation, reference, genes=genes)
    places = list(chosen.values())
    found = predict_genes(reader, reference, places, config=config)
    table = pl.DataFrame({"gene": list(chosen), **_places(places)}).hstack(
        _columns(found, reader.columns.of_a_gene)
    )
    return _write(table, out)


def predict_region_file(
    model: str,
    regions: Path | None,
    out: Path,
    *,
    genome: GenomeOptions = OWN,
    bigwig: Path | None = None,
    config: ReuseConfig | None = None,
) -> pl.DataFrame:
    """Write a table of the tracks of regions, and where asked for the signal itself.

    Columns are name, chrom, start (from 0), end and strand, then for each track the mean of a bin
    over the region; `name+` is the region's own strand.

    Args:
        model: packaged weights, a model's directory or a run.
        regions: BED; every record of the genome, whole, where it is None.
        out: tab-separated file to write.
        genome: what the regions are of; what the model learnt from by default.
        bigwig: directory for a bigWig file of each track; a bin's counts are shared by its bases.
        config: sizes, memory and cache.

    Raises:
        DataError: a file cannot be used.
        ConfigError: the model predicts no tracks, has no genome and none is named, or a region
            reaches past its contig.
    """
    reader = TrackReader.open(model)
    reference = open_model_genome(reader.card, genome)
    chosen = _records(reference) if regions is None else Regions(*read_bed(regions, reference))
    found = predict_regions(reader, reference, chosen.places, config=config)
    means = np.stack([bins.mean(axis=0) for bins in found])
    table = pl.DataFrame({"name": chosen.names, **_places(chosen.places)}).hstack(
        _columns(means, reader.columns.tracks)
    )
    if bigwig is not None:
        _write_signal(reader, reference, chosen.places, found, bigwig)
    return _write(table, out)


def _records(reference: Reference) -> Regions:
    names = list(reference.contigs)
    return Regions(names, [Interval(name, 0, reference.contigs[name], "+") for name in names])


def _places(places: Sequence[Interval]) -> dict[str, list[str] | list[int]]:
    return {name: [getattr(place, name) for place in places] for name in _PLACE}


def _columns(values: Float32[np.ndarray, "rows columns"], names: Sequence[str]) -> list[pl.Series]:
    return [pl.Series(name, values[:, number]) for number, name in enumerate(names)]


def _write(table: pl.DataFrame, out: Path) -> pl.DataFrame:
    with atomic_file(out) as building:
        table.write_csv(building, separator="\t", float_precision=5)
    return table


def _write_signal(
    reader: TrackReader,
    reference: Reference,
    places: Sequence[Interval],
    found: Sequence[Float32[np.ndarray, "_bins tracks"]],
    directory: Path,
) -> None:
    """Write each track on the forward strand; where regions overlap, the last counts."""
    if any(place.strand == "-" for place in places):
        raise ConfigError("signal is written on the forward strand; leave strand - out of the BED.")
    size = reader.model.resolution
    directory.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(reader.columns.tracks):
        signal: dict[str, Float32[np.ndarray, "_"]] = {}
        for place, bins in zip(places, found, strict=True):
            length = reference.contigs[place.chrom]
            along = signal.setdefault(place.chrom, np.zeros(length, np.float32))
            along[place.start : place.end] = np.repeat(bins[:, number] / size, size)[: place.length]
        write_bigwig(directory / f"{name}.bw", signal, contigs=dict(reference.contigs))
