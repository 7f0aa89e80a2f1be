"""Gradients of a model's output, base by base: at a window, and between a baseline and it.

They cost one pass or a few dozen, whatever the window's length, where mutagenesis costs three a
base (`cisgram.explain.mutate`). But a gradient is the effect of a little of another base, not
of a mutation.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, UInt8
from torch import Tensor

from cisgram.core.checks import ConfigError, check_range
from cisgram.core.device import evaluating
from cisgram.explain.motifs import UNIFORM
from cisgram.explain.saturation import Reduce, one_number
from cisgram.genome.alphabet import N, one_hot
from cisgram.models.base import MASK, Model, mask_bases
from cisgram.prediction.batches import in_batches

_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Attribution:
    """Contributions of the bases of a window to one number of a model's output."""

    hypothetical: Float32[np.ndarray, "positions 4"]
    """What A, C, G or T would add, were it there, beside a base of the baseline; of plain gradients
    the baseline is all four alike, so that rows have no mean. NaN where the base is N or masked."""
    tokens: UInt8[np.ndarray, "positions"]
    """The bases that are there."""
    reference: float
    """The number that is explained, of the window as it is."""
    completeness_gap: float | None = None
    """Sum of the contributions less the difference between the window and the baseline: 0 but for
    the error of few steps. None of plain gradients, which need not add up to anything."""

    @property
    def contributions(self) -> Float32[np.ndarray, "positions"]:
        """What the bases that are there add; NaN where that is N or masked."""
        present = np.minimum(self.tokens, N - 1)[:, None]
        return np.take_along_axis(self.hypothetical, present, axis=1)[:, 0]

    def to_tangermeme(self) -> Float32[np.ndarray, "1 4 positions"]:
        """Return `hypothetical` as tangermeme has attributions: a batch of one, positions last.

        Of gradients, they are `saliency(..., hypothetical=True)` of tangermeme less its mean over
        the four bases. It has numbers at N too, which are NaN here.
        """
        return self.hypothetical.T[None]


def gradient_times_input(
    model: Model,
    tokens: UInt8[np.ndarray, "length"],
    *,
    reduce: Reduce,
    species: int = 0,
) -> Attribution:
    """Return the gradient of a model's number at every base of a window, in one pass.

    What a network does to rows that add up to more or less than one base was never trained, and
    this part of the gradient is noise: the mean over the four bases is subtracted (Majdandzic et
    al. 2023, doi:10.1186/s13059-023-02956-3). `contributions` are the gradient times the input.

    Args:
        model: any model that `reads_weights`.
        tokens: the window, A C G T N = 0 1 2 3 4; `MASK` where bases are masked.
        reduce: which number to explain: a model's output, (batch, ...), to (batch,).
        species: number that the model knows the genome by.

    Raises:
        ConfigError: the model reads no single bases, the window's length does not suit it, or
            `reduce` makes something else than one number that has a gradient.

    >>> from torch import nn
    >>> from cisgram.genome.alphabet import encode
    >>> from cisgram.models.wrapped import wrap_network
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4 * 7, 1))
    >>> model = wrap_network(network, outputs=["a"], window=7)
    >>> found = gradient_times_input(model, encode("GATTACA"), reduce=lambda output: output[:, 0])
    >>> found.contributions.shape, found.to_tangermeme().shape
    ((7,), (1, 4, 7))
    """
    with evaluating(model, gradients=True) as device:
        window = _Window(model, tokens, reduce=reduce, species=species, device=device)
        value, gradient = window.gradients(window.weights[None])
    return Attribution(
        hypothetical=_beside(gradient[0], UNIFORM, window.known),
        tokens=tokens.copy(),
        reference=float(value[0]),
    )


