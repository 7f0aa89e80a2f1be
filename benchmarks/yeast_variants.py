"""Ask models which measured variants of yeast matter, and in which direction.

    python benchmarks/yeast_variants.py --targets RUN/targets \
        --models cisgram/yeast-expression=cisgram/yeast-expression random=RUN \
        --data ../shared/data/yeast --json benchmarks/results/yeast_variants.json

Models are packaged or runs of `cisgram train`, all of the same targets; only variants on the
chromosomes that these held out (`test`) are scored. Beside the models stand the same network with
weights nobody trained, a ridge regression on words of promoters, a language model's log-ratio, and
distance.

Keys of the JSON, each figure with a 95% interval in which stretches of 10,000 bases are drawn:

- `reporter`: promoter variants of Renganaath et al. 2020 (eLife 9:e62669), a row a variant and
  gene. Positives have an adjusted p under 0.05 in a library, negatives p over 0.5 in all; `auroc`,
  `auprc` rank them by size; `sign` is the share of positives whose direction is right, `spearman`
  that of signed effect and measured log fold change over all.
- `eqtl`: peak markers of local eQTLs of Albert et al. 2018 (eLife 7:e35471) within reach of their
  gene, beside variants as far from the start of a gene that has no local eQTL (`auroc`, `auprc`);
  `sign` and `spearman` against the marker's r.
- `by_distance`: `auroc` of both, by distance from the gene's start.
- `all_folds`: the same measures with the runs of `--folds`, each of which scores the chromosomes it
  held out, taken together.
- `signs`: which allele the measurements' signs are of, as checked on other measurements.
- `primary`, `n`, `published`, `models`, `machine`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from lm_zero_shot import auroc_by_group
from machine import machine
from yeast_gene_baselines import PromoterRidge, promoter_of
from yeast_models import bodies, model_parser, untrained
from yeast_variant_sets import VariantSet, albert, pooled, renganaath, sign_checks

from cisgram.core.artifact import write_json
from cisgram.core.metrics import spearman
from cisgram.data.targets import Targets
from cisgram.genome.allele_window import allele_window
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.variant import Variant
from cisgram.prediction.tracks import TrackReader
from cisgram.prediction.variants import score_pairs

PRIMARY = "segregants"
"""Chosen before any score was computed: expression in the cross that the variants come from."""
OUTPUTS = ("segregants", "rnaseq_wt", "tss_ypd+", "tif_ypd+")
DISTANCES = ((0, 100), (100, 200), (200, 400), (400, 1_500))
N_DRAWS = 1_000
Fold = dict[str, tuple[VariantSet, dict[str, np.ndarray]]]
"""By set, its variants and their scores."""
PUBLISHED = {
    "Shorkie, 142 positives, |logSED|": {"auroc": 0.618, "auprc": 0.629},
    "DREAM-CNN, the same": {"auroc": 0.596, "auprc": 0.593},
    "note": "Chao et al. 2025: other positives and negatives (population variants paired with "
    "unrelated genes at the same distance), all folds averaged, so most loci were trained on.",
}


def main() -> None:
    options = _options()
    runs = dict(options.models)
    targets = Targets.open(options.targets)
    readers = {name: TrackReader.open(run) for name, run in runs.items()}
    readers["untrained"] = untrained(next(iter(readers.values())))
    fold = scored(readers, targets, options)
    result = evaluated(fold)
    if options.folds:
        folds = []
        for run in options.folds:
            reader = TrackReader.open(run)
            both = {"folds": reader, "untrained": untrained(reader)}
            folds.append(scored(both, Targets.open(run / "targets"), options))
        result["all_folds"] = evaluated(
            {
                what: (
                    pooled([own[what][0] for own in folds]),
                    {
                        name: np.concatenate([own[what][1][name] for own in folds])
                        for name in folds[0][what][1]
                    },
                )
                for what in fold
            }
        )
    result["primary"] = PRIMARY
    result["signs"] = sign_checks(options.data)
    result["published"] = PUBLISHED
    result["models"] = {
        name: {key: readers[name].card.get(key) for key in ("steps", "seconds", "hardware")}
        for name in runs
    }
    result["machine"] = machine(torch.get_num_threads())
    write_json(options.json, result)


def _options() -> argparse.Namespace:
    parser = model_parser(__doc__)
    parser.add_argument("--folds", nargs="*", type=Path, default=[], help="runs of one recipe")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--language-model", default="cisgram/yeast-lm")
    return parser.parse_args()


def scored(readers: dict[str, TrackReader], targets: Targets, options: argparse.Namespace) -> Fold:
    """Return the variants near genes that were held out, with all scores."""
    genes = bodies(targets, split="test")
    sets = {
        "reporter": renganaath(options.data, targets.reference, genes),
        "eqtl": albert(options.data, targets.reference, genes),
    }
    linear = {output: PromoterRidge(targets, output) for output in OUTPUTS}
    fold: Fold = {}
    for what, chosen in sets.items():
        scores = network_scores(readers, chosen, targets.reference, genes)
        before, after = promoters(chosen, targets.reference, genes)
        for output, fit in linear.items():
            scores[f"{fit.name}, {output}"] = fit.predict(after) - fit.predict(before)
        scores["language model"] = chosen.log_ratios(targets.reference, options.language_model)
        scores["nearer"] = -chosen.distance.astype(float)
        fold[what] = (chosen, scores)
    return fold


def evaluated(fold: Fold) -> dict:
    """Return every measure of every set."""
    result: dict = {"by_distance": {}}
    for what, (chosen, scores) in fold.items():
        result[what] = {name: evaluate(chosen, values) for name, values in scores.items()}
        result[what]["n"] = chosen.counts()
        result["by_distance"][what] = by_distance(chosen, scores)
        for name, found in result[what].items():
            print(what, name, found)
    return result


def network_scores(
    readers: dict[str, TrackReader],
    chosen: VariantSet,
    reference: Reference,
    genes: dict[str, Interval],
) -> dict[str, np.ndarray]:
    """Return signed effects by `name, output`."""
    scores: dict[str, np.ndarray] = {}
    for name, reader in readers.items():
        found = score_pairs(reader, reference, chosen.variants, genes=genes, pairs=chosen.pairs)
        for output in OUTPUTS:
            scores[f"{name}, {output}"] = found.effects[:, found.outputs.index(output)]
    return scores


def promoters(
    chosen: VariantSet, reference: Reference, genes: dict[str, Interval]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return each pair's promoter with the reference allele and with the alternate one."""
    variants, gene_of = list(chosen.variants.iter_rows(named=True)), list(genes.values())
    before, after = [], []
    for number, gene in chosen.pairs.tolist():
        promoter, row = promoter_of(gene_of[gene]), variants[number]
        variant = Variant(row["chrom"], row["start"], row["ref"], row["alt"])
        anchor = promoter.start if promoter.strand == "-" else promoter.end
        before.append(reference.fetch(promoter))
        after.append(allele_window(reference, promoter, variant, anchor=anchor))
    return before, after


