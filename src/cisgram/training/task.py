"""What a network is trained for: the loss of a batch, by the kind that a recipe names."""

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

import cisgram.training.tasks
from cisgram.core.checks import ConfigError, check_choice
from cisgram.core.device import evaluating
from cisgram.data.base import DataSet
from cisgram.models.base import Model

Kind = TypeVar("Kind", bound="type[Task]")


class Task(ABC):
    """Prepares the batches of a data set and gives their loss."""

    kind: ClassVar[str] = ""
    """Name in recipes; `task` sets it."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def check(self, model: Model) -> None:
        """Refuse models that cannot be trained for this, with the reason."""
        del model

    def prepare(self, batch: Any, rng: np.random.Generator) -> Any:
        """Return a batch as the loss takes it, such as with masked bases, still on the CPU."""
        del rng
        return batch

    @abstractmethod
    def loss(self, model: nn.Module, batch: Any) -> Float[Tensor, ""]:
        """Return the mean loss of a prepared batch, whose arrays are tensors on the device."""

    def weight(self, batch: Any, n_examples: int) -> int:
        """Return how much a batch counts in the mean over batches."""
        del batch
        return n_examples


class Learning:
    """A data set and a task as the training loop takes them."""

    def __init__(self, data: DataSet, task: Task) -> None:
        self.data, self.task = data, task
        self.n_train = data.n_train

    def batch(self, examples: Int[np.ndarray, "batch"], rng: np.random.Generator) -> Any:
        """Return training examples by number as tensors, augmented and prepared with `rng`."""
        return to_tensors(self.task.prepare(self.data.train_batch(examples, rng), rng))

    def loss(self, model: nn.Module, batch: Any) -> Float[Tensor, ""]:
        """Return the mean loss of a batch."""
        return self.task.loss(model, batch)

    def describe(self, examples: Int[np.ndarray, "batch"]) -> str:
        """Name training examples for a message."""
        return self.data.describe(examples)

    def validate(self, model: nn.Module, batch: int) -> float:
        """Return the mean loss over the validation examples, prepared alike at every call."""
        rng = np.random.default_rng(0)
        total, n = 0.0, 0
        with evaluating(model) as device:
            for n_examples, own in self.data.valid_batches(batch):
                prepared = to_tensors(self.task.prepare(own, rng))
                weight = self.task.weight(prepared, n_examples)
                total += self.loss(model, to_device(prepared, device)).item() * weight
                n += weight
        return total / n


def to_tensors(batch: Any) -> Any:
    """Return a tuple of arrays as the same tuple of tensors."""
    return type(batch)(*(torch.from_numpy(np.ascontiguousarray(value)) for value in batch))


def to_device(batch: Any, device: torch.device) -> Any:
    """Return a tuple of tensors on another device."""
    return type(batch)(*(value.to(device, non_blocking=True) for value in batch))


class TaskKind(NamedTuple):
    """What is registered."""

    task: type[Task]
    config: type[Any]


_REGISTERED: dict[str, TaskKind] = {}


def task(kind: str, config: type[Any]) -> Callable[[Kind], Kind]:
    """Register a class of tasks under what `kind` in `[task]` of a recipe calls it.

    `config` is a frozen dataclass of the other fields of `[task]`.

    Raises:
        ConfigError: there is such a task already.
    """

    def register(own: Kind) -> Kind:
        known = _REGISTERED.get(kind)
        if known is not None and known.task.__qualname__ != own.__qualname__:
            raise ConfigError(f"there is a task {kind} already; choose another name.")
        own.kind = kind
        _REGISTERED[kind] = TaskKind(own, config)
        return own

    return register


def task_kind(name: str, where: str) -> TaskKind:
    """Return a registered task; imports the modules of `cisgram.training.tasks`."""
    if name not in _REGISTERED:
        for module in pkgutil.iter_modules(
            cisgram.training.tasks.__path__, "cisgram.training.tasks."
        ):
            import_module(module.name)
        check_choice(name, sorted(_REGISTERED), f"kind in {where}")
    return _REGISTERED[name]
