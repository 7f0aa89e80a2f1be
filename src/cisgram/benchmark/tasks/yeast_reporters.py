"""Reporter libraries put before held-out genes, beside k-mers and the share of G and C."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.folds import (
    UNTRAINED,
    Fold,
    gene_bodies,
    gene_outputs,
    measured_levels,
    read_folds,
)
from cisgram.benchmark.kmers import (
    PROMOTER,
    RIDGE,
    count_kmers,
    promoter_of,
    promoter_ridge,
    ridge_predict,
    ridge_weights,
)
from cisgram.benchmark.reporter_libraries import (
    WIDTH,
    Library,
    designed_library,
    mutant_library,
    native_library,
    random_library,
    replacements,
    training_library,
)
from cisgram.benchmark.statistics import auroc, correlation, resampled
from cisgram.core.metrics import Estimate
from cisgram.genome.alphabet import one_hot
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.embed import embed
from cisgram.prediction.sequences import Sequences, Windows
from cisgram.prediction.session import Session
from cisgram.prediction.variants import score_pairs

OUTPUTS = ("segregants", "rnaseq_wt", "tss_ypd+", "tif_ypd+")
"""The first is that of variants of the genome, chosen before any score was computed."""
PUBLISHED_HOSTS = (
    "YOL056W", "YGR212W", "YDR484W", "YMR160W", "YDR337W", "YLL055W", "YOR286W", "YJL097W",
    "YHR087W", "YKL062W", "YLR218C", "YPL096C-A", "YIL093C", "YDR414C", "YGL136C", "YGL131C",
    "YOL007C", "YJL121C", "YBL105C", "YER093C-A", "YKL029C", "YDR116C",
)  # fmt: skip
"""Genes before which Chao et al. 2025 put inserts."""
UPSTREAM, N_HOSTS = 180, 2
"""Bases from an insert's middle to the TSS; genes that inserts are put before."""
N, N_MUTANT_BASES, N_TRAINED = 200, 50, 1_000
"""Inserts of each library, and those that heads are trained on."""
GC = "share of G and C"


class Host(NamedTuple):
    """A gene before which inserts are put."""

    gene: str
    body: Interval
    site: Interval
    """What an insert takes the place of, on the gene's strand."""


@evaluation(
    "yeast-reporters",
    suite="yeast",
    title="What do models know of reporter libraries, with and without a trained head?",
    needs="tracks",
)
def run(context: Context, rows: Rows) -> None:
    """Add Pearson's r of every library, and that of ridge regressions on the layer before last."""
    fold = max(read_folds(context), key=lambda own: len(own.genes))
    outputs, hosts = gene_outputs(context, OUTPUTS), find_hosts(context, fold)
    libraries = _libraries(context, fold)
    designs, is_high = designed_library(context)
    drawn = np.sort(np.random.default_rng(3).permutation(len(designs.inserts))[:N])
    libraries["designs"], is_high = designs.take(drawn), is_high[drawn]
    ridge = _ridge(fold, outputs[0])
    for name, library in libraries.items():
        scores = _zero_shot(fold, library, hosts, outputs, ridge)
        for (who, output), values in scores.items():
            add = partial(rows.add, who, subset=name, output=output)
            if name == "designs":
                add("auroc", resampled(auroc, values, is_high), n=len(values))
            else:
                _follow(add, library, values)
    tests = {name: libraries[name] for name in ("random", "native")}
    for who, name, r, n in _heads(fold, training_library(context), tests, hosts[0]):
        rows.add(who, "r", r, subset=f"{name}, trained head", n=n)


def find_hosts(context: Context, fold: Fold) -> list[Host]:
    """Return held-out genes whose TSS is mapped, published hosts first, others drawn."""
    path = context.file("tss", "albert_TSS_per_gene.tsv.gz")
    table = pl.read_csv(path, separator="\t").filter(pl.col("TSSType") == "5UTR")
    starts = dict(table.select("gene", "TSS").iter_rows())
    known = {name: body for name, body in fold.genes.items() if name in starts}
    rng = np.random.default_rng(2)
    others = rng.permutation(sorted(set(known) - set(PUBLISHED_HOSTS))).tolist()
    names = [name for name in PUBLISHED_HOSTS if name in known] + others
    found: list[Host] = []
    for name in names[:N_HOSTS]:
        body, tss = known[name], int(starts[name]) - 1
        middle = tss + UPSTREAM if body.strand == "-" else tss - UPSTREAM
        start = middle - WIDTH // 2
        site = Interval(body.chrom, start, start + WIDTH, body.strand)
        found.append(Host(name, body, site))
    return found


def _libraries(context: Context, fold: Fold) -> dict[str, Library]:
    rng = np.random.default_rng(0)
    native, contigs = native_library(context, fold.targets.reference)
    random, mutants = random_library(context), mutant_library(context)
    held_out = np.flatnonzero([contig in fold.contigs for contig in contigs])
    return {
        "native": native.take(rng.permutation(len(native.inserts))[:N]),
        "native, held out": native.take(rng.permutation(held_out)[:N]),
        "random": random.take(rng.permutation(len(random.inserts))[:N]),
        # The bases come first, so that their rows stay what mutants name.
        "mutants": mutants.take(np.flatnonzero(mutants.group < N_MUTANT_BASES)),
    }


