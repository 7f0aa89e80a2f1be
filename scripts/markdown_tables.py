"""How numbers and tables are written in the docs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Result = dict[str, Any]
"""What a benchmark wrote."""
NOT_MEASURED = "Not measured yet."


@dataclass(frozen=True)
class Table:
    """One region of a page."""

    write: Callable[[Result], str]
    needs: tuple[str, ...] = ()
    """Keys without which there is nothing to write, as `outer/inner`."""

    def render(self, result: Result) -> str:
        """Write the region, or say that its numbers are not there."""
        return (
            self.write(result) if all(_holds(result, key) for key in self.needs) else NOT_MEASURED
        )


def _holds(result: Any, key: str) -> bool:
    for part in key.split("/"):
        if not isinstance(result, dict) or part not in result:
            return False
        result = result[part]
    return result not in (None, [], {})


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], *, text: int = 1) -> str:
    """Return a table whose first `text` columns are text and whose others are numbers."""
    rule = "|" + "|".join(["---"] * text + ["---:"] * (len(head) - text)) + "|"
    lines = ["| " + " | ".join(head) + " |", rule]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def times(value: float) -> str:
    """Write a ratio."""
    if value < 10:
        return f"{value:.2f}"
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def seconds(value: float) -> str:
    """Write a time, without its unit."""
    return f"{value:.3f}" if value < 1 else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def tiny(value: float) -> str:
    """Write a difference that should be none."""
    return f"{value:.1e}" if value else "0"


def rounded(value: float) -> str:
    """Write a quantity of any size to about three digits."""
    if not value:
        return "0"
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.2g}"


def listed(estimate: Sequence[float], *, sign: str = "") -> str:
    """Write an estimate and its interval, of three numbers; with `sign` "+" every sign."""
    value, low, high = (f"{number:{sign}.3f}" for number in estimate)
    return f"{value} ({low} to {high})"
