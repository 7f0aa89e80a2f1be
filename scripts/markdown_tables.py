"""How numbers and tables are written in the docs."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Result = dict[str, Any]
"""What a benchmark wrote."""
Table = Callable[[Result], str]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def times(value: float) -> str:
    """Write a ratio."""
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def seconds(value: float) -> str:
    """Write a time, without its unit."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"
