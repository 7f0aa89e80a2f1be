"""How perplexity is measured; imports nothing heavy, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Literal, get_args

from cisgram.core.checks import check_choice, check_range

Strands = Literal["forward", "both"]
Masking = Literal["flag", "zero"]


@dataclass(frozen=True, kw_only=True)
class PerplexityConfig:
    """How perplexity is measured."""

    n_passes: int = 7
    """Times each window is read, hiding 1 / n_passes of it; 7 is about the 15 % of training."""
    strands: Strands = "forward"
    """`both` also reads the reverse complement, under the same masks, and averages logits."""
    masking: Masking = "flag"
    """`zero` hides bases as N, without the flag the model was trained with."""
    batch: int = 8
    """Windows read at once, more of shorter ones."""
    seed: int = 0
    """Of the masks."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_range(self.n_passes, "n_passes", low=1)
        check_choice(self.strands, get_args(Strands), "strands")
        check_choice(self.masking, get_args(Masking), "masking")
        check_range(self.batch, "batch", low=1)
