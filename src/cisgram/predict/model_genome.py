"""The genome that a model is asked about: one that is named, or that of its card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cisgram.core.checks import ConfigError
from cisgram.genome.packaged_genomes import packaged_genome, packaged_genome_names
from cisgram.genome.reference import Reference, open_reference

GENOME = "genome"
"""Where a card says which packaged genome its model learnt from."""


def open_model_genome(card: Mapping[str, Any], genome: Path | str | None) -> Reference:
    """Open the genome that is named, or else the one that the model learnt from.

    Args:
        card: of the model.
        genome: FASTA, reference artifact or packaged genome.

    Raises:
        DataError: the genome cannot be used.
        ConfigError: none is named, and the card has none that the package has.
    """
    return open_reference(_named_genome(card, genome))


def model_annotation(
    card: Mapping[str, Any], *, genome: Path | str | None, annotation: Path | str | None
) -> Path | str:
    """Return what `read_genes` is to read for the genome that `open_model_genome` opens.

    Args:
        card: of the model.
        genome: what that function was given.
        annotation: GTF, GFF3 or packaged genome; for a packaged genome its own by default.

    Raises:
        ConfigError: none is named, and the genome's own is not known.
    """
    if annotation is not None:
        return annotation
    genome = _named_genome(card, genome)
    if packaged_genome(genome) is None:
        raise ConfigError(
            f"the genome {genome} comes without genes; add --annotation, its GTF or GFF3."
        )
    return genome


def _named_genome(card: Mapping[str, Any], genome: Path | str | None) -> Path | str:
    if genome is not None:
        return genome
    known, own = ", ".join(packaged_genome_names()), card.get(GENOME)
    if own is None:
        raise ConfigError(
            f"the model does not say which genome it is of; add --genome, a FASTA or {known}."
        )
    if packaged_genome(own) is None:
        raise ConfigError(
            f"the model is of the genome {own}, which is not in the package; add --genome, "
            f"its FASTA, or update cisgram (there is {known})."
        )
    return own
