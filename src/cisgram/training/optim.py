"""The optimiser and its learning rate."""

import torch
from torch import nn

from cisgram.training.config import OptimConfig


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """Return AdamW over the model's parameters, weight decay on kernels and matrices only."""
    decayed, others = list[nn.Parameter](), list[nn.Parameter]()
    for name, value in model.named_parameters():
        # Attention's biases have an axis of heads.
        is_kernel = value.ndim > 1 and not name.endswith("bias")
        (decayed if is_kernel else others).append(value)
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        fused=True,
    )


def learning_rate(step: int, steps: int, config: OptimConfig) -> float:
    """Return the learning rate of update `step`, 0-based, of `steps`: a trapezium.

    >>> config = OptimConfig(lr=1.0, warmup=2, decay=2)
    >>> [round(learning_rate(step, 6, config), 3) for step in range(6)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.5]
    """
    rising = (step + 1) / config.warmup if config.warmup else 1.0
    falling = (steps - step) / config.decay if config.decay else 1.0
    return config.lr * min(1.0, rising, falling)
