"""Finds the few SNPs that drive a gene's predictions, and checks their direction.

A model's predictions are compared with the sum of effect times dosage over growing sets of
SNPs (Sasse et al. 2023, https://doi.org/10.1038/s41588-023-01524-6). A driver's direction is
right when its effect has the sign of its marginal eQTL slope in the same people. Such signs
are rarely balanced, so the share of the majority sign stands beside the agreement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float64, Int64
from scipy.stats import t as student

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import DataError, check_choice, check_range, few
from cisgram.core.metrics import Estimate, binomial_ci
from cisgram.core.progress import progress
from cisgram.core.results import write_tsv
from cisgram.personal.cohort import Cohort
from cisgram.personal.fit import Fit, select_genes
from cisgram.personal.predictdb import centre_dosages, check_real, locate_snps, people_rows

Direction = Literal["forward", "backward"]

_FEWEST_PEOPLE = 3
_ROUNDING = 1e-9  # of the variance; a sum left with less is empty


@dataclass(frozen=True)
class DriverSet:
    """The drivers of one gene, in the order they were selected."""

    snps: Int64[np.ndarray, "drivers"]
    """Columns of the dosages."""
    gain: Float64[np.ndarray, "drivers"]
    """Share of the whole sum's correlation with the prediction that the SNP brings
    (forward) or takes away (backward)."""
    correlation: Float64[np.ndarray, "drivers"]
    """Pearson correlation of the SNP's own contribution with the prediction."""
    p_value: Float64[np.ndarray, "drivers"]
    total: float
    """Pearson correlation of the sum over all SNPs with the prediction."""


@dataclass(frozen=True)
class Drivers:
    """The drivers of many genes."""

    snps: pl.DataFrame
    """A row a driver, in the order selected: `gene name chrom start id ref alt weight
    gain correlation p_value`, marginal `slope` and `slope_p` of the measured values on the dosage
    of `alt`, `agrees` (weight and slope have one sign), and `tss_distance` (bases from the
    TSS, negative upstream)."""
    genes: pl.DataFrame
    """A row a gene: `gene n_snps n_drivers correlation n_agree accepted`."""
    agreement: Estimate
    """Share of drivers whose sign is right, with its 95% Wilson interval; NaN without any."""
    majority: float
    """Share of drivers with the more frequent slope sign: what a constant guess would reach."""

    def write(self, path: Path | str) -> None:
        """Write the drivers as TSV."""
        with atomic_file(path) as temporary:
            write_tsv(self.snps, temporary, null="NA")


def select_drivers(
    dosages: Float[np.ndarray, "people snps"],
    effects: Float[np.ndarray, "snps"],
    prediction: Float[np.ndarray, "people"],
    *,
    direction: Direction = "forward",
    min_gain: float = 0.05,
    max_p: float = 0.01,
) -> DriverSet:
    """Select the SNPs that drive the predictions of one gene, of any model.

    A candidate's own contribution must correlate positively with the prediction, with p below
    `max_p` / number of SNPs. Forward: SNPs join a sum in order of absolute effect, and a candidate
    that raises the correlation by more than `min_gain` of the total is a driver. Backward: the
    candidate whose loss lowers the correlation most is taken out of the whole sum, again
    and again, until what is left no longer correlates positively with p below `max_p` / number of
    SNPs; every SNP taken out is a driver.

    Dosages are of the alternate allele, and NaN counts as the SNP's mean. Effects are the change of
    the prediction per copy; 0 and NaN never drive.
    """
    check_choice(direction, get_args(Direction), "direction")
    check_range(min_gain, "min_gain", low=0, high=1)
    check_range(max_p, "max_p", low=0, high=1)
    n_people, n_snps = dosages.shape
    if len(effects) != n_snps or len(prediction) != n_people or n_people < _FEWEST_PEOPLE:
        raise DataError(
            f"dosages are {n_people} people x {n_snps} SNPs, with {len(effects)} effects and "
            f"{len(prediction)} predictions; give as many of each, and three people or more."
        )
    parts = centre_dosages(dosages) * np.nan_to_num(effects)
    order = np.argsort(-np.abs(np.nan_to_num(effects)), kind="stable")
    parts, target = parts[:, order], prediction - np.mean(prediction)
    own = _correlations(parts, target)
    p_value = correlation_p(own, n_people)
    limit = max_p / max(n_snps, 1)
    candidate = (own > 0) & (p_value < limit)
    total = float(_correlations(parts.sum(axis=1, keepdims=True), target)[0])
    if total <= 0 or np.isnan(total):
        chosen, gain = np.empty(0, np.int64), np.empty(0)
    elif direction == "forward":
        chosen, gain = _forward(parts, target, candidate, total=total, min_gain=min_gain)
    else:
        chosen, gain = _backward(parts, target, candidate, limit=limit)
    return DriverSet(order[chosen], gain, own[chosen], p_value[chosen], total)


