"""Where models run, and leaving them as they were found."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Generator[torch.device]:
    """Yield the model's device with the model in evaluation, no gradients; then set it back."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield next(model.parameters()).device
    finally:
        model.train(training)
