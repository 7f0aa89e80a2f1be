"""A model ready for predictions: weights, card, outputs, genome, genes, each file read once."""

import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from torch import nn

from cisgram.core.checks import CisgramWarning, ConfigError
from cisgram.core.device import best_device
from cisgram.data.outputs import Outputs
from cisgram.genome.genes import Genes
from cisgram.genome.packaged_genomes import packaged_genome, packaged_genome_names
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.ancestry import held_out_contigs, species_note
from cisgram.models.base import Model
from cisgram.models.hub import Card, load_model, species_number


class Session:
    """A model with all that its predictions need; what verbs take first."""

    def __init__(
        self,
        model: Model,
        *,
        name: str = "the model",
        card: Card | None = None,
        genome: Path | str | None = None,
        annotation: Path | str | None = None,
        species: int = 0,
    ) -> None:
        """Join a model with a genome.

        Args:
            model: the network.
            name: what messages and tables call it.
            card: facts about its training.
            genome: FASTA, reference directory or packaged genome; by default the one that the card
                names, opened when it is first needed.
            annotation: GTF or GFF3 of the genome's genes; a packaged genome has its own.
            species: number that the model knows the genome by.
        """
        self.model, self.name, self.card, self.species = model, name, card or {}, species
        self._genome, self._annotation = genome, annotation

    @classmethod
    def open(
        cls,
        name: Path | str,
        *,
        genome: Path | str | None = None,
        annotation: Path | str | None = None,
        species: str | None = None,
    ) -> Self:
        """Open packaged weights, a model's directory or a run of `cisgram train`.

        Args:
            name: such as `cisgram/yeast-lm`, or a path.
            genome: FASTA or packaged genome; the one that the model was trained on by default.
            annotation: GTF or GFF3 of its genes; a packaged genome has its own.
            species: which of the genomes that it was trained on the model is to take DNA for; the
                first by default.

        Raises:
            DataError: there is no such model, or it is damaged.
            ConfigError: it was not trained on that species.
        """
        model, card = load_model(name)
        return cls(
            model.to(best_device()),
            name=str(name),
            card=card,
            genome=genome,
            annotation=annotation,
            species=species_number(card, species),
        )

    def with_genome(self, genome: Path | str | None, annotation: Path | str | None = None) -> Self:
        """Return the same model on another genome; itself where none is named."""
        if genome is None and annotation is None:
            return self
        return type(self)(
            self.model,
            name=self.name,
            card=self.card,
            genome=genome if genome is not None else self._genome,
            annotation=annotation,
            species=self.species,
        )

    @property
    def outputs(self) -> Outputs:
        """What its predictions mean."""
        return self.model.outputs

    @cached_property
    def reference(self) -> Reference:
        """Sequence of the genome; a ConfigError where none is known.

        Warns where a genome was named and the model learnt no contig of it.
        """
        found = open_reference(self._named_genome)
        if self._genome is not None and (
            said := species_note(self.card, found, name=self.name, species=self.species)
        ):
            warnings.warn(said, CisgramWarning, stacklevel=2)
        return found

    @property
    def known_reference(self) -> Reference | None:
        """Sequence of the genome; None where no genome is known."""
        return None if self._known_genome is None else self.reference

    @cached_property
    def genes(self) -> Genes:
        """Genes of the genome; a ConfigError where the genome comes without."""
        source = self._annotation
        if source is None:
            source = self._named_genome
            if packaged_genome(source) is None:
                raise ConfigError(
                    f"the genome {source} comes without genes; add --annotation, its GTF or GFF3."
                )
        return Genes(source, self.reference)

    @property
    def held_out(self) -> str:
        """Which DNA the model was not trained on, in a sentence, as far as its card says."""
        return held_out_sentence(self.card)

    @property
    def has_genes(self) -> bool:
        """Whether genes are known without asking for an annotation."""
        genome = self._known_genome
        has_own = genome is not None and packaged_genome(genome) is not None
        return self._annotation is not None or has_own

    def gene_names(self, genes: Iterable[str]) -> list[str]:
        """Return the names of genes by identifier; the identifier where no name is known."""
        known = self.genes.names if self.has_genes else {}
        return [known.get(gene, gene) for gene in genes]

    @property
    def _known_genome(self) -> Path | str | None:
        """The genome that was named, or the packaged one that the card names."""
        genome = self.card.get("genome")
        packaged = genome if genome is not None and packaged_genome(genome) is not None else None
        return packaged if self._genome is None else self._genome

    @property
    def _named_genome(self) -> Path | str:
        if self._known_genome is not None:
            return self._known_genome
        known, genome = ", ".join(packaged_genome_names()), self.card.get("genome")
        if genome is None:
            raise ConfigError(
                f"{self.name} does not say which genome it is of; add --genome, a FASTA or {known}."
            )
        raise ConfigError(
            f"{self.name} is of the genome {genome}, which is not in the package; add --genome, "
            f"its FASTA, or update cisgram (there is {known})."
        )


def as_session(model: "Session | Model | Path | str") -> Session:
    """Return a session of what names or is a model."""
    if isinstance(model, Session):
        return model
    if isinstance(model, Model):
        return Session(model, name=model.kind)
    if isinstance(model, nn.Module):
        raise ConfigError(
            f"a plain {type(model).__name__} is no model of cisgram; wrap it with cisgram.wrap("
            "network, outputs=[...], window=...)."
        )
    return Session.open(model)


def held_out_sentence(card: Mapping[str, Any]) -> str:
    """Say which contigs a network was not trained on, as far as its card says.

    >>> held_out_sentence({"held_out": {"valid": ["chrXI"], "test": ["chrXII", "chrXIV"]}})
    'By its card it was trained without chrXII, chrXIV; its checkpoint was chosen on chrXI.'
    >>> held_out_sentence({})
    'Its card does not say which DNA was held out, so it may have been trained on this region.'
    """
    test, valid = (_contigs(card, split) for split in ("test", "valid"))
    if not (test or valid):
        return (
            "Its card does not say which DNA was held out, so it may have been trained on this "
            "region."
        )
    said = [f"it was trained without {test}"] if test else []
    said += [f"its checkpoint was chosen on {valid}"] if valid else []
    return f"By its card {'; '.join(said)}."


def _contigs(card: Mapping[str, Any], split: str) -> str:
    """Name the contigs that a model and those it started from held out, and their genome."""
    names = ", ".join(held_out_contigs(card, split))
    part = (card.get("held_out") or {}).get(split)
    genome = part.get("genome") if isinstance(part, Mapping) else None
    return f"{names} of {genome}" if names and genome else names
