"""The parts of a gene's section: each computes, writes its arrays and draws its picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from cisgram.explain.agreement import Agreement, compare_with_changes
from cisgram.explain.base_map import BaseMap
from cisgram.explain.gene_files import write_gradients, write_map, write_table
from cisgram.explain.gene_gradients import attribute_to_gene
from cisgram.explain.gene_maps import mutate_for_gene
from cisgram.explain.gene_regions import GeneRegion
from cisgram.explain.gene_words import words_for_genes
from cisgram.explain.motif_hits import hits_in_map
from cisgram.explain.motifs import Motif
from cisgram.explain.word_choice import ChosenWords
from cisgram.models.checkpoint import Reader
from cisgram.predict.gene_places import genes_by_name
from cisgram.predict.maps import read_region
from cisgram.predict.region_signal import predict_signal, region_of_gene, write_signal
from cisgram.report.base_figure import draw_gradients, draw_hits, draw_map
from cisgram.report.gene_changes import (
    Change,
    SiteContrast,
    contrast_sites,
    strongest_changes,
)
from cisgram.report.region import RegionReading, write_region
from cisgram.report.sites import Site
from cisgram.report.track_figure import draw_tracks
from cisgram.report.word_figure import draw_words
from cisgram.report.words import held_out, model_name

SIGNAL, CHANGES, GRADIENTS, HITS = "tracks", "effects", "gradients", "hits"
EXPECTED, WORDS = "expected", "words"
"""Parts, by the names of their files."""


class BasePart(NamedTuple):
    """What changes and gradients say of the bases of a region."""

    strongest: list[Change]
    changes: SiteContrast
    """Of the size of each base's strongest change."""
    gradients: SiteContrast
    """Of the size of each base's contribution."""
    agreement: Agreement
    hits: pl.DataFrame | None
    """As `hits_in_map` makes it of the changes; None where no motifs were looked for."""


class ExpectedPart(NamedTuple):
    """What a language model expects in a region."""

    model: str
    held_out: str
    reading: RegionReading


@dataclass(frozen=True, kw_only=True, eq=False)
class WordPart:
    """What words do before genes."""

    table: pl.DataFrame
    """As `GeneWords.table` makes it."""
    promoter: int
    """Bases before each gene that were shuffled."""
    n_left_out: int
    """Genes that could not be drawn, as their promoters lie outside the model's window."""

    @property
    def n_genes(self) -> int:
        """Genes that words were put before."""
        return int(self.table["genes"][0])


def write_signal_part(place: GeneRegion, annotation: str, out: Path) -> None:
    """Predict the signal around the gene; write tracks.npz and tracks.svg."""
    reader, reference = place.reader, place.reference
    found = predict_signal(reader, reference, region_of_gene(reader, reference, place.body))
    write_signal(found, out / f"{SIGNAL}.npz")
    genes = genes_by_name(annotation, reference)
    draw_tracks(found, out / f"{SIGNAL}.svg", genes=genes, marked=place.region)


def write_base_part(
    place: GeneRegion, out: Path, *, sites: list[Site], motifs: Sequence[Motif], n_strongest: int
) -> BasePart:
    """Explain bases by gradients and by changes; write gradients and effects, .npz and .svg.

    Motifs are looked for in the effects of changes; hits are written as .tsv and .svg.
    """
    reader, region = place.reader, place.region
    slopes = attribute_to_gene(reader, place.reference, place.body, output=place.track)
    write_gradients(place, slopes, out / f"{GRADIENTS}.npz")
    draw_gradients(place, slopes, out / f"{GRADIENTS}.svg", sites=sites)
    found = mutate_for_gene(reader, place.reference, region, gene=place.body)
    write_map(place, found, out / f"{CHANGES}.npz")
    draw_map(place, found, out / f"{CHANGES}.svg", sites=sites)
    own, effects, hits = slopes.within(region), found.of(place.track), None
    if motifs:
        base_map = BaseMap.of_changes(found, gene=place.gene, track=place.track)
        hits = hits_in_map(base_map, motifs)
        write_table(hits, out / f"{HITS}.tsv")
        draw_hits(base_map, hits, out / f"{HITS}.svg")
    return BasePart(
        strongest=strongest_changes(found, place.track, sites=sites, n=n_strongest),
        changes=contrast_sites(np.abs(effects).max(axis=1), region, sites),
        gradients=contrast_sites(np.abs(own.contributions), region, sites),
        agreement=compare_with_changes(own, effects),
        hits=hits,
    )


def write_expected_part(
    place: GeneRegion, name: str, reader: Reader, *, sites: list[Site], out: Path
) -> ExpectedPart:
    """Hide each base of the region from a language model; write expected.svg and expected.tsv."""
    found = read_region(reader.model, place.reference, place.region, species=reader.species)
    shown = model_name(name)
    reading = write_region(
        found,
        out=out / f"{EXPECTED}.svg",
        title=f"{place.region}: what {shown} expects where a base is hidden",
        sites=sites,
        table=out / f"{EXPECTED}.tsv",
    )
    return ExpectedPart(shown, held_out(reader.card), reading)


def write_word_part(place: GeneRegion, chosen: ChosenWords, out: Path) -> WordPart:
    """Put words before genes; write words.tsv and words.svg."""
    found = words_for_genes(
        place.reader,
        place.reference,
        chosen.genes,
        words=chosen.words,
        distances=chosen.distances,
        config=chosen.config,
    )
    table = found.table(place.track, seed=chosen.config.seed)
    write_table(table, out / f"{WORDS}.tsv")
    draw_words(table, out / f"{WORDS}.svg", track=place.track)
    return WordPart(table=table, promoter=chosen.config.promoter, n_left_out=chosen.n_left_out)