def integrated_gradients(
    model: Model,
    tokens: UInt8[np.ndarray, "length"],
    *,
    reduce: Reduce,
    n_steps: int = 50,
    baseline: Float[np.ndarray, "..."] = UNIFORM,
    species: int = 0,
    batch: int = 4,
) -> Attribution:
    """Return the mean gradient between a baseline and a window (Sundararajan et al. 2017).

    On the straight way from the one to the other, gradients are taken at points of Gauss-Legendre
    quadrature. The contributions add up to the model's number of the window less that of the
    baseline, but for `completeness_gap`; if that is large, take more steps. Bases that are N or
    masked in the window are so in the baseline.

    Args:
        model: any model that `reads_weights`.
        tokens: as `gradient_times_input` takes them.
        reduce: which number to explain: a model's output, (batch, ...), to (batch,).
        n_steps: points on the way.
        baseline: probabilities of A, C, G and T, (4,) or, of each base, (length, 4); what they lack
            of one is N's. Of another sequence, `one_hot(sequence, np.float64)` is a baseline.
        species: number that the model knows the genome by.
        batch: points at once.

    Raises:
        ConfigError: what `gradient_times_input` refuses, no step, or a baseline of anything but
            probabilities.
    """
    check_range(n_steps, "n_steps", low=1)
    check_range(batch, "batch", low=1)
    points, shares = np.polynomial.legendre.leggauss(n_steps)
    points, shares = (points + 1) / 2, shares / 2  # from 0 to 1
    with evaluating(model, gradients=True) as device:
        window = _Window(model, tokens, reduce=reduce, species=species, device=device)
        start = window.put(_per_base(baseline, len(tokens)) * window.known[:, None])
        total = np.zeros((len(tokens), 4))
        for part in in_batches(np.arange(n_steps), batch, "integrating gradients"):
            along = window.put(points[part])[:, None, None]
            _, gradients = window.gradients(start + along * (window.weights - start))
            total += np.einsum("b,blk->lk", shares[part], gradients)
        (lowest,), (highest,) = window.values(start[None]), window.values(window.weights[None])
    found = Attribution(
        hypothetical=_beside(total, _per_base(baseline, len(tokens)), window.known),
        tokens=tokens.copy(),
        reference=float(highest),
    )
    added = np.nansum(found.contributions, dtype=np.float64)
    return replace(found, completeness_gap=float(added - (highest - lowest)))


class _Window:
    """A window as weights of its bases, and the number that a model says of others like it."""

    def __init__(
        self,
        model: Model,
        tokens: UInt8[np.ndarray, "length"],
        *,
        reduce: Reduce,
        species: int,
        device: torch.device,
    ) -> None:
        if not model.reads_weights:
            raise ConfigError(
                f"gradients need a model that reads single bases, and {model.kind} does not; "
                "use in-silico mutagenesis, which takes any."
            )
        model.check_length(len(tokens))
        masked = tokens == MASK
        if masked.any() and not model.reads_masks:
            raise ConfigError(f"{model.kind} has no masked bases; give tokens of 0 to 4.")
        self.model, self.reduce, self.species = model, one_number(reduce), species
        self.device, self.dtype = device, model.dtype
        self.known = tokens < N
        self.mask = torch.from_numpy(masked).to(device) if masked.any() else None
        self.weights = self.put(one_hot(np.minimum(tokens, np.uint8(N)), np.float64))

    def put(self, numbers: Float[np.ndarray, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return numbers as the model computes."""
        return torch.from_numpy(np.asarray(numbers)).to(self.device, self.dtype)

    def values(self, weights: Float[Tensor, "batch length 4"]) -> Float64[np.ndarray, "batch"]:
        """Return the number of each window."""
        with torch.no_grad():
            return self._number(weights).double().cpu().numpy()

    def gradients(
        self, weights: Float[Tensor, "batch length 4"]
    ) -> tuple[Float64[np.ndarray, "batch"], Float64[np.ndarray, "batch length 4"]]:
        """Return the number of each window, and what it rises by with each of its weights."""
        weights = weights.detach().requires_grad_()
        numbers = self._number(weights)
        if numbers.grad_fn is None:
            raise ConfigError(
                "reduce must keep to operations of torch that have gradients; what it returned "
                "has none."
            )
        (gradient,) = torch.autograd.grad(numbers.sum(), weights, materialize_grads=True)
        return numbers.detach().double().cpu().numpy(), gradient.double().cpu().numpy()

    def _number(self, weights: Float[Tensor, "batch length 4"]) -> Float[Tensor, "batch"]:
        species = torch.full((len(weights),), self.species, device=self.device)
        if self.mask is not None:
            weights = mask_bases(weights, self.mask.expand(len(weights), -1))
        return self.reduce(self.model(weights, species=species))


def _beside(
    gradient: Float[np.ndarray, "positions 4"],
    baseline: Float[np.ndarray, "..."],
    known: Bool[np.ndarray, "positions"],
) -> Float32[np.ndarray, "positions 4"]:
    """Return what each base adds beside a baseline: its gradient less the baseline's."""
    own = (gradient * baseline).sum(axis=1, keepdims=True)
    return np.where(known[:, None], gradient - own, np.nan).astype(np.float32)


def _per_base(
    baseline: Float[np.ndarray, "..."], length: int
) -> Float64[np.ndarray, "positions 4"]:
    """Return the baseline of every base; refuse what is not probabilities of four bases."""
    if baseline.shape not in ((4,), (length, 4)):
        raise ConfigError(
            f"baseline must have a shape of (4,) or ({length}, 4), as the window; "
            f"got {baseline.shape}."
        )
    rows = np.broadcast_to(np.asarray(baseline, dtype=np.float64), (length, 4))
    if not (np.all(rows >= 0) and np.all(rows.sum(axis=1) <= 1 + _ROUNDING)):
        raise ConfigError(
            "baseline must hold probabilities, none below 0 and none that add up to more than 1."
        )
    return rows
