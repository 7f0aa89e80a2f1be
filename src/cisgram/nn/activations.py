"""Functions of one number, in forms that neither overflow nor lose what is small."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_FAR_BELOW = -15.0  # softplus(x) is exp(x) there to the last bit of single precision


def log_softplus(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return log(softplus(x)), which far below zero is x itself.

    >>> log_softplus(torch.tensor([-200.0, 0.0]))
    tensor([-200.0000,   -0.3665])
    """
    # The other branch's gradient must be finite too, although it is not taken.
    above = F.softplus(x.clamp(min=_FAR_BELOW)).log()
    return torch.where(x < _FAR_BELOW, x, above)
