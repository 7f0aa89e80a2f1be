"""Put the model of tracks and genes of a finished run into the package, with its card.

    python scripts/package_yeast_expression.py RUN
    python benchmarks/yeast_expression.py ...  # writes benchmarks/results/yeast_expression.json
    python scripts/package_yeast_expression.py RUN --evaluation \
        benchmarks/results/yeast_expression.json

The weights are those of the lowest validation loss, stored in bfloat16; what is measured is
measured on the stored ones. The second call writes the same weights and adds to the card how well
they do on chromosomes they did not learn from.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from package_yeast_lm import curve

from cisgram.core.artifact import read_json
from cisgram.models.checkpoint import load_model, save_model
from cisgram.predict.model_genome import GENOME
from cisgram.train.loop import METRICS
from cisgram.train.provenance import RUN, total

NAME = "cisgram/yeast-expression"
OUT = Path(__file__).parents[1] / "src" / "cisgram" / "models" / "weights" / "yeast-expression"
UNITS = {
    "segregants": "mean log2 expression over 1,012 BY x RM segregants (Albert et al. 2018)",
    "rnaseq_wt": "log2(1 + TPM), mean of three replicates in YPD (Policastro et al. 2020)",
    "rnaseq_snf2": "log2 change from wild type to snf2 deletion (Gierlinski et al. 2015)",
    "half_life": "log2 minutes of the mRNA's half-life (Neymotin et al. 2014)",
}
"""Of numbers of genes; the others are log2 fold changes after a change of nitrogen or rapamycin."""
LIMITS = (
    "Learnt from one strain, S288C, and from signal and numbers of one laboratory condition a "
    "track; what the tracks are is in docs/tracks.md.",
    "Most of what it knows of a gene's level comes from the coding sequence; with that hidden less "
    "is left, as docs/yeast-expression.md measures.",
    "Effects of variants are small and their size hardly tells causal ones from others "
    "(docs/yeast-variants.md); it is no evidence that a variant matters.",
    "Chromosomes XII, XIV and XVI were held out; elsewhere it may repeat what it was shown.",
)


def main() -> None:
    """Read the run, write the model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--evaluation", type=Path)
    options = parser.parse_args()
    model, facts = load_model(options.run)
    card = describe(read_json(options.run / RUN) | facts, curve(options.run / METRICS))
    if options.evaluation:
        card["accuracy"] = accuracy(read_json(options.evaluation))
    save_model(OUT, model, card=card, dtype=torch.bfloat16, overwrite=True)
    size = sum(path.stat().st_size for path in OUT.iterdir())
    print(f"{model.n_parameters:,} parameters, {size:,} bytes are in {OUT}.")


def describe(facts: dict[str, Any], losses: list[dict[str, float]]) -> dict[str, Any]:
    """Return the card: what the model is, how it came to be, and what it is not."""
    recipe = facts["recipe"]
    training = {
        "files": facts["files"],
        "held_out": facts["held_out"],
        "loss": recipe["loss"],
        "optim": recipe["optim"],
        "schedule": facts["schedule"],
        "steps": facts["steps"],
        "bases_a_step": recipe["train"]["batch"] * recipe["model"]["window"],
        "seconds": facts["seconds"],
        "seconds_with_pretraining": total(facts, "seconds"),
        "hardware": facts["hardware"],
        "precision": recipe["train"]["precision"],
        "torch": facts["torch"],
        "cisgram": facts["cisgram"],
        "curve": losses,
    }
    return {
        "description": "yeast signal and gene expression from sequence, by "
        "recipes/yeast-expression.toml",
        "licence": "Apache-2.0",
        GENOME: "yeast-r64",
        "units": {name: UNITS[name] for name in facts["columns"]["values"] if name in UNITS},
        "columns": facts["columns"],
        "scaling": facts["scaling"],
        "training": training,
        **{key: facts[key] for key in ("held_out", "start", "steps", "seconds")},
        "limits": list(LIMITS),
    }


def accuracy(result: dict[str, Any]) -> dict[str, Any]:
    """Return what the packaged model reached on the test chromosomes, beside counting words."""
    own = result["genes"][NAME]
    linear = result["genes"]["ridge, promoter and codons"]
    return {
        "across_genes": {
            name: [cell["r"], cell["low"], cell["high"]] for name, cell in own.items()
        },
        "ridge_of_promoter_words_and_codons": {name: cell["r"] for name, cell in linear.items()},
        "protocol": "Pearson's r over the genes of chromosomes XII, XIV and XVI",
    }


if __name__ == "__main__":
    main()
