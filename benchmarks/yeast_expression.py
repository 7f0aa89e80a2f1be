"""Measure how well models predict signal and genes of yeast chromosomes they did not learn from.

    python benchmarks/yeast_expression.py --targets RUN/targets \
        --models cisgram/yeast-expression=cisgram/yeast-expression random=RUN hidden=RUN \
        --json benchmarks/results/yeast_expression.json

Models are packaged or runs of `cisgram train`, all of the same tracks and genes; a run reads the
genome of its own targets (such as one without coding sequence), a packaged model that of
--targets. Every window is read on both strands.

Keys of the JSON, each with a 95% interval `low` to `high`:

- `bins`: by run and track, Pearson's r over bins of 16 bases of the test chromosomes, of counts and
  of their square roots; intervals draw windows.
- `genes`: by predictor and number, Pearson's r over test genes; intervals draw genes. Ridge
  regressions on counts of words stand beside the networks, their penalty chosen on the
  validation chromosomes.
- `tracks`: by run and track, r over genes of log2(1 + mean of a bin of the body), own strand.
- `within`: by run and track, mean over genes of r over the bins of the body.
- `conditions`: by run, r over genes of log2 ratios between conditions.
- `agreement`: r between two laboratories' measurements of the level, over test genes.
- `differences`: the first run's r less that of each other predictor, on the same genes.
- `all_folds`: `genes` and `differences` with the runs of `--folds`, each of which predicts the
  genes of the chromosomes it held out, all together; `by_fold`, r of each,
  with how many of its `genes` have a level in `segregants`.
- `splits`, `runs`, `machine`.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import torch
from machine import machine
from sklearn.linear_model import LinearRegression
from yeast_gene_baselines import features, ridge
from yeast_models import bodies, model_parser

from cisgram.core.artifact import write_json
from cisgram.core.metrics import pearson
from cisgram.data.targets import Targets
from cisgram.genome.reference import Reference
from cisgram.prediction.evaluate_tracks import Signal, read_split
from cisgram.prediction.genes import predict_genes
from cisgram.prediction.tracks import TrackReader
from cisgram.training.provenance import total

FOLDS = "networks from random weights"
MAIN = "segregants"
N_DRAWS, BLOCK = 1_000, 8_192
CONDITIONS = {
    "diamide over YPD": ("tss_diamide+", "tss_ypd+"),
    "galactose over YPD": ("tif_gal+", "tif_ypd+"),
}
SAME = (("segregants", "rnaseq_wt"),)
"""Levels in growing cells, each of another laboratory and of other strains."""
UPSTREAM = 304
"""Bases before a gene's body whose TSS signal is the gene's."""


def both_known(predicted: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is predicted and measured where both are."""
    known = ~np.isnan(predicted) & ~np.isnan(measured)
    return predicted[known], measured[known]


def interval(predicted: np.ndarray, measured: np.ndarray, *, seed: int = 0) -> dict:
    """Return r and the interval of a bootstrap over what is compared."""
    p, m = both_known(predicted, measured)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, p.size, (N_DRAWS, p.size))
    low, high = np.percentile(pearson(p[rows], m[rows]), [2.5, 97.5])
    return {"r": float(pearson(p, m)), "low": float(low), "high": float(high), "n": int(p.size)}


def difference(first: np.ndarray, second: np.ndarray, measured: np.ndarray) -> dict:
    """Return how much higher the first's r is, the same genes drawn for both."""
    known = ~np.isnan(first) & ~np.isnan(second) & ~np.isnan(measured)
    a, b, m = first[known], second[known], measured[known]
    rows = np.random.default_rng(0).integers(0, a.size, (N_DRAWS, a.size))
    draws = pearson(a[rows], m[rows]) - pearson(b[rows], m[rows])
    low, high = np.percentile(draws, [2.5, 97.5])
    return {
        "difference": float(pearson(a, m) - pearson(b, m)),
        "low": float(low),
        "high": float(high),
    }