def find_drivers(
    fit: Fit,
    cohort: Cohort,
    *,
    genes: Sequence[str] | None = None,
    people: Sequence[str] | None = None,
    direction: Direction = "forward",
    min_gain: float = 0.05,
    max_p: float = 0.01,
) -> Drivers:
    """Find the drivers of a fit's genes, as `select_drivers` does, and compare with eQTL slopes.

    The prediction is the final model's; slopes are ordinary least squares of the fit's
    measured residual z-scores on one SNP at a time, in the same people. Where the final model
    learnt from these people its signs are not independent of the slopes; a fit across
    populations looks at its test populations, which it did not learn from.

    Genes are named with or without version, accepted or not, and default to all accepted ones;
    people default to everyone whom the fit held out once.
    """
    check_real(fit)
    table = fit.genes.with_row_index("row")
    if genes is None:
        table = table.filter("accepted")
    else:
        names = cohort.genes["gene"][select_genes(cohort, genes)]
        if lost := sorted(set(names) - set(table["gene"])):
            raise DataError(f"{fit.path} has no gene {few(lost)}; name genes that were fitted.")
        table = table.filter(pl.col("gene").is_in(names.implode()))
    chosen = people or [p for p, fold in zip(fit.people, fit.folds, strict=True) if fold >= 0]
    rows = people_rows(chosen, cohort.people, cohort.path)
    measured = fit.measured[:, people_rows(chosen, fit.people, fit.path)]
    weights = fit.weights.join(table, on="gene", how="semi")
    weights = locate_snps(weights, cohort.genotypes, fit=fit)
    parts = {str(part["gene"][0]): part for part in weights.partition_by("gene")}
    select = partial(select_drivers, direction=direction, min_gain=min_gain, max_p=max_p)
    snps: list[pl.DataFrame] = []
    counts: list[tuple[str, int, int, float, int]] = []
    with progress("drivers of genes", table.height) as ticker:
        for gene in table.select("row", "gene", "name", "tss", "strand").iter_rows(named=True):
            part = parts.get(gene["gene"], weights.clear())
            dosages = cohort.genotypes.dosages(part["row"].to_numpy(), rows)
            effects = part["weight"].to_numpy()
            found = select(dosages, effects, centre_dosages(dosages) @ effects)
            slopes = marginal_slopes(dosages[:, found.snps], measured[gene["row"]])
            snps.append(_driver_table(part, found, gene, slopes))
            n_agree = int(snps[-1]["agrees"].sum())
            counts.append((gene["gene"], part.height, len(found.snps), found.total, n_agree))
            ticker.advance()
    return _summarize(snps, counts, table["accepted"])


def marginal_slopes(
    dosages: Float[np.ndarray, "people snps"], values: Float[np.ndarray, "people"]
) -> tuple[Float64[np.ndarray, "snps"], Float64[np.ndarray, "snps"]]:
    """Return the least-squares slope of the values on each SNP alone, and its p-value.

    People without a value are left out; an unknown dosage counts as the SNP's mean. A SNP
    that does not vary has NaN.
    """
    known = ~np.isnan(values)
    parts = centre_dosages(dosages[known])
    target = np.asarray(values[known], np.float64)
    target = target - target.mean() if known.any() else target
    power = (parts**2).sum(axis=0)
    slope = np.divide(target @ parts, power, out=np.full(len(power), np.nan), where=power > 0)
    return slope, correlation_p(_correlations(parts, target), int(known.sum()))


