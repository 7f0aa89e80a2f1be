"""Recipes: whole pretraining runs as TOML, only what differs from the defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from cisgram.core.checks import ConfigError, check_choice, check_range, few
from cisgram.core.config import from_plain, read_toml
from cisgram.data.corpus_config import CorpusConfig
from cisgram.data.masking import MaskConfig
from cisgram.train.config import OptimConfig, TrainConfig

Part = TypeVar("Part")
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
        path = Path(path)
        plain = _read_extended(path)
        for name in plain:
            if name not in _TABLES:
                raise ConfigError(
                    f"{path} has no table {name!r}; a recipe knows {', '.join(_TABLES)}."
                )
        for name in ("corpus", "model"):
            if name not in plain:
                raise ConfigError(f"{path} lacks the table [{name}]; add it.")
        if not isinstance(plain["model"].get("kind"), str):
            raise ConfigError(f"[model] of {path} lacks kind, the architecture; add it.")

        def part(kind: type[Part], name: str) -> Part:
            return from_plain(kind, plain.get(name, {}), f"[{name}] of {path}")

        return cls(
            corpus=CorpusConfig.from_plain(plain["corpus"]),
            model=plain["model"],
            objective=part(ObjectiveConfig, "objective"),
            masking=part(MaskConfig, "masking"),
            train=part(TrainConfig, "train"),
            optim=part(OptimConfig, "optim"),
            directory=path.parent,
        )


def _read_extended(path: Path, *above: str) -> dict[str, Any]:
    """Read a recipe over the one it extends, table by table."""
    plain = read_toml(path)
    base = plain.pop("extends", None)
    chosen = plain.pop("genomes", None)
    if base is None and chosen is None:
        return plain
    if not isinstance(base, str) or Path(base).name != base:
        raise ConfigError(
            f'extends in {path} must name a recipe beside it, as in "yeast-lm.toml"; got {base!r}.'
        )
    if base in (path.name, *above):
        raise ConfigError(f"{path} extends itself in the end; name another recipe.")
    joined = _read_extended(path.with_name(base), path.name, *above)
    for table, fields in plain.items():
        if not isinstance(fields, dict):
            raise ConfigError(f"{table} in {path} stands outside the tables; move it into one.")
        joined[table] = joined.get(table, {}) | fields
    if chosen is not None:
        joined["corpus"] = joined["corpus"] | {"genomes": _choose(joined, chosen, path)}
    return joined


def _choose(plain: Mapping[str, Any], chosen: Any, path: Path) -> list[Any]:
    genomes = {genome.get("name"): genome for genome in plain["corpus"].get("genomes", [])}
    if not isinstance(chosen, list) or not chosen or not set(chosen) <= set(genomes):
        raise ConfigError(
            f"genomes in {path} must be a list of some of {few(list(genomes), 20)}; got {chosen!r}."
        )
    return [genome for name, genome in genomes.items() if name in chosen]
