"""Signal along held-out chromosomes, beside what genes' places and k-mers alone say of it."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.folds import Fold, by_contig, gene_bodies, read_folds
from cisgram.benchmark.kmers import K, kmer_numbers, ridge_predict, ridge_weights
from cisgram.benchmark.statistics import resampled
from cisgram.core.metrics import bootstrap_ci, bootstrap_difference, pearson
from cisgram.data.targets import Targets
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.interval import Interval
from cisgram.prediction.signal import predict_signal

GENES, RIDGE = "mean by place of genes", f"ridge, {K}-mers around"
BLOCK = 8_192
"""Bases that are drawn together."""
AROUND = 256
"""Bases around a bin whose k-mers are counted."""
UPSTREAM, N_PLACES = 1_008, 50
"""Bases before a gene, and parts of its body, in which the place of a bin is told apart."""
N_FITTED = 20_000
"""Bins that ridge regressions are fitted to."""
FEWEST_BINS = 10
"""Of a gene within which bins are compared."""
Along = dict[str, Float64[np.ndarray, "bins tracks"]]
"""Square roots of signal by contig."""


@evaluation(
    "yeast-signal",
    suite="yeast",
    title="How well is measured signal predicted along held-out chromosomes?",
    needs="tracks",
)
def run(context: Context, rows: Rows) -> None:
    """Add Pearson's r over bins of held-out contigs, and the mean over genes of r within them."""
    targets = context.targets
    folds = read_folds(context)
    predicted: dict[str, Along] = {}
    for fold in folds:
        for who, own in _predicted(fold).items():
            predicted.setdefault(who, {}).update(own)
    contigs = [contig for contig, _ in by_contig(folds)]
    measured = {contig: _measured(targets, contig) for contig in contigs}
    bodies = gene_bodies(targets, targets.genes["chrom"].is_in(contigs).to_numpy())
    for source in targets.config.tracks:
        columns = [targets.tracks.names.index(name) for name in source.columns]
        within = {who: _within(own, measured, bodies, columns, targets.geometry.resolution)
                  for who, own in predicted.items()}  # fmt: skip
        for who, own in predicted.items():
            add = partial(rows.add, who, output=source.name)
            for metric, power in (("r, square roots", 1), ("r, counts", 2)):
                sums = _moments(own, measured, columns, power, targets.geometry.resolution)
                r = resampled(_correlation, *sums)
                add(metric, r, subset="bins", n=int(sums[0].sum()))
            n = int((~np.isnan(within[who])).sum())
            add("mean r", bootstrap_ci(within[who], seed=0), subset="within genes", n=n)
            if who in rows.models:
                for other in (GENES, RIDGE):
                    gain = bootstrap_difference(within[who], within[other], seed=0)
                    add(f"minus {other}", gain, subset="within genes", n=n)


def _measured(targets: Targets, contig: str) -> Float64[np.ndarray, "bins tracks"]:
    return np.sqrt(np.maximum(targets.tracks.contig(contig).astype(np.float64), 0))


def _predicted(fold: Fold) -> dict[str, Along]:
    """Return the square roots of signal by predictor, baselines last."""
    targets, found = fold.targets, dict[str, Along]()
    sizes = targets.reference.contigs
    for who, session in fold.sessions.items():
        places = [Interval(contig, 0, sizes[contig], "+") for contig in fold.contigs]
        signals = predict_signal(session, places, session.reference)
        order = [session.outputs.names.index(name) for name in targets.tracks.names]
        found[who] = {
            signal.region.chrom: np.sqrt(signal.values[:, order].astype(np.float64))
            for signal in signals
        }
    others = [own for own in sizes if own not in fold.contigs and _used(targets, own)]
    found[GENES] = _by_gene_place(targets, others, fold.contigs)
    found[RIDGE] = _by_kmers(targets, others, fold.contigs)
    return found


def _used(targets: Targets, contig: str) -> bool:
    return contig not in targets.config.exclude


def _by_gene_place(targets: Targets, fitted: Sequence[str], asked: Sequence[str]) -> Along:
    """Return the mean of other contigs' bins at the same place of a gene of their strand."""
    strands = [own for source in targets.config.tracks for own in source.strands]
    columns = list(enumerate(strands))
    n = N_PLACES + UPSTREAM // targets.geometry.resolution + 1
    sums, counts = np.zeros((n, len(strands))), np.zeros((n, len(strands)))
    for contig in fitted:
        signal = _measured(targets, contig)
        places = {strand: _places(targets, contig, strand) for strand in set(strands)}
        for column, strand in columns:
            sums[:, column] += np.bincount(places[strand], signal[:, column], n)
            counts[:, column] += np.bincount(places[strand], minlength=n)
    means = sums / np.maximum(counts, 1)
    return {
        contig: np.stack(
            [means[_places(targets, contig, strand), column] for column, strand in columns], axis=1
        )
        for contig in asked
    }


