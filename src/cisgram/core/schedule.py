"""What every executor goes by: the order of items, and the environment of workers."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from cisgram.core.checks import CisgramError

MAX_DEATHS = 3
"""Workers that an item, or the start of a worker, may lose before the work is given up."""
ONE_THREAD: dict[str, str] = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
        "POLARS_MAX_THREADS",
    ),
    "1",
)
"""Environment of a worker: the workers themselves fill the machine."""


class Schedule:
    """Which item comes next, and how many workers each has lost."""

    def __init__(self, n_items: int) -> None:
        self._fresh = iter(range(n_items))
        self._again: list[int] = []
        self._deaths: dict[int, int] = {}

    def next(self) -> int | None:
        """Return the index of an item to do, or None when all are given out."""
        return self._again.pop() if self._again else next(self._fresh, None)

    def lost(self, index: int, cause: str) -> None:
        """Take back the item of a worker that died of `cause`.

        Raises:
            CisgramError: it is the third death over this item.
        """
        self._deaths[index] = self._deaths.get(index, 0) + 1
        if self._deaths[index] >= MAX_DEATHS:
            raise CisgramError(
                f"item {index} lost its worker {MAX_DEATHS} times, the last time to {cause}; "
                "give it more memory or fewer workers at once."
            )
        self._again.append(index)


@contextmanager
def environment(values: Mapping[str, str]) -> Generator[None]:
    """Set environment variables within the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
