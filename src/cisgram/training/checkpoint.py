"""Everything a run needs to go on where it was, bit for bit.

Batches, masks and dropout follow from the seed and the step, so weights, optimiser and a few
numbers are all there is to keep. Nothing is pickled.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from cisgram.core.artifact import atomic_file, damage_errors
from cisgram.core.checks import DataError
from cisgram.core.stamps import BLANK, check_stamp, stamp

_MODEL, _OPTIM, _PROGRESS = "model.", "optim.", "progress"


@dataclass(kw_only=True)
class RunState:
    """Where a run is."""

    step: int = 0
    """Updates done."""
    seconds: float = 0.0
    """Spent on them, over all sessions."""
    best_loss: float = float("inf")
    """Lowest validation loss so far."""
    best_step: int = 0
    """When that was."""
    n_worse: int = 0
    """Validations since."""


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, state: RunState
) -> None:
    """Write a checkpoint over the last one, whole or not at all."""
    from safetensors.torch import save_file

    tensors = {_MODEL + name: value.contiguous() for name, value in model.state_dict().items()}
    names = _names(model, optimizer)
    for number, moments in optimizer.state_dict()["state"].items():
        for name, value in moments.items():
            tensors[f"{_OPTIM}{names[number]}.{name}"] = torch.as_tensor(value).contiguous()
    with atomic_file(path) as building:
        save_file(tensors, building, metadata={_PROGRESS: json.dumps(asdict(state)), **BLANK})
        stamp(building)


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> RunState:
    """Put a checkpoint into model and optimiser and return where the run was."""
    from safetensors import safe_open

    weights: dict[str, Tensor] = {}
    moments: dict[int, dict[str, Tensor]] = {}
    numbers = {name: number for number, name in enumerate(_names(model, optimizer))}
    with damage_errors(path):
        check_stamp(path)
    with damage_errors(path), safe_open(path, framework="pt") as stream:
        state = RunState(**json.loads(stream.metadata()[_PROGRESS]))
        for key in stream.keys():  # noqa: SIM118 - no mapping
            if key.startswith(_MODEL):
                weights[key.removeprefix(_MODEL)] = stream.get_tensor(key)
            else:
                parameter, name = key.removeprefix(_OPTIM).rsplit(".", 1)
                number = numbers.get(parameter, -1)
                moments.setdefault(number, {})[name] = stream.get_tensor(key)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise _another_model(path) from error
    if -1 in moments:
        raise _another_model(path)
    plain = optimizer.state_dict()
    optimizer.load_state_dict({"state": moments, "param_groups": plain["param_groups"]})
    return state


def checkpoint_step(path: Path) -> int:
    """Return the updates that a checkpoint comes after."""
    from safetensors import safe_open

    with damage_errors(path), safe_open(path, framework="pt") as stream:
        return int(json.loads(stream.metadata()[_PROGRESS])["step"])


def _names(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[str]:
    """Return the names of the optimiser's parameters, in its order."""
    names = {id(value): name for name, value in model.named_parameters()}
    return [names[id(value)] for group in optimizer.param_groups for value in group["params"]]


def _another_model(path: Path) -> DataError:
    return DataError(f"{path} is of another model than the recipe's; choose another --out.")
