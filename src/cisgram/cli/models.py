"""`cisgram models`: architectures, packaged weights, and weights of other projects."""

from pathlib import Path
from typing import Any

from cyclopts import App

from cisgram.cli.claims import Directory, Overwrite
from cisgram.cli.options import Plugins, save_json, say, show_table

app = App(name="models", help="List and show models; convert published weights; join models.")
_LISTED = ("name", "kind", "trained", "outputs", "n_parameters", "licence", "runs_here")


@app.command(name="list")
def list_models(*, json: Path | None = None, overwrite: Overwrite = False) -> None:
    """List architectures and packaged weights.

    Args:
        json: File to write the list to as JSON: name, kind, trained, outputs, n_parameters,
            licence and runs_here of each.
    """
    from cisgram.models.hub import describe, packaged_models
    from cisgram.models.registry import architectures

    described = [describe(name) for name in (*architectures(), *packaged_models())]
    save_json(json, [{name: facts[name] for name in _LISTED} for facts in described])
    rows = [
        (
            facts["name"],
            "yes" if facts["trained"] else "no",
            f"{facts['n_parameters']:,}",
            facts["outputs"],
            facts["description"],
        )
        for facts in described
    ]
    names = ("model", "trained", "parameters", "predicts", "what it is")
    show_table(names, rows, numbers=("parameters",))


@app.command
def show(
    model: str, /, *, plugins: Plugins = (), json: Path | None = None, overwrite: Overwrite = False
) -> None:
    """Show a model's sizes and outputs, and of weights how they were trained and evaluated.

    Args:
        model: An architecture, packaged weights such as cisgram/yeast-lm, or a model directory.
        plugins: Python file with an architecture of your own, imported before the model is read.
            Several --plugins may be given.
        json: File to write the facts to as JSON.
    """
    from cisgram.core.plugins import import_plugins
    from cisgram.models.hub import describe

    import_plugins(plugins)
    facts = describe(model)
    save_json(json, facts)
    say(*_lines(facts), wrap=False)


@app.command
def convert(weights: Path, /, *, out: Directory) -> None:
    """Convert published Shorkie weights, a Keras h5 file, to a model directory.

    Args:
        weights: File such as model_best.h5, of the language model or of a fold of the model of
            tracks.
        out: Directory to make.
    """
    from cisgram.models.keras import convert_keras

    model = convert_keras(weights, out)
    say(f"{model.kind} with {model.n_parameters:,} parameters is in {out}.")


@app.command
def ensemble(models: list[str], /, *, plugins: Plugins = (), out: Directory) -> None:
    """Join models of the same outputs to one, which predicts their mean.

    Args:
        models: Packaged weights, model directories or runs of `cisgram train`, two or more.
        plugins: Python file with an architecture of your own, imported before the models are read.
            Several --plugins may be given.
        out: Directory to make; commands that take a model take it too.
    """
    from cisgram.core.plugins import import_plugins
    from cisgram.models.ensemble import join_models

    import_plugins(plugins)
    joined = join_models(models, out)
    say(f"{len(joined.members)} models with {joined.n_parameters:,} parameters are in {out}.")


def _lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    lines: list[str] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {value}")
    return lines
