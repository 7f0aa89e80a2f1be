"""Progress of long work: a bar with an ETA on a terminal, rare plain lines elsewhere."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

_SECONDS_BETWEEN_LINES = 30.0
_SECONDS_BEFORE_ESTIMATE = 5.0
_shown: ContextVar["tuple[str, Ticker] | None"] = ContextVar("shown", default=None)
"""The stage whose progress this thread shows."""


class Ticker(Protocol):
    """Counts finished pieces of work and shows how far it is."""

    def advance(self, n: int = 1) -> None:
        """Count `n` more pieces as done."""


class _Pace:
    """How long the rest takes, going by what came after the first piece.

    The first piece waits for compilers and for other processes to start.
    """

    def __init__(self, total: int | None, done: int) -> None:
        self.total, self.done = total, done
        self._first: tuple[int, float] | None = None

    def advance(self, n: int) -> None:
        self.done += n
        if n and self._first is None:
            self._first = self.done, time.monotonic()

    def seconds_left(self) -> float | None:
        """Return seconds; None where it is too early to say."""
        if self.total is None or self._first is None:
            return None
        done, seconds = self.done - self._first[0], time.monotonic() - self._first[1]
        if done <= 0 or seconds < _SECONDS_BEFORE_ESTIMATE:
            return None
        return (self.total - self.done) * seconds / done


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        left = task.fields["pace"].seconds_left()
        return Text("-:--:--" if left is None else str(timedelta(seconds=round(left))))


class _Bar:
    def __init__(self, progress: Progress, description: str, pace: _Pace) -> None:
        self._progress, self._pace = progress, pace
        self._task = progress.add_task(
            description, total=pace.total, completed=pace.done, pace=pace
        )

    def advance(self, n: int = 1) -> None:
        self._pace.advance(n)
        self._progress.advance(self._task, n)


class _Lines:
    """For logs: one line every half minute, none for work shorter than that."""

    def __init__(self, description: str, pace: _Pace) -> None:
        self._description, self._pace = description, pace
        self._last = time.monotonic()

    def advance(self, n: int = 1) -> None:
        self._pace.advance(n)
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        print(f"{self._description}: {self._state()}", file=sys.stderr, flush=True)  # noqa: T201

    def _state(self) -> str:
        total, left = self._pace.total, self._pace.seconds_left()
        text = f"{self._pace.done:,}" + (f" of {total:,}" if total else "")
        return text if left is None else f"{text}, about {left:,.0f} s left"


class _Silence:
    def advance(self, n: int = 1) -> None:
        pass


@contextmanager
def progress(description: str, total: int | None = None, *, done: int = 0) -> Generator[Ticker]:
    """Show the progress of `total` pieces of work, `done` of them from an earlier run.

    A stage has one label: within such a block nothing else is shown, and work of the same label
    counts for it.
    """
    if (outer := _shown.get()) is not None:
        yield outer[1] if outer[0] == description else _Silence()
        return
    try:
        with _stage(description, _Pace(total, done)) as ticker:
            _shown.set((description, ticker))
            yield ticker
    finally:
        _shown.set(None)


@contextmanager
def _stage(description: str, pace: _Pace) -> Generator[Ticker]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(description, pace)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        _TimeLeft(),
    )
    with Progress(*columns, console=console) as bar:
        yield _Bar(bar, description, pace)