def moments(predicted: np.ndarray, measured: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Return by block what a correlation is made of, so that blocks can be drawn."""
    parts = (
        np.ones(predicted.size),
        predicted,
        measured,
        predicted**2,
        measured**2,
        predicted * measured,
    )
    return np.stack([np.bincount(block, part) for part in parts])


def correlation(sums: np.ndarray) -> np.ndarray:
    n, p, m, pp, mm, pm = sums
    return (n * pm - p * m) / np.sqrt((n * pp - p**2) * (n * mm - m**2))


def bins(signal: Signal, names: tuple[str, ...]) -> dict:
    """Return r over bins of each track; stretches of a window's length are drawn."""
    block = np.unique(
        signal.place[:, 0] * 10**6 + signal.place[:, 1] // BLOCK, return_inverse=True
    )[1]
    rng = np.random.default_rng(0)
    rows = rng.integers(0, block.max() + 1, (N_DRAWS, block.max() + 1))
    found: dict = {}
    for number, name in enumerate(names):
        for what, power in (("counts", 1.0), ("square roots", 0.5)):
            predicted, measured = (side[:, number].astype(float) ** power for side in signal[:2])
            sums = moments(predicted, measured, block)
            low, high = np.percentile(correlation(sums[:, rows].sum(axis=2)), [2.5, 97.5])
            found.setdefault(name, {})[what] = {
                "r": float(correlation(sums.sum(axis=1))),
                "low": float(low),
                "high": float(high),
            }
    return found


class Bodies:
    """Where the test genes' bins are in a `Signal`."""

    def __init__(self, signal: Signal, targets: Targets, rows: np.ndarray) -> None:
        self.names = targets.tracks.names
        chroms = targets.windows[targets.split("test")]["chrom"].unique().sort().to_list()
        size = targets.geometry.resolution
        place = {key: row for row, key in enumerate(map(tuple, signal.place.tolist()))}
        self.bodies, self.upstream, self.strands = [], [], []
        for row in targets.genes[rows].iter_rows(named=True):
            contig = chroms.index(row["chrom"])
            start, end = row["start"] // size * size, -(-row["end"] // size) * size
            plus = row["strand"] == "+"
            before = (
                range(start - UPSTREAM, start, size) if plus else range(end, end + UPSTREAM, size)
            )
            body = [place.get((contig, at)) for at in range(start, end, size)]
            self.bodies.append([at for at in body if at is not None])
            ahead = [place.get((contig, at)) for at in before]
            self.upstream.append([at for at in ahead if at is not None] + self.bodies[-1])
            self.strands.append(row["strand"])

    def column(self, name: str, strand: str) -> int:
        """Return the column of a track on that strand."""
        return self.names.index(name[:-1] + strand)

    def mean(self, side: np.ndarray, name: str, *, upstream: bool = False) -> np.ndarray:
        """Return log2(1 + mean of a bin) of every gene."""
        places = self.upstream if upstream else self.bodies
        columns = [self.column(name, strand) for strand in self.strands]
        return np.array(
            [
                np.log2(1 + side[at, column].mean()) if at else np.nan
                for at, column in zip(places, columns, strict=True)
            ]
        )

    def within(self, signal: Signal, name: str) -> np.ndarray:
        """Return r over the bins of every gene of ten or more."""
        found = []
        for at, strand in zip(self.bodies, self.strands, strict=True):
            column = self.column(name, strand)
            p, m = (np.log2(1 + side[at, column]) for side in signal[:2])
            found.append(float(pearson(p, m)) if len(at) >= 10 and m.std() > 0 else np.nan)
        return np.array(found)


def mean_interval(values: np.ndarray) -> dict:
    known = values[~np.isnan(values)]
    rows = np.random.default_rng(0).integers(0, known.size, (N_DRAWS, known.size))
    low, high = np.percentile(known[rows].mean(axis=1), [2.5, 97.5])
    return {"r": float(known.mean()), "low": float(low), "high": float(high), "n": int(known.size)}


def of_signal(reader: TrackReader, targets: Targets, test: np.ndarray) -> dict:
    """Return what can be said of one run's signal."""
    signal = read_split(reader, targets, "test")
    bodies = Bodies(signal, targets, test)
    stranded = [track for track in targets.tracks.names if track.endswith("+")]
    sides = (signal.predicted, signal.measured)
    found: dict = {"bins": bins(signal, targets.tracks.names)}
    found["tracks"] = {t: interval(*(bodies.mean(side, t) for side in sides)) for t in stranded}
    found["within"] = {t: mean_interval(bodies.within(signal, t)) for t in stranded}
    found["conditions"] = {
        what: interval(
            *(
                bodies.mean(side, one, upstream=True) - bodies.mean(side, other, upstream=True)
                for side in sides
            )
        )
        for what, (one, other) in CONDITIONS.items()
    }
    return found


def targets_of(model: str, targets: Targets) -> Targets:
    """Return what a model is held against: its run's own, or else those given."""
    path = Path(model) / "targets"
    if not path.exists():
        return targets
    own = Targets.open(path)
    if not own.genes.equals(targets.genes) or own.tracks.names != targets.tracks.names:
        raise SystemExit(f"{model} learnt other genes or tracks; compare runs of one kind.")
    return own


def gene_numbers(
    networks: dict[str, tuple[TrackReader, Reference]], targets: Targets
) -> dict[str, np.ndarray]:
    """Return by predictor what is predicted of the test genes' numbers, (genes, numbers).

    Ridge regressions learn from the training genes of the same targets; what stacks all predictors
    weighs them, none below zero, by least squares over the validation genes.
    """
    split, places = targets.genes["split"].to_numpy(), list(bodies(targets).values())
    train, valid = split == "train", split == "valid"
    chosen, n_values = [places[row] for row in np.flatnonzero(~train)], len(targets.value_names)
    predicted = {
        name: predict_genes(reader, reference, chosen)[:, :n_values]
        for name, (reader, reference) in networks.items()
    }
    for what, x in features(targets.reference, places).items():
        columns = [
            ridge(x, targets.values[:, n].astype(float), train=train, valid=valid, test=~train)
            for n in range(n_values)
        ]
        predicted[f"ridge, {what}"] = np.stack(columns, axis=1)
    measured, is_valid = targets.values[~train].astype(float), valid[~train]
    predicted["all stacked"] = np.stack(
        [
            stacked([own[:, n] for own in predicted.values()], measured[:, n], fit_on=is_valid)
            for n in range(n_values)
        ],
        axis=1,
    )
    return {who: own[~is_valid] for who, own in predicted.items()}


def stacked(columns: list[np.ndarray], measured: np.ndarray, *, fit_on: np.ndarray) -> np.ndarray:
    """Return the combination of columns that is nearest to what was measured."""
    x, known = np.stack(columns, axis=1), fit_on & ~np.isnan(measured)
    return LinearRegression(positive=True).fit(x[known], measured[known]).predict(x)


def held_out_values(targets: Targets) -> np.ndarray:
    """Return what was measured of the test genes, (genes, numbers)."""
    return targets.values[targets.genes["split"].to_numpy() == "test"].astype(float)


def agreement(targets: Targets) -> dict[str, dict]:
    """Return r between what two laboratories measured of the test genes, by pair of numbers."""
    columns = dict(zip(targets.value_names, held_out_values(targets).T, strict=True))
    return {f"{one} and {other}": interval(columns[one], columns[other]) for one, other in SAME}


def column(targets: Targets, values: np.ndarray) -> np.ndarray:
    """Return the column of the number that is looked at first."""
    return values[:, targets.value_names.index(MAIN)]


def compared(
    predicted: dict[str, np.ndarray], measured: np.ndarray, names: tuple[str, ...]
) -> dict[str, dict]:
    """Return r of every predictor and number, and how far the first predictor is above others."""
    first, *others = predicted
    numbers = dict(zip(names, range(len(names)), strict=True))
    return {
        "genes": {
            who: {what: interval(own[:, n], measured[:, n]) for what, n in numbers.items()}
            for who, own in predicted.items()
        },
        "differences": {
            who: {
                what: difference(predicted[first][:, n], predicted[who][:, n], measured[:, n])
                for what, n in numbers.items()
            }
            for who in others
        },
    }


def over_folds(runs: list[Path]) -> dict:
    """Return `compared` over genes of all folds together, each by the run that held it out."""
    folds, measured, by_fold = [], [], []
    names, seen = tuple[str, ...](), set[str]()
    for run in runs:
        reader, targets = TrackReader.open(run), Targets.open(run / "targets")
        test = targets.genes.filter(pl.col("split") == "test")
        if (names and targets.value_names != names) or seen & set(test["gene"]):
            raise SystemExit(f"{run} holds out genes of another fold, or learnt other numbers.")
        names, seen = targets.value_names, seen | set(test["gene"])
        folds.append(gene_numbers({FOLDS: (reader, targets.reference)}, targets))
        measured.append(held_out_values(targets))
        by_fold.append(
            {
                "chromosomes": test["chrom"].unique(maintain_order=True).to_list(),
                "genes": int((~np.isnan(column(targets, measured[-1]))).sum()),
                "seconds": total(reader.card, "seconds"),
                **{
                    who: {
                        what: float(pearson(*both_known(own[:, n], measured[-1][:, n])))
                        for n, what in enumerate(names)
                    }
                    for who, own in folds[-1].items()
                },
            }
        )
    together = {who: np.concatenate([own[who] for own in folds]) for who in folds[0]}
    return compared(together, np.concatenate(measured), names) | {"by_fold": by_fold}


def main() -> None:
    options = _options()
    models, targets = dict(options.models), Targets.open(options.targets)
    test = np.flatnonzero(targets.genes["split"].to_numpy() == "test")
    result: dict = {name: {} for name in ("bins", "tracks", "within", "conditions")}
    networks: dict[str, tuple[TrackReader, Reference]] = {}
    for name, model in models.items():
        reader, own = TrackReader.open(model), targets_of(model, targets)
        networks[name] = (reader, own.reference)
        for part, found in of_signal(reader, own, test).items():
            result[part][name] = found
    predicted = gene_numbers(networks, targets)
    result |= compared(predicted, held_out_values(targets), targets.value_names)
    result["agreement"] = agreement(targets)
    if options.folds:
        result["all_folds"] = over_folds(options.folds)
    split = targets.genes["split"]
    result["splits"] = {name: int((split == name).sum()) for name in ("train", "valid", "test")}
    result["runs"] = {
        name: {key: reader.card.get(key) for key in ("steps", "seconds")}
        | {"seconds_with_start": total(reader.card, "seconds")}
        for name, (reader, _) in networks.items()
    }
    result["machine"] = machine(torch.get_num_threads())
    write_json(options.json, result)
    for name, row in result["genes"].items():
        print(name, {value: round(cell["r"], 3) for value, cell in row.items()})


def _options() -> argparse.Namespace:
    parser = model_parser(__doc__)
    parser.add_argument("--folds", nargs="*", type=Path, default=[], help="runs of one recipe")
    return parser.parse_args()


if __name__ == "__main__":
    main()
