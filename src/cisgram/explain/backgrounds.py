"""What chance would give: shuffled sequences, matched positions, and enrichment over them."""

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped, UInt8

from cisgram.core.checks import ConfigError, DataError, check_range
from cisgram.core.metrics import Estimate, binomial_ci
from cisgram.genome.alphabet import LETTERS, N, reverse_complement


def dinucleotide_shuffle(
    tokens: UInt8[np.ndarray, "bases"], rng: np.random.Generator
) -> UInt8[np.ndarray, "bases"]:
    """Return a random sequence with exactly the same dinucleotides, and the same ends.

    Every such sequence is equally likely (Altschul and Erickson 1985).

    >>> tokens = np.array([0, 1, 1, 0, 2, 0, 1, 3], dtype=np.uint8)
    >>> shuffled = dinucleotide_shuffle(tokens, np.random.default_rng(0))
    >>> sorted(zip(shuffled[:-1], shuffled[1:])) == sorted(zip(tokens[:-1], tokens[1:]))
    True
    """
    if len(tokens) < 3:
        return tokens.copy()
    before, after, last = tokens[:-1], tokens[1:], int(tokens[-1])
    followers = [after[before == letter].tolist() for letter in range(len(LETTERS))]
    final = _final_steps(followers, last, rng)
    for letter, step in final.items():
        followers[letter].remove(step)
    # The step that leaves a letter for good comes last; all others come in any order.
    steps = [
        iter([*rng.permutation(rest).tolist(), *([final[letter]] if letter in final else [])])
        for letter, rest in enumerate(followers)
    ]
    walk = np.empty_like(tokens)
    walk[0] = here = int(tokens[0])
    for i in range(1, len(tokens)):
        walk[i] = here = int(next(steps[here]))
    return walk


def _final_steps(followers: list[list[int]], last: int, rng: np.random.Generator) -> dict[int, int]:
    """Draw for each letter but the last the step that leaves it for good, all leading there."""
    leaving = [letter for letter, rest in enumerate(followers) if rest and letter != last]
    while True:
        final = {letter: int(rng.choice(followers[letter])) for letter in leaving}
        reached = {last}
        for _ in leaving:
            reached |= {letter for letter, step in final.items() if step in reached}
        if reached.issuperset(leaving):
            return final


def matched(
    values: Float[np.ndarray, "sites"],
    candidates: Float[np.ndarray, "candidates"],
    *,
    n: int,
    tolerance: float,
    rng: np.random.Generator,
) -> Int64[np.ndarray, "sites n"]:
    """Draw for each site `n` different candidates whose value is within a tolerance of the site's.

    Returns:
        numbers of candidates; a row of -1 where fewer than `n` are within the tolerance.
    """
    check_range(n, "n", low=1)
    order = np.argsort(candidates, kind="stable")
    ordered = np.asarray(candidates, dtype=np.float64)[order]
    first = np.searchsorted(ordered, values - tolerance, side="left")
    last = np.searchsorted(ordered, values + tolerance, side="right")
    drawn = np.full((len(values), n), -1, dtype=np.int64)
    for i, (low, high) in enumerate(zip(first, last, strict=True)):
        if high - low >= n:
            drawn[i] = order[low + rng.choice(high - low, n, replace=False)]
    return drawn


def share_beaten(
    sites: Float[np.ndarray, "sites"], background: Float[np.ndarray, "sites n"]
) -> Float64[np.ndarray, "sites"]:
    """Return the share of its own background that each site scores above, ties as half.

    The mean is the area under the ROC curve within matched sets. NaN where a background is NaN.

    >>> share_beaten(np.array([2.0, 1.0]), np.array([[1.0, 2.0], [1.0, 3.0]])).tolist()
    [0.75, 0.25]
    """
    own = np.asarray(sites, dtype=np.float64)[:, None]
    won = (own > background) + 0.5 * (own == background)
    return np.where(np.isnan(background).any(axis=1), np.nan, won.mean(axis=1))


def rate_ratio(n: int, size: float, *, n_background: int, size_background: float) -> Estimate:
    """Return how much denser `n` events in `size` are than those of a background.

    The 95 % interval is that of a proportion among all events (Wilson), which supposes that
    events are independent. The ratio is infinite where the background has none.

    >>> rate_ratio(30, 1.0, n_background=10, size_background=2.0).value
    6.0
    """
    if size <= 0 or size_background <= 0:
        raise ConfigError("a rate needs a size above 0 on both sides.")
    if not n + n_background:
        raise DataError("an enrichment needs events; there are none on either side.")
    share = binomial_ci(n, n + n_background)
    if not n_background:
        share = share._replace(value=1.0, high=1.0)
    with np.errstate(divide="ignore"):
        odds = np.divide(share, np.subtract(1, share)) * size_background / size
    return Estimate(*odds.tolist())


def nearest_distance(
    positions: Shaped[np.ndarray, "positions"], landmarks: Shaped[np.ndarray, "landmarks"]
) -> Float64[np.ndarray, "positions"]:
    """Return how far each position is from the nearest landmark; infinite where there is none.

    >>> nearest_distance(np.array([5, 90]), np.array([0, 100, 8])).tolist()
    [3.0, 10.0]
    """
    bounds = np.concatenate([[-np.inf], np.sort(landmarks), [np.inf]])
    after = np.searchsorted(bounds, positions).clip(1, len(bounds) - 1)
    return np.minimum(positions - bounds[after - 1], bounds[after] - positions)


def reordered(
    letters: UInt8[np.ndarray, "width"], rng: np.random.Generator
) -> UInt8[np.ndarray, "width"]:
    """Return letters in another order, N where they are.

    It is neither the motif nor its reverse complement; but one of a single letter stays as it is.

    >>> from cisgram.genome.alphabet import decode, encode
    >>> decode(reordered(encode("ANC"), np.random.default_rng(0)))
    'CNA'
    """
    known, found = np.flatnonzero(letters < N), letters.copy()
    while len(set(letters[known].tolist())) > 1:
        found[known] = rng.permutation(letters[known])
        if (found != letters).any() and (found != reverse_complement(letters)).any():
            break
    return found


def put_in(
    letters: UInt8[np.ndarray, "width"],
    backgrounds: UInt8[np.ndarray, "backgrounds length"],
    position: int,
) -> UInt8[np.ndarray, "backgrounds length"]:
    """Return backgrounds with letters in place of their bases from `position` on; N change nothing.

    >>> put_in(np.array([1, 4, 1], np.uint8), np.full((1, 5), 3, np.uint8), 1).tolist()
    [[3, 1, 3, 1, 3]]
    """
    windows = backgrounds.copy()
    windows[:, position + np.flatnonzero(letters < N)] = letters[letters < N]
    return windows
