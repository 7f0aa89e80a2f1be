"""What a run was made from: written when it begins, held against the recipe when it goes on."""

import platform
from pathlib import Path
from typing import Any, NamedTuple

import torch

from cisgram import __version__
from cisgram.core.artifact import damage_errors, read_sealed, sealed, sha256, write_json
from cisgram.core.checks import ConfigError, DataError
from cisgram.core.config import to_plain
from cisgram.core.device import hardware
from cisgram.data.base import DataSet
from cisgram.models.base import Model
from cisgram.models.hub import WEIGHTS, load_model, model_directory, packaged_model
from cisgram.training.checkpoint import checkpoint_step
from cisgram.training.loop import CHECKPOINT
from cisgram.training.recipe import Recipe

RUN, DATA = "run.json", "data"
_MAY_CHANGE = {
    "train": ("steps", "checkpoint_every", "log_every"),
    "optim": ("decay",),
}
"""Fields that a resumed run may have otherwise; `schedule` keeps what steps and decay were."""

_OF_SOURCES = ("genomes", "files", "plugins", "held_out", "contigs", "start", "schedule")
_OF_START = (
    "steps", "seconds", "genome", "genomes", "held_out", "contigs", "start", "members"
)  # fmt: skip

Facts = dict[str, Any]


class Start(NamedTuple):
    """A trained model that a run starts from."""

    name: str
    model: Model
    card: Facts

    @property
    def facts(self) -> Facts:
        """What the run's card says of it."""
        known = {key: self.card[key] for key in _OF_START if key in self.card}
        return {"weights": sha256(model_directory(self.name) / WEIGHTS), **known}


def open_run(recipe: Recipe, out: Path, *, resume: bool) -> Start | None:
    """Return the model whose weights the first step starts from, if that is yet to be made.

    Raises:
        DataError: `out` holds something else, or a run and `resume` is false; or there is no such
            model.
    """
    if not (out / RUN).exists():
        if out.exists() and {path.name for path in out.iterdir()} - {DATA}:
            raise DataError(f"{out} is no run and not empty; choose another --out.")
    elif not resume:
        raise DataError(
            f"{out} holds a run already; add --resume to go on, or choose another --out."
        )
    if recipe.train.start is None or (out / CHECKPOINT).exists():
        return None
    wanted = recipe.train.start
    name = wanted if packaged_model(wanted) else str(recipe.directory / wanted)
    return Start(name, *load_model(name))


def record_run(recipe: Recipe, data: DataSet, out: Path, *, start: Start | None) -> None:
    """Write down what a run is made from, or from which step on it has another schedule.

    Raises:
        ConfigError: it began with another recipe.
        DataError: its start has other weights than when it began.
    """
    if (out / RUN).exists():
        began = read_sealed(out / RUN)
        with damage_errors(out / RUN, "choose another --out"):
            _check_run(recipe, out, began, start=start)
            facts = began | {"schedule": _continued(recipe, out, began["schedule"])}
    else:
        plugins = {path.name: sha256(path) for path in recipe.plugins}
        facts = {
            "recipe": recipe.tables(),
            **recipe.data.sources(recipe.directory),
            **({"contigs": contigs} if (contigs := data.contigs()) else {}),
            **({"plugins": plugins} if plugins else {}),
            **({} if start is None else {"start": start.facts}),
            "schedule": [_schedule(recipe, 0)],
            "cisgram": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
    write_json(out / RUN, sealed(facts))


def card(recipe: Recipe, out: Path) -> Facts:
    """Return the facts that a run's model carries."""
    began = read_sealed(out / RUN)
    return {
        **{name: value for name, value in to_plain(recipe.card).items() if value},
        "recipe": recipe.tables(),
        **{key: began[key] for key in _OF_SOURCES if key in began},
        "hardware": hardware(),
        "torch": torch.__version__,
        "cisgram": __version__,
    }


def total(card: Facts, what: str) -> float:
    """Return a number of a card, `steps` or `seconds`, the models it started from counted in."""
    return card.get(what, 0) + (total(card["start"], what) if "start" in card else 0)


def _check_run(recipe: Recipe, out: Path, began: Facts, *, start: Start | None) -> None:
    """Refuse to go on with a run of another recipe."""
    if start is not None and start.facts != began.get("start"):
        raise DataError(f"the start of {out} has other weights than when it began; put them back.")
    for table, fields in recipe.tables().items():
        before = began["recipe"].get(table, {})
        for name in sorted({*fields, *before} - {*_MAY_CHANGE.get(table, ())}):
            if fields.get(name) != before.get(name):
                raise ConfigError(
                    f"{name} in [{table}] is {fields.get(name)!r} and was {before.get(name)!r} "
                    f"when {out} began; set it back, or choose another --out."
                )


def _continued(recipe: Recipe, out: Path, before: list[dict[str, int]]) -> list[dict[str, int]]:
    """Return the schedule of a resumed run, which may have other steps or another decay."""
    checkpoint = out / CHECKPOINT
    step = checkpoint_step(checkpoint) if checkpoint.exists() else 0
    kept = [entry for entry in before if entry["from_step"] < step]
    now = _schedule(recipe, step if kept else 0)
    same = kept and all(kept[-1][name] == now[name] for name in ("steps", "decay"))
    return kept if same else [*kept, now]


def _schedule(recipe: Recipe, step: int) -> dict[str, int]:
    return {"from_step": step, "steps": recipe.train.steps, "decay": recipe.optim.decay}
