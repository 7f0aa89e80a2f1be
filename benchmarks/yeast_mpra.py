"""Ask models of the genome what reporter libraries of yeast measured, without and with training.

    python benchmarks/yeast_mpra.py --targets RUN/targets \
        --models cisgram/yeast-expression=cisgram/yeast-expression random=RUN \
        --data ../shared/data/yeast --json benchmarks/results/yeast_mpra.json

Libraries are those of Vaishnav et al. 2022 (Nature 603:455) and of the Random Promoter DREAM
Challenge 2022: 80 bases between constant ones, in front of a fluorescent protein, in YPD. The 110
bases take the place of as many of the genome, their middle 180 bases before the transcription
start of a host gene (the protocol of Chao et al. 2025), and the host is read; what is averaged over
hosts are differences from the genome as it is. Hosts lie on chromosomes that the models held out:
those of the published 22 whose TSS is mapped there, and others drawn.

Keys of the JSON, each figure with a 95% interval in which sequences are drawn (mutants of one
sequence together):

- `zero_shot`: by library and predictor, `pearson` and `spearman`; of mutants, against the
  difference from their base, with `sign`, the share of directions that are right; of designs,
  `auroc` of high against low.
- `head`: Pearson's r of a regression on what a network makes of the insert within one host, or on
  counts of its words, or of a small network, all trained on the same random sequences.
- `by_output`: `pearson` of other outputs of the models.
- `hosts`, `n`, `published`, `models`, `machine`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import torch
import yeast_mpra_sets as sets
from machine import machine
from sklearn.metrics import roc_auc_score
from yeast_gene_baselines import PROMOTER, PromoterRidge, promoter_of
from yeast_models import model_parser, untrained
from yeast_mpra_heads import head_scores
from yeast_mpra_sets import Host, Library
from yeast_variants import drawn

from cisgram.core.artifact import write_json
from cisgram.core.metrics import pearson, spearman
from cisgram.data.targets import Targets
from cisgram.genome.alphabet import encode
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.prediction.tracks import TrackReader
from cisgram.prediction.variants import score_pairs

PRIMARY = "segregants"
"""The same output as for variants of the genome, chosen before any score was computed."""
OTHERS = ("rnaseq_wt", "tss_ypd+", "tif_ypd+")
PUBLISHED_HOSTS = (
    "YOL056W", "YGR212W", "YDR484W", "YMR160W", "YDR337W", "YLL055W", "YOR286W", "YJL097W",
    "YHR087W", "YKL062W", "YLR218C", "YPL096C-A", "YIL093C", "YDR414C", "YGL136C", "YGL131C",
    "YOL007C", "YJL121C", "YBL105C", "YER093C-A", "YKL029C", "YDR116C",
)  # fmt: skip
UPSTREAM, WIDTH = 180, 110
PUBLISHED = {
    "native": {"Shorkie": 0.695, "DREAM-RNN": 0.891},
    "random": {"Shorkie": 0.744, "DREAM-RNN": 0.981},
    "mutants": {"Shorkie, SNV pairs": 0.539, "DREAM-RNN, SNV pairs": 0.866},
    "designs": {"Shorkie, AUROC of high against low": 0.9953},
    "note": "Chao et al. 2025, zero-shot but for DREAM-RNN, which learnt from 6.7 million "
    "sequences of this assay; other samples of the same libraries, 22 hosts, eight folds.",
}


def main() -> None:
    options = _options()
    targets = Targets.open(options.targets)
    runs = dict(options.models)
    readers = {name: TrackReader.open(run) for name, run in runs.items()}
    readers["untrained"] = untrained(next(iter(readers.values())))
    chosen = hosts(options.data, targets, n=options.hosts)
    libraries = sample(options.data, targets, n=options.n)
    designed, is_high = sets.designs(options.data)
    rows = np.sort(np.random.default_rng(3).permutation(len(designed.inserts))[: options.n])
    libraries["designs"], is_high = designed.take(rows), is_high[rows]
    result: dict = {"zero_shot": {}, "by_output": {}}
    linear = PromoterRidge(targets, PRIMARY)
    for name, library in libraries.items():
        scores = zero_shot(readers, linear, library, chosen, targets.reference)
        measure = evaluate_mutants if library.base is not None else evaluate
        if name == "designs":
            found = {what: auroc(values[PRIMARY], is_high) for what, values in scores.items()}
        else:
            found = {what: measure(library, values[PRIMARY]) for what, values in scores.items()}
            result["by_output"][name] = {
                what: {o: measure(library, values[o])["pearson"] for o in values}
                for what, values in scores.items()
                if len(values) > 1
            }
        result["zero_shot"][name] = found
        print(name, found, flush=True)
    tests = {name: libraries[name] for name in ("random", "native")}
    result["head"] = head_scores(
        readers, sets.training(options.data), tests, chosen[0], targets.reference, n=options.train
    )
    print(result["head"])
    result["hosts"] = [host.name for host in chosen]
    result["n"] = {name: len(library.inserts) for name, library in libraries.items()}
    result["n"]["native from"] = int(np.unique(libraries["native"].group).size)
    result["n"]["mutants of"] = int((libraries["mutants"].base < 0).sum())
    result["n"]["trained on"] = options.train
    result["primary"], result["published"] = PRIMARY, PUBLISHED
    result["machine"] = machine(torch.get_num_threads())
    write_json(options.json, result)


def _options() -> argparse.Namespace:
    parser = model_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=600, help="inserts of each library")
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--train", type=int, default=3_000, help="sequences that heads learn from")
    return parser.parse_args()


def hosts(data: Path, targets: Targets, *, n: int) -> list[Host]:
    """Return genes of the test chromosomes with the site before their TSS, published hosts first.

    Those whose TSS is not mapped are left out; what lacks of `n` is drawn.
    """
    table = pl.read_csv(data / "tss" / "albert_TSS_per_gene.tsv.gz", separator="\t")
    starts = dict(table.filter(pl.col("TSSType") == "5UTR").select("gene", "TSS").iter_rows())
    test = targets.genes.filter((pl.col("split") == "test") & pl.col("gene").is_in(list(starts)))
    rows = {row["gene"]: row for row in test.iter_rows(named=True)}
    drawn_names = np.random.default_rng(2).permutation(sorted(set(rows) - set(PUBLISHED_HOSTS)))
    names = [name for name in PUBLISHED_HOSTS if name in rows] + drawn_names.tolist()
    return [_host(rows[name], starts[name] - 1) for name in names[:n]]


def _host(row: dict, tss: int) -> Host:
    middle = tss - UPSTREAM if row["strand"] == "+" else tss + UPSTREAM
    start = middle - WIDTH // 2
    return Host(
        row["gene"],
        Interval(row["chrom"], row["start"], row["end"], row["strand"]),
        Interval(row["chrom"], start, start + WIDTH, row["strand"]),
    )


def sample(data: Path, targets: Targets, *, n: int) -> dict[str, Library]:
    """Return some of each library, and all native ones of the test chromosomes."""
    rng = np.random.default_rng(0)
    native, places = sets.native(data, targets.reference)
    random, mutants = sets.random(data), sets.mutants(data)
    test = set(targets.genes.filter(pl.col("split") == "test")["chrom"])
    held_out = np.array([place is not None and place.split(":")[0] in test for place in places])
    kept = mutants.group < n // 4  # a base has three mutants, which makes four inserts
    return {
        "native": native.take(rng.permutation(len(native.inserts))[:n]),
        "native, held out": native.take(rng.permutation(np.flatnonzero(held_out))[:n]),
        "random": random.take(rng.permutation(len(random.inserts))[:n]),
        "mutants": Library(
            inserts=[insert for insert, keep in zip(mutants.inserts, kept, strict=True) if keep],
            measured=mutants.measured[kept],
            group=mutants.group[kept],
            base=mutants.base[kept],
        ),
    }


def with_inserts(library: Library, host: Host, reference: Reference) -> Iterator[np.ndarray]:
    """Yield a host's promoter with each insert in it."""
    promoter = promoter_of(host.body)
    tokens = reference.fetch(promoter)
    first, past = promoter.locate(host.site)
    for insert in library.inserts:
        edited = tokens.copy()
        width = min(past, PROMOTER) - max(first, 0)
        skipped = max(-first, 0)
        edited[max(first, 0) : past] = encode(insert)[skipped : skipped + width]
        yield edited


