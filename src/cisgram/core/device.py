"""Where models run, and leaving them as they were found."""

import platform
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module, *, gradients: bool = False) -> Generator[torch.device]:
    """Yield the model's device with the model in evaluation; then set it back.

    Gradients are there only where they are asked for, but then whatever the caller has set.
    """
    training = model.training
    model.eval()
    try:
        with torch.inference_mode(not gradients), torch.set_grad_enabled(gradients):
            yield next(model.parameters()).device
    finally:
        model.train(training)


def best_device() -> torch.device:
    """Return the GPU where there is one, or else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def hardware() -> str:
    """Name what models run on here: the GPU, or the processor and the threads torch uses."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{processor()}, {torch.get_num_threads()} threads"


def processor() -> str:
    """Name the processor as Linux does, or its architecture elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