def _places(targets: Targets, contig: str, strand: str) -> Int64[np.ndarray, "bins"]:
    """Return which part of a gene's body a bin lies in, or else how far before one; last, none."""
    size = targets.geometry.resolution
    none = N_PLACES + UPSTREAM // size
    found = np.full(len(targets.tracks.contig(contig)), none, dtype=np.int64)
    genes = targets.genes.filter(targets.genes["chrom"] == contig)
    rows = genes.select("start", "end", "strand").rows()
    own = [(start // size, -(-end // size), s) for start, end, s in rows if strand in (s, ".")]
    for first, past, turned in own:
        before = np.arange(UPSTREAM // size)
        bins = past + before if turned == "-" else first - 1 - before
        inside = (bins >= 0) & (bins < len(found))
        found[bins[inside]] = np.minimum(found[bins[inside]], N_PLACES + before[inside])
    for first, past, turned in own:
        place = N_PLACES * np.arange(past - first) // (past - first)
        found[first:past] = place[::-1] if turned == "-" else place
    return found


def _by_kmers(targets: Targets, fitted: Sequence[str], asked: Sequence[str]) -> Along:
    """Return what a ridge regression on k-mers around a bin predicts, fitted to other contigs."""
    tracks = [source.columns for source in targets.config.tracks]
    columns = [[targets.tracks.names.index(own[n]) for own in tracks] for n in (0, -1)]
    rng, x, y = np.random.default_rng(0), list[np.ndarray](), list[np.ndarray]()
    total = sum(len(targets.tracks.contig(contig)) for contig in fitted)
    for contig in fitted:
        signal = _measured(targets, contig)
        rows = np.sort(
            rng.choice(len(signal), min(N_FITTED // 2, total) * len(signal) // total, replace=False)
        )
        for strand, own in zip("+-", columns, strict=True):
            x.append(_kmers_around(targets, contig, strand)[rows])
            y.append(signal[rows][:, own])
    weights = ridge_weights(np.concatenate(x), np.concatenate(y))
    found: Along = {}
    for contig in asked:
        both = [ridge_predict(weights, _kmers_around(targets, contig, strand)) for strand in "+-"]
        values = np.zeros((len(both[0]), len(targets.tracks.names)))
        for predicted, own in zip(both, columns, strict=True):
            values[:, own] = np.maximum(predicted, 0)
        found[contig] = values
    return found


def _kmers_around(targets: Targets, contig: str, strand: str) -> Float32[np.ndarray, "bins kmers"]:
    """Count the k-mers within `AROUND` bases of every bin, along a strand."""
    tokens, size = targets.reference.contig(contig), targets.geometry.resolution
    if strand == "-":
        tokens = reverse_complement(tokens)
    n_kmers, n_bins = 4**K, len(targets.tracks.contig(contig))
    numbers = kmer_numbers(tokens, K)
    starts = np.arange(len(numbers))
    bins = (len(tokens) - 1 - starts if strand == "-" else starts) // size
    known = numbers < n_kmers
    flat = np.bincount(bins[known] * n_kmers + numbers[known], minlength=n_bins * n_kmers)
    sums = np.cumsum(flat.reshape(n_bins, n_kmers), axis=0, dtype=np.int32)
    sums = np.concatenate([np.zeros((1, n_kmers), np.int32), sums])
    reach, place = AROUND // size // 2, np.arange(n_bins)
    past = np.minimum(place + reach + 1, n_bins)
    return (sums[past] - sums[np.maximum(place - reach, 0)]).astype(np.float32)


def _moments(
    predicted: Along, measured: Along, columns: Sequence[int], power: int, size: int
) -> list[Float[np.ndarray, "blocks"]]:
    """Return by block what a correlation is made of, both strands together."""
    found: list[np.ndarray] = []
    for contig, own in measured.items():
        block = np.arange(len(own)) * size // BLOCK
        parts = np.zeros((6, int(block[-1]) + 1))
        for column in dict.fromkeys(columns):
            p, m = predicted[contig][:, column] ** power, own[:, column] ** power
            values = (np.ones(len(p)), p, m, p * p, m * m, p * m)
            parts += np.stack([np.bincount(block, value) for value in values])
        found.append(parts)
    return list(np.concatenate(found, axis=1))


def _correlation(*sums: Float[np.ndarray, "blocks"]) -> float:
    n, p, m, pp, mm, pm = (own.sum() for own in sums)
    spread = (n * pp - p**2) * (n * mm - m**2)
    return float((n * pm - p * m) / np.sqrt(spread)) if spread > 0 else 0.0


def _within(
    predicted: Along, measured: Along, genes: Mapping[str, Interval], columns: Sequence[int],
    size: int,
) -> Float64[np.ndarray, "genes"]:  # fmt: skip
    """Return r of log2(1 + signal) over the bins of each gene, on its strand."""
    found: list[float] = []
    for gene in genes.values():
        column = columns[-1 if gene.strand == "-" else 0]
        bins = slice(gene.start // size, -(-gene.end // size))
        p, m = (np.log2(1 + side[gene.chrom][bins, column] ** 2) for side in (predicted, measured))
        found.append(float(pearson(p, m)) if len(m) >= FEWEST_BINS and m.std() > 0 else np.nan)
    return np.array(found)
