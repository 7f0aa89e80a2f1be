"""Architectures by name.

A module of `cisgram.models` registers its architecture with `@architecture`; whatever module is
imported elsewhere can do the same.
"""

import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

import cisgram.models
from cisgram.core.checks import ConfigError, check_choice, check_range
from cisgram.core.config import from_plain
from cisgram.data.outputs import Outputs
from cisgram.models.base import Model, ModelConfig

Network = TypeVar("Network", bound=type[Model])


class Architecture(NamedTuple):
    """What is registered."""

    model: type[Model]
    config: type[ModelConfig]
    tiny: Mapping[str, Any]
    """Sizes of a network that is built and run in no time."""


_LARGEST, _DEEPEST = 2**24, 1_000
"""Most of any size, and of layers: beyond them no computer builds a network."""
_REGISTERED: dict[str, Architecture] = {}


def architecture(
    kind: str, config: type[Any], *, tiny: Mapping[str, Any]
) -> Callable[[Network], Network]:
    """Register a class of models under a name for recipes and files.

    `config` is a frozen dataclass of sizes, with defaults and a `geometry`; `tiny` are sizes of a
    network for tests.

    Raises:
        ConfigError: another class has the name.
    """

    def register(model: Network) -> Network:
        known = _REGISTERED.get(kind)
        if known is not None and known.model.__qualname__ != model.__qualname__:
            raise ConfigError(f"there is an architecture {kind} already; choose another name.")
        model.kind = kind
        _REGISTERED[kind] = Architecture(model, config, tiny)
        return model

    return register


def architectures() -> dict[str, Architecture]:
    """Return every architecture by its name; imports the modules of `cisgram.models`."""
    for module in pkgutil.walk_packages(cisgram.models.__path__, "cisgram.models."):
        import_module(module.name)
    return dict(sorted(_REGISTERED.items()))


def is_registered(kind: str) -> bool:
    """Say whether there is an architecture of that name."""
    return kind in _REGISTERED or kind in architectures()


def find_architecture(kind: str, where: str) -> Architecture:
    """Return an architecture; refuse a name that has none."""
    if not is_registered(kind):
        check_choice(kind, architectures(), f"kind in {where}")
    return _REGISTERED[kind]


def model_config(kind: str, sizes: Mapping[str, Any], where: str) -> ModelConfig:
    """Return the sizes of an architecture from fields that differ from the defaults.

    Raises:
        ConfigError: there is no such architecture, or a field cannot be used; `where` says where.
    """
    config = from_plain(find_architecture(kind, where).config, sizes, where)
    for name, held in vars(config).items():
        for size in held if isinstance(held, tuple) else (held,):
            if isinstance(size, int):
                most = _DEEPEST if name == "n_layers" else _LARGEST
                check_range(size, f"{name} in {where}", high=most)
    return config


def build_model(kind: str, config: ModelConfig, outputs: Outputs) -> Model:
    """Build a model with random weights; the architecture must be able to have the outputs."""
    model = find_architecture(kind, "the model").model
    try:
        return model(config, outputs)
    except (RuntimeError, OverflowError) as error:  # torch's words for more than can be
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(
            f"a {kind} of these sizes cannot be ({reason}); make it smaller."
        ) from error
