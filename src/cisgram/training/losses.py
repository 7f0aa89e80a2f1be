"""What a model of tracks and genes is held against."""

from jaxtyping import Bool, Float
from torch import Tensor


def poisson_multinomial(
    log_rates: Float[Tensor, "batch bins tracks"],
    counts: Float[Tensor, "batch bins tracks"],
    *,
    total_weight: float = 0.2,
) -> Float[Tensor, ""]:
    """Return the negative log-likelihood of counts: where they lie, and how many there are.

    Where is a multinomial over the bins of a window; how many, a Poisson of their sum, which has a
    weight. Both are divided by the number of bins and averaged over windows and tracks; constants
    of the counts are left out (Linder et al. 2025, Borzoi). All is computed from logarithms of
    expected counts, so that no rate is too small.
    """
    log_total = log_rates.logsumexp(dim=1)
    total = counts.sum(dim=1)
    where = -(counts * (log_rates - log_total[:, None])).sum(dim=1)
    how_many = log_total.exp() - total * log_total
    return (where + total_weight * how_many).mean() / counts.shape[1]


def known_squared_error(
    predicted: Float[Tensor, "genes values"],
    values: Float[Tensor, "genes values"],
    known: Bool[Tensor, "genes values"],
) -> Float[Tensor, ""]:
    """Return the mean squared error over the values that are known; 0 where none is."""
    squares = (predicted - values.where(known, predicted)).square()
    return squares.sum() / known.sum().clamp(min=1)
