"""Log-ratios of natural alleles, nothing fitted, against how common the alleles are.

The log-ratio of a substitution is log p(alternate) - log p(reference) of its masked base; a
haplotype's is the sum over its substitutions. If a model knows what selection keeps, common alleles
have higher ratios, and the sign counts.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float64, Int64, UInt8

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.language import SEED, HeldOut
from cisgram.benchmark.sites import Layout
from cisgram.benchmark.statistics import auroc, correlation, resampled
from cisgram.benchmark.substitutions import Scores, Substitutions
from cisgram.core.metrics import bootstrap_ci, spearman
from cisgram.genome.alphabet import N, encode, reverse_complement

K, MOST_CHANGES = 28, 8
"""First bases by which a fragment is looked up; substitutions beyond which it is an indel."""
FEWEST = 5
"""Haplotypes or substitutions that a promoter needs for a correlation within it."""
COMMON, RARE = 0.05, 0.01


@evaluation(
    "yeast-promoter-alleles",
    suite="yeast",
    title="Are promoter alleles that a language model finds likely common among isolates?",
    needs="language",
)
def yeast_promoter_alleles(context: Context, rows: Rows) -> None:
    """Correlate log-ratios with the numbers of isolates (Vaishnav et al. 2022)."""
    held_out = HeldOut(context)
    layout = Layout(held_out.tokens)
    promoter, counts, changes = _haplotypes(context, layout, layout.join(held_out.copied, fill=1))
    total = _totals(promoter, counts)
    edits = np.array([(i, *edit) for i, own in enumerate(changes) for edit in own], dtype=np.int64)
    table, number = np.unique(
        np.column_stack([promoter[edits[:, 0]], edits[:, 1:]]), axis=0, return_inverse=True
    )
    sites = Substitutions(table[:, 1], table[:, 2].astype(np.uint8), table[:, 3].astype(np.uint8))
    frequency = _totals(number, counts[edits[:, 0]]) / total[table[:, 0]]
    scores = sites.scores(held_out, layout)
    changed = np.unique(edits[:, 0])
    summed = {
        name: _totals(edits[:, 0], values[number])[changed] for name, values in scores.items()
    }
    summed["fewer differences"] = -_totals(edits[:, 0], np.ones(len(edits)))[changed]
    _within(rows, "haplotypes within promoters", summed, counts[changed], promoter[changed])
    _within(rows, "substitutions within promoters", scores, frequency, table[:, 0])
    extreme = (frequency >= COMMON) | (frequency <= RARE)
    for name, values in scores.items():
        known = extreme & ~np.isnan(values)
        r, n = correlation(values, frequency, groups=table[:, 0], ranks=True)
        rows.add(name, "rho", r, subset="substitutions", n=n)
        area = resampled(auroc, values[known], frequency[known] >= COMMON, groups=table[known, 0])
        n = int(known.sum())
        rows.add(name, "auroc, common over rare", area, subset="substitutions", n=n)


def _totals(
    numbers: Int64[np.ndarray, "rows"], values: Float64[np.ndarray, "rows"]
) -> Float64[np.ndarray, "groups"]:
    return np.asarray(np.bincount(numbers, values), dtype=np.float64)


def _within(
    rows: Rows,
    subset: str,
    scores: Scores,
    target: Float[np.ndarray, "rows"],
    promoter: Int64[np.ndarray, "rows"],
) -> None:
    """Add Spearman's correlation within promoters, averaged over them."""
    order = np.argsort(promoter, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(promoter[order])) + 1)
    groups = [own for own in groups if len(own) >= FEWEST]
    for name, values in scores.items():
        r = [float(spearman(values[own], target[own])) for own in groups]
        n = int(np.isfinite(r).sum())
        if n:
            mean = bootstrap_ci(np.array(r), seed=SEED)
            rows.add(name, "mean rho", mean, subset=subset, n=n)


def _haplotypes(
    context: Context, layout: Layout, without: Bool[np.ndarray, "bases"]
) -> tuple[
    Int64[np.ndarray, "haplotypes"], Float64[np.ndarray, "haplotypes"], list[list[tuple[int, ...]]]
]:
    """Return promoter, isolates and changes (position, old, new) of each haplotype."""
    named = context.file("mpra", "vaishnav_native_promoter_divergence.tsv.gz")
    alleles = context.file("mpra", "vaishnav_native_orthologous_promoters_1011.txt.gz")
    places = _place(
        pl.read_csv(named, separator="\t").select("proName", "Q_seq").iter_rows(), layout, without
    )
    promoter: list[int] = []
    counts: list[float] = []
    changes: list[list[tuple[int, ...]]] = []
    numbers = {name: number for number, name in enumerate(sorted(places))}
    table = pl.read_csv(alleles, separator="\t").filter(pl.col("proName").is_in(list(places)))
    for name, text, count in table.select("proName", "ortho_seq", "num_isolates").iter_rows():
        at, reverse = places[name]
        tokens = reverse_complement(encode(text)) if reverse else encode(text)
        own = layout.tokens[at : at + len(tokens)]
        changed = np.flatnonzero(tokens != own)
        if len(changed) <= MOST_CHANGES and (tokens < N).all():
            promoter.append(numbers[name])
            counts.append(count)
            changes.append([(at + i, int(own[i]), int(tokens[i])) for i in changed.tolist()])
    return np.array(promoter), np.array(counts, dtype=np.float64), changes


def _place(
    fragments: Iterator[tuple[str, str]], layout: Layout, without: Bool[np.ndarray, "bases"]
) -> dict[str, tuple[int, bool]]:
    """Return first base and strand of each fragment that the contigs have once, outside copies."""
    by_key: dict[int, list[tuple[str, bool, UInt8[np.ndarray, "_"]]]] = {}
    for name, text in fragments:
        for reverse in (False, True):
            tokens = reverse_complement(encode(text)) if reverse else encode(text)
            by_key.setdefault(int(_keys(tokens[:K])[0]), []).append((name, reverse, tokens))
    keys = _keys(layout.tokens)
    hits: dict[str, list[tuple[int, bool]]] = {}
    for at in np.flatnonzero(np.isin(keys, list(by_key))).tolist():
        for name, reverse, tokens in by_key[int(keys[at])]:
            if np.array_equal(layout.tokens[at : at + len(tokens)], tokens):
                free = not without[at : at + len(tokens)].any()
                hits.setdefault(name, []).extend([(at, reverse)] if free else [(at, reverse)] * 2)
    return {name: own[0] for name, own in hits.items() if len(own) == 1}


def _keys(tokens: UInt8[np.ndarray, "bases"]) -> Int64[np.ndarray, "kmers"]:
    keys = np.zeros(len(tokens) - K + 1, dtype=np.int64)
    for i in range(K):
        keys = keys * 4 + (tokens[i : i + len(keys)] & 3)
    return keys
