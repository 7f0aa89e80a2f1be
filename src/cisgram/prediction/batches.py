"""Many things read a few at a time."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from cisgram.core.progress import progress

Items = TypeVar("Items", bound=Sequence[Any] | np.ndarray)


def in_batches(items: Items, size: int, description: str) -> Iterator[Items]:
    """Yield slices of at most `size` items, and show how many of them are done."""
    with progress(description, len(items)) as ticker:
        for first in range(0, len(items), size):
            yield items[first : first + size]  # pyright: ignore[reportReturnType]
            ticker.advance(min(size, len(items) - first))


def by_length(lengths: Sequence[int], *, most: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the lengths of windows, longest first, each with the numbers of windows that have it.

    Windows of a batch have at most `most` bases together, or are one.

    >>> list(by_length([4, 8, 4, 4], most=8))
    [(8, [1]), (4, [0, 2]), (4, [3])]
    """
    for length in sorted(set(lengths), reverse=True):
        numbers = [number for number, other in enumerate(lengths) if other == length]
        size = max(most // length, 1)
        for first in range(0, len(numbers), size):
            yield length, numbers[first : first + size]
