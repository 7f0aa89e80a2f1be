"""Put the language model of a finished run into the package, with its card.

    python scripts/package_yeast_lm.py RUN
    python benchmarks/yeast_lm.py ...  # writes benchmarks/results/yeast_lm.json
    python scripts/package_yeast_lm.py RUN --evaluation benchmarks/results/yeast_lm.json

The weights are those of the lowest validation loss, stored in bfloat16, which halves them; what is
measured is measured on the stored ones. The second call writes the same weights and adds their
perplexity to the card.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from cisgram.core.artifact import read_json
from cisgram.models.checkpoint import load_language_model, save_model
from cisgram.train.loop import METRICS
from cisgram.train.provenance import RUN

NAME = "cisgram/yeast-lm"
OUT = Path(__file__).parents[1] / "src" / "cisgram" / "models" / "weights" / "yeast-lm"
LIMITS = (
    "Learnt from sixteen genomes of Saccharomyces and Candida albicans; other fungi are guesses.",
    "Beside a masked base it sees 8,192 bases; what is farther away does not count.",
    "Repeats and duplicated genes of R64's test chromosomes also occur on chromosomes I to X.",
    "It tells how usual DNA is, not what DNA does; docs/lm-motifs.md measures the difference.",
    "Mitochondrial DNA was left out.",
)


def main() -> None:
    """Read the run, write the model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--evaluation", type=Path, help="what benchmarks/yeast_lm.py wrote")
    options = parser.parse_args()
    model, facts = load_language_model(options.run)
    card = describe(read_json(options.run / RUN) | facts, curve(options.run / METRICS))
    if options.evaluation:
        card["perplexity"] = perplexity(read_json(options.evaluation))
    save_model(OUT, model, card=card, dtype=torch.bfloat16, overwrite=True)
    size = sum(path.stat().st_size for path in OUT.iterdir())
    print(f"{model.n_parameters:,} parameters, {size:,} bytes are in {OUT}.")


def describe(facts: dict[str, Any], curve: list[dict[str, float]]) -> dict[str, Any]:
    """Return the card: what the model is, how it came to be, and what it is not."""
    recipe = facts["recipe"]
    training = {
        "data": facts["genomes"],
        "held_out": facts["held_out"],
        "homology": recipe["corpus"]["homology"],
        "copies": recipe["objective"]["copies"],
        "objective": "cross-entropy of hidden bases, all alike",
        "masking": recipe["masking"],
        "optim": recipe["optim"],
        "schedule": facts["schedule"],
        "start": facts["start"],
        "steps": facts["steps"] + facts["start"]["steps"],
        "bases_a_step": recipe["train"]["batch"] * recipe["corpus"]["window"],
        "seconds": round(facts["seconds"] + facts["start"]["seconds"], 1),
        "hardware": facts["hardware"],
        "precision": recipe["train"]["precision"],
        "torch": facts["torch"],
        "cisgram": facts["cisgram"],
        "curve": curve,
    }
    return {
        "description": "masked language model of yeast DNA, trained by recipes/yeast-lm.toml",
        "licence": "Apache-2.0",
        "training": training,
        **{key: facts[key] for key in ("genomes", "held_out", "start", "steps", "seconds")},
        "limits": list(LIMITS),
    }


def curve(metrics: Path) -> list[dict[str, float]]:
    """Return the validation loss by step, in nats."""
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    return [
        {"step": row["step"], "validation_loss": round(row["validation_loss"], 5)}
        for row in rows
        if "validation_loss" in row
    ]


def perplexity(result: dict[str, Any]) -> dict[str, Any]:
    """Return what the packaged model reached on the test chromosomes, beside counting."""
    found = result["models"][NAME]
    return {
        **found["perplexity"],
        "by_region": found["by_region"],
        "baselines": {
            name: row["perplexity"]["overall"] for name, row in result["baselines"].items()
        },
        "not_copied": {
            name: row["value"] for name, row in result["not_copied"].items() if name != "n_bases"
        },
        "protocol": "each base of the test chromosomes hidden once in seven passes, unweighted",
    }


if __name__ == "__main__":
    main()
