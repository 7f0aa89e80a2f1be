"""Compare training runs of yeast expression on the validation chromosome, alone and averaged.

    python benchmarks/yeast_settings.py --json benchmarks/results/yeast_settings.json RUN RUN ...

Runs are of `cisgram train` with the same genes; no test chromosome is read.

Keys of the JSON:

- `runs`: for each its `settings`, its `steps`, and Pearson's r over validation genes: the `mean`
  over all numbers, and `segregants`.
- `averages`: the same of the mean prediction of several runs.
- `genes`, `values`: how many there are; `machine`.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from machine import machine

from cisgram.core.artifact import write_json
from cisgram.core.metrics import pearson
from cisgram.data.targets import Targets
from cisgram.genome.interval import Interval
from cisgram.prediction.genes import predict_genes
from cisgram.prediction.tracks import TrackReader

MAIN = "segregants"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    targets = Targets.open(options.runs[0] / "targets")
    rows = np.flatnonzero((targets.genes["split"] == "valid").to_numpy())
    bodies = [
        Interval(row["chrom"], row["start"], row["end"], row["strand"])
        for row in targets.genes[rows].iter_rows(named=True)
    ]
    measured = targets.values[rows].astype(float)
    result: dict = {"runs": [], "averages": []}
    predicted: dict[str, np.ndarray] = {}
    for run in options.runs:
        reader = TrackReader.open(run)
        values = predict_genes(reader, targets.reference, bodies)[:, : measured.shape[1]]
        predicted[run.name] = values.astype(float)
        found = {
            "name": run.name,
            "settings": settings(run),
            "steps": reader.card["steps"],
            **accuracy(predicted[run.name], measured, targets.value_names),
        }
        result["runs"].append(found)
        print(found, flush=True)
    for size in range(2, len(predicted) + 1):
        for names in combinations(predicted, size):
            mean = np.mean([predicted[name] for name in names], axis=0)
            result["averages"].append(
                {"runs": names, **accuracy(mean, measured, targets.value_names)}
            )
    result["genes"], result["values"] = len(rows), len(targets.value_names)
    result["machine"] = machine(torch.get_num_threads())
    write_json(options.json, result)


def settings(run: Path) -> dict:
    """Return what the runs differ in."""
    recipe = json.loads((run / "run.json").read_text())["recipe"]
    return {
        "start": recipe["train"].get("start") or "random weights",
        "lr": recipe["optim"]["lr"],
        "value_weight": recipe["loss"].get("value_weight", 1.0),
        "steps": recipe["train"]["steps"],
    }


def accuracy(predicted: np.ndarray, measured: np.ndarray, names: tuple[str, ...]) -> dict:
    """Return r over genes, of each number its own that is known."""
    known = ~np.isnan(measured)
    r = [
        float(pearson(predicted[known[:, n], n], measured[known[:, n], n]))
        for n in range(len(names))
    ]
    return {"mean": float(np.mean(r)), MAIN: r[names.index(MAIN)]}


if __name__ == "__main__":
    main()
