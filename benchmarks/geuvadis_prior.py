"""Priors over SNPs beside models without: all Geuvadis genes, populations left out, fewer people.

    python benchmarks/geuvadis_prior.py --data DIR --elements BED --work DIR \
        --json benchmarks/results/geuvadis_prior.json

DIR of the data is that of `geuvadis_linear.py`, whose cohort and fits are reused where the work
directory is the same. The BED has binding sites of transcription factors (ENCODE clusters, hg19):
SNPs under at least ten of them weigh four times as much, beside the same weights shuffled over the
SNPs. Fits are kept: an interrupted run goes on where it stopped.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from geuvadis_linear import LEFT_OUT, open_cohort

from cisgram.core.artifact import write_json
from cisgram.core.metrics import bootstrap_ci, bootstrap_difference
from cisgram.personal.cohort import Cohort
from cisgram.personal.evaluate import summarize
from cisgram.personal.fit import Fit, FitConfig, fit_models
from cisgram.personal.snp_prior import weigh_elements, write_weights

MODELS = (
    "elastic-net",
    "top-snp",
    "ridge",
    "prior-ridge",
    "prior-elastic-net",
    "prior-mixture",
)
SIZES = (100,)
MANY_FACTORS, FACTOR_WEIGHT = 10, 4.0
STRONG = 0.3
TRIED_ON = (3, 4)
"""Reaches and parts of the mixture were chosen on every third and every fourth gene."""
NO_FURTHER, PERMUTED = "distance", "genotypes permuted"


def write_priors(cohort: Path, elements: Path, work: Path) -> dict[str, str]:
    """Write weights of the cohort's SNPs by factor peaks, and the same weights shuffled."""
    genotypes = Cohort.open(cohort).genotypes
    weights = weigh_elements(
        elements, genotypes.variants, genotypes.names, at_least=MANY_FACTORS, times=FACTOR_WEIGHT
    )
    shuffled = np.random.default_rng(1).permutation(weights)
    paths = {}
    for name, values in (("factor peaks", weights), ("factor peaks, shuffled", shuffled)):
        path = work / f"{name.replace(', ', '-').replace(' ', '-')}.tsv"
        write_weights(path, genotypes.variants, values)
        paths[name] = str(path)
    return paths


def plan(priors: dict[str, str]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the setting, the prior's name and the configuration of each fit of a model."""
    people = ["CEU", "FIN", "GBR", "TSI"]
    settings: list[tuple[str, dict[str, Any]]] = [("five folds", {})]
    for population in LEFT_OUT:
        others = tuple(name for name in people if name != population)
        split = {"train_populations": others, "test_populations": (population,)}
        settings.append((f"{population} held out", split))
    found = [(setting, NO_FURTHER, {"model": model} | split)
             for setting, split in settings for model in MODELS]  # fmt: skip
    mixture = {"model": "prior-mixture"}
    found += [("five folds", prior, mixture | {"prior": path}) for prior, path in priors.items()]
    found.append((PERMUTED, NO_FURTHER, mixture | {"permutation": 1}))
    for size in SIZES:
        setting = f"five folds, {size} people"
        found += [(setting, NO_FURTHER, {"model": model, "max_people": size}) for model in MODELS]
    return found


def describe(fit: Fit, reference: Fit, setting: str, prior: str) -> dict[str, Any]:
    """Return a row: accuracy over genes, and what a model adds to the elastic net."""
    ours, theirs = (each.genes["pearson"].fill_null(0).to_numpy() for each in (fit, reference))
    mean, added = bootstrap_ci(ours, seed=1), bootstrap_difference(ours, theirs, seed=1)
    strong = theirs > STRONG
    untried = np.all([np.arange(len(ours)) % step != 0 for step in TRIED_ON], axis=0)
    added_untried = bootstrap_difference(ours[untried], theirs[untried], seed=1)
    summary = summarize(fit)
    return {
        "model": fit.config.model,
        "prior": prior if fit.config.model.startswith("prior-") else "none",
        "task": fit.task,
        "setting": setting,
        "window": fit.config.window,
        "n_people": summary.n_people,
        "n_train": summary.n_train,
        "n_genes": len(ours),
        "mean_pearson": mean.value,
        "ci_low": mean.low,
        "ci_high": mean.high,
        "mean_r2": summary.mean_r2,
        "difference_to_elastic_net": added.value,
        "difference_ci_low": added.low,
        "difference_ci_high": added.high,
        "share_better": float((ours > theirs).mean()),
        "n_strong": int(strong.sum()),
        "mean_pearson_strong": float(ours[strong].mean()),
        "n_untried": int(untried.sum()),
        "mean_pearson_untried": float(ours[untried].mean()),
        "difference_untried": added_untried.value,
        "difference_untried_ci_low": added_untried.low,
        "difference_untried_ci_high": added_untried.high,
        "accepted_rate": summary.accepted_rate,
        "median_seconds": summary.median_seconds,
    }


def main() -> None:
    """Fit what is missing and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("data", "elements", "work", "json"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    cohort = open_cohort(options.data, options.work)
    runs: dict[Path, tuple[str, str, FitConfig]] = {}
    for setting, prior, own in plan(write_priors(cohort, options.elements, options.work)):
        config = FitConfig(**own)
        name = config.model if setting == "five folds" and prior == NO_FURTHER else (
            f"{config.model}-{setting}-{prior}".replace(", ", "-").replace(" ", "-")
        )  # fmt: skip
        runs[options.work / name] = (setting, prior, config)
    rows: list[dict[str, Any]] = []
    references: dict[str, Fit] = {}
    for path, (setting, prior, config) in runs.items():
        fit = fit_models(cohort, {path: config}, workers=options.workers)[0]
        reference = references.setdefault(setting, fit)
        rows.append(describe(fit, reference, setting, prior))
        print({key: rows[-1][key] for key in ("model", "setting", "prior", "mean_pearson")})
        write_json(options.json, {"rows": rows})


if __name__ == "__main__":
    main()
