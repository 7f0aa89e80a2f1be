"""A run from its recipe: data, model, task and the training loop."""

from pathlib import Path

import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.core.config import to_plain
from cisgram.core.device import shapes_only
from cisgram.core.places import hold, sweep
from cisgram.data.base import DataSet, data_kind
from cisgram.models.base import Model
from cisgram.models.registry import build_model
from cisgram.training.checkpoint import RunState
from cisgram.training.loop import fit
from cisgram.training.provenance import DATA, RUN, Start, card, open_run, record_run
from cisgram.training.recipe import Recipe
from cisgram.training.task import Learning

_HEAD = "head"


def train(
    recipe: Recipe | Path | str, out: Path | str, *, resume: bool = False, devices: int = 1
) -> RunState:
    """Train a network as a recipe says.

    `out` gets the data set, `run.json` (settings, versions, SHA-256 of the files), `metrics.jsonl`,
    `checkpoint.safetensors` and, in `model`, the weights of the lowest validation loss.

    Args:
        recipe: the recipe, or its file.
        out: directory of the run.
        resume: go on with the run in `out`; its recipe may differ only in length and rhythm.
        devices: processes on CPU, or GPUs.

    Raises:
        DataError: `out` holds a run and `resume` is false, another process writes there, or a file
            cannot be used.
        ConfigError: the recipe cannot be used, or is not the one of the run.
    """
    out = Path(out)
    if not isinstance(recipe, Recipe):
        recipe = Recipe.read(recipe)
    with hold(out):
        sweep(out)
        start = open_run(recipe, out, resume=resume)
        _check(recipe, start)  # before the data are made: what does not fit leaves nothing behind
        data = _data(recipe, out)
        torch.manual_seed(recipe.train.seed)
        model = build_model(recipe.model_kind, recipe.model, data.outputs)
        if start is not None:
            take_weights(model, start)
        record_run(recipe, data, out, start=start)
        return fit(
            model,
            Learning(data, recipe.task),
            out,
            config=recipe.train,
            optim=recipe.optim,
            card=card(recipe, out),
            devices=devices,
        )


def _check(recipe: Recipe, start: Start | None) -> None:
    """Refuse tables that do not go together."""
    expected = recipe.data.expected_outputs(recipe.model.geometry)
    with shapes_only():
        probe = build_model(recipe.model_kind, recipe.model, expected)
    recipe.task.check(probe)
    n_species, n_genomes = getattr(recipe.model, "n_species", 0), recipe.data.n_species
    if 0 < n_species < n_genomes:
        raise ConfigError(
            f"n_species in [model] must be at least {n_genomes}, one for each genome, or 0; "
            f"got {n_species}."
        )
    if start is not None:
        _check_start(probe, start, recipe)


def _check_start(model: Model, start: Start, recipe: Recipe) -> None:
    """Refuse a start whose trunk has other sizes, or that knows the genomes by other numbers."""
    theirs = start.model.state_dict()
    for name, own in model.state_dict().items():
        if not _is_head(name) and (name not in theirs or theirs[name].shape != own.shape):
            raise ConfigError(
                f"start is {start.name}, a {start.model.kind} whose trunk has other sizes than "
                f"[model] (see {name}); make [model] the same."
            )
    numbers = {genome: number for number, genome in enumerate(start.card.get("genomes", {}))}
    for number, genome in enumerate(getattr(recipe.data, "genomes", ())):
        if numbers.get(genome.name, number) != number:
            raise ConfigError(
                f"genome {genome.name} is number {number} of the recipe and {numbers[genome.name]} "
                f"of its start {start.name}; keep the order, or rename it."
            )


def take_weights(model: Model, start: Start) -> None:
    """Take every weight but the head's from the start; the head's too where outputs are equal."""
    theirs = start.model.state_dict()
    if start.model.outputs != model.outputs:
        own = {name: value for name, value in model.state_dict().items() if _is_head(name)}
        theirs = {name: theirs[name] for name in model.state_dict() if not _is_head(name)} | own
    model.load_state_dict({name: theirs[name] for name in model.state_dict()})


def _is_head(name: str) -> bool:
    return name.partition(".")[0] == _HEAD


def _data(recipe: Recipe, out: Path) -> DataSet:
    """Open what a run learns from, or build it."""
    kind, path = data_kind(recipe.data_kind, "[data]"), out / DATA
    if path.exists():
        data = kind.open(path)
        # `record_run` holds a run's recipe against that it began with, field by field.
        if not (out / RUN).exists() and to_plain(data.config) != to_plain(recipe.data):
            raise DataError(f"{path} is of another recipe; choose another --out.")
        return data
    return kind.build(recipe.data, path, geometry=recipe.model.geometry, directory=recipe.directory)
