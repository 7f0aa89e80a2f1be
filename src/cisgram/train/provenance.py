"""What a run was made from: written when it begins, held against the recipe when it goes on."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from cisgram import __version__
from cisgram.core.artifact import read_json, sha256, write_json
from cisgram.core.checks import ConfigError, DataError
from cisgram.core.config import to_plain
from cisgram.core.device import hardware
from cisgram.models.base import Model
from cisgram.models.checkpoint import WEIGHTS, load_language_model, model_directory
from cisgram.models.registry import packaged_model
from cisgram.train.checkpoint import checkpoint_step
from cisgram.train.loop import CHECKPOINT
from cisgram.train.recipe import Recipe

RUN = "run.json"
_MAY_CHANGE = {
    "train": ("steps", "checkpoint_every", "log_every"),
    "optim": ("decay",),
}
"""Fields that a resumed run may have otherwise; `schedule` keeps what steps and decay were."""

Facts = dict[str, Any]


def take_weights(model: Model, recipe: Recipe) -> Facts:
    """Put the weights of the recipe's start into a model, and return what they are.

    Genomes that both know by name must have the same number in both.

    Raises:
        DataError: there is no such model.
        ConfigError: it has other sizes, or numbers the genomes otherwise.
    """
    wanted = str(recipe.train.start)
    name = wanted if packaged_model(wanted) else str(recipe.directory / wanted)
    start, card = load_language_model(name)
    if (start.kind, start.config) != (model.kind, model.config):
        raise ConfigError(
            f"start is {name}, a {start.kind} of other sizes than [model]; make [model] the same."
        )
    numbers = {genome: number for number, genome in enumerate(card.get("genomes", {}))}
    for number, genome in enumerate(recipe.corpus.genomes):
        if numbers.get(genome.name, number) != number:
            raise ConfigError(
                f"genome {genome.name} is number {number} of the recipe and {numbers[genome.name]} "
                f"of its start {name}; keep the order, or rename it."
            )
    model.load_state_dict(start.state_dict())
    known = {key: card[key] for key in ("steps", "seconds", "genomes", "start") if key in card}
    return {"weights": sha256(model_directory(name) / WEIGHTS), **known}


def check_run(recipe: Recipe, model: Model, out: Path, *, start: Facts | None) -> None:
    """Refuse to go on with a run of another recipe.

    Raises:
        ConfigError: a field is not what it was, and may not change.
        DataError: the start has other weights than when the run began.
    """
    began = read_json(out / RUN)
    if start is not None and start != began.get("start"):
        raise DataError(f"the start of {out} has other weights than when it began; put them back.")
    for table, fields in _plain(recipe, model).items():
        before = began["recipe"].get(table, {})
        for name in sorted({*fields, *before} - {*_MAY_CHANGE.get(table, ())}):
            if fields.get(name) != before.get(name):
                raise ConfigError(
                    f"{name} in [{table}] is {fields.get(name)!r} and was {before.get(name)!r} "
                    f"when {out} began; set it back, or choose another --out."
                )


def begin(recipe: Recipe, model: Model, out: Path, *, start: Facts | None) -> None:
    """Write down what a run is made from."""
    genomes = {
        genome.name: sha256(recipe.directory / genome.fasta) for genome in recipe.corpus.genomes
    }
    held_out = {split: asdict(part) for split, part in recipe.corpus.held_out.items()}
    facts = {
        "recipe": _plain(recipe, model),
        "genomes": genomes,
        "held_out": held_out,
        **({} if start is None else {"start": start}),
        "schedule": [_schedule(recipe, 0)],
        "cisgram": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    write_json(out / RUN, facts)


def go_on(recipe: Recipe, out: Path) -> None:
    """Write down from which step on a resumed run has other steps or another decay."""
    began = read_json(out / RUN)
    checkpoint = out / CHECKPOINT
    step = checkpoint_step(checkpoint) if checkpoint.exists() else 0
    kept = [entry for entry in began["schedule"] if entry["from_step"] < step]
    now = _schedule(recipe, step if kept else 0)
    same = kept and all(kept[-1][name] == now[name] for name in ("steps", "decay"))
    write_json(out / RUN, began | {"schedule": kept if same else [*kept, now]})


def card(recipe: Recipe, model: Model, out: Path) -> Facts:
    """Return the facts that a run's model carries."""
    began = read_json(out / RUN)
    return {
        "recipe": _plain(recipe, model),
        **{key: began[key] for key in ("genomes", "held_out", "start", "schedule") if key in began},
        "hardware": hardware(),
        "torch": torch.__version__,
        "cisgram": __version__,
    }


def total(card: Facts, what: str) -> float:
    """Return a number of a card, `steps` or `seconds`, the models it started from counted in."""
    return card.get(what, 0) + (total(card["start"], what) if "start" in card else 0)


def _schedule(recipe: Recipe, step: int) -> dict[str, int]:
    return {"from_step": step, "steps": recipe.train.steps, "decay": recipe.optim.decay}


def _plain(recipe: Recipe, model: Model) -> dict[str, Mapping[str, Any]]:
    """Return every field that makes the run, defaults too."""
    return {
        "corpus": to_plain(recipe.corpus),
        "model": {"kind": model.kind, **to_plain(model.config)},
        "objective": asdict(recipe.objective),
        "masking": asdict(recipe.masking),
        "train": asdict(recipe.train),
        "optim": asdict(recipe.optim),
    }
