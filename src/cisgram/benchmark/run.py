"""Run evaluations: task after task, each kept as soon as it is done."""

import hashlib
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cisgram import __version__
from cisgram.benchmark.base import (
    ANY_GENOME,
    Context,
    OwnGenome,
    Predictor,
    Row,
    Rows,
    chosen_evaluations,
    machine,
    refuse_none,
)
from cisgram.core.artifact import damage_errors, read_sealed, sealed, sha256, write_json
from cisgram.core.checks import CisgramWarning, ConfigError, DataError
from cisgram.genome.reference import Reference
from cisgram.models.hub import WEIGHTS, model_directory

_KEY = ("task", "subset", "predictor", "output", "metric")
_SCHEMA = {
    "task": pl.String, "subset": pl.String, "predictor": pl.String, "baseline": pl.Boolean,
    "output": pl.String, "metric": pl.String, "value": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "n": pl.Int64,
}  # fmt: skip


def run_evaluations(
    tasks: Sequence[str],
    models: Mapping[str, Sequence[str]],
    *,
    data: Path | None = None,
    out: Path,
    targets: Path | None = None,
    genome: OwnGenome | None = None,
) -> dict[str, Any]:
    """Run tasks on models and write the rows as JSON.

    A task that is in the file already, of the same models, is not run again.

    Args:
        tasks: names of tasks or suites.
        models: packaged weights, directories or runs by the name in tables; of several, each is
            asked about the contigs that it held out.
        data: directory with the public files of the suite.
        out: JSON file; what models read is kept beside it, so that a stopped run goes on.
        targets: measured tracks and gene targets, the `data` of a run of `cisgram train`.
        genome: one to evaluate on in place of the models' own, by the tasks of any genome.

    Returns:
        `rows`, and beside them what ran: models, tasks, machine; and `notes`, which contigs a model
        or one it started from learnt, or may have.

    Raises:
        ConfigError: there is no such task, or none has a meaning for a model or the genome.
        DataError: a file is missing.
    """
    chosen = list(chosen_evaluations(tasks))
    for task in chosen:
        if genome is not None and task.suite != ANY_GENOME:
            raise ConfigError(f"{task.name} is of yeast alone; with --genome run perplexity.")
    predictors = [Predictor.open(name, own, genome) for name, own in models.items()]
    identity: dict[str, Any] = {
        "models": {name: [_weights(model) for model in own] for name, own in models.items()},
        "genome": None if genome is None else _identity(genome, predictors[0].session.reference),
    }
    work = out.parent / "read"
    if genome is not None:
        # What was read of one genome is not to be taken for another's.
        work /= identity["genome"]["sha256"][:12]
    result = _begun(out, identity)
    result["held_out"] = {own.name: list(own.contigs) for own in predictors}
    result["notes"] = Context(tuple(predictors), data, targets, work).notes
    for note in result["notes"]:
        warnings.warn(note, CisgramWarning, stacklevel=2)
    for task in chosen:
        asked = tuple(own for own in predictors if task.accepts(own))
        if len(chosen) > 1 and not asked:
            continue
        refuse_none(asked, task)
        if task.name in result["tasks"]:
            continue
        rows, started = Rows(task.name, [own.name for own in asked]), time.perf_counter()
        task.run(Context(asked, data, targets, work), rows)
        result["tasks"][task.name] = {
            "title": task.title,
            "seconds": round(time.perf_counter() - started, 1),
        }
        result["rows"] += [row.plain() for row in rows.rows]
        write_json(out, sealed(result))
    if not result["rows"]:
        raise ConfigError("none of the tasks has a meaning for these models; see bench list.")
    return result


def _weights(model: str) -> str:
    return sha256(model_directory(model) / WEIGHTS)


def _identity(genome: OwnGenome, reference: Reference) -> dict[str, Any]:
    digest = hashlib.sha256()
    for name in reference.contigs:
        digest.update(reference.contig(name).tobytes())
    annotation = None if genome.annotation is None else str(genome.annotation)
    contigs = list(genome.contigs)
    return {"sha256": digest.hexdigest(), "annotation": annotation, "contigs": contigs}


def _begun(out: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Return what the file holds, if it is of the same models."""
    empty: dict[str, Any] = {
        **identity, "cisgram": __version__, "machine": machine(), "tasks": {}, "rows": []
    }  # fmt: skip
    if not out.exists():
        return empty
    found = read_sealed(out)
    if {key: found.get(key) for key in identity} != identity:
        raise DataError(
            f"{out} holds results of other models or of another genome; choose another file."
        )
    return found


def read_result(path: Path) -> dict[str, Any]:
    """Return what an evaluation wrote; raise DataError where it is none."""
    result = read_sealed(path)
    with damage_errors(path):
        table_of(result)
        len(result["models"])
    return result


def table_of(result: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of a result as a table."""
    return pl.DataFrame([Row(**row).plain() for row in result["rows"]], schema=_SCHEMA)


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows that two results have in common, side by side.

    A result of a single model is held against the other's whatever their names. Columns are those
    that name a row, value, low, high and n of both, and the difference of values.

    Raises:
        DataError: they have no row in common.
    """
    left, right = (_without_name(result) for result in (first, second))
    columns = ("value", "low", "high", "n")
    joined = left.join(
        right.select(*_KEY, *columns), on=_KEY, suffix="_2", maintain_order="left"
    ).with_columns(difference=pl.col("value_2") - pl.col("value"))
    if not joined.height:
        raise DataError("the two results have no row in common; they are of other tasks or models.")
    return joined


def _without_name(result: Mapping[str, Any]) -> pl.DataFrame:
    table = table_of(result)
    if len(result["models"]) > 1:
        return table
    name = pl.when("baseline").then("predictor").otherwise(pl.lit("model"))
    return table.with_columns(predictor=name)