def _ridge(fold: Fold, output: str) -> Session:
    levels = {output: measured_levels(fold.targets)[output]}
    every = gene_bodies(fold.targets, np.ones(fold.held_out.size, dtype=np.bool_))
    return promoter_ridge(
        fold.targets.reference, list(every.values()), levels, fitted=~fold.held_out
    )


def _zero_shot(
    fold: Fold, library: Library, hosts: list[Host], outputs: list[str], ridge: Session
) -> dict[tuple[str, str], Float64[np.ndarray, "inserts"]]:
    """Return what inserts change of hosts, the mean over them, by predictor and output."""
    found: dict[tuple[str, str], Float64[np.ndarray, "inserts"]] = {}
    reference = fold.targets.reference
    for who, session in fold.sessions.items():
        readout, total = choose_readout(session, "gene"), np.zeros((len(library.inserts), 1))
        chosen = hosts[:1] if who == UNTRAINED else hosts
        for host in chosen:
            variants, numbers = replacements(library, reference, host.site)
            pairs = np.stack([np.arange(variants.height), np.zeros(variants.height)], axis=1)
            effects = score_pairs(
                session, variants, genes={host.gene: host.body}, pairs=pairs.astype(np.int64),
                readout=readout,
            )  # fmt: skip
            total = total + np.vstack([effects, np.zeros_like(effects[:1])])[numbers]
        for output in outputs:
            found[who, output] = total[:, readout.outputs.index(output)] / len(chosen)
    linear = [_with_inserts(library, host, reference) for host in hosts]
    spans = np.tile([0, PROMOTER], (len(library.inserts), 1))
    kept = [choose_readout(ridge).read(ridge.model, Windows(own, spans))[:, 0] for own in linear]
    found[RIDGE, outputs[0]] = np.stack(kept).astype(np.float64).mean(axis=0)
    gc = (library.inserts == 1) | (library.inserts == 2)
    found[GC, outputs[0]] = gc.mean(axis=1, dtype=np.float64)
    return found


def _with_inserts(library: Library, host: Host, reference: Reference) -> np.ndarray:
    """Return a host's promoter with each insert in it, (inserts, bases)."""
    promoter = promoter_of(host.body)
    tokens = np.tile(reference.fetch(promoter), (len(library.inserts), 1))
    first, past = promoter.locate(host.site)
    low, high = max(first, 0), min(past, PROMOTER)
    tokens[:, low:high] = library.inserts[:, low - first : high - first]
    return tokens


def _follow(
    add: Callable[..., None], library: Library, values: Float64[np.ndarray, "inserts"]
) -> None:
    """Add how well values follow levels, and of mutants how changes follow changes."""
    measured, group = library.measured, library.group
    if library.base.size:
        mutant = np.flatnonzero(library.base >= 0)
        base, group = library.base[mutant], group[mutant]
        values, measured = values[mutant] - values[base], measured[mutant] - measured[base]
        right = (1 + np.sign(values) * np.sign(measured)) / 2
        add("direction right", resampled(_mean, right, groups=group), n=len(right))
    for metric, ranks in {"r": False, "spearman": True}.items():
        r, n = correlation(values, measured, groups=group, ranks=ranks)
        add(metric, r, n=n)


def _mean(values: Float64[np.ndarray, "inserts"]) -> float:
    return float(values.mean())


def _heads(
    fold: Fold, train: Library, tests: dict[str, Library], host: Host
) -> list[tuple[str, str, Estimate, int]]:
    """Return r of ridge regressions by what they read and the library they are tested on."""
    chosen = np.sort(np.random.default_rng(1).permutation(len(train.inserts))[:N_TRAINED])
    train = train.take(chosen)
    every = {"": train, **tests}
    features = {
        who: {name: _embedded(session, own, host) for name, own in every.items()}
        for who, session in fold.sessions.items()
    }
    features["1- to 4-mers"] = {
        name: np.hstack([count_kmers(own.inserts, k) for k in range(1, 5)])
        for name, own in every.items()
    }
    features["one-hot"] = {
        name: one_hot(own.inserts, np.float32).reshape(len(own.inserts), -1)
        for name, own in every.items()
    }
    found: list[tuple[str, str, Estimate, int]] = []
    for who, own in features.items():
        weights = ridge_weights(own[""], train.measured[:, None])
        for name, library in tests.items():
            predicted = ridge_predict(weights, own[name])[:, 0]
            r, n = correlation(predicted, library.measured, groups=library.group)
            found.append((who, name, r, n))
    return found


def _embedded(
    session: Session, library: Library, host: Host
) -> Float32[np.ndarray, "inserts features"]:
    """Return the rows of a model's usual layer over each insert before a host, joined."""
    around = host.site.around(session.model.window)
    first, past = around.locate(host.site)
    tokens = np.tile(session.reference.fetch(around), (len(library.inserts), 1))
    tokens[:, first:past] = library.inserts
    names = tuple(f"insert{number}" for number in range(len(tokens)))
    sizes = dict.fromkeys(names, around.length)
    reference = Reference(session.reference.path, sizes, tokens.ravel())
    places = tuple(Interval(name, first, past) for name in names)
    found = embed(session, Sequences(names, places, reference), pool="none")
    return found.values.reshape(len(names), -1)
