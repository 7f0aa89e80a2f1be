"""`cisgram models`: architectures, packaged weights, and weights of other projects."""

from pathlib import Path
from typing import Any

from cyclopts import App

app = App(name="models", help="List and show models; convert published weights; join models.")


@app.command(name="list")
def list_models() -> None:
    """List architectures and packaged weights."""
    from rich.console import Console
    from rich.table import Table

    from cisgram.models.catalogue import describe
    from cisgram.models.registry import model_names

    table = Table(box=None, pad_edge=False)
    for name in ("model", "parameters", "what it is"):
        table.add_column(name, justify="right" if name == "parameters" else "left")
    for name in model_names():
        facts = describe(name)
        table.add_row(name, f"{facts['n_parameters']:,}", facts["description"])
    Console().print(table)


@app.command
def show(model: str, /, *, json: Path | None = None) -> None:
    """Show a model's sizes, and of weights how they were trained and what they reach.

    Args:
        model: An architecture, packaged weights such as cisgram/yeast-lm, or a model directory.
        json: Also write the facts as data.
    """
    from rich.console import Console

    from cisgram.core.artifact import write_json
    from cisgram.models.catalogue import describe

    facts = describe(model)
    if json is not None:
        write_json(json, facts)
    for line in _lines(facts):
        Console(soft_wrap=True).print(line, highlight=False, markup=False)


@app.command
def convert(weights: Path, /, *, out: Path) -> None:
    """Convert published Shorkie weights, a Keras h5 file, to a model directory.

    Args:
        weights: model_best.h5 of the language model or of a fold of the model of tracks.
        out: Directory to make.
    """
    from rich.console import Console

    from cisgram.models.keras import convert_keras

    model = convert_keras(weights, out)
    Console().print(
        f"{model.kind} with {model.n_parameters:,} parameters is in {out}.", highlight=False
    )


@app.command
def ensemble(models: list[str], /, *, out: Path) -> None:
    """Join models of the same tracks and numbers of genes to one, which predicts their mean.

    Args:
        models: Packaged weights, directories of models or runs of `cisgram train`, two or more.
        out: Directory to make; commands that take a model take it too.
    """
    from rich.console import Console

    from cisgram.models.ensemble_files import join_models

    joined = join_models(models, out)
    Console().print(
        f"{len(joined.members)} models with {joined.n_parameters:,} parameters are in {out}.",
        highlight=False,
    )


def _lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    lines: list[str] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {value}")
    return lines