def zero_shot(
    readers: dict[str, TrackReader],
    linear: PromoterRidge,
    library: Library,
    chosen: list[Host],
    reference: Reference,
) -> dict[str, dict[str, np.ndarray]]:
    """Return scores by predictor and output, averaged over hosts."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, reader in readers.items():
        by_host = [network_scores(reader, library, host, reference) for host in chosen]
        found[name] = {o: np.mean([own[o] for own in by_host], axis=0) for o in by_host[0]}
    by_host = [linear.predict(with_inserts(library, host, reference)) for host in chosen]
    found[linear.name] = {PRIMARY: np.mean(by_host, axis=0)}
    share = [sum(letter in "GC" for letter in insert) for insert in library.inserts]
    found["fewer G and C"] = {PRIMARY: -np.array(share, dtype=float)}
    return found


def network_scores(
    reader: TrackReader, library: Library, host: Host, reference: Reference
) -> dict[str, np.ndarray]:
    """Return what inserts change of a host, by output."""
    variants, numbers = sets.replacements(library, reference, host.site)
    pairs = np.stack([np.arange(variants.height), np.zeros(variants.height, np.int64)], axis=1)
    scored = score_pairs(reader, reference, variants, genes={host.name: host.body}, pairs=pairs)
    effects = np.concatenate([scored.effects, np.zeros((1, scored.effects.shape[1]))])
    return {o: effects[numbers, scored.outputs.index(o)] for o in (PRIMARY, *OTHERS)}


def evaluate(library: Library, values: np.ndarray) -> dict:
    """Return how well values follow what was measured."""
    columns, every = (values, library.measured), np.ones(len(values), dtype=bool)
    return {
        "pearson": drawn(_pearson, columns, library.group, every),
        "spearman": drawn(_spearman, columns, library.group, every),
    }


def evaluate_mutants(library: Library, values: np.ndarray) -> dict:
    """Return how well values follow what changes from a sequence to its mutants."""
    mutant = np.flatnonzero(library.base >= 0)
    base = library.base[mutant]
    change = values[mutant] - values[base]
    measured = library.measured[mutant] - library.measured[base]
    group, every = library.group[mutant], np.ones(mutant.size, dtype=bool)
    right = (1 + np.sign(change) * np.sign(measured)) / 2
    return {
        "pearson": drawn(_pearson, (change, measured), group, every),
        "spearman": drawn(_spearman, (change, measured), group, every),
        "sign": drawn(np.mean, (right,), group, every),
    }


def auroc(values: np.ndarray, is_high: np.ndarray) -> dict:
    """Return how well values tell high designs from low ones."""
    columns = (is_high.astype(float), values)
    every = np.ones(len(values), dtype=bool)
    group = np.arange(len(values))
    return {"auroc": drawn(lambda t, v: float(roc_auc_score(t > 0, v)), columns, group, every)}


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    return float(pearson(a, b))


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(spearman(a, b))


if __name__ == "__main__":
    main()
