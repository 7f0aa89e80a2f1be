"""Architectures and packaged weights by name."""

from importlib import import_module
from pathlib import Path
from typing import Any

from cisgram.core.checks import ConfigError, check_choice
from cisgram.core.config import from_plain
from cisgram.models.base import LanguageModel, Model

_ARCHITECTURES = {
    "shorkie-lm": ("cisgram.models.shorkie", "ShorkieLM", "ShorkieConfig"),
    "dilated-lm": ("cisgram.models.dilated", "DilatedLM", "DilatedConfig"),
    "bert-lm": ("cisgram.models.bert", "BertLM", "BertConfig"),
    "dilated-cnn": ("cisgram.models.cnn", "DilatedCNN", "DilatedCNNConfig"),
    "enformer": ("cisgram.models.enformer", "Enformer", "EnformerConfig"),
    "shorkie": ("cisgram.models.shorkie_tracks", "ShorkieTracks", "ShorkieTracksConfig"),
    "ensemble": ("cisgram.models.ensemble", "EnsembleTracks", "EnsembleConfig"),
}
_WEIGHTS, _OURS = Path(__file__).parent / "weights", "cisgram/"
"""Weights that come with the package: `cisgram/NAME` is the directory NAME."""


def architectures() -> tuple[str, ...]:
    """Return the architectures that can be built."""
    return tuple(_ARCHITECTURES)


def build_model(kind: str, sizes: dict[str, Any], where: str) -> Model:
    """Build a model with random weights from plain values.

    Args:
        kind: name of the architecture.
        sizes: fields of its config that differ from the defaults.
        where: what messages call the place they come from.

    Raises:
        ConfigError: there is no such architecture, or a field cannot be used.
    """
    check_choice(kind, architectures(), f"kind in {where}")
    module, model, config = _ARCHITECTURES[kind]
    room = import_module(module)
    return getattr(room, model)(from_plain(getattr(room, config), sizes, where))


def require_language_model(model: Model, where: str) -> LanguageModel:
    """Return `model` when it is a language model.

    Raises:
        ConfigError: it predicts something else.
    """
    if not isinstance(model, LanguageModel):
        raise ConfigError(f"{where} is a {model.kind}, no language model; name one.")
    return model


def packaged_model(name: str) -> Path | None:
    """Return where the weights of that name lie in the package, if they do."""
    path = _WEIGHTS / name.removeprefix(_OURS)
    return path if name.startswith(_OURS) and path.is_dir() else None


def model_names() -> tuple[str, ...]:
    """Return every name that `load_model` or `build_model` knows."""
    return (*_ARCHITECTURES, *(_OURS + path.name for path in sorted(_WEIGHTS.glob("*"))))
