"""Training of a model of tracks and genes from a recipe: targets, model, task and loop."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cisgram.core.checks import ConfigError
from cisgram.data.targets import Geometry, Targets
from cisgram.data.targets_build import build_targets
from cisgram.models.registry import build_model
from cisgram.models.shorkie_tracks import ShorkieTracks
from cisgram.train.checkpoint import RunState
from cisgram.train.loop import train
from cisgram.train.provenance import Start, card, open_run, record_run, run_data
from cisgram.train.track_recipe import TrackRecipe
from cisgram.train.track_task import TrackTask

TARGETS = "targets"
_COUNTED = ("n_tracks", "n_values")


def fit_tracks(
    recipe: TrackRecipe, out: Path | str, *, resume: bool = False, devices: int = 1
) -> RunState:
    """Train a model of tracks and genes as the recipe says.

    `out` gets the targets, `run.json` (settings, versions, hashes of the files) and what
    `train.loop.train` writes.

    Args:
        recipe: what to do.
        out: directory of the run.
        resume: go on with the run in `out`; its recipe may differ only in length and rhythm.
        devices: processes on CPU, or GPUs.

    Raises:
        DataError: `out` holds a run and `resume` is false, or a file cannot be used.
        ConfigError: the recipe is not the one of the run, or cannot be used.
    """
    out = Path(out)
    sizes = _sizes(recipe)
    probe = _build(recipe, sizes, n_tracks=1)
    start = open_run(recipe, out, data=TARGETS, resume=resume)
    if start is not None:
        # Before the targets are made: a start that does not fit leaves nothing behind.
        take_trunk(probe, start)
    targets = _targets(recipe, out, _geometry(probe))
    n_tracks, n_values = len(targets.tracks.names), len(targets.value_names)
    model = _build(recipe, sizes, n_tracks=n_tracks, n_values=n_values)
    if start is not None:
        take_trunk(model, start)
    record_run(recipe, model, out, start=start)
    task = TrackTask(
        targets,
        total_weight=recipe.loss.total_weight,
        value_weight=recipe.loss.value_weight,
    )
    outputs = {"scaling": asdict(targets.scaling), "columns": _columns(targets)}
    return train(
        model,
        task,
        out,
        config=recipe.train,
        optim=recipe.optim,
        card=card(recipe, model, out) | outputs,
        devices=devices,
    )


def take_trunk(model: ShorkieTracks, start: Start) -> None:
    """Take every weight of the trunk from a model that has the same trunk, or a deeper one.

    Raises:
        ConfigError: it lacks one, or one has another shape.
    """
    theirs = start.model.state_dict()
    for name, own in model.state_dict().items():
        if not name.startswith("trunk."):
            continue
        if name not in theirs or theirs[name].shape != own.shape:
            raise ConfigError(
                f"start is {start.name}, a {start.model.kind} whose trunk has other sizes than "
                f"[model] (see {name}); make [model] the same."
            )
        own.copy_(theirs[name])
    if start.model.kind == model.kind and start.model.config == model.config:
        model.load_state_dict(theirs)


def _sizes(recipe: TrackRecipe) -> dict[str, Any]:
    if recipe.model["kind"] != ShorkieTracks.kind:
        raise ConfigError(
            f"kind in [model] must be {ShorkieTracks.kind}, which predicts tracks; got "
            f"{recipe.model['kind']!r}."
        )
    sizes = {name: value for name, value in recipe.model.items() if name != "kind"}
    for name in _COUNTED:
        if name in sizes:
            raise ConfigError(f"{name} in [model] follows from [targets]; leave it out.")
    return sizes


def _geometry(model: ShorkieTracks) -> Geometry:
    return Geometry(window=model.window, crop=model.config.crop, resolution=model.resolution)


def _build(
    recipe: TrackRecipe, sizes: dict[str, Any], *, n_tracks: int, n_values: int = 0
) -> ShorkieTracks:
    """Build the network with random weights and so many outputs."""
    torch.manual_seed(recipe.train.seed)
    counted = {"n_tracks": n_tracks, "n_values": n_values}
    model = build_model(ShorkieTracks.kind, {**sizes, **counted}, "[model]")
    if not isinstance(model, ShorkieTracks):
        raise TypeError(f"{ShorkieTracks.kind} was built as {type(model).__name__}")
    return model


def _targets(recipe: TrackRecipe, out: Path, geometry: Geometry) -> Targets:
    return run_data(
        out,
        TARGETS,
        read=Targets.open,
        build=partial(build_targets, recipe.targets, geometry=geometry, directory=recipe.directory),
        fits=lambda found: (found.geometry, found.config) == (geometry, recipe.targets),
    )


def _columns(targets: Targets) -> dict[str, Any]:
    """Say what the model's outputs are, in their order."""
    upstream = [source.upstream for source in targets.config.tracks for _ in source.columns]
    return {
        "tracks": list(targets.tracks.names),
        "upstream": upstream,
        "values": list(targets.value_names),
    }
