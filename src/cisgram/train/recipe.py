"""Recipes of pretraining."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from cisgram.core.artifact import sha256
from cisgram.core.checks import ConfigError, check_choice, check_range
from cisgram.core.config import to_plain
from cisgram.data.corpus_config import CorpusConfig
from cisgram.data.masking import MaskConfig
from cisgram.models.base import Model
from cisgram.train.config import OptimConfig, TrainConfig
from cisgram.train.tables import Tables

_TABLES = ("corpus", "model", "objective", "masking", "train", "optim")


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """What is guessed, and how much it counts by what it is part of."""

    kind: Literal["masked", "masked-tokens", "autoregressive"] = "masked"
    """Hidden bases from those around them; hidden tokens, of a model that reads tokens; or every
    base from those before it."""
    exon_weight: float = 1.0
    """Of bases in exons; 0.1 as published for Shorkie."""
    repeat_weight: float = 1.0
    """Of bases in repeats; 0.1 as published for Shorkie."""
    copies: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often a pass over the corpus shows each window of these genomes; once by default."""
    max_validation: int | None = None
    """Validation windows looked at, spread over all of them; all by default."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_range(self.exon_weight, "exon_weight", low=0)
        check_range(self.repeat_weight, "repeat_weight", low=0)
        if self.max_validation is not None:
            check_range(self.max_validation, "max_validation", low=1)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A pretraining run."""

    corpus: CorpusConfig
    """Genomes, windows and filters."""
    model: Mapping[str, Any]
    """`kind`, and the sizes that differ from the architecture's defaults."""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    """What is guessed, and weights of the loss."""
    masking: MaskConfig = field(default_factory=MaskConfig)
    """What is hidden."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """Length, batch and rhythm."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """Optimiser and learning rate."""
    directory: Path
    """Where relative paths of the corpus start: the recipe's own directory."""

    def __post_init__(self) -> None:
        """Check what the tables say of one another."""
        if self.corpus.valid is None:
            raise ConfigError(
                "[corpus] lacks valid, the contigs that choose which weights are kept; add it."
            )
        tricks = self.masking.random or self.masking.unchanged
        if self.objective.kind != "masked" and tricks:
            raise ConfigError(
                "random and unchanged in [masking] belong to the masked objective; got the "
                f"{self.objective.kind} one."
            )
        names = [genome.name for genome in self.corpus.genomes]
        for name, n in self.objective.copies.items():
            check_choice(name, names, "a genome of copies in [objective]")
            check_range(n, f"copies of {name}", low=0)

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a recipe.

        `extends` names a recipe beside it whose fields hold where this one has none, and
        `genomes` chooses some of that one's genomes by name.

        Raises:
            DataError: there is no such file.
            ConfigError: a table or a field of it is unknown, missing or cannot be used.
        """
        tables = Tables.read(path, _TABLES, needed=("corpus", "model"))
        return cls(
            corpus=CorpusConfig.from_plain(tables.plain["corpus"]),
            model=tables.model(),
            objective=tables.part(ObjectiveConfig, "objective"),
            masking=tables.part(MaskConfig, "masking"),
            train=tables.part(TrainConfig, "train"),
            optim=tables.part(OptimConfig, "optim"),
            directory=tables.path.parent,
        )

    def tables(self, model: Model) -> dict[str, Mapping[str, Any]]:
        """Return every field that makes the run, defaults too."""
        return {
            "corpus": to_plain(self.corpus),
            "model": {"kind": model.kind, **to_plain(model.config)},
            "objective": asdict(self.objective),
            "masking": asdict(self.masking),
            "train": asdict(self.train),
            "optim": asdict(self.optim),
        }

    def sources(self) -> dict[str, Any]:
        """Return what is learnt from and what is held out, hashes of the genomes by name."""
        genomes = {
            genome.name: sha256(self.directory / genome.fasta) for genome in self.corpus.genomes
        }
        held_out = {split: asdict(part) for split, part in self.corpus.held_out.items()}
        return {"genomes": genomes, "held_out": held_out}
