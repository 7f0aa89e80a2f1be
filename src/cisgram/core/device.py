"""Where models run, and leaving them as they were found."""

import platform
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


@contextmanager
def evaluating(model: nn.Module, *, gradients: bool = False) -> Generator[torch.device]:
    """Yield the model's device with the model in evaluation; then set every submodule back.

    Gradients are there only where they are asked for, but then whatever the caller has set. The
    model sees no inference mode: what it caches meanwhile may be part of a later backward pass.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.inference_mode(mode=False), torch.set_grad_enabled(gradients):
            yield device_of(model)
    finally:
        for module in training:
            module.training = True


@contextmanager
def shapes_only() -> Generator[None]:
    """Build networks whose weights have shapes and no numbers, which takes neither time nor memory.

    Not `torch.device("meta")`: under it torch imports its compiler, which takes seconds.

    >>> with shapes_only():
    ...     layer = nn.Linear(1_000_000, 1_000_000)
    >>> layer.weight.device
    device(type='meta')
    """
    with _Undrawn():
        yield


_DRAWS = (
    torch.Tensor.normal_,
    torch.Tensor.uniform_,
    nn.init.normal_,
    nn.init.uniform_,
    nn.init.kaiming_uniform_,
)


class _Undrawn(TorchFunctionMode):
    """Makes tensors that are to be filled without memory, and fills none with random numbers."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        own = dict(kwargs or {})
        if func in _DRAWS:
            return args[0] if args else own["tensor"]
        if func is torch.empty:
            own["device"] = "meta"
        return func(*args, **own)


def device_of(model: nn.Module) -> torch.device:
    """Return where a network's parameters or buffers are; the CPU where it has none."""
    for value in (*model.parameters(), *model.buffers()):
        return value.device
    return torch.device("cpu")


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
