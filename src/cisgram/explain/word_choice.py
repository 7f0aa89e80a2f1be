"""Words and genes to put them before, checked before anything long is computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cisgram.explain.gene_words import check_words, with_promoters
from cisgram.explain.motifs import Motif
from cisgram.explain.word_options import GeneSample, WordConfig, WordOptions
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.predict.gene_places import gene_places
from cisgram.predict.tracks import TrackReader


@dataclass(frozen=True, kw_only=True)
class WordRequest:
    """What is asked of words: which, before which genes, and how."""

    chosen: WordOptions
    sample: GeneSample
    config: WordConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class ChosenWords:
    """Words that can be put before genes."""

    words: tuple[Motif, ...]
    distances: tuple[int, ...]
    genes: Mapping[str, Interval]
    """Bodies of those that are drawn, on their strands."""
    n_left_out: int
    """Genes that could not be drawn, as their promoters lie outside the model's window."""
    config: WordConfig


def choose_words(
    reader: TrackReader, reference: Reference, annotation: Path | str, *, asked: WordRequest
) -> ChosenWords:
    """Read words and draw the genes that they are put before.

    Args:
        reader: the model.
        reference: the genome.
        annotation: GTF or GFF3 of its genes.
        asked: words, genes and how.

    Raises:
        ConfigError: there are no words or distances, or one does not fit into the promoter.
        DataError: a file cannot be used, or fewer than two genes have their promoters in the
            model's window.
    """
    words, distances = asked.chosen.read_motifs(), asked.chosen.read_distances()
    check_words(words, distances, promoter=asked.config.promoter)
    named = gene_places(annotation, reference, genes=asked.sample.genes)
    usable = with_promoters(reader, reference, named, promoter=asked.config.promoter)
    return ChosenWords(
        words=words,
        distances=distances,
        genes=asked.sample.draw(usable, seed=asked.config.seed),
        n_left_out=len(named) - len(usable),
        config=asked.config,
    )
