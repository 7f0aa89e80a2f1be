"""Put the language model of a finished run into the package, with its card.

    python scripts/package_yeast_lm.py RUN
    python benchmarks/yeast_lm.py ...  # writes benchmarks/results/yeast_lm.json
    python scripts/package_yeast_lm.py RUN --evaluation benchmarks/results/yeast_lm.json

`packaged_weights` says what is stored.
"""

from packaged_weights import Facts, package

NAME = "yeast-lm"
LIMITS = (
    "Learnt from sixteen genomes of Saccharomyces and Candida albicans; other fungi are guesses.",
    "Beside a masked base it sees 8,192 bases; what is farther away does not count.",
    "Repeats and duplicated genes of R64's test chromosomes also occur on chromosomes I to X.",
    "It tells how usual DNA is, not what DNA does; docs/lm-motifs.md measures the difference.",
    "Mitochondrial DNA was left out.",
)


def describe(facts: Facts) -> Facts:
    """Return what the model is, how it came to be, and what it is not."""
    recipe = facts["recipe"]
    return {
        "description": "masked language model of yeast DNA, trained by recipes/yeast-lm.toml",
        "genomes": facts["genomes"],
        "training": {
            "data": facts["genomes"],
            "homology": recipe["corpus"]["homology"],
            "copies": recipe["objective"]["copies"],
            "objective": "cross-entropy of hidden bases, all alike",
            "masking": recipe["masking"],
            "steps": facts["steps"] + facts["start"]["steps"],
            "bases_a_step": recipe["train"]["batch"] * recipe["corpus"]["window"],
            "seconds": round(facts["seconds"] + facts["start"]["seconds"], 1),
        },
        "limits": list(LIMITS),
    }


def measured(result: Facts) -> Facts:
    """Return what the packaged model reached on the test chromosomes, beside counting."""
    found = result["models"][f"cisgram/{NAME}"]
    perplexity = {
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
    return {"perplexity": perplexity}


if __name__ == "__main__":
    package((__doc__ or "").splitlines()[0], NAME, describe=describe, measured=measured)
