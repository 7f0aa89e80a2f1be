"""Put the model of a finished run into the package, with its card.

The weights are those of the lowest validation loss, stored in bfloat16, which halves them; what is
measured is measured on the stored ones. A second call, with what a benchmark wrote, stores the same
weights and adds to the card how well they do.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cisgram.core.artifact import read_json
from cisgram.models.checkpoint import load_model, save_model
from cisgram.train.loop import METRICS
from cisgram.train.provenance import RUN

WEIGHTS = Path(__file__).parents[1] / "src" / "cisgram" / "models" / "weights"
Facts = dict[str, Any]


def package(
    what: str, name: str, *, describe: Callable[[Facts], Facts], measured: Callable[[Facts], Facts]
) -> None:
    """Read the run that the command line names, and write the model `cisgram/name`.

    Args:
        what: the script does, for its help.
        name: of the model in the package.
        describe: makes the card's own entries of all facts about a run.
        measured: makes entries of a benchmark's result.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("run", type=Path)
    parser.add_argument("--evaluation", type=Path, help="JSON of the benchmark")
    options = parser.parse_args()
    model, own = load_model(options.run)
    facts = read_json(options.run / RUN) | own
    kept = {key: facts[key] for key in ("held_out", "start", "steps", "seconds")}
    card = {"licence": "Apache-2.0"} | describe(facts) | kept
    card["training"] = training(facts, options.run) | card["training"]
    if options.evaluation:
        card |= measured(read_json(options.evaluation))
    out = WEIGHTS / name
    save_model(out, model, card=card, dtype=torch.bfloat16, overwrite=True)
    size = sum(path.stat().st_size for path in out.iterdir())
    print(f"{model.n_parameters:,} parameters, {size:,} bytes are in {out}.")


def training(facts: Facts, run: Path) -> Facts:
    """Return how a run of any kind was trained."""
    recipe = facts["recipe"]
    return {
        "held_out": facts["held_out"],
        "optim": recipe["optim"],
        "schedule": facts["schedule"],
        "steps": facts["steps"],
        "seconds": round(facts["seconds"], 1),
        "hardware": facts["hardware"],
        "precision": recipe["train"]["precision"],
        "torch": facts["torch"],
        "cisgram": facts["cisgram"],
        "curve": curve(run / METRICS),
    }


def curve(metrics: Path) -> list[dict[str, float]]:
    """Return the validation loss by step, in nats."""
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    return [
        {"step": row["step"], "validation_loss": round(row["validation_loss"], 5)}
        for row in rows
        if "validation_loss" in row
    ]
