"""Recipes of models that predict signal and numbers of genes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from cisgram.core.artifact import sha256
from cisgram.core.checks import check_range
from cisgram.core.config import to_plain
from cisgram.data.targets_config import TargetsConfig
from cisgram.models.base import Model
from cisgram.train.config import OptimConfig, TrainConfig
from cisgram.train.tables import Tables

_TABLES = ("targets", "model", "loss", "train", "optim")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What counts how much."""

    total_weight: float = 0.2
    """Of how much signal a window has, against where it lies."""
    value_weight: float = 1.0
    """Of the numbers of genes, against the signal."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_range(self.total_weight, "total_weight", low=0)
        check_range(self.value_weight, "value_weight", low=0)


@dataclass(frozen=True, kw_only=True)
class TrackRecipe:
    """A run that learns tracks and genes, from a trained language model or from nothing."""

    targets: TargetsConfig
    """Genome, signal, numbers of genes, and what is held out."""
    model: Mapping[str, Any]
    """`kind`, and the sizes that differ from the architecture's defaults."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What counts how much."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """Length, batch and rhythm; `start` may name a language model, whose trunk is taken."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """Optimiser and learning rate."""
    directory: Path
    """Where relative paths of the targets start: the recipe's own directory."""

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a recipe; `extends` names one beside it whose fields hold where it has none.

        Raises:
            DataError: there is no such file.
            ConfigError: a table or a field of it is unknown, missing or cannot be used.
        """
        tables = Tables.read(path, _TABLES, needed=("targets", "model"))
        return cls(
            targets=tables.part(TargetsConfig, "targets"),
            model=tables.model(),
            loss=tables.part(LossConfig, "loss"),
            train=tables.part(TrainConfig, "train"),
            optim=tables.part(OptimConfig, "optim"),
            directory=tables.path.parent,
        )

    def tables(self, model: Model) -> dict[str, Mapping[str, Any]]:
        """Return every field that makes the run, defaults too."""
        return {
            "targets": to_plain(self.targets),
            "model": {"kind": model.kind, **to_plain(model.config)},
            "loss": asdict(self.loss),
            "train": asdict(self.train),
            "optim": asdict(self.optim),
        }

    def sources(self) -> dict[str, Any]:
        """Return what is learnt from and what is held out, hashes of the files by what they are."""
        files = {what: sha256(self.directory / file) for what, file in self.targets.files.items()}
        held_out = {split: getattr(self.targets, split) for split in ("valid", "test")}
        return {"files": files, "held_out": held_out}
