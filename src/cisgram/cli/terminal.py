"""The terminal: text appears as it is, and a reader that leaves ends the command."""

from typing import Never

from rich.console import Console


class Terminal(Console):
    """A console for which brackets, colons and numbers in names mean nothing."""

    def __init__(self, *, wrap: bool = True) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, soft_wrap=not wrap)

    def on_broken_pipe(self) -> Never:
        """Leave it to `main`, which knows the exit code."""
        raise BrokenPipeError
