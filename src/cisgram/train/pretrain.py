"""Pretraining from a recipe: corpus, model, task and loop."""

from functools import partial
from pathlib import Path

import torch

from cisgram.core.checks import ConfigError
from cisgram.data.corpus import Corpus
from cisgram.data.corpus_build import build_corpus
from cisgram.models.base import LanguageModel
from cisgram.models.registry import build_model, require_language_model
from cisgram.train.checkpoint import RunState
from cisgram.train.language_task import LanguageTask
from cisgram.train.loop import train
from cisgram.train.provenance import Start, card, open_run, record_run, run_data
from cisgram.train.recipe import Recipe

CORPUS = "corpus"


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
    model = _build(recipe)
    start = open_run(recipe, out, data=CORPUS, resume=resume)
    if start is not None:
        _take_weights(model, start, recipe)
    corpus = _corpus(recipe, out)
    record_run(recipe, model, out, start=start)
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
        card=card(recipe, model, out),
        devices=devices,
    )


def _build(recipe: Recipe) -> LanguageModel:
    """Build the model with random weights, and check that it can do what the recipe asks."""
    sizes = {name: value for name, value in recipe.model.items() if name != "kind"}
    torch.manual_seed(recipe.train.seed)
    model = require_language_model(build_model(recipe.model["kind"], sizes, "[model]"), "[model]")
    objective = recipe.objective.kind
    if model.causal != (objective == "autoregressive"):
        raise ConfigError(
            "the autoregressive objective and a causal model go together; got the "
            f"{objective} objective and a {model.kind} that is "
            f"{'' if model.causal else 'not '}causal."
        )
    if objective == "masked-tokens" and not model.forward_methods:
        raise ConfigError(
            f"the masked-tokens objective needs a model that reads tokens; a {model.kind} does not."
        )
    if objective == "masked-tokens" and model.config.tokenizer.overlaps:
        raise ConfigError(
            "the masked-tokens objective needs k-mers that do not overlap, or their neighbours "
            f"tell what is hidden; leave out stride = {model.config.tokenizer.stride}."
        )
    if model.window != recipe.corpus.window:
        raise ConfigError(
            f"[model] window must be that of [corpus], {recipe.corpus.window:,}; "
            f"got {model.window:,}."
        )
    n_species, n_genomes = model.config.n_species, len(recipe.corpus.genomes)
    if 0 < n_species < n_genomes:
        raise ConfigError(
            f"n_species in [model] must be at least {n_genomes}, one for each genome, or 0; "
            f"got {n_species}."
        )
    return model


def _take_weights(model: LanguageModel, start: Start, recipe: Recipe) -> None:
    """Put the weights of the start into the model; genomes must have the same numbers in both."""
    if (start.model.kind, start.model.config) != (model.kind, model.config):
        raise ConfigError(
            f"start is {start.name}, a {start.model.kind} of other sizes than [model]; make "
            "[model] the same."
        )
    numbers = {genome: number for number, genome in enumerate(start.card.get("genomes", {}))}
    for number, genome in enumerate(recipe.corpus.genomes):
        if numbers.get(genome.name, number) != number:
            raise ConfigError(
                f"genome {genome.name} is number {number} of the recipe and {numbers[genome.name]} "
                f"of its start {start.name}; keep the order, or rename it."
            )
    model.load_state_dict(start.model.state_dict())


def _corpus(recipe: Recipe, out: Path) -> Corpus:
    return run_data(
        out,
        CORPUS,
        read=Corpus.open,
        build=partial(build_corpus, recipe.corpus, directory=recipe.directory),
        fits=lambda found: found.config == recipe.corpus,
    )
