"""Pretraining from a recipe: corpus, model, task and loop."""

import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from cisgram import __version__
from cisgram.core.artifact import read_json, sha256, write_json
from cisgram.core.checks import ConfigError, DataError
from cisgram.core.config import to_plain
from cisgram.core.device import hardware
from cisgram.data.corpus import Corpus
from cisgram.data.corpus_build import build_corpus
from cisgram.models.base import LanguageModel
from cisgram.models.checkpoint import WEIGHTS, load_language_model, model_directory
from cisgram.models.registry import build_model, packaged_model, require_language_model
from cisgram.train.checkpoint import RunState
from cisgram.train.loop import CHECKPOINT, train
from cisgram.train.recipe import Recipe
from cisgram.train.tasks import LanguageTask

RUN, CORPUS = "run.json", "corpus"
_MAY_CHANGE = {"train": ("steps", "checkpoint_every", "log_every"), "optim": ("decay",)}
"""Fields that do not alter what a run did before its end."""


def pretrain(
    recipe: Recipe, out: Path | str, *, resume: bool = False, devices: int = 1
) -> RunState:
    """Pretrain a language model as the recipe says.

    `out` gets the corpus, `run.json` (settings, versions, hashes of the genomes) and what
    `train.loop.train` writes.

    Args:
        recipe: what to do.
        out: directory of the run.
        resume: go on with the run in `out`; its recipe may differ only in length and rhythm.
        devices: processes on CPU, or GPUs.

    Raises:
        DataError: `out` holds a run and `resume` is false, or a genome cannot be used.
        ConfigError: the recipe is not the one of the run, or cannot be used.
    """
    out = Path(out)
    sizes = {name: value for name, value in recipe.model.items() if name != "kind"}
    torch.manual_seed(recipe.train.seed)
    model = require_language_model(build_model(recipe.model["kind"], sizes, "[model]"), "[model]")
    if model.causal != (recipe.objective.kind == "autoregressive"):
        raise ConfigError(
            "the autoregressive objective and a causal model go together; got the "
            f"{recipe.objective.kind} objective and a {model.kind} that is "
            f"{'' if model.causal else 'not '}causal."
        )
    if recipe.objective.kind == "masked-tokens" and not model.forward_methods:
        raise ConfigError(
            f"the masked-tokens objective needs a model that reads tokens; a {model.kind} does not."
        )
    if model.window != recipe.corpus.window:
        raise ConfigError(
            f"[model] window must be that of [corpus], {recipe.corpus.window:,}; "
            f"got {model.window:,}."
        )
    _check_place(recipe, out, resume=resume)
    if recipe.train.start and not (out / CHECKPOINT).exists():
        _take_weights(model, recipe)
    corpus = _corpus(recipe, out)
    if not (out / RUN).exists():
        _begin(recipe, out)
    objective = recipe.objective
    task = LanguageTask(
        corpus,
        None if objective.kind == "autoregressive" else recipe.masking,
        exon_weight=objective.exon_weight,
        repeat_weight=objective.repeat_weight,
        copies=objective.copies,
        max_validation=objective.max_validation,
        tokens=objective.kind == "masked-tokens",
    )
    return train(
        model,
        task,
        out,
        config=recipe.train,
        optim=recipe.optim,
        card=_card(recipe, out),
        devices=devices,
    )


def _check_place(recipe: Recipe, out: Path, *, resume: bool) -> None:
    """Refuse a place that holds something else, or a run of another recipe."""
    if not (out / RUN).exists():
        if out.exists() and {path.name for path in out.iterdir()} - {CORPUS}:
            raise DataError(f"{out} is no run and not empty; choose another --out.")
        return
    if not resume:
        raise DataError(
            f"{out} holds a run already; add --resume to go on, or choose another --out."
        )
    before = read_json(out / RUN)["recipe"]
    for table, fields in _plain(recipe).items():
        for name, value in fields.items():
            if name not in _MAY_CHANGE.get(table, ()) and before[table].get(name) != value:
                raise ConfigError(
                    f"{name} in [{table}] is {value!r} and was {before[table].get(name)!r} when "
                    f"{out} began; set it back, or choose another --out."
                )


def _corpus(recipe: Recipe, out: Path) -> Corpus:
    """Open the run's corpus, or build it; a failed build leaves no empty directory."""
    if (out / CORPUS).exists():
        corpus = Corpus.open(out / CORPUS)
        if corpus.config != recipe.corpus:
            raise DataError(f"{out / CORPUS} is of another recipe; choose another --out.")
        return corpus
    try:
        return build_corpus(recipe.corpus, out / CORPUS, directory=recipe.directory)
    except BaseException:
        with suppress(OSError):
            out.rmdir()
        raise


def _begin(recipe: Recipe, out: Path) -> None:
    """Write down what the run is made from."""
    genomes = {
        genome.name: sha256(recipe.directory / genome.fasta) for genome in recipe.corpus.genomes
    }
    facts: dict[str, Any] = {"recipe": _plain(recipe), "genomes": genomes, **_versions()}
    if recipe.train.start:
        facts["start"] = _start_facts(_start(recipe))
    write_json(out / RUN, facts)


def _start(recipe: Recipe) -> str:
    """Return the model that training starts from, found from where the recipe is."""
    name = str(recipe.train.start)
    return name if packaged_model(name) else str(recipe.directory / name)


def _start_facts(name: str) -> dict[str, Any]:
    """Return what the weights of a start are and how they came to be."""
    card = load_language_model(name)[1]
    known = {key: card[key] for key in ("steps", "seconds", "genomes", "start") if key in card}
    return {"weights": sha256(model_directory(name) / WEIGHTS), **known}


def _take_weights(model: LanguageModel, recipe: Recipe) -> None:
    """Put the weights of the start into a model of the same sizes."""
    name = _start(recipe)
    start, _ = load_language_model(name)
    if (start.kind, start.config) != (model.kind, model.config):
        raise ConfigError(
            f"start is {name}, a {start.kind} of other sizes than [model]; make [model] the same."
        )
    model.load_state_dict(start.state_dict())


def _plain(recipe: Recipe) -> dict[str, Mapping[str, Any]]:
    return {
        "corpus": to_plain(recipe.corpus),
        "model": dict(recipe.model),
        "objective": asdict(recipe.objective),
        "masking": asdict(recipe.masking),
        "train": asdict(recipe.train),
        "optim": asdict(recipe.optim),
    }


def _versions() -> dict[str, str]:
    return {"cisgram": __version__, "torch": torch.__version__, "python": platform.python_version()}


def _card(recipe: Recipe, out: Path) -> dict[str, Any]:
    began = read_json(out / RUN)
    return {
        "recipe": _plain(recipe),
        "genomes": began["genomes"],
        **({"start": began["start"]} if "start" in began else {}),
        "hardware": hardware(),
        "torch": torch.__version__,
        "cisgram": __version__,
    }
