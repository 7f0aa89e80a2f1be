"""Recipes: whole runs as tables of TOML, only what differs from the defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from cisgram.core.checks import ConfigError, few
from cisgram.core.config import from_plain, read_toml

Part = TypeVar("Part")


@dataclass(frozen=True)
class Tables:
    """The tables of a recipe, those of the recipe that it extends beneath them."""

    path: Path
    plain: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path | str, known: Sequence[str], *, needed: Sequence[str]) -> Self:
        """Read a recipe that has some of the tables `known`, those `needed` among them.

        Raises:
            DataError: there is no such file.
            ConfigError: a table is unknown or missing, or no architecture is named.
        """
        path = Path(path)
        plain = _read_extended(path)
        for name in plain:
            if name not in known:
                raise ConfigError(
                    f"{path} has no table {name!r}; a recipe knows {', '.join(known)}."
                )
        for name in needed:
            if name not in plain:
                raise ConfigError(f"{path} lacks the table [{name}]; add it.")
        if not isinstance(plain["model"].get("kind"), str):
            raise ConfigError(f"[model] of {path} lacks kind, the architecture; add it.")
        return cls(path, plain)

    def part(self, kind: type[Part], name: str) -> Part:
        """Return a table as a dataclass, whose defaults hold where the recipe says nothing.

        Raises:
            ConfigError: a field is unknown, missing or cannot be used.
        """
        return from_plain(kind, self.plain.get(name, {}), f"[{name}] of {self.path}")

    def model(self) -> dict[str, Any]:
        """Return the table of the model as it is written."""
        return dict(self.plain["model"])


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
