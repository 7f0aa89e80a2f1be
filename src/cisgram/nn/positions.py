"""Features of how far apart two positions are, and on which side."""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor


class Distances(Protocol):
    """Describes every distance between positions of a sequence."""

    @property
    def n_features(self) -> int:
        """Numbers that describe a distance."""
        ...

    def __call__(self, length: int) -> Float[Tensor, "distances features"]:
        """Describe the distances from -(length - 1) to length - 1."""
        ...


@dataclass(frozen=True)
class CentralMasks:
    """Shorkie's nested neighbourhoods, told apart up to `n_positions`.

    Indicator i of 1..16 is 1 nearer than (n_positions + 1)^(i / 16) - 1; the second sixteen carry
    the distance's sign (Avsec et al. 2021, the widths those of Borzoi's family).
    """

    n_positions: int
    n_features: int = 32

    def __call__(self, length: int) -> Float[Tensor, "distances features"]:
        """Describe the distances from -(length - 1) to length - 1."""
        half = self.n_features // 2
        distances = _distances(length)
        steps = torch.arange(1, half + 1, dtype=torch.float64) / half
        near = distances.abs()[:, None] < (self.n_positions + 1) ** steps - 1
        return _with_signs(near.float(), distances)


@dataclass(frozen=True)
class EnformerDistances:
    """Enformer's three kinds of feature, a third each: decay, nested neighbourhoods and bumps.

    Exponentials with half-lives from 8 positions to the length; indicators of a distance below
    2^i - 1; densities of gamma distributions with means up to the length, scaled to a maximum
    of one (Avsec et al. 2021, methods). All come twice, the second time with the distance's sign.
    """

    n_features: int = 192

    def __call__(self, length: int) -> Float[Tensor, "distances features"]:
        """Describe the distances from -(length - 1) to length - 1."""
        distances = _distances(length)
        far = distances.abs().double()[:, None]
        n = self.n_features // 6
        features = [_decay(far, n, length), _near(far, n), _bumps(far, n, length)]
        return _with_signs(torch.cat(features, dim=1).float(), distances)


def _decay(far: Tensor, n: int, length: int) -> Float[Tensor, "distances n"]:
    longest = max(torch.tensor(length).log2().item(), 3.0)
    half_life = 2 ** torch.linspace(3.0, longest, n, dtype=torch.float64)
    return 0.5 ** (far / half_life)


def _near(far: Tensor, n: int) -> Float[Tensor, "distances n"]:
    return (far < 2 ** torch.arange(1, n + 1, dtype=torch.float64) - 1).double()


def _bumps(far: Tensor, n: int, length: int) -> Float[Tensor, "distances n"]:
    """Return gamma densities; each has a standard deviation of length / 2n."""
    mean = torch.linspace(length / n, length, n, dtype=torch.float64)
    shape, rate = (mean / (length / (2 * n))) ** 2, mean / (length / (2 * n)) ** 2
    log_density = torch.xlogy(shape - 1, far) - rate * far
    log_density = log_density + torch.xlogy(shape, rate) - torch.lgamma(shape)
    density = log_density.exp() + 1e-8
    return density / density.max()


def _distances(length: int) -> Tensor:
    return torch.arange(1 - length, length)


def _with_signs(
    features: Float[Tensor, "distances half"], distances: Tensor
) -> Float[Tensor, "distances features"]:
    return torch.cat([features, features * distances.sign()[:, None]], dim=1)
