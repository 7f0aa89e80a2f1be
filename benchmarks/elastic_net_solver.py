"""Time our cross-validated elastic net against other packages, gene by gene.

    python benchmarks/elastic_net_solver.py --genotypes VCF --expression BED \
        --covariates FILE --peer-python PYTHON --work DIR \
        --json benchmarks/results/elastic_net_solver.json

PYTHON is an interpreter with scikit-learn, adelie 1.1.52, python-glmnet and glmnet-rs.
Every solver gets the same standardised SNPs (TSS +- 1 Mb), target, ten folds and 100
strengths, runs on one thread, and takes its turn on each gene, so that the machine's
drift is shared. Ours gets the SNPs unstandardised, in single precision, and standardises.
scikit-learn takes minutes a gene: genes done are kept in the work directory, and an
interrupted run goes on after them.
"""

import argparse
import json
import os
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402 - after the threads are set
from machine import machine  # noqa: E402
from peer import Peer  # noqa: E402

from cisgram.core.artifact import write_json  # noqa: E402
from cisgram.data.normalize import TargetFit  # noqa: E402
from cisgram.data.splits import person_folds  # noqa: E402
from cisgram.personal.cohort import Cohort, import_cohort  # noqa: E402
from cisgram.personal.elastic_net import ElasticNetConfig, elastic_net_cv  # noqa: E402

OURS = {
    "cisgram": ElasticNetConfig(),
    "cisgram whole path": ElasticNetConfig(stop_early=False),
}
PEERS = (
    "scikit-learn",
    "adelie",
    "adelie fp32",
    "adelie whole path",
    "adelie fp32 whole path",
    "python-glmnet",
    "glmnet-rs",
)
DEFAULT = "0.01"
"""Weakest strength over the strongest: what glmnet, and so PredictDB, takes when SNPs outnumber
people."""
PATHS = {DEFAULT: (50, PEERS), "0.1": (50, PEERS), "0.001": (10, PEERS[1:])}
"""For each: genes, spread evenly over the cohort, and peers (scikit-learn: minutes a gene)."""


