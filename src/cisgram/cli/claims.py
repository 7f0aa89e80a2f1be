"""What a command writes: held from its start, and never over what is there unasked."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass, replace
from inspect import BoundArguments
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, get_args

from cyclopts import Parameter

from cisgram.core.checks import CisgramError, ConfigError
from cisgram.core.pipes import is_pipe, spool
from cisgram.core.places import check_new, hold, real_place

_OUTPUTS = ("out", "out_bigwig", "json", "figure", "table")
"""Names of the options whose value is written to."""

Overwrite = Annotated[
    bool, Parameter(negative="", help="Replace what is there; by default it is left alone.")
]
"""Option of every command that writes files; `claimed` acts on it."""

Directory = Annotated[Path, Parameter()]
"""Output of a command that finds out itself what may be there."""


@contextmanager
def claimed(bound: BoundArguments) -> Generator[None]:
    """Hold every place that a command line names to write to.

    Raises:
        ConfigError: one is a stream or a device, or two are the same.
        DataError: another process holds one, or a file is there and --overwrite is not.
    """
    bound.apply_defaults()
    overwrite = bound.arguments.get("overwrite", False)
    kinds = {name: parameter.annotation for name, parameter in bound.signature.parameters.items()}
    places: dict[Path, str] = {}
    with ExitStack() as held:
        for option, path in _outputs(bound.arguments):
            place = real_place(path).absolute()
            if place in places:
                both = f"{_spelled(places[place])} and {_spelled(option)}"
                raise ConfigError(f"{both} name {path}; name two files.")
            places[place] = option
            is_directory = Directory in (kinds.get(option), *get_args(kinds.get(option)))
            held.enter_context(hold(path))  # first, as it removes what a killed command left
            if not is_directory and not path.is_dir():
                check_new(path, overwrite=overwrite)
        yield


@contextmanager
def spooled(bound: BoundArguments) -> Generator[None]:
    """Keep every input that is a pipe in a temporary file, which the command reads in its place.

    Errors name the pipe.
    """
    with TemporaryDirectory(prefix="cisgram-") as directory:
        files: dict[str, str] = {}
        for name, value in bound.arguments.items():
            if name not in _OUTPUTS:
                bound.arguments[name] = _without_pipes(value, Path(directory), files)
        try:
            yield
        except CisgramError as error:
            text = str(error)
            for file, pipe in files.items():
                text = text.replace(file, pipe)
            raise type(error)(text) from error


def _without_pipes(value: Any, directory: Path, files: dict[str, str]) -> Any:
    """Return a value in which files stand for pipes, and note which is which."""
    if isinstance(value, Path | str) and is_pipe(value):
        files[str(file := spool(value, directory))] = str(value)
        return type(value)(file)
    if isinstance(value, list | tuple):
        return type(value)(_without_pipes(one, directory, files) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        old = {field.name: getattr(value, field.name) for field in fields(value)}
        inputs = {name: one for name, one in old.items() if name not in _OUTPUTS}
        new = {name: _without_pipes(one, directory, files) for name, one in inputs.items()}
        changed = {name: one for name, one in new.items() if one != old[name]}
        return replace(value, **changed) if changed else value
    return value


def _outputs(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Yield the options that name a place to write to, those in tables of options among them."""
    for name, value in arguments.items():
        if name in _OUTPUTS and isinstance(value, Path):
            yield name, value
        elif is_dataclass(value):
            yield from _outputs(vars(value))


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"
