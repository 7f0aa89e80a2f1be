"""Likelihood against the frequency of natural alleles, for benchmarks/lm_motifs.py."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from lm_motif_maps import MODEL, SEED, Maps
from lm_promoter_alleles import Haplotypes
from scipy.stats import rankdata

from cisgram.core.metrics import bootstrap_ci, bootstrap_difference, spearman
from cisgram.models.base import LanguageModel
from cisgram.prediction.zero_shot import (
    ZeroShotConfig,
    place_allele,
    pseudo_log_likelihood,
    site_log_probabilities,
)

FEWEST = 5
"""Haplotypes or sites that a promoter needs for a correlation within it."""
MOST_SITES = 6
"""Sites of a promoter that are hidden in turn."""
COMMON, RARE = 0.05, 0.01
DIFFERENCES, GC, TRANSITION = "fewer differences", "change of GC", "transition"


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


def transitions(sites: pl.DataFrame) -> np.ndarray:
    """Return 1 for a change between A and G or C and T, the commoner mutations, else 0."""
    # A and G are the even numbers, C and T the odd ones.
    return ((sites["alt"] - sites["ref"]) % 2 == 0).to_numpy().astype(np.float64)


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
    values: np.ndarray, target: np.ndarray, groups: np.ndarray, *, draws: int = 1000
) -> list[float]:
    """Return Spearman's correlation over everything; its bootstrap draws groups and keeps ranks."""
    known = ~np.isnan(values)
    x, y = (rankdata(own[known]) for own in (values, target))
    sums = np.array([np.ones(len(x)), x, y, x * x, y * y, x * y])
    _, group = np.unique(groups[known], return_inverse=True)
    by_group = np.stack([np.bincount(group, own) for own in sums])
    n, sx, sy, sxx, syy, sxy = by_group @ _weights(by_group.shape[1], draws)
    drawn = (n * sxy - sx * sy) / np.sqrt((n * sxx - sx**2) * (n * syy - sy**2))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return [float(spearman(values, target.astype(float))), float(low), float(high)]


def auroc_by_group(
    values: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    *,
    groups: np.ndarray,
    draws: int = 1000,
) -> list[float]:
    """Return the area under the ROC curve, groups drawn together in its bootstrap."""
    known = ~np.isnan(values) & (positive | negative)
    truth = positive[known]
    _, level = np.unique(values[known], return_inverse=True)
    _, group = np.unique(groups[known], return_inverse=True)
    weights = _weights(group.max() + 1, draws).T
    own = [_area(level, truth, weight[group]) for weight in weights]
    low, high = np.nanquantile(own, [0.025, 0.975])
    return [_area(level, truth, np.ones(len(level))), float(low), float(high)]


