"""Initial weights by fan-in and fan-out; a kernel is (out, in, *taps)."""

import math

from jaxtyping import Float
from torch import Tensor, nn

_TRUNCATED_SD = 0.87962566103423978
"""Standard deviation of a standard normal cut at two of them, which truncation takes away."""


def lecun_normal_(weight: Float[Tensor, "out ..."]) -> Float[Tensor, "out ..."]:
    """Fill with a truncated normal of variance 1 / fan-in (LeCun et al. 1998), in place."""
    return _truncated_normal_(weight, 1.0)


def he_normal_(weight: Float[Tensor, "out ..."]) -> Float[Tensor, "out ..."]:
    """Fill with a truncated normal of variance 2 / fan-in (He et al. 2015), in place."""
    return _truncated_normal_(weight, 2.0)


def glorot_uniform_(weight: Float[Tensor, "out ..."]) -> Float[Tensor, "out ..."]:
    """Fill uniformly with variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010), in place."""
    return nn.init.xavier_uniform_(weight)


def _truncated_normal_(weight: Float[Tensor, "out ..."], gain: float) -> Float[Tensor, "out ..."]:
    sd = math.sqrt(gain / weight[0].numel()) / _TRUNCATED_SD
    return nn.init.trunc_normal_(weight, std=sd, a=-2 * sd, b=2 * sd)