def gene_problem(cohort: Cohort, gene: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return SNPs (snps, people) and target of a gene, normalised on everybody."""
    everyone = np.ones(len(cohort.people), bool)
    expression = np.asarray(cohort.expression[gene], float)
    normalise = TargetFit(cohort.covariates, everyone, transform="inverse-normal")
    dosages = cohort.genotypes.dosages(cohort.cis_rows(gene, window))
    snps = np.ascontiguousarray(dosages.T)
    return snps[snps.std(axis=1) > 0], normalise.target(expression)


def solve_ours(snps, target, folds, config):
    started = time.perf_counter()
    fit = elastic_net_cv(snps, target, folds, config=config)
    return {"seconds": time.perf_counter() - started, "fit": fit}


def run_gene(cohort, gene, folds, peer, path, known):
    """Solve one gene with everything that is not known yet; return a row a solver."""
    ratio, peers, scratch = path
    snps, target = gene_problem(cohort, gene, 1_000_000)
    rows = dict(known)
    for name, config in OURS.items():
        chosen = ElasticNetConfig(strength_ratio=float(ratio), stop_early=config.stop_early)
        done = solve_ours(snps, target, folds, chosen)
        rows[name] = {"seconds": done["seconds"], "cv_r2": done["fit"].cv_r2}
        strengths = done["fit"].strengths
    z = snps.T.astype(np.float64)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    file = scratch / "gene.npz"
    np.savez(file, snps=np.asfortranarray(z), target=target, folds=folds, strengths=strengths)
    for name in peers:
        if name in known:
            continue
        answer = peer.ask(solver=name, file=str(file))
        rows[name] = {
            "seconds": answer["seconds"],
            "cv_r2": 1 - min(answer["cv_mse"]) / target.var(),
            "version": answer["version"],
        }
    gene_facts = {"gene": cohort.genes["gene"][gene], "n_snps": len(snps)}
    return {**gene_facts, "solvers": rows}


def summarize(rows: list[dict]) -> dict:
    """Median seconds and speed-ups, paired by gene."""
    names = list(rows[0]["solvers"])
    seconds = {name: np.array([row["solvers"][name]["seconds"] for row in rows]) for name in names}
    cv_r2 = {name: np.array([row["solvers"][name]["cv_r2"] for row in rows]) for name in names}
    peers = [name for name in names if not name.startswith("cisgram")]
    summary = {
        name: {
            "median_seconds": float(np.median(seconds[name])),
            "total_seconds": float(seconds[name].sum()),
        }
        for name in names
    }
    for ours in OURS:
        for peer in peers:
            summary[peer][f"times_slower_than_{ours.replace(' ', '_')}"] = {
                "median": float(np.median(seconds[peer] / seconds[ours])),
                "of_totals": float(seconds[peer].sum() / seconds[ours].sum()),
            }
            summary[peer][f"max_abs_cv_r2_difference_from_{ours.replace(' ', '_')}"] = float(
                np.abs(cv_r2[peer] - cv_r2[ours]).max()
            )
    return summary


def scaling(cohort: Cohort) -> dict:
    """Time ours against the number of SNPs (window) and of people."""
    rng = np.random.default_rng(1)
    genes = np.linspace(0, len(cohort.genes) - 1, 12).astype(int)
    by_window, by_people = [], []
    for window in (125_000, 250_000, 500_000, 1_000_000, 2_000_000):
        rows = [_time_once(*gene_problem(cohort, gene, window), rng) for gene in genes]
        by_window.append({"window": window, **_medians(rows)})
    for n_people in (90, 179, 358, 716, 1432, 2864):
        rows = []
        for gene in genes:
            snps, target = gene_problem(cohort, gene, 1_000_000)
            chosen = rng.permutation(np.arange(n_people) % len(target))
            noise = rng.standard_normal(n_people) * 0.3 * (n_people > len(target))
            jitter = snps[:, chosen] + (
                rng.standard_normal((len(snps), n_people)).astype(np.float32) * 0.05
                if n_people > len(target)
                else 0
            )
            varying = jitter.std(axis=1) > 0
            rows.append(_time_once(jitter[varying], target[chosen] + noise, rng))
        by_people.append({"n_people": n_people, **_medians(rows)})
    note = "Beyond 358, people are resampled and their dosages jittered, so no SNP is a copy."
    return {"by_window": by_window, "by_people": by_people, "note": note}


def _time_once(snps, target, rng) -> tuple[int, float]:
    folds = rng.permutation(len(target)) % 10
    return len(snps), solve_ours(snps, target, folds, ElasticNetConfig())["seconds"]


def _medians(rows) -> dict:
    return {
        "median_snps": float(np.median([row[0] for row in rows])),
        "median_seconds": float(np.median([row[1] for row in rows])),
    }


def stopping(cohort: Cohort, folds: np.ndarray) -> dict:
    """Count genes whose chosen strength is the same with and without leaving the path early."""
    same, difference, genes = 0, 0.0, range(len(cohort.genes))
    for gene in genes:
        snps, target = gene_problem(cohort, gene, 1_000_000)
        early, whole = (solve_ours(snps, target, folds, config)["fit"] for config in OURS.values())
        same += early.best == whole.best
        difference = max(difference, abs(early.cv_r2 - whole.cv_r2))
    return {"n_genes": len(genes), "n_same_strength": same, "max_abs_cv_r2_difference": difference}


def compare(cohort: Cohort, folds: np.ndarray, peer: Peer, work: Path) -> dict:
    """Run every solver on spread-out genes, for each length of path."""
    solve_ours(*gene_problem(cohort, 0, 100_000), folds, ElasticNetConfig())  # compiles
    results = {}
    for ratio, (n_genes, peers) in PATHS.items():
        file = work / f"solved-{ratio}.json"
        done = json.loads(file.read_text()) if file.exists() else {}
        for gene in np.linspace(0, len(cohort.genes) - 1, n_genes).astype(int).tolist():
            known = done.get(str(gene), {}).get("solvers", {})
            if {*OURS, *peers} - {*known}:
                path = (ratio, peers, work)
                done[str(gene)] = run_gene(cohort, gene, folds, peer, path, known)
                write_json(file, done)
        results[ratio] = list(done.values())
    return results


def solver_rows(ratio: str, genes: list[dict], summary: dict) -> list[dict]:
    """Return a row a solver, ours first, of one length of path."""
    facts = {
        "last_penalty": ratio,
        "n_genes": len(genes),
        "median_snps": float(np.median([gene["n_snps"] for gene in genes])),
    }
    solvers = genes[0]["solvers"]
    return [
        {**facts, "solver": name, "version": solvers[name].get("version", ""), **summary[name]}
        for name in sorted(summary, key=lambda name: name not in OURS)
    ]


def headline(summary: dict) -> dict:
    """Pick the quickest of each family of packages at the default path."""

    def quickest(*names: str) -> str:
        return min(names, key=lambda name: summary[name]["median_seconds"])

    def speedup(name: str, whole: str = "") -> float:
        return summary[name][f"times_slower_than_cisgram{whole}"]["median"]

    adelie, glmnet = quickest("adelie", "adelie fp32"), quickest("python-glmnet", "glmnet-rs")
    whole = quickest("adelie whole path", "adelie fp32 whole path")
    return {
        "speedup_vs_sklearn": speedup("scikit-learn"),
        "speedup_vs_adelie": speedup(adelie),
        "speedup_vs_glmnet": speedup(glmnet),
        "speedup_vs_sklearn_whole_path": speedup("scikit-learn", "_whole_path"),
        "speedup_vs_adelie_whole_path": speedup(whole, "_whole_path"),
        "speedup_vs_glmnet_whole_path": speedup(glmnet, "_whole_path"),
        "max_abs_cv_r2_difference": max(
            summary[name]["max_abs_cv_r2_difference_from_cisgram"] for name in PEERS
        ),
        "best_adelie": adelie,
        "best_glmnet": glmnet,
    }


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--genotypes", type=Path, required=True)
    parser.add_argument("--expression", type=Path, required=True)
    parser.add_argument("--covariates", type=Path)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    options = read_options()
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / "cohort"
    cohort = (
        Cohort.open(path)
        if path.exists()
        else import_cohort(
            options.genotypes, options.expression, covariates=options.covariates, out=path
        )
    )
    folds = person_folds(cohort.people, cohort.families, n_folds=10, seed=1).astype(np.int64)
    genes = compare(cohort, folds, Peer(options.peer_python, "elastic_net.py"), options.work)
    summaries = {ratio: summarize(rows) for ratio, rows in genes.items()}
    content = {
        "n_genes": len(genes[DEFAULT]),
        "n_people": len(cohort.people),
        **headline(summaries[DEFAULT]),
        "solvers": [
            row for ratio in PATHS for row in solver_rows(ratio, genes[ratio], summaries[ratio])
        ],
        "genes": genes,
        "stopping_early": stopping(cohort, folds),
        "scaling": scaling(cohort),
        "machine": machine(threads=1),
    }
    write_json(options.json, content)


if __name__ == "__main__":
    main()
