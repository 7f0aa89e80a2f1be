"""Models on disk: weights as safetensors, sizes and card in the manifest."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cisgram.core.artifact import create_artifact, damage_errors, open_artifact
from cisgram.core.checks import ConfigError, DataError, check_choice
from cisgram.core.config import to_plain
from cisgram.core.device import best_device
from cisgram.models.base import LanguageModel, Model
from cisgram.models.registry import (
    build_model,
    model_names,
    packaged_model,
    require_language_model,
)

KIND, VERSION, WEIGHTS = "model", 1, "weights.safetensors"


def save_model(
    path: Path | str,
    model: Model,
    *,
    card: dict[str, Any],
    dtype: torch.dtype | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model with its card, the facts about its training.

    Args:
        path: directory to make.
        model: architecture and weights.
        card: anything JSON can hold.
        dtype: of the stored floating-point numbers; as they are by default.
        overwrite: replace a model that is there.

    Raises:
        DataError: `path` exists and may not be replaced, or the disk is full.
    """
    from safetensors.torch import save_file

    metadata = {"model": model.kind, "config": to_plain(model.config), "card": card}
    with create_artifact(
        path, kind=KIND, version=VERSION, metadata=metadata, overwrite=overwrite
    ) as building:
        save_file(
            {name: _stored(value, dtype) for name, value in model.state_dict().items()},
            building / WEIGHTS,
        )
        (building / WEIGHTS).chmod(0o644)  # others may read it, as the manifest


def load_model(name: Path | str) -> tuple[Model, dict[str, Any]]:
    """Return a model, ready to predict in single precision, and its card.

    Args:
        name: packaged weights such as `cisgram/yeast-lm`, a directory that `save_model` wrote,
            or a run of `cisgram lm pretrain`.

    Raises:
        DataError: it is none of them, or damaged.
    """
    from safetensors.torch import load_file

    path = model_directory(name)
    metadata = open_artifact(path, kind=KIND, version=VERSION).metadata
    with damage_errors(path):
        model = build_model(metadata["model"], metadata["config"], str(path))
        weights = {key: _computed(value) for key, value in load_file(path / WEIGHTS).items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(f"{path} has weights of another architecture; make it again.") from error
    return model.eval(), metadata["card"]


def load_language_model(name: Path | str) -> tuple[LanguageModel, dict[str, Any]]:
    """Return a language model and its card, as `load_model` does.

    Raises:
        ConfigError: the model is none.
    """
    model, card = load_model(name)
    return require_language_model(model, str(name)), card


class Reader(NamedTuple):
    """A language model where it runs best, its card, and the number it is to take DNA for."""

    model: LanguageModel
    card: dict[str, Any]
    species: int


def open_reader(name: Path | str, *, species: str | None) -> Reader:
    """Return a language model that is ready to read one species, the first where none is named.

    Raises:
        DataError: there is no such model, or it is damaged.
        ConfigError: it is no language model, or did not learn that species.
    """
    model, card = load_language_model(name)
    return Reader(model.to(best_device()), card, species_number(card, species))


def species_number(card: dict[str, Any], name: str | None) -> int:
    """Return the number that a model knows a genome by: its place among those it learnt from.

    The first genome's where no name is given.

    Raises:
        ConfigError: the model's card names no such genome.
    """
    if name is None:
        return 0
    genomes = list(card.get("genomes", {}))
    if not genomes:
        raise ConfigError(f"the model names no genomes; leave out species {name!r}.")
    return genomes.index(check_choice(name, genomes, "species"))


def model_directory(name: Path | str) -> Path:
    """Return where the weights of that name are: in the package, a run, or a directory.

    Raises:
        DataError: there is nothing of that name.
    """
    path = packaged_model(str(name)) or Path(name)
    if not path.is_dir():
        raise DataError(
            f"there is no model {str(name)!r}; name a directory of a model or a run, or one of "
            f"{', '.join(model_names())}."
        )
    return path / "model" if (path / "model").is_dir() else path


def _stored(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    wanted = dtype if dtype is not None and value.is_floating_point() else value.dtype
    return value.detach().to(wanted).contiguous()


def _computed(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
