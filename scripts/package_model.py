"""Put the model of a finished run into the package, or write what its card says anew.

    python scripts/package_model.py NAME --recipe RECIPE --run RUN
    python scripts/package_model.py NAME --recipe RECIPE [--evaluation KEY=JSON ...]

Weights are those of the lowest validation loss, stored in bfloat16, which halves them; what is
measured is measured on the stored ones. Without a run the weights stay as they are. What the model
is, its genome, units and limits come from the recipe; each evaluation, a JSON of `cisgram bench`,
adds the rows of the model and its baselines under a key.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cisgram.core.artifact import read_json, write_json
from cisgram.core.config import from_plain, to_plain
from cisgram.data.outputs import Outputs
from cisgram.models.hub import load_model, save_model
from cisgram.training.loop import METRICS
from cisgram.training.provenance import RUN, total
from cisgram.training.recipe import Recipe

WEIGHTS = Path(__file__).parents[1] / "src" / "cisgram" / "models" / "weights"
Facts = dict[str, Any]


def main() -> None:
    """Write a trained run into the package, or what its recipe says onto its card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="of the model in the package, without cisgram/")
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--evaluation", nargs="*", default=[], metavar="KEY=JSON")
    options = parser.parse_args()
    recipe, out = Recipe.read(options.recipe), WEIGHTS / options.name
    if options.run is not None:
        model, card = load_model(options.run)
        save_model(
            out, model, card=trained(card, options.run), dtype=torch.bfloat16, overwrite=True
        )
    manifest = read_json(out / "manifest.json")
    metadata = manifest["metadata"]
    said = {name: value for name, value in to_plain(recipe.card).items() if value}
    said["description"] += f", trained by recipes/{options.recipe.name}"
    card = {name: metadata["card"].pop(name, None) for name in said} | said
    card |= metadata["card"]
    for entry in options.evaluation:
        key, _, path = entry.partition("=")
        card[key] = rows_of(read_json(path), f"cisgram/{options.name}")
    metadata["card"] = card
    outputs = from_plain(Outputs, metadata["outputs"], options.name)
    metadata["outputs"] = to_plain(replace(outputs, units=units(recipe, outputs)))
    write_json(out / "manifest.json", manifest)
    size = sum(path.stat().st_size for path in out.iterdir())
    print(f"cisgram/{options.name}: {size:,} bytes are in {out}.")


def trained(facts: Facts, run: Path) -> Facts:
    """Return what a card keeps of a run."""
    recipe = facts["recipe"]
    kept = {key: facts[key] for key in ("held_out", "genomes", "files", "start") if key in facts}
    return {
        "training": {
            "task": recipe["task"],
            "optim": recipe["optim"],
            "schedule": facts["schedule"],
            "bases_a_step": recipe["train"]["batch"] * recipe["model"]["window"],
            "seconds_with_start": total(facts, "seconds"),
            "hardware": facts["hardware"],
            "precision": recipe["train"]["precision"],
            "torch": facts["torch"],
            "cisgram": facts["cisgram"],
            "curve": curve(run / METRICS),
        },
        **kept,
        "steps": facts["steps"],
        "seconds": facts["seconds"],
        "data": read_json(run / RUN).get("files", {}),
    }


def curve(metrics: Path) -> list[dict[str, float]]:
    """Return the validation loss by step, in nats."""
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    return [
        {"step": row["step"], "validation_loss": round(row["validation_loss"], 5)}
        for row in rows
        if "validation_loss" in row
    ]


def units(recipe: Recipe, outputs: Outputs) -> dict[str, str]:
    """Return the units of the outputs that the recipe knows."""
    known: dict[str, str] = dict(getattr(recipe.data, "units", {}))
    found = {name: known.get(name.rstrip("+-"), known.get(name)) for name in outputs.names}
    found |= {name: known.get(name) for name in outputs.gene_targets}
    return {name: unit for name, unit in found.items() if unit}


def rows_of(result: Facts, model: str) -> list[Facts]:
    """Return the rows of a model and of the baselines beside it."""
    return [row for row in result["rows"] if row["predictor"] == model or row["baseline"]]


if __name__ == "__main__":
    main()
