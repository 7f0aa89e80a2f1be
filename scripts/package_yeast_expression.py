"""Put the model of tracks and genes of a finished run into the package, with its card.

    python scripts/package_yeast_expression.py RUN
    python benchmarks/yeast_expression.py ...  # writes benchmarks/results/yeast_expression.json
    python scripts/package_yeast_expression.py RUN --evaluation \
        benchmarks/results/yeast_expression.json

`packaged_weights` says what is stored.
"""

from packaged_weights import Facts, package

from cisgram.predict.model_genome import GENOME
from cisgram.train.provenance import total

NAME = "yeast-expression"
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


def describe(facts: Facts) -> Facts:
    """Return what the model is, how it came to be, and what it is not."""
    recipe = facts["recipe"]
    return {
        "description": "yeast signal and gene expression from sequence, by "
        "recipes/yeast-expression.toml",
        GENOME: "yeast-r64",
        "units": {name: UNITS[name] for name in facts["columns"]["values"] if name in UNITS},
        "columns": facts["columns"],
        "scaling": facts["scaling"],
        "training": {
            "files": facts["files"],
            "loss": recipe["loss"],
            "bases_a_step": recipe["train"]["batch"] * recipe["model"]["window"],
            "seconds_with_pretraining": total(facts, "seconds"),
        },
        "limits": list(LIMITS),
    }


def measured(result: Facts) -> Facts:
    """Return what the packaged model reached on the test chromosomes, beside counting words."""
    own = result["genes"][f"cisgram/{NAME}"]
    linear = result["genes"]["ridge, promoter and codons"]
    accuracy = {
        "across_genes": {
            name: [cell["r"], cell["low"], cell["high"]] for name, cell in own.items()
        },
        "ridge_of_promoter_words_and_codons": {name: cell["r"] for name, cell in linear.items()},
        "protocol": "Pearson's r over the genes of chromosomes XII, XIV and XVI",
    }
    return {"accuracy": accuracy}


if __name__ == "__main__":
    package((__doc__ or "").splitlines()[0], NAME, describe=describe, measured=measured)
