"""Short stretches that a model is sure of, and the patterns that they repeat.

A reduced form of TF-MoDISco (Shrikumar et al. 2018): stretches of high information are cut out,
aligned with one another, and gathered around those that have most neighbours.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int16, Int64

from cisgram.core.checks import check_fields
from cisgram.explain.motifs import core_means


@dataclass(frozen=True, kw_only=True)
class PatternConfig:
    """How stretches are found and gathered."""

    core: int = 7
    """Bases over which information is averaged; stretches are found by it."""
    flank: int = 5
    """Bases on either side of the core that are compared too, and by which two may be shifted."""
    likeness: float = 0.7
    """Least cosine of two aligned stretches, as deviations from the background, that are alike."""
    smallest: int = 20
    """Fewest stretches that make a pattern."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self, "core", "smallest", low=1)
        check_fields(self, "flank", low=0)
        check_fields(self, "likeness", low=0, high=1)

    @property
    def width(self) -> int:
        """Bases compared."""
        return self.core + 2 * self.flank


class Pattern(NamedTuple):
    """What a group of stretches has in common."""

    probabilities: Float64[np.ndarray, "width 4"]
    """Mean of the aligned stretches."""
    members: Int64[np.ndarray, "members"]
    """Numbers of the stretches, the one they were gathered around first."""
    shift: Int16[np.ndarray, "members"]
    """Position of the pattern on which each member begins."""
    reverse: Bool[np.ndarray, "members"]
    """Whether the member fits reverse complemented."""


def find_seqlets(
    information: Float[np.ndarray, "bases"],
    usable: Bool[np.ndarray, "bases"],
    *,
    threshold: float,
    config: PatternConfig,
) -> Int64[np.ndarray, "seqlets"]:
    """Return the first bases of stretches, best first, whose cores do not touch.

    Args:
        information: of each base, in bits.
        usable: bases that the core of a stretch may hold.
        threshold: least mean information of the core.
        config: its sizes.
    """
    n = len(information) - config.width + 1
    if n < 1:
        return np.empty(0, dtype=np.int64)
    means = core_means(information, config.core)[config.flank :][:n]
    inside = core_means(usable.astype(np.float64), config.core)[config.flank :][:n] > 1 - 1e-9
    candidates = np.flatnonzero(inside & (means >= threshold))
    ordered = candidates[np.argsort(-means[candidates], kind="stable")]
    taken = np.zeros(n + 2 * config.core, dtype=bool)
    found: list[int] = []
    for start in ordered.tolist():
        if not taken[start + config.core]:
            taken[start + 1 : start + 2 * config.core] = True
            found.append(start)
    return np.array(found, dtype=np.int64)


def find_patterns(
    stretches: Float[np.ndarray, "seqlets width 4"],
    background: Float[np.ndarray, "4"],
    *,
    config: PatternConfig,
) -> list[Pattern]:
    """Gather stretches into patterns, largest first.

    The stretch with most others alike becomes the centre of a pattern of all of them; they are
    put aside, and so on.

    Args:
        stretches: probabilities of A, C, G and T, `config.width` positions each; NaN is read as
            the background.
        background: what a model says that knows nothing of a position.
        config: what counts as alike.
    """
    if not len(stretches):
        return []
    stretches = np.where(np.isnan(stretches), background, stretches)
    deviations = (stretches - background).astype(np.float32)
    likeness, shift, reverse = _align(deviations, config.flank)
    alike = likeness >= config.likeness
    left = np.ones(len(stretches), dtype=bool)
    patterns: list[Pattern] = []
    while True:
        neighbours = np.where(left, (alike & left).sum(axis=1), 0)
        centre = int(neighbours.argmax())
        if neighbours[centre] < config.smallest:
            return patterns
        members = np.flatnonzero(alike[centre] & left)
        members = np.concatenate([[centre], members[members != centre]])
        left[members] = False
        patterns.append(
            _pattern(stretches, members, shift[centre, members], reverse=reverse[centre, members])
        )


def _align(
    deviations: Float32[np.ndarray, "seqlets width 4"], most: int
) -> tuple[
    Float32[np.ndarray, "seqlets seqlets"],
    Int16[np.ndarray, "seqlets seqlets"],
    Bool[np.ndarray, "seqlets seqlets"],
]:
    """Return the best cosine of each pair, and how the second one lies on the first to have it."""
    n, width, _ = deviations.shape
    norms = np.sqrt((deviations**2).sum(axis=(1, 2), keepdims=True))
    unit = deviations / np.where(norms > 0, norms, 1)
    best = np.full((n, n), -np.inf, dtype=np.float32)
    shift = np.zeros((n, n), dtype=np.int16)
    reverse = np.zeros((n, n), dtype=bool)
    for turned in (False, True):
        other = unit[:, ::-1, ::-1] if turned else unit
        for by in range(-most, most + 1):
            first = unit[:, max(by, 0) : width + min(by, 0)].reshape(n, -1)
            second = other[:, max(-by, 0) : width + min(-by, 0)].reshape(n, -1)
            cosine = first @ second.T
            better = cosine > best
            best[better], shift[better], reverse[better] = cosine[better], by, turned
    return best, shift, reverse


def _pattern(
    stretches: Float[np.ndarray, "seqlets width 4"],
    members: Int64[np.ndarray, "members"],
    shift: Int16[np.ndarray, "members"],
    *,
    reverse: Bool[np.ndarray, "members"],
) -> Pattern:
    width = stretches.shape[1]
    total, count = np.zeros((width, 4)), np.zeros((width, 1))
    for member, by, turned in zip(members, shift, reverse, strict=True):
        own = stretches[member, ::-1, ::-1] if turned else stretches[member]
        low, high = max(by, 0), width + min(by, 0)
        total[low:high] += own[low - by : high - by]
        count[low:high] += 1
    return Pattern(total / count, members, shift, reverse)
