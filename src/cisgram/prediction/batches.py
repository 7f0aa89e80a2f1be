"""Windows of equal length, read together."""

from collections.abc import Iterator, Sequence


def by_length(lengths: Sequence[int], *, most: int) -> Iterator[tuple[int, list[int]]]:
    """Yield batches of windows of one length: the length and the windows' numbers.

    Args:
        lengths: bases of each window.
        most: bases in a batch, of which there is at least one window.

    >>> list(by_length([4, 8, 4, 4], most=8))
    [(8, [1]), (4, [0, 2]), (4, [3])]
    """
    for length in sorted(set(lengths), reverse=True):
        numbers = [number for number, own in enumerate(lengths) if own == length]
        size = max(most // length, 1)
        for first in range(0, len(numbers), size):
            yield length, numbers[first : first + size]
