"""One gene from its sequence: the signal around it, and what bases and words before it do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisgram.core.artifact import disk_errors
from cisgram.explain.gene_regions import GeneRegion, find_gene_region
from cisgram.explain.motifs import Motif
from cisgram.explain.region_options import RegionOptions
from cisgram.explain.word_choice import WordRequest, choose_words
from cisgram.genome.genes import read_genes
from cisgram.models.checkpoint import open_reader
from cisgram.predict.genes import predict_genes
from cisgram.predict.model_genome import OWN, GenomeOptions, model_annotation
from cisgram.report.gene_parts import (
    CHANGES,
    EXPECTED,
    GRADIENTS,
    HITS,
    SIGNAL,
    WORDS,
    BasePart,
    ExpectedPart,
    WordPart,
    write_base_part,
    write_expected_part,
    write_signal_part,
    write_word_part,
)
from cisgram.report.inline_svg import inline_svg
from cisgram.report.region import check_drawable
from cisgram.report.sites import known_sites
from cisgram.report.words import held_out, model_name


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneSection:
    """What is shown of a gene."""

    model: str
    held_out: str
    """What the model learnt nothing from, in a sentence."""
    gene: str
    name: str
    region: str
    n_bases: int
    track: str
    """Number of the gene that effects are on."""
    numbers: dict[str, float]
    """What is predicted of the gene as it is."""
    n_sites: int
    """Known sites that lie in the region or reach into it."""
    bases: BasePart
    expected: ExpectedPart | None
    """None where no language model was named."""
    words: WordPart | None
    """None where no words were named."""
    directory: Path
    """Where pictures and arrays lie."""

    @property
    def level(self) -> float:
        """What is predicted of the gene's own number."""
        return self.numbers[self.track]

    def plain(self) -> dict[str, Any]:
        """Return it as what JSON can hold, without the pictures."""
        names = ("model", "held_out", "gene", "name", "region", "track", "numbers")
        found = {name: getattr(self, name) for name in names}
        found |= {"strongest": [change._asdict() for change in self.bases.strongest]}
        parts = ("changes", "gradients", "agreement")
        found |= {name: getattr(self.bases, name)._asdict() for name in parts}
        if self.bases.hits is not None:
            found["hits"] = self.bases.hits.to_dicts()
        if self.expected is not None:
            own = self.expected._asdict()
            found["expected"] = own | {"reading": self.expected.reading.plain()}
        if self.words is not None:
            found["words"] = self.words.table.to_dicts()
        return found

    @property
    def pictures(self) -> dict[str, str]:
        """An svg element of each part, by its name."""
        parts = [SIGNAL, CHANGES, GRADIENTS]
        if self.bases.hits is not None:
            parts.append(HITS)
        if self.expected is not None:
            parts.append(EXPECTED)
        if self.words is not None:
            parts.append(WORDS)
        return {part: inline_svg(self.directory / f"{part}.svg", part) for part in parts}


def make_gene_section(
    asked: RegionOptions,
    *,
    out: Path,
    genome: GenomeOptions = OWN,
    sites: Path | None = None,
    motifs: Sequence[Motif] = (),
    language_model: str | None = None,
    words: WordRequest | None = None,
    n_strongest: int = 5,
) -> GeneSection:
    """Explain a gene in every way; write arrays and pictures.

    What cannot be used is refused before anything long is computed, and leaves nothing behind.

    Args:
        asked: model, region near the gene, gene, and its number or track.
        out: directory for tracks, effects and gradients (.npz, .svg), expected and words (.tsv,
            .svg), and hits of motifs (.tsv, .svg).
        genome: what the region is of; what the model learnt from by default.
        sites: BED of known sites.
        motifs: are looked for in the region.
        language_model: packaged weights, a model directory or a run; what it expects in the region
            is shown, if it is named.
        words: are put before genes and shown, if they are named.
        n_strongest: changes that are listed.

    Raises:
        ConfigError: the model predicts no tracks, the language model is none, the region is too
            far from the gene, or words do not fit.
        DataError: there is no such gene, or a file cannot be used or written.
    """
    place = find_gene_region(asked, genome=genome)
    card, reference = place.reader.card, place.reference
    annotation, known = model_annotation(card, genome), known_sites(sites, reference)
    language = None
    if language_model is not None:
        check_drawable(place.region)
        language = language_model, open_reader(language_model, species=None)
    chosen = None
    if words is not None:
        chosen = choose_words(place.reader, reference, annotation, asked=words)
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    write_signal_part(place, annotation, out)
    return GeneSection(
        model=model_name(asked.model),
        held_out=held_out(card),
        gene=place.gene,
        name=_name(place, annotation),
        region=str(place.region),
        n_bases=place.region.length,
        track=place.track,
        numbers=_numbers(place),
        n_sites=sum(site.place.overlaps(place.region) for site in known),
        bases=write_base_part(place, out, sites=known, motifs=motifs, n_strongest=n_strongest),
        expected=None
        if language is None
        else write_expected_part(place, *language, sites=known, out=out),
        words=None if chosen is None else write_word_part(place, chosen, out),
        directory=out,
    )


def _name(place: GeneRegion, annotation: str) -> str:
    return dict(read_genes(annotation).genes.select("gene", "name").iter_rows())[place.gene]


def _numbers(place: GeneRegion) -> dict[str, float]:
    kept = predict_genes(place.reader, place.reference, [place.body])[0].tolist()
    return dict(zip(place.reader.columns.of_a_gene, kept, strict=True))
