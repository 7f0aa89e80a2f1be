"""What the training loop needs to know of what is learnt."""

from typing import Protocol, Self, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Batch(Protocol):
    """Examples as tensors."""

    def to(self, device: torch.device) -> Self:
        """Return the same on another device."""
        ...


Examples = TypeVar("Examples", bound=Batch)


class Task(Protocol[Examples]):
    """Gives batches, the loss of one, and a validation."""

    n_train: int
    """Examples of training."""

    def batch(self, examples: Int[np.ndarray, "batch"], rng: np.random.Generator) -> Examples:
        """Return training examples by number, corrupted and augmented with `rng`."""
        ...

    def loss(self, model: nn.Module, batch: Examples) -> Float[Tensor, ""]:
        """Return the mean loss of a batch."""
        ...

    def describe(self, examples: Int[np.ndarray, "batch"]) -> str:
        """Name training examples for a message."""
        ...

    def validate(self, model: nn.Module, batch: int) -> float:
        """Return the mean loss over the validation examples, the same at every call."""
        ...
