"""Priors over SNPs beside models without: all Geuvadis genes, populations left out, fewer people.

    python benchmarks/geuvadis_prior.py --data DIR --elements BED --work DIR \
        --json benchmarks/results/geuvadis_prior.json

DIR of the data is that of `geuvadis_linear.py`, whose cohort and fits are reused where the work
directory is the same. The BED has binding sites of transcription factors (ENCODE clusters, hg19):
SNPs under at least ten of them weigh four times as much, beside the same weights shuffled over the
SNPs. Fits are kept: an interrupted run goes on where it stopped.
"""

import argparse
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from geuvadis_linear import LEFT_OUT, open_cohort

from cisgram.core.artifact import write_json
from cisgram.core.metrics import bootstrap_ci, bootstrap_difference
from cisgram.personal.cohort import Cohort
from cisgram.personal.evaluate import summarize
from cisgram.personal.fit import Fit, FitConfig, fit_models

MODELS = (
    "elastic-net",
    "top-snp",
    "ridge",
    "prior-ridge",
    "prior-elastic-net",
    "prior-mixture",
)
SIZES = (50, 100, 200)
MANY_FACTORS, FACTOR_WEIGHT = 10, 4.0
STRONG = 0.3
NO_FURTHER = "distance"


def write_priors(cohort: Path, elements: Path, work: Path) -> dict[str, str]:
    """Write weights of the cohort's SNPs by factor peaks, and the same weights shuffled."""
    variants = Cohort.open(cohort).genotypes.variants
    starts = variants["start"].to_numpy()
    depth = np.zeros(int(starts.max()) + 2, np.int32)
    with gzip.open(elements, "rt") as lines:
        for line in lines:
            start, end = (min(int(word), len(depth) - 1) for word in line.split("\t")[1:3])
            depth[start] += 1
            depth[end] -= 1
    n_factors = np.cumsum(depth)[starts]
    weights = np.where(n_factors >= MANY_FACTORS, FACTOR_WEIGHT, 1.0)
    shuffled = np.random.default_rng(1).permutation(weights)
    paths = {}
    for name, values in (("factor peaks", weights), ("factor peaks, shuffled", shuffled)):
        path = work / f"{name.replace(', ', '-').replace(' ', '-')}.tsv"
        table = variants.select("chrom", (pl.col("start") + 1).alias("pos"), "ref", "alt")
        text = table.with_columns(weight=pl.Series(values)).write_csv(separator="\t")
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
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
    settings += [(f"five folds, {size} people", {"max_people": size}) for size in SIZES]
    found = [(setting, NO_FURTHER, {"model": model} | split)
             for setting, split in settings for model in MODELS]  # fmt: skip
    return found + [
        (setting, prior, {"model": "prior-mixture", "prior": path} | split)
        for prior, path in priors.items()
        for setting, split in settings[:1]
    ]


def describe(fit: Fit, reference: Fit, setting: str, prior: str) -> dict[str, Any]:
    """Return a row: accuracy over genes, and what a model adds to the elastic net."""
    ours, theirs = (each.genes["pearson"].fill_null(0).to_numpy() for each in (fit, reference))
    mean, added = bootstrap_ci(ours, seed=1), bootstrap_difference(ours, theirs, seed=1)
    strong = theirs > STRONG
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
        "n_accepted": summary.n_accepted,
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
