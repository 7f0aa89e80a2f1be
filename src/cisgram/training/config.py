"""How a model is trained, whatever it learns."""

from dataclasses import dataclass
from typing import Literal, get_args

from cisgram.core.checks import check_choice, check_fields

Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """The optimiser, AdamW (Loshchilov & Hutter 2019), and its learning rate."""

    lr: float = 1e-3
    """Learning rate between warm-up and decay."""
    warmup: int = 500
    """First steps, over which the learning rate rises from 0."""
    decay: int = 0
    """Last steps, over which it falls to 0; what comes before does not depend on the run's length,
    so a run can be made longer and resumed."""
    beta1: float = 0.9
    """Memory of the gradient's mean."""
    beta2: float = 0.98
    """Memory of the gradient's square."""
    epsilon: float = 1e-7
    """Added to the root of the square."""
    weight_decay: float = 0.01
    """Of matrices and kernels; norms, scales and biases have none."""
    clip: float = 1.0
    """Largest norm of the gradient of all parameters together."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self, "lr", "warmup", "decay", "epsilon", "weight_decay", "clip", low=0)
        check_fields(self, "beta1", "beta2", low=0, high=1)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long, on what, and how often to look."""

    start: str | None = None
    """Model whose weights the first step starts from: packaged weights, or the directory of a model
    or a run, relative to the recipe; random weights by default."""
    steps: int = 10_000
    """Updates of the weights."""
    batch: int = 8
    """Windows in memory at once, on each device."""
    accumulate: int = 1
    """Batches whose gradients make one update."""
    precision: Precision = "32-true"
    """`bf16-mixed` computes in bfloat16 and keeps weights in single precision."""
    validate_every: int = 1_000
    """Steps between validations."""
    patience: int | None = None
    """Validations without a better loss before training stops; never by default."""
    checkpoint_every: int = 500
    """Steps between checkpoints, which a resumed run goes on from."""
    log_every: int = 50
    """Steps between lines of metrics.jsonl."""
    seed: int = 1
    """Of the data's order, masks and dropout, and of the first weights."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice(self.precision, get_args(Precision), "precision")
        check_fields(self, "steps", "batch", "accumulate", "patience", low=1)
        check_fields(self, "validate_every", "checkpoint_every", "log_every", low=1)