def evaluate(chosen: VariantSet, values: np.ndarray) -> dict:
    """Return how well scores find what is significant, and its direction."""
    nearer = bool((values <= 0).all())
    size = values if nearer else np.abs(values)
    known = ~np.isnan(values)
    found = {
        "auroc": auroc_by_group(
            size, chosen.positive & known, chosen.negative & known, groups=chosen.block
        ),
        "auprc": auprc(size, chosen, known),
    }
    if nearer:
        return found
    # An effect too small for single precision says nothing, which is right half of the time.
    right = (1 + np.sign(values) * np.sign(chosen.effect)) / 2
    found["sign"] = drawn(np.mean, (right,), chosen.block, chosen.positive & known)
    found["spearman"] = drawn(
        lambda a, b: float(spearman(a, b)), (values, chosen.effect), chosen.block, known
    )
    return found


def auprc(size: np.ndarray, chosen: VariantSet, known: np.ndarray) -> list[float]:
    """Return average precision; its null is the share of positives."""
    from sklearn.metrics import average_precision_score

    rows = known & (chosen.positive | chosen.negative)
    return drawn(
        lambda truth, score: float(average_precision_score(truth > 0, score)),
        (chosen.positive.astype(float), size),
        chosen.block,
        rows,
    )


def drawn(measure, columns: tuple[np.ndarray, ...], block: np.ndarray, rows: np.ndarray) -> list:
    """Return a measure of chosen rows with the interval of a bootstrap over blocks."""
    columns = tuple(column[rows] for column in columns)
    names, number = np.unique(block[rows], return_inverse=True)
    members = [np.flatnonzero(number == n) for n in range(names.size)]
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(N_DRAWS):
        picked = np.concatenate([members[n] for n in rng.integers(0, names.size, names.size)])
        draws.append(measure(*(column[picked] for column in columns)))
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return [float(measure(*columns)), float(low), float(high)]


def by_distance(chosen: VariantSet, scores: dict[str, np.ndarray]) -> dict:
    """Return the AUROC of the primary output in classes of distance."""
    found: dict = {}
    for low, high in DISTANCES:
        inside = (chosen.distance >= low) & (chosen.distance < high)
        part: dict = {"positives": int((chosen.positive & inside).sum())}
        for name, values in scores.items():
            if name.endswith(PRIMARY) and part["positives"] >= 5:
                part[name] = auroc_by_group(
                    np.abs(values), chosen.positive & inside, chosen.negative & inside,
                    groups=chosen.block,
                )  # fmt: skip
        found[f"{low} to {high}"] = part
    return found


if __name__ == "__main__":
    main()
