"""Configurations: frozen dataclasses that are read from TOML and written as JSON."""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from cisgram.core.checks import ConfigError, read_text

Config = TypeVar("Config")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "Path": "a path",
}


def read_toml(path: Path | str) -> dict[str, Any]:
    """Return the tables of a TOML file."""
    try:
        return tomllib.loads(read_text(path, "recipe"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"recipe {path} is no TOML: {error}; correct it.") from error


def from_plain(kind: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Build a dataclass from TOML's or JSON's types, nested ones and tuples of them included.

    Args:
        kind: the dataclass.
        values: its fields by name.
        where: what messages call the place, such as `[model] of recipe.toml`.

    Raises:
        ConfigError: a field is unknown, missing, or of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise ConfigError(f"{where} has no field {name!r}; it knows {', '.join(fields)}.")
    for name, field in fields.items():
        needed = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if needed and name not in values:
            raise ConfigError(f"{where} lacks the field {name!r}; add it.")
    return kind(
        **{
            name: _convert(hints[name], value, f"{name} in {where}")
            for name, value in values.items()
        }
    )


def to_plain(config: Any) -> dict[str, Any]:
    """Return a dataclass as what JSON can hold; the reverse of `from_plain`."""
    return {
        field.name: _plain(getattr(config, field.name))
        for field in dataclasses.fields(config)
        if field.init
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_plain(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in typing.cast("list[Any]", value)]
    return str(value) if isinstance(value, Path) else value


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _convert(next(a for a in arguments if a is not type(None)), value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be a table; got {value!r}.")
        return from_plain(hint, typing.cast("Mapping[str, Any]", value), where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} must be a list; got {value!r}.")
        listed = typing.cast("list[Any]", value)
        return tuple(_convert(arguments[0], item, where) for item in listed)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be a table; got {value!r}.")
        items = typing.cast("Mapping[str, Any]", value).items()
        return {name: _convert(arguments[1], item, f"{name} of {where}") for name, item in items}
    if origin is typing.Literal:
        if value not in arguments:
            choices = ", ".join(map(str, arguments))
            raise ConfigError(f"{where} must be one of {choices}; got {value!r}.")
        return value
    return _convert_scalar(hint, value, where)


def _convert_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    is_exact = isinstance(value, hint) and not (hint is not bool and isinstance(value, bool))
    if not is_exact:
        raise ConfigError(f"{where} must be {_WORDS[hint.__name__]}; got {value!r}.")
    return value