def _area(level: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted probability that a true one ranks above a false one, ties as half."""
    true = np.bincount(level, weight * truth)
    false = np.bincount(level, weight * ~truth)
    pairs = true.sum() * false.sum()
    return float((true * (np.cumsum(false) - false / 2)).sum() / pairs) if pairs else math.nan


def _weights(n_groups: int, draws: int) -> np.ndarray:
    """Return how often each group is drawn, (groups, draws)."""
    chances = np.full(n_groups, 1 / n_groups)
    return np.random.default_rng(SEED).multinomial(n_groups, chances, size=draws).T.astype(float)


@dataclass(frozen=True)
class Masking:
    """The ways of hiding that are compared on the same sites."""

    model: LanguageModel
    species: int
    batch: int
    n_windows: int
    """Windows read; their sites are those of the nearest promoters."""
    n_haplotypes: int
    """Haplotypes of several substitutions that are read whole."""

    def config(self, masking: str) -> ZeroShotConfig:
        """Hide one site at a time."""
        return ZeroShotConfig(masking=masking, batch=self.batch)

    def test(self, tokens: Mapping[str, np.ndarray], haplotypes: Haplotypes) -> dict[str, Any]:
        """Compare hiding with the flag, hiding without it, and not hiding."""
        rng = np.random.default_rng(SEED)
        size = self.model.window // 2
        blocks = haplotypes.sites.with_columns(block=pl.col("position") // size)
        every = blocks.select("chrom", "block").unique().sort("chrom", "block")
        drawn = every[np.sort(rng.permutation(every.height)[: self.n_windows]).tolist()]
        rows = (
            blocks.with_row_index("row")
            .join(drawn, on=["chrom", "block"], how="semi")["row"]
            .to_numpy()
        )
        sites = haplotypes.sites[_few_a_promoter(haplotypes, rng.permutation(rows)).tolist()]
        ratios = {
            masking: hidden_ratios(
                self.model, tokens, sites, species=self.species, config=self.config(masking)
            )
            for masking in ("flag", "zero", "none")
        }
        frequency = (sites["count"] / sites["total"]).to_numpy()
        promoter = sites["promoter"].to_numpy()
        named = {MODEL if name == "flag" else name: values for name, values in ratios.items()}
        result = _within(named, frequency, promoter)
        for name, values in named.items():
            result["sources"][name] |= {
                "pooled": pooled(values, frequency, promoter),
                "common_over_rare": auroc_by_group(
                    values, frequency >= COMMON, frequency <= RARE, groups=promoter
                ),
                "share_reference_likelier": float((values < 0).mean()),
            }
        result["n_sites"] = sites.height
        return result | {"pseudo_log_likelihood": self._whole(tokens, haplotypes, rng)}

    def _whole(
        self, tokens: Mapping[str, np.ndarray], haplotypes: Haplotypes, rng: Any
    ) -> dict[str, Any]:
        """Compare the sum of marginals with likelihoods of whole haplotypes."""
        several = [row for row, sites in enumerate(haplotypes.changes) if 2 <= len(sites) <= 4]
        rows = np.sort(rng.permutation(several)[: self.n_haplotypes])
        windows, scored = [], []
        for row in rows:
            edits = haplotypes.sites[haplotypes.changes[row].tolist()]
            position = edits["position"].to_numpy()
            start, end = int(position.min()), int(position.max()) + 1
            contig = tokens[edits["chrom"][0]]
            for column in ("alt", "ref"):
                allele = contig[start:end].copy()
                allele[position - start] = edits[column].to_numpy()
                window, first = place_allele(
                    contig, allele, start=start, end=end, length=self.model.window
                )
                windows.append(window)
                scored.append(np.isin(np.arange(len(window)), first + position - start))
        likelihood = pseudo_log_likelihood(
            self.model,
            np.stack(windows),
            np.stack(scored),
            species=self.species,
            config=self.config("flag"),
        )
        whole = likelihood[::2] - likelihood[1::2]
        chosen = haplotypes.sites[
            np.concatenate([haplotypes.changes[row] for row in rows]).tolist()
        ]
        marginal = hidden_ratios(
            self.model, tokens, chosen, species=self.species, config=self.config("flag")
        )
        sizes = np.cumsum([0, *(len(haplotypes.changes[row]) for row in rows)])
        summed = np.array([marginal[low:high].sum() for low, high in pairwise(sizes)])
        count = haplotypes.count[rows].astype(float)
        promoter = haplotypes.promoter[rows]
        return {
            "n": len(rows),
            "correlation_with_marginals": float(spearman(whole, summed)),
            "whole": pooled(whole, count, promoter),
            "marginals": pooled(summed, count, promoter),
        }


def variant_test(variants: pl.DataFrame, scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Correlate scores of measured variants with their frequency and their effect."""
    frequency = variants["frequency"].to_numpy()
    block = variants["chrom"].rank("dense").to_numpy() * 10_000 + (
        variants["position"].to_numpy() // 10_000
    )
    effect, significant = variants["effect"].to_numpy(), variants["significant"].to_numpy()
    known = np.isfinite(frequency)
    return {
        "n": variants.height,
        "n_significant": int(significant.sum()),
        "sources": {
            name: {
                "frequency": pooled(values[known], frequency[known], block[known]),
                "size_with_effect": pooled(np.abs(values), effect, block),
                "size_finds_significant": auroc_by_group(
                    np.abs(values), significant, ~significant, groups=block
                ),
            }
            for name, values in scores.items()
        },
    }


def _few_a_promoter(haplotypes: Haplotypes, rows: np.ndarray) -> np.ndarray:
    """Keep the first sites of each promoter."""
    kept: dict[int, list[int]] = {}
    promoter = haplotypes.sites["promoter"].to_numpy()
    for row in rows.tolist():
        own = kept.setdefault(int(promoter[row]), [])
        if len(own) < MOST_SITES:
            own.append(row)
    return np.sort(np.concatenate(list(kept.values())))
