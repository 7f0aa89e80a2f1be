"""Every linear model on every Geuvadis gene of chromosome 22, and what would flatter it.

    python benchmarks/geuvadis_linear.py --data DIR --work DIR \
        --json benchmarks/results/geuvadis_linear.json

DIR of the data holds genotypes.chr22.vcf.gz, genes.50percent.chr22.bed.gz,
genes.covariates.pc50.txt.gz and the 1000 Genomes sample panel. Fits are kept in the
work directory: an interrupted run goes on where it stopped.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cisgram.core.artifact import write_json
from cisgram.core.metrics import binomial_ci, bootstrap_difference
from cisgram.personal.cohort import Cohort, import_cohort
from cisgram.personal.evaluate import evaluate_across, evaluate_fits, summarize
from cisgram.personal.fit import Fit, FitConfig, fit_cohort
from cisgram.personal.fit_config import ModelName
from cisgram.personal.gene_fit import GeneFitter

NORMALISATION = {
    "given covariates, fitted in training people": FitConfig(model="elastic-net"),
    "given covariates, fitted in everybody (leak)": FitConfig(
        model="elastic-net", normalize_on="everyone"
    ),
    "no covariates": FitConfig(model="elastic-net", use_covariates=False),
    "50 PCs of these genes' expression, from training people": FitConfig(
        model="elastic-net", use_covariates=False, n_expression_pcs=50
    ),
    "50 PCs of these genes' expression, from everybody (leak)": FitConfig(
        model="elastic-net", use_covariates=False, n_expression_pcs=50, normalize_on="everyone"
    ),
}
MODELS: tuple[ModelName, ...] = ("elastic-net", "lasso", "ridge", "top-snp")
LEFT_OUT = ("FIN", "TSI")
NOMINAL = 0.05


def open_cohort(data: Path, work: Path) -> Path:
    """Import the cohort once."""
    out = work / "cohort"
    if not out.exists():
        import_cohort(
            data / "genotypes.chr22.vcf.gz",
            data / "genes.50percent.chr22.bed.gz",
            covariates=data / "genes.covariates.pc50.txt.gz",
            populations=data / "integrated_call_samples_v3.20130502.ALL.panel",
            out=out,
        )
    return out


def leave_out(fits: list[Fit], population: str) -> dict:
    """Train without a population and score it, beside its score when it is trained on."""
    everyone = sorted(set(fits[0].populations))
    others = [name for name in everyone if name != population]
    across = evaluate_across(fits, train=others, test=[population]).as_dict()
    for row, fit in zip(across["models"], fits, strict=True):
        row["same_people_when_trained_on"] = next(
            asdict(part) for part in summarize(fit).populations if part.population == population
        )
    return across


def normalisation(cohort: Path, work: Path) -> list[dict]:
    """Fit the elastic net under each normalisation; leaks are compared with their honest twin."""
    rows, fits = [], {}
    for number, (name, config) in enumerate(NORMALISATION.items()):
        out = work / ("elastic-net" if number == 0 else f"normalisation-{number}")
        fits[name] = fit_cohort(cohort, config, out)
        row = {"normalisation": name, **asdict(summarize(fits[name]))}
        honest = name.replace("everybody (leak)", "training people")
        if honest != name:
            added = bootstrap_difference(
                fits[name].genes["pearson"].to_numpy(),
                fits[honest].genes["pearson"].to_numpy(),
                seed=1,
            )
            row["pearson_added_by_leak"] = added._asdict()
        rows.append(row)
    return rows


def permute(cohort: Path, work: Path, n: int) -> list[dict]:
    """Fit every model with everyone's genotypes exchanged, `n` times."""
    rows = []
    for model in MODELS:
        for seed in range(1, n + 1):
            config = FitConfig(model=model, permutation=seed)
            fit = fit_cohort(cohort, config, work / f"{model}-permuted-{seed}")
            n_below = int((fit.genes["p_value"] < NOMINAL).sum())
            rows.append({"seed": seed, "n_below_nominal": n_below, **asdict(summarize(fit))})
    return rows


def beside_chance(models: list[dict], null: list[dict]) -> list[dict]:
    """Add to each model how often it is accepted by chance."""
    by_model = {row["model"]: row for row in null}
    return [
        {
            **row,
            "accepted_by_chance": by_model[row["model"]]["accepted_rate"],
            "accepted_by_chance_ci95": by_model[row["model"]]["accepted_ci95"],
        }
        for row in models
    ]


def null_acceptance(permuted: list[dict]) -> list[dict]:
    """Pool the permutations of each model: how often nothing passes for something."""
    rows = []
    for model in MODELS:
        runs = [row for row in permuted if row["model"] == model]
        n_tests = sum(row["n_genes"] for row in runs)
        n_below = sum(row["n_below_nominal"] for row in runs)
        n_accepted = sum(row["n_accepted"] for row in runs)
        rows.append(
            {
                "model": model,
                "n_tests": n_tests,
                "p_below_005": n_below / n_tests,
                "p_below_005_ci95": binomial_ci(n_below, n_tests)[1:],
                "accepted_rate": n_accepted / n_tests,
                "accepted_ci95": binomial_ci(n_accepted, n_tests)[1:],
            }
        )
    return rows


def seconds_per_gene(cohort: Path, n_genes: int) -> list[dict]:
    """Time the nested cross-validation of evenly spread genes on one thread of this process."""
    genes = np.linspace(0, len(Cohort.open(cohort).genes) - 1, n_genes).astype(int).tolist()
    rows = []
    for model in MODELS:
        fitter = GeneFitter(cohort, FitConfig(model=model))
        fitter(genes[0])  # compiles, and makes what genes share
        seconds = [fitter(gene).row["seconds"] for gene in genes]
        rows.append(
            {
                "model": model,
                "n_genes": n_genes,
                "threads": 1,
                "median_seconds": float(np.median(seconds)),
                "mean_seconds": float(np.mean(seconds)),
                "max_seconds": max(seconds),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--permutations", type=int, default=3, help="of each model")
    parser.add_argument("--timed-genes", type=int, default=40)
    options = parser.parse_args()
    cohort = open_cohort(options.data, options.work)
    fits = [fit_cohort(cohort, FitConfig(model=model), options.work / model) for model in MODELS]
    permuted = permute(cohort, options.work, options.permutations)
    null, evaluation = null_acceptance(permuted), evaluate_fits(fits).as_dict()
    write_json(
        options.json,
        {
            **evaluation,
            "models": beside_chance(evaluation["models"], null),
            "null_acceptance": null,
            "permuted": permuted,
            "leave_out": {name: leave_out(fits, name) for name in LEFT_OUT},
            "normalisation": normalisation(cohort, options.work),
            "seconds_per_gene": seconds_per_gene(cohort, options.timed_genes),
            "cohort": fits[0].manifest.metadata["run"]["cohort"],
        },
    )


if __name__ == "__main__":
    main()
