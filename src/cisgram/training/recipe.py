"""Recipes: whole runs as tables of TOML, only what differs from the defaults.

`[data]`, `[model]` and `[task]` each name a `kind`, which says what other fields they have;
`[train]` and `[optim]` are those of every run, and `[card]` is kept on the model's card. Above the
tables, `plugins` lists Python files that register kinds of their own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from cisgram.core.checks import ConfigError, few
from cisgram.core.config import from_plain, read_toml, to_plain
from cisgram.core.plugins import import_plugins
from cisgram.data.base import DataConfig, data_kind
from cisgram.models.base import ModelConfig
from cisgram.models.registry import model_config
from cisgram.training.config import OptimConfig, TrainConfig
from cisgram.training.task import Task, task_kind

TABLES = ("data", "model", "task", "train", "optim", "card")
_NAMED = ("data", "model", "task")


@dataclass(frozen=True, kw_only=True)
class CardConfig:
    """What a model's card says that its training does not."""

    description: str = ""
    """What the model is, in a sentence."""
    licence: str = ""
    """Terms of the weights."""
    genome: str | None = None
    """Packaged genome that the model is asked about by default, such as yeast-r64."""
    limits: tuple[str, ...] = ()
    """What the model does not know or should not be used for, a sentence each."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run."""

    data: DataConfig
    data_kind: str
    model: ModelConfig
    model_kind: str
    task: Task
    train: TrainConfig = field(default_factory=TrainConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    card: CardConfig = field(default_factory=CardConfig)
    plugins: tuple[Path, ...] = ()
    """Python files that were imported for the kinds."""
    directory: Path
    """Where relative paths start: the recipe's own directory."""

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a recipe.

        `extends` names a recipe beside it whose fields hold where this one has none, and `genomes`
        chooses some of that one's genomes by name. `plugins`, paths that start at the recipe's
        directory, are imported first.

        Raises:
            DataError: there is no such file.
            ConfigError: a table, a kind or a field is unknown, missing or cannot be used.
        """
        path = Path(path)
        plain = _read_extended(path)
        plugins = tuple(path.parent / file for file in plain.pop("plugins", ()))
        import_plugins(plugins)
        for name in plain:
            if name not in TABLES:
                raise ConfigError(
                    f"{path} has no table {name!r}; a recipe knows {', '.join(TABLES)}."
                )
        kinds = {name: _kind(plain, name, path) for name in _NAMED}
        where = {name: f"[{name}] of {path}" for name in TABLES}
        fields = {name: dict(plain.get(name, {})) for name in TABLES}
        for name in _NAMED:
            del fields[name]["kind"]
        model = model_config(kinds["model"], fields["model"], where["model"])
        data = data_kind(kinds["data"], where["data"])
        task = task_kind(kinds["task"], where["task"])
        found: DataConfig = from_plain(data.config, fields["data"], where["data"])
        return cls(
            data=found.for_geometry(model.geometry),
            data_kind=kinds["data"],
            model=model,
            model_kind=kinds["model"],
            task=task.task(from_plain(task.config, fields["task"], where["task"])),
            train=from_plain(TrainConfig, fields["train"], where["train"]),
            optim=from_plain(OptimConfig, fields["optim"], where["optim"]),
            card=from_plain(CardConfig, fields["card"], where["card"]),
            plugins=plugins,
            directory=path.parent,
        )

    def tables(self) -> dict[str, dict[str, Any]]:
        """Return every field that makes the run, defaults too."""
        return {
            "data": {"kind": self.data_kind, **to_plain(self.data)},
            "model": {"kind": self.model_kind, **to_plain(self.model)},
            "task": {"kind": self.task.kind, **to_plain(self.task.config)},
            "train": asdict(self.train),
            "optim": asdict(self.optim),
        }


def _kind(plain: Mapping[str, Any], name: str, path: Path) -> str:
    table = plain.get(name)
    if not isinstance(table, dict):
        raise ConfigError(f"{path} lacks the table [{name}]; add it.")
    kind: Any = table.get("kind")
    if not isinstance(kind, str):
        raise ConfigError(f"[{name}] of {path} lacks kind; add it.")
    return kind


def _read_extended(path: Path, *above: str) -> dict[str, Any]:
    """Read a recipe over the one it extends, table by table."""
    plain = read_toml(path)
    _check_plugins(plain.get("plugins", []), path)
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
    joined["plugins"] = [*joined.get("plugins", ()), *plain.pop("plugins", ())]
    for table, fields in plain.items():
        if not isinstance(fields, dict):
            raise ConfigError(f"{table} in {path} stands outside the tables; move it into one.")
        old = joined.get(table, {})
        # Fields of one kind mean nothing to another.
        other = "kind" in fields and fields["kind"] != old.get("kind")
        joined[table] = fields if other else old | fields
    if chosen is not None:
        joined["data"] = joined["data"] | {"genomes": _choose(joined, chosen, path)}
    return joined


def _check_plugins(listed: Any, path: Path) -> None:
    if not isinstance(listed, list) or not all(isinstance(file, str) for file in listed):
        raise ConfigError(
            f'plugins in {path} must be a list of Python files, as in ["my_model.py"]; '
            f"got {listed!r}."
        )


def _choose(plain: Mapping[str, Any], chosen: Any, path: Path) -> list[Any]:
    genomes = {genome.get("name"): genome for genome in plain["data"].get("genomes", [])}
    if not isinstance(chosen, list) or not chosen or not set(chosen) <= set(genomes):
        raise ConfigError(
            f"genomes in {path} must be a list of some of {few(list(genomes), 20)}; got {chosen!r}."
        )
    return [genome for name, genome in genomes.items() if name in chosen]
