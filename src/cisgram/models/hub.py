"""Models by name and on disk: weights as safetensors; sizes, outputs and card in the manifest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cisgram.core.artifact import create_artifact, damage_errors, open_artifact
from cisgram.core.checks import ConfigError, DataError, check_choice
from cisgram.core.config import from_plain, to_plain
from cisgram.core.device import shapes_only
from cisgram.data.outputs import Outputs
from cisgram.models.ancestry import summarised
from cisgram.models.base import Model
from cisgram.models.registry import architectures, build_model, is_registered, model_config

KIND, VERSION, WEIGHTS = "model", 2, "weights.safetensors"
_PACKAGED, _OURS = Path(__file__).parent / "weights", "cisgram/"
"""Weights that come with the package: `cisgram/NAME` is the directory NAME."""

Card = dict[str, Any]
"""Facts about a model's training, as JSON holds them."""


def save_model(
    path: Path | str,
    model: Model,
    *,
    card: Card,
    dtype: torch.dtype | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model with its card to a directory.

    `dtype` is that of the stored floating-point numbers; as they are by default.

    Raises:
        DataError: `path` exists and may not be replaced, or the disk is full.
        ConfigError: it is of no registered architecture, such as a wrapped network.
    """
    from safetensors.torch import save_file

    if not is_registered(model.kind):
        raise ConfigError(
            f"a model of kind {model.kind} cannot be saved, as no architecture of that name could "
            "load it; save the weights of its network."
        )
    metadata = {
        "model": model.kind,
        "config": to_plain(model.config),
        "outputs": to_plain(model.outputs),
        "card": card,
    }
    with create_artifact(
        path, kind=KIND, version=VERSION, metadata=metadata, overwrite=overwrite
    ) as building:
        weights = {name: value.detach() for name, value in model.state_dict().items()}
        for name, value in weights.items():
            kept = dtype if dtype and value.is_floating_point() else value.dtype
            weights[name] = value.to(kept).contiguous()
        save_file(weights, building / WEIGHTS)
        (building / WEIGHTS).chmod(0o644)  # others may read it, as the manifest


def load_model(name: Path | str) -> tuple[Model, Card]:
    """Return a model, ready to predict in single precision, and its card.

    Args:
        name: packaged weights such as `cisgram/yeast-lm`, a directory that `save_model` wrote,
            or a run of `cisgram train`.

    Raises:
        DataError: it is none of them, or damaged.
    """
    from safetensors.torch import load_file

    path = model_directory(name)
    metadata = open_artifact(path, kind=KIND, version=VERSION).metadata
    with damage_errors(path):
        model = _built(metadata, str(path))
        weights = {
            name: value.float() if value.is_floating_point() else value
            for name, value in load_file(path / WEIGHTS).items()
        }
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(f"{path} has weights of another architecture; make it again.") from error
    return model.eval(), metadata["card"]


def _built(metadata: Mapping[str, Any], where: str) -> Model:
    kind = metadata["model"]
    if not is_registered(kind):
        raise ConfigError(
            f"{where} is of kind {kind}, which no module that was imported defines; import the one "
            "that does first."
        )
    config = model_config(kind, metadata["config"], where)
    return build_model(kind, config, from_plain(Outputs, metadata["outputs"], where))


def species_number(card: Card, name: str | None) -> int:
    """Return the number that a model knows a genome by: its place among those it was trained on.

    That is the first where no name is given.

    Raises:
        ConfigError: the model's card names no such genome.
    """
    if name is None:
        return 0
    genomes = list(card.get("genomes", {}))
    if not genomes:
        raise ConfigError(f"the model names no genomes; leave out species {name!r}.")
    return genomes.index(check_choice(name, genomes, "species"))


def packaged_model(name: str) -> Path | None:
    """Return where the weights of that name lie in the package, if they do."""
    path = _PACKAGED / name.removeprefix(_OURS)
    return path if name.startswith(_OURS) and path.is_dir() else None


def packaged_models() -> tuple[str, ...]:
    """Return the names of the weights in the package."""
    return tuple(_OURS + path.name for path in sorted(_PACKAGED.glob("*")))


def model_directory(name: Path | str) -> Path:
    """Return where the weights of that name are: in the package, a run, or a directory.

    Raises:
        DataError: there is nothing of that name.
    """
    path = packaged_model(str(name)) or Path(name)
    if not path.is_dir():
        raise DataError(
            f"there is no model {str(name)!r}; name a directory of a model or a run, or one of "
            f"{', '.join(packaged_models())}."
        )
    return path / "model" if (path / "model").is_dir() else path


def describe(name: str) -> dict[str, Any]:
    """Return what can be said of an architecture or trained model without running it.

    An architecture is described at its defaults, which are the published sizes.

    Returns:
        `name`, `kind`, `trained`, `description`, `outputs` (a summary), `n_parameters`, `licence`,
        `runs_here` and `config`; of weights their `bytes` and the rest of the card too.

    Raises:
        DataError: it is neither.
    """
    if name in architectures():
        config = model_config(name, {}, name)
        with shapes_only():
            outputs: Outputs = getattr(config, "default_outputs", Outputs.of_bases())
            model = build_model(name, config, outputs)
        return _facts(name, model, trained=False)
    path = model_directory(name)
    metadata = open_artifact(path, kind=KIND, version=VERSION).metadata
    with damage_errors(path), shapes_only():
        model = _built(metadata, str(path))
    own = _facts(name, model, trained=True)
    return own | summarised(metadata["card"]) | {"bytes": (path / WEIGHTS).stat().st_size}


def _facts(name: str, model: Model, *, trained: bool) -> dict[str, Any]:
    outputs = model.outputs
    return {
        "name": name,
        "kind": model.kind,
        "trained": trained,
        "description": (type(model).__doc__ or "").partition("\n")[0],
        "outputs": summary(outputs),
        "names": [*outputs.gene_targets, *outputs.names],
        "units": dict(outputs.units),
        "n_parameters": model.n_parameters,
        "licence": "Apache-2.0" if not trained else "",
        "runs_here": True,
        "config": to_plain(model.config),
    }


def summary(outputs: Outputs) -> str:
    """Say in a few words what a model predicts.

    >>> summary(Outputs.of_bases())
    'bases'
    """
    if outputs.are_bases:
        return "bases"
    per = {"window": "window outputs", "bin": "tracks", "base": "tracks", "token": "tokens"}
    named = f"{len(outputs.names):,} {per[outputs.row]}" if outputs.names else ""
    targets = f"{len(outputs.gene_targets):,} gene targets" if outputs.gene_targets else ""
    return ", ".join(part for part in (targets, named) if part)
