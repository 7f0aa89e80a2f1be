"""What can be said of a model without running it."""

from pathlib import Path
from typing import Any

import torch

from cisgram.core.config import to_plain
from cisgram.models.checkpoint import WEIGHTS, load_model, model_directory
from cisgram.models.registry import architectures, build_model


def describe(name: str) -> dict[str, Any]:
    """Return a model's sizes and, of weights, their card.

    An architecture is described at its defaults, which are the published sizes.

    Args:
        name: an architecture, packaged weights, a model directory or a run.

    Raises:
        DataError: it is none of them.
    """
    if name in architectures():
        with torch.device("meta"):  # shapes are enough, and take no time
            model = build_model(name, {}, name)
        return {
            "model": name,
            "description": _first_line(model),
            "n_parameters": model.n_parameters,
            "config": to_plain(model.config),
        }
    path = model_directory(Path(name) if Path(name).exists() else name)
    model, card = load_model(path)
    return {
        "model": name,
        "description": card.get("description", _first_line(model)),
        "kind": model.kind,
        "n_parameters": model.n_parameters,
        "bytes": (path / WEIGHTS).stat().st_size,
        "config": to_plain(model.config),
        **card,
    }


def _first_line(model: object) -> str:
    return (type(model).__doc__ or "").partition("\n")[0]
