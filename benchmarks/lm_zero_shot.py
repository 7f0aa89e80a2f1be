"""Likelihood against the frequency of natural promoter alleles, for benchmarks/lm_motifs.py.

Haplotypes: every 80-base promoter fragment of the library of native yeast promoters in the 1,011
isolates, with the number of isolates that have it (Vaishnav et al. 2022; Peter et al. 2018).
Variants: those between two strains whose effects on expression were measured, with their
frequencies (Renganaath et al. 2020).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from lm_motif_maps import FLANKS, MODEL, SEED, Maps

from cisgram.core.metrics import bootstrap_ci, bootstrap_difference, spearman
from cisgram.genome.alphabet import encode, reverse_complement
from cisgram.genome.reference import Reference
from cisgram.models.base import LanguageModel
from cisgram.predict.zero_shot import (
    ZeroShotConfig,
    place_allele,
    pseudo_log_likelihood,
    site_log_probabilities,
)

MOST_CHANGES = 8
"""Substitutions of a haplotype beyond which it is an insertion or deletion shifted."""
FEWEST = 5
"""Haplotypes or sites that a promoter needs for a correlation within it."""
COMMON, RARE = 0.05, 0.01
DIFFERENCES, GC = "fewer differences", "change of GC"


@dataclass(frozen=True)
class Haplotypes:
    """Haplotypes that differ from the reference by substitutions only."""

    promoter: np.ndarray
    """Number of the promoter of each haplotype."""
    count: np.ndarray
    """Isolates that have it."""
    changes: list[np.ndarray]
    """Rows of `sites` of each haplotype."""
    sites: pl.DataFrame
    """promoter, chrom, position (0-based), ref, alt (tokens, forward strand), count (isolates
    with this allele), total (isolates with any haplotype of the promoter that is used)."""
    account: dict[str, int]


def read_haplotypes(
    data: Path, reference: Reference, tokens: Mapping[str, np.ndarray]
) -> Haplotypes:
    """Place every promoter on the reference and list how its haplotypes differ."""
    fragments = pl.read_csv(
        data / "mpra" / "vaishnav_native_promoter_divergence.tsv.gz", separator="\t"
    ).select("proName", "Q_seq")
    alleles = pl.read_csv(
        data / "mpra" / "vaishnav_native_orthologous_promoters_1011.txt.gz", separator="\t"
    )
    places = _place(dict(fragments.iter_rows()), reference)
    account = {
        "promoters": fragments.height,
        "haplotypes": alleles.height,
        "promoters_placed_once": len(places),
    }
    held_out = {name: place for name, place in places.items() if place[0] in tokens}
    used = alleles.filter(pl.col("proName").is_in(list(held_out)))
    account |= {"promoters_held_out": len(held_out), "haplotypes_held_out": used.height}
    rows: list[tuple[int, int, list[tuple[int, int, int]]]] = []
    names = sorted(held_out)
    for number, name in enumerate(names):
        chrom, start, reverse = held_out[name]
        for text, count in (
            used.filter(pl.col("proName") == name).select("ortho_seq", "num_isolates").iter_rows()
        ):
            letters = encode(text)
            letters = reverse_complement(letters) if reverse else letters
            own = tokens[chrom][start : start + len(letters)]
            changed = np.flatnonzero(letters != own)
            if len(changed) <= MOST_CHANGES and not (letters == 4).any():
                edits = [(start + int(i), int(own[i]), int(letters[i])) for i in changed]
                rows.append((number, count, edits))
    account["haplotypes_by_substitution"] = len(rows)
    return _join(rows, [held_out[name][0] for name in names], account)


def _place(fragments: Mapping[str, str], reference: Reference) -> dict[str, tuple[str, int, bool]]:
    """Find each fragment that the reference has exactly once; others are left out."""
    chromosomes = [name for name in reference.contigs if name != "chrM"]
    joined = np.concatenate(
        [np.append(reference.contig(name), np.uint8(4)) for name in chromosomes]
    )
    lengths = [reference.contigs[name] + 1 for name in chromosomes]
    firsts = np.cumsum([0, *lengths[:-1]])
    size = 28
    views = np.lib.stride_tricks.sliding_window_view(joined, size)
    keys = np.zeros(len(views), dtype=np.int64)
    for i in range(size):
        keys = keys * 4 + (views[:, i] & 3)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    found: dict[str, tuple[str, int, bool]] = {}
    for name, text in fragments.items():
        hits: list[tuple[int, bool]] = []
        for reverse in (False, True):
            letters = reverse_complement(encode(text)) if reverse else encode(text)
            key = 0
            for letter in letters[:size].tolist():
                key = key * 4 + (letter & 3)
            low, high = np.searchsorted(ordered, [key, key + 1])
            hits += [
                (int(at), reverse)
                for at in order[low:high]
                if np.array_equal(joined[at : at + len(letters)], letters)
            ]
        if len(hits) == 1:
            at, reverse = hits[0]
            chrom = int(np.searchsorted(firsts, at, side="right")) - 1
            found[name] = (chromosomes[chrom], at - int(firsts[chrom]), reverse)
    return found


def _join(
    rows: Sequence[tuple[int, int, list[tuple[int, int, int]]]],
    chroms: Sequence[str],
    account: dict[str, int],
) -> Haplotypes:
    totals: dict[int, int] = {}
    counts: dict[tuple[int, int, int, int], int] = {}
    for number, count, edits in rows:
        totals[number] = totals.get(number, 0) + count
        for edit in edits:
            counts[number, *edit] = counts.get((number, *edit), 0) + count
    keys = {key: row for row, key in enumerate(sorted(counts))}
    sites = pl.DataFrame(
        [(key[0], chroms[key[0]], *key[1:], counts[key], totals[key[0]]) for key in keys],
        schema=["promoter", "chrom", "position", "ref", "alt", "count", "total"],
        orient="row",
    )
    others = [row for row in rows if row[2]]
    account |= {"haplotypes_not_reference": len(others), "substitutions": sites.height}
    return Haplotypes(
        np.array([row[0] for row in others]),
        np.array([row[1] for row in others]),
        [np.array([keys[number, *edit] for edit in edits]) for number, _, edits in others],
        sites,
        account,
    )


def map_ratios(sites: pl.DataFrame, maps: Maps) -> np.ndarray:
    """Return log p(alt) - log p(ref) of each site, from maps; NaN where they have none."""
    ratios = np.full(sites.height, np.nan)
    chrom, position = sites["chrom"].to_numpy(), sites["position"].to_numpy()
    ref, alt = sites["ref"].to_numpy(), sites["alt"].to_numpy()
    for name, p in maps.items():
        here = chrom == name
        at = position[here]
        ratios[here] = np.log(p[at, alt[here]]) - np.log(p[at, ref[here]])
    return ratios


def hidden_ratios(
    model: LanguageModel,
    tokens: Mapping[str, np.ndarray],
    sites: pl.DataFrame,
    *,
    species: int,
    config: ZeroShotConfig,
) -> np.ndarray:
    """Return log p(alt) - log p(ref) of each site, hidden as `config` says, one at a time."""
    unique = sites.select("chrom", "position").unique().sort("chrom", "position")
    places = {
        str(name[0]): rows["position"].to_numpy()
        for name, rows in unique.group_by("chrom", maintain_order=True)
    }
    log_p = site_log_probabilities(model, tokens, places, species=species, config=config)
    ratios = np.empty(sites.height)
    for row, (name, position, ref, alt) in enumerate(
        sites.select("chrom", "position", "ref", "alt").iter_rows()
    ):
        at = log_p[name][np.searchsorted(places[name], position)]
        ratios[row] = at[alt] - at[ref]
    return ratios


def gc_change(sites: pl.DataFrame) -> np.ndarray:
    """Return 1 where a substitution makes a base G or C, -1 where it takes one away."""
    gc = np.array([0, 1, 1, 0])
    return (gc[sites["alt"].to_numpy()] - gc[sites["ref"].to_numpy()]).astype(np.float64)


def of_haplotypes(haplotypes: Haplotypes, ratios: np.ndarray) -> np.ndarray:
    """Add up the ratios of the substitutions of each haplotype."""
    return np.array([ratios[rows].sum() for rows in haplotypes.changes])


def haplotype_test(haplotypes: Haplotypes, scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Correlate scores of haplotypes with how many isolates have them, within promoters."""
    return _within(scores, haplotypes.count, haplotypes.promoter)