def correlation_p(r: Float64[np.ndarray, "snps"], n: int) -> Float64[np.ndarray, "snps"]:
    """Return the two-sided p-value of Pearson correlations among n people."""
    if n < _FEWEST_PEOPLE:
        return np.full(len(r), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(r) * np.sqrt((n - 2) / (1 - np.minimum(r**2, 1)))
    return 2 * student.sf(statistic, n - 2)


def _correlations(
    parts: Float64[np.ndarray, "people snps"], target: Float64[np.ndarray, "people"]
) -> Float64[np.ndarray, "snps"]:
    """Correlate centred columns with a centred target; NaN where one is constant."""
    scale = np.sqrt((parts**2).sum(axis=0) * (target @ target))
    product = target @ parts
    return np.divide(product, scale, out=np.full(len(product), np.nan), where=scale > 0)


def _forward(
    parts: Float64[np.ndarray, "people snps"],
    target: Float64[np.ndarray, "people"],
    candidate: Bool[np.ndarray, "snps"],
    *,
    total: float,
    min_gain: float,
) -> tuple[Int64[np.ndarray, "drivers"], Float64[np.ndarray, "drivers"]]:
    share = np.nan_to_num(_correlations(np.cumsum(parts, axis=1), target)) / total
    gain = np.diff(share, prepend=0.0)
    chosen = np.flatnonzero(candidate & (gain > min_gain))
    return chosen, gain[chosen]


def _backward(
    parts: Float64[np.ndarray, "people snps"],
    target: Float64[np.ndarray, "people"],
    candidate: Bool[np.ndarray, "snps"],
    *,
    limit: float,
) -> tuple[Int64[np.ndarray, "drivers"], Float64[np.ndarray, "drivers"]]:
    """Take SNPs out one by one; each trial costs one column of a Gram matrix."""
    rest = parts.sum(axis=1)
    with_target = target @ parts
    own = (parts**2).sum(axis=0)
    scale = np.sqrt(target @ target)
    left = candidate.copy()
    total = before = float(_correlations(rest[:, None], target)[0])
    chosen: list[int] = []
    gain: list[float] = []
    while left.any():
        variance = rest @ rest - 2 * (rest @ parts) + own
        remains = variance > _ROUNDING * own
        without = np.zeros(len(own))
        without[remains] = (target @ rest - with_target)[remains] / np.sqrt(variance[remains])
        without /= scale
        snp = int(np.argmin(np.where(left, without, np.inf)))
        chosen.append(snp)
        gain.append((before - without[snp]) / total)
        left[snp], rest, before = False, rest - parts[:, snp], without[snp]
        p_value = correlation_p(np.array([before]), len(target))[0]
        if not (before > 0 and p_value < limit):
            break
    return np.array(chosen, np.int64), np.array(gain)


def _driver_table(
    part: pl.DataFrame, found: DriverSet, gene: dict[str, Any], slopes: tuple[np.ndarray, ...]
) -> pl.DataFrame:
    """Name the drivers and say how far from the TSS they are, along the gene's strand."""
    along = -1 if gene["strand"] == "-" else 1
    named = part.with_columns(name=pl.lit(gene["name"], pl.String))
    drivers = named.select("gene", "name", "chrom", "start", "id", "ref", "alt", "weight")[
        found.snps
    ]
    slope, slope_p = slopes
    return drivers.with_columns(
        gain=pl.Series(found.gain, dtype=pl.Float64),
        correlation=pl.Series(found.correlation, dtype=pl.Float64),
        p_value=pl.Series(found.p_value, dtype=pl.Float64),
        tss_distance=(pl.col("start") - gene["tss"]) * along,
        slope=pl.Series(slope, dtype=pl.Float64),
        slope_p=pl.Series(slope_p, dtype=pl.Float64),
        agrees=pl.Series(np.sign(drivers["weight"].to_numpy()) == np.sign(slope)),
    )


def _summarize(
    snps: list[pl.DataFrame], counts: list[tuple[str, int, int, float, int]], accepted: pl.Series
) -> Drivers:
    if not snps:
        raise DataError("the fit has no accepted gene to look at; name genes, or fit more.")
    together = pl.concat(snps)
    schema = {
        "gene": pl.String,
        "n_snps": pl.Int64,
        "n_drivers": pl.Int64,
        "correlation": pl.Float64,
        "n_agree": pl.Int64,
    }
    genes = pl.DataFrame(counts, schema=schema, orient="row").with_columns(accepted)
    if together.is_empty():
        return Drivers(together, genes, Estimate(np.nan, np.nan, np.nan), np.nan)
    agreement = binomial_ci(int(together["agrees"].sum()), together.height)
    positive = int((together["slope"] > 0).sum()) / together.height
    return Drivers(together, genes, agreement, max(positive, 1 - positive))
