"""Motifs as tables of probabilities, read from files and looked for in DNA or in predictions."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, UInt8

from cisgram.core.checks import DataError, check_range
from cisgram.genome.alphabet import LETTERS, N, one_hot

UNIFORM = np.full(4, 0.25)
_BASES_OF = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT",
    "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
_LETTER_OF = {bases: letter for letter, bases in _BASES_OF.items()}
_STATED = 0.01
"""Probability of each base that a consensus does not name."""
_SPOKEN = 0.25
"""Least share of the likeliest base's probability that puts another into a consensus."""
_BIN = 0.01
"""Bits to which scores are rounded where their distribution is computed."""


@dataclass(frozen=True, eq=False)
class Motif:
    """The bases that a protein binds at neighbouring positions, as probabilities.

    >>> motif = Motif.from_consensus("branch point", "TACTAAC")
    >>> motif.width, motif.consensus, motif.reversed().consensus
    (7, 'TACTAAC', 'GTTAGTA')
    """

    name: str
    """What people call it."""
    accession: str
    """Its number in a collection; the name where it has none."""
    probabilities: Float64[np.ndarray, "width 4"]
    """Of A, C, G and T; none is 0."""

    def __post_init__(self) -> None:
        """Check the table."""
        p = self.probabilities
        if p.ndim != 2 or p.shape[1] != 4 or not len(p) or not np.all(p > 0):
            raise DataError(
                f"motif {self.accession} must have a positive probability of each of the four "
                "bases at every position; add pseudocounts."
            )
        if not np.allclose(p.sum(axis=1), 1, atol=1e-3):
            raise DataError(f"motif {self.accession} has probabilities that do not add up to 1.")

    @classmethod
    def parse(cls, text: str) -> "Motif":
        """Read a motif such as `Reb1=TTACCCK`, in IUPAC letters.

        Raises:
            DataError: it looks otherwise.

        >>> Motif.parse("Reb1=TTACCCK").name
        'Reb1'
        """
        name, equals, letters = text.partition("=")
        if not (name and equals and letters):
            raise DataError(f"a motif must look like Reb1=TTACCCK; got {text!r}.")
        return cls.from_consensus(name, letters)

    @classmethod
    def from_consensus(cls, name: str, consensus: str) -> "Motif":
        """Make a motif of letters, IUPAC's for sets of bases included."""
        letters = consensus.upper()
        if not letters or set(letters) - set(_BASES_OF):
            raise DataError(f"consensus {consensus!r} of {name} must hold IUPAC letters of bases.")
        rows = [[base in _BASES_OF[letter] for base in "ACGT"] for letter in letters]
        named = np.array(rows, dtype=np.float64)
        p = named / named.sum(axis=1, keepdims=True)
        return cls(name, name, (1 - 4 * _STATED) * p + _STATED)

    @property
    def width(self) -> int:
        """Number of positions."""
        return len(self.probabilities)

    @property
    def consensus(self) -> str:
        """The bases that are likely at each position, as IUPAC letters."""
        likely = self.probabilities >= _SPOKEN * self.probabilities.max(axis=1, keepdims=True)
        return "".join(_LETTER_OF["".join(np.array(list("ACGT"))[row].tolist())] for row in likely)

    @property
    def likeliest(self) -> UInt8[np.ndarray, "width"]:
        """The likeliest base of each position, N where all four are alike.

        Of two that are as likely, it is the first in the alphabet.

        >>> Motif.from_consensus("Gcn4", "RTGANTCA").likeliest.tolist()
        [0, 3, 2, 0, 4, 3, 1, 0]
        """
        likeliest = self.probabilities.argmax(axis=1).astype(np.uint8)
        alike = np.ptp(self.probabilities, axis=1) < 1e-9
        return np.where(alike, np.uint8(N), likeliest)

    def reversed(self) -> "Motif":
        """Return the motif as it reads on the other strand."""
        return Motif(self.name, self.accession, self.probabilities[::-1, ::-1].copy())

    def odds(self, background: Float[np.ndarray, "4"]) -> Float64[np.ndarray, "width 4"]:
        """Return probabilities over those of the background."""
        return self.probabilities / np.asarray(background, dtype=np.float64)


class Hits(NamedTuple):
    """Where a motif matches a sequence: forward strand first, then by position."""

    start: Int64[np.ndarray, "hits"]
    """Leftmost base, 0-based, whatever the strand."""
    reverse: Bool[np.ndarray, "hits"]
    """Whether the match reads on the other strand."""
    score: Float64[np.ndarray, "hits"]
    """Log-odds in bits."""