def site_test(haplotypes: Haplotypes, scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Correlate scores of single substitutions with their allele frequency."""
    sites = haplotypes.sites
    frequency = (sites["count"] / sites["total"]).to_numpy()
    promoter = sites["promoter"].to_numpy()
    result = _within(scores, frequency, promoter)
    common, rare = frequency >= COMMON, frequency <= RARE
    for name, values in scores.items():
        result["sources"][name] |= {
            "pooled": pooled(values, frequency, promoter),
            "common_over_rare": auroc_by_group(values, common, rare, groups=promoter),
        }
    return result | {"n_common": int(common.sum()), "n_rare": int(rare.sum())}


def _within(
    scores: Mapping[str, np.ndarray], target: np.ndarray, promoter: np.ndarray
) -> dict[str, Any]:
    order = np.argsort(promoter, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(promoter[order])) + 1)
    groups = [rows for rows in groups if len(rows) >= FEWEST]
    r = {
        name: np.array(
            [float(spearman(values[rows], target[rows].astype(float))) for rows in groups]
        )
        for name, values in scores.items()
    }
    model = r[MODEL]
    sources = {}
    for name, values in r.items():
        both = ~np.isnan(values) & ~np.isnan(model)
        sources[name] = {
            "n_promoters": int((~np.isnan(values)).sum()),
            "within": list(bootstrap_ci(values, seed=SEED)),
            "model_minus": list(bootstrap_difference(model[both], values[both], seed=SEED)),
        }
    return {"n": int(sum(map(len, groups))), "n_promoters": len(groups), "sources": sources}


def pooled(
    values: np.ndarray, target: np.ndarray, groups: np.ndarray, *, draws: int = 500
) -> list[float]:
    """Return Spearman's correlation over everything, groups drawn together in its bootstrap."""
    known = ~np.isnan(values)
    values, target, groups = values[known], target[known].astype(float), groups[known]
    members = _members(groups)
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(draws):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        drawn.append(float(spearman(values[rows], target[rows])))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return [float(spearman(values, target)), float(low), float(high)]


def auroc_by_group(
    values: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    *,
    groups: np.ndarray,
    draws: int = 500,
) -> list[float]:
    """Return the area under the ROC curve, groups drawn together in its bootstrap."""
    known = ~np.isnan(values) & (positive | negative)
    values, truth, groups = values[known], positive[known], groups[known]
    members = _members(groups)
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(draws):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        drawn.append(auroc(values[rows], truth[rows]))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return [auroc(values, truth), float(low), float(high)]


def auroc(values: np.ndarray, truth: np.ndarray) -> float:
    """Return the probability that a true one scores above a false one, ties as half."""
    order = np.sort(values[~truth])
    below = np.searchsorted(order, values[truth], side="left")
    upto = np.searchsorted(order, values[truth], side="right")
    n = len(order)
    return float((below + upto).mean() / (2 * n)) if n and truth.any() else float("nan")


def _members(groups: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
