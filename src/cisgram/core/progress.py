"""Progress of long work: a bar with an ETA on a terminal, rare plain lines elsewhere."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_SECONDS_BETWEEN_LINES = 30.0


class Ticker(Protocol):
    """Counts finished pieces of work and shows how far it is."""

    def advance(self, n: int = 1) -> None:
        """Count `n` more pieces as done."""


class _Bar:
    def __init__(
        self, progress: Progress, description: str, *, total: int | None, done: int
    ) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total, completed=done)

    def advance(self, n: int = 1) -> None:
        self._progress.advance(self._task, n)


class _Lines:
    """For logs: one line every half minute, none for work shorter than that."""

    def __init__(self, description: str, total: int | None, done: int) -> None:
        self._description, self._total, self._done = description, total, done
        self._first, self._start = done, time.monotonic()
        self._last = self._start

    def advance(self, n: int = 1) -> None:
        self._done += n
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        print(f"{self._description}: {self._state(now)}", file=sys.stderr, flush=True)  # noqa: T201

    def _state(self, now: float) -> str:
        if not self._total:
            return f"{self._done:,}"
        rate = (self._done - self._first) / (now - self._start)
        left = (self._total - self._done) / rate if rate else float("inf")
        return f"{self._done:,} of {self._total:,}, about {left:,.0f} s left"


@contextmanager
def progress(description: str, total: int | None = None, *, done: int = 0) -> Generator[Ticker]:
    """Show the progress of `total` pieces of work, `done` of them from an earlier run."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(description, total, done)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        yield _Bar(bar, description, total=total, done=done)