def match_scores(
    motif: Motif,
    p: Float[np.ndarray, "bases 4"],
    background: Float[np.ndarray, "4"] = UNIFORM,
) -> Float64[np.ndarray, "bases"]:
    """Score how well a motif fits at each base and the ones after it.

    The score is the log2 of the odds that a sequence drawn from `p` is one of the motif's rather
    than one of the background's, positions taken apart: the sum over positions of
    log2(sum over bases of p * motif / background). Where `p` is a sequence (0 and 1) that is the
    usual log-odds score; a position of which `p` says no more than the background counts 0. It
    is -inf where the motif does not fit in, or where `p` is NaN or all 0.
    """
    scores = np.full(len(p), -np.inf)
    n = len(p) - motif.width + 1
    if n < 1:
        return scores
    product = np.ones(n)
    for i, odds in enumerate(motif.odds(background)):
        product *= p[i : i + n] @ odds
    with np.errstate(divide="ignore"):
        scores[:n] = np.log2(np.where(np.isnan(product), 0, product))
    return scores


def both_strands(
    motif: Motif,
    p: Float[np.ndarray, "bases 4"],
    background: Float[np.ndarray, "4"] = UNIFORM,
) -> Float64[np.ndarray, "2 bases"]:
    """Return `match_scores` of the motif and of its reverse complement.

    Both rows count from the leftmost base of the match. The background is the forward strand's.
    """
    return np.stack(
        [match_scores(oriented, p, background) for oriented in (motif, motif.reversed())]
    )


def find_hits(
    motif: Motif,
    tokens: UInt8[np.ndarray, "bases"],
    *,
    p_value: float = 1e-4,
    background: Float[np.ndarray, "4"] = UNIFORM,
) -> Hits:
    """Return the matches of a motif in a sequence on both strands, none across N.

    `p_value` is the probability that background sequence, of these frequencies of A, C, G and T,
    matches as well at one position and strand.
    """
    scores = both_strands(motif, one_hot(tokens, np.float64), background)
    least = [
        [score_threshold(oriented, p_value, background=background)]
        for oriented in (motif, motif.reversed())
    ]
    strand, start = np.nonzero(scores >= least)
    return Hits(start, strand == 1, scores[strand, start])


def score_threshold(
    motif: Motif, p_value: float, *, background: Float[np.ndarray, "4"] = UNIFORM
) -> float:
    """Return the least score that background sequence reaches with probability `p_value` or less.

    The distribution of the score is computed exactly, position by position, scores rounded to a
    hundredth of a bit (Staden 1989). Where even the best match is likelier than `p_value`, its
    score is returned.
    """
    check_range(p_value, "p_value", low=0, high=1)
    scores = np.log2(motif.odds(background))
    steps = np.rint(scores / _BIN).astype(np.int64)
    lowest = int(steps.min(axis=1).sum())
    distribution = np.ones(1)
    for row in steps - steps.min(axis=1, keepdims=True):
        longer = np.zeros(len(distribution) + int(row.max()))
        for step, frequency in zip(row, background, strict=True):
            longer[step : step + len(distribution)] += frequency * distribution
        distribution = longer
    tail = np.cumsum(distribution[::-1])[::-1]
    reached = np.flatnonzero(tail <= p_value)
    # A match is scored as one product, whose last bits are not those of this sum.
    best = float(scores.max(axis=1).sum()) - 1e-9
    # Half a step a position is what rounding may have taken from a score.
    slack = _BIN * motif.width / 2
    return min((lowest + int(reached[0])) * _BIN - slack, best) if reached.size else best


def base_frequencies(tokens: UInt8[np.ndarray, "bases"]) -> Float64[np.ndarray, "4"]:
    """Return the shares of A, C, G and T among the known bases of both strands together.

    >>> base_frequencies(np.array([0, 0, 0, 1, 4], dtype=np.uint8)).tolist()
    [0.375, 0.125, 0.125, 0.375]
    """
    counts = np.bincount(tokens, minlength=len(LETTERS))[:4].astype(np.float64)
    counts += counts[::-1]
    return counts / counts.sum()


def core_means(values: Float[np.ndarray, "bases"], core: int) -> Float64[np.ndarray, "starts"]:
    """Return the mean of each base and the `core` - 1 after it; NaN counts 0.

    >>> core_means(np.array([1.0, 3.0, 5.0]), 2).tolist()
    [2.0, 4.0]
    """
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values, nan=0.0))])
    return (sums[core:] - sums[:-core]) / core
