"""The genome that a model is asked about: one that is named, or that of its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cisgram.core.checks import ConfigError
from cisgram.genome.packaged_genomes import packaged_genome, packaged_genome_names
from cisgram.genome.reference import Reference, open_reference

GENOME = "genome"
"""Where a card says which packaged genome its model learnt from."""


@dataclass(frozen=True, kw_only=True)
class GenomeOptions:
    """Which genome a model is asked about, and where its genes are."""

    genome: str | None = None
    """FASTA, or a packaged genome such as yeast-r64; the packaged one that the model learnt from by
    default."""
    annotation: str | None = None
    """GTF or GFF3 of its genes; a packaged genome has its own."""


OWN = GenomeOptions()
"""The genome that the model learnt from."""


def open_model_genome(card: Mapping[str, Any], options: GenomeOptions = OWN) -> Reference:
    """Open the genome that is named, or else the one that the model learnt from.

    Args:
        card: of the model.
        options: FASTA, reference artifact or packaged genome.

    Raises:
        DataError: the genome cannot be used.
        ConfigError: none is named, and the card has none that the package has.
    """
    return open_reference(_named_genome(card, options.genome))


def model_annotation(card: Mapping[str, Any], options: GenomeOptions = OWN) -> str:
    """Return what `read_genes` is to read for the genome that `open_model_genome` opens.

    Raises:
        ConfigError: none is named, and the genome's own is not known.
    """
    if options.annotation is not None:
        return options.annotation
    genome = _named_genome(card, options.genome)
    if packaged_genome(genome) is None:
        raise ConfigError(
            f"the genome {genome} comes without genes; add --annotation, its GTF or GFF3."
        )
    return genome


def _named_genome(card: Mapping[str, Any], genome: str | None) -> str:
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
