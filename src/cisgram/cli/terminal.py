"""The terminal: text appears as it is, and a reader that leaves ends the command."""

from typing import Never

from rich.console import Console

_ANY_WIDTH = 100_000
"""Of a pipe or a file, where a wrapped path could not be read again."""


class Terminal(Console):
    """A console for which brackets, colons and numbers in names mean nothing."""

    def __init__(self, *, wrap: bool = True) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, soft_wrap=not wrap)
        if not self.is_terminal:
            self.width = _ANY_WIDTH

    def on_broken_pipe(self) -> Never:
        """Leave it to `main`, which knows the exit code."""
        raise BrokenPipeError
