"""One HTML page about the evaluation of models: a table a task and subset."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from cisgram.benchmark.run import table_of
from cisgram.report.templates import fill, write_page
from cisgram.report.words import number


class Grid(NamedTuple):
    """A table of numbers: a row a predictor, a column an output and metric."""

    title: str
    columns: list[str]
    rows: list[tuple[str, bool, list[str]]]
    """Predictor, whether it is a baseline, and cells."""


def write_evaluation_page(result: Mapping[str, Any], out: Path) -> Path:
    """Write the page whole or not at all."""
    tables = table_of(result)
    tasks = [
        {"name": name, "title": facts["title"], "grids": list(grids(tables, name))}
        for name, facts in result["tasks"].items()
    ]
    values: dict[str, object] = {
        "tasks": tasks,
        "models": list(result["models"]),
        "held_out": result["held_out"],
        "notes": result.get("notes", ()),
        "machine": result["machine"],
    }
    write_page(fill("evaluation_page.html.jinja", values), out)
    return out


def grids(table: pl.DataFrame, task: str) -> Iterator[Grid]:
    """Yield a grid for every subset of a task."""
    own = table.filter(pl.col("task") == task)
    for (subset,), part in own.group_by("subset", maintain_order=True):
        heads = part.select("output", "metric").unique(maintain_order=True).rows()
        cells = {
            (row["predictor"], row["output"], row["metric"]): _cell(row)
            for row in part.iter_rows(named=True)
        }
        predictors = part.select("predictor", "baseline").unique(maintain_order=True).rows()
        rows = [
            (name, baseline, [cells.get((name, *head), "") for head in heads])
            for name, baseline in predictors
        ]
        yield Grid(str(subset), [" ".join(filter(None, head)) for head in heads], rows)


def _cell(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return number(row["value"])
    return f"{number(row['value'])} ({number(row['low'])} to {number(row['high'])})"
