"""What is known of a gene's SNPs before anybody's expression is seen.

A weight is the size of effect that a SNP is expected to have, relative to others: the standard
deviation of its prior. It falls with the distance to the TSS, and a table may add what else is
known: elements, conservation, or what a sequence model predicts of both alleles.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import DataError, check_file, check_range
from cisgram.core.results import write_tsv
from cisgram.genome.bed import bed_regions
from cisgram.genome.chromosomes import ChromosomeNames

REACH = 20_000
"""Bases from the TSS over which expected effects fall to 1/e."""
_COLUMNS = ("chrom", "pos", "ref", "alt", "weight")
_NEGLIGIBLE = 3e-3


@dataclass(frozen=True)
class SnpPrior:
    """Distance and further weight of the SNPs of a window."""

    distance: Float64[np.ndarray, "snps"]
    """Bases between SNP and TSS."""
    weight: Float64[np.ndarray, "snps"]
    """Factor beside the distance; 1 where nothing else is known."""

    def at(self, rows: Int64[np.ndarray, "kept"] | Bool[np.ndarray, "snps"]) -> "SnpPrior":
        """Return the prior of some of the SNPs."""
        return SnpPrior(self.distance[rows], self.weight[rows])

    def scaled(self, reach: float = REACH) -> Float64[np.ndarray, "snps"]:
        """Return expected sizes of effects; 0 where they are negligible beside the largest."""
        size = self.weight * np.exp(-self.distance / reach)
        return np.where(size > _NEGLIGIBLE * size.max(initial=0), size, 0.0)


def read_weights(
    path: Path | str, variants: pl.DataFrame, names: ChromosomeNames
) -> Float64[np.ndarray, "variants"]:
    """Return the weight of every variant of a cohort; those not in the table have 1.

    Args:
        path: tab-separated table with columns chrom, pos (counted from 1), ref, alt and weight.
        variants: chrom, start (counted from 0), ref and alt, in the cohort's order.
        names: how the cohort spells its chromosomes.

    Raises:
        DataError: the file is no such table, a weight is no positive number, a variant has two, or
            none is of the cohort.
    """
    path = check_file(path, "prior")
    try:
        table = pl.read_csv(path, separator="\t", schema_overrides={"chrom": pl.String}, glob=False)
        table = table.select(
            pl.col("chrom").map_elements(names.resolve, return_dtype=pl.String),
            (pl.col("pos").cast(pl.Int64) - 1).alias("start"),
            *("ref", "alt"),
            pl.col("weight").cast(pl.Float64),
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"prior {path} is no table of {', '.join(_COLUMNS)} between tabs; correct it."
        ) from error
    if not (
        bad := table.filter(~(pl.col("weight") > 0) | pl.col("weight").is_infinite())
    ).is_empty():
        start, weight = bad.select("start", "weight").row(0)
        raise DataError(
            f"prior {path} has weight {weight} at position {start + 1:,}; weights are above 0."
        )
    key = ["chrom", "start", "ref", "alt"]
    if (twice := table.filter(table.select(key).is_duplicated())).height:
        chrom, start = twice.select("chrom", "start").row(0)
        raise DataError(
            f"prior {path} has two weights for a variant at {chrom}:{start + 1:,}; keep one."
        )
    joined = variants.select(key).join(table, on=key, how="left", maintain_order="left")
    found = joined["weight"]
    if found.null_count() == len(found):
        raise DataError(
            f"prior {path} has no variant of the cohort; give positions of the same assembly."
        )
    return found.fill_null(1.0).to_numpy()


def weigh_elements(
    elements: Path | str,
    variants: pl.DataFrame,
    names: ChromosomeNames,
    *,
    at_least: int = 1,
    times: float = 4.0,
) -> Float64[np.ndarray, "variants"]:
    """Return `times` for the variants in at least so many regions of a BED, and 1 for the others.

    Raises:
        DataError: the file is no BED, or no variant is in so many regions.
    """
    check_range(at_least, "at_least", low=1)
    check_range(times, "times", low=1e-3, high=1e3)
    by_contig: dict[str, list[tuple[int, int]]] = {}
    for _, region in bed_regions(elements):
        if (chrom := names.resolve(region.chrom)) is not None:
            by_contig.setdefault(chrom, []).append((region.start, region.end))
    chroms, starts = variants["chrom"].to_numpy(), variants["start"].to_numpy()
    depth = np.zeros(variants.height, np.int64)
    for chrom, places in by_contig.items():
        bounds = np.array(places)
        rows = np.flatnonzero(chroms == chrom)
        begun = np.searchsorted(np.sort(bounds[:, 0]), starts[rows], side="right")
        ended = np.searchsorted(np.sort(bounds[:, 1]), starts[rows], side="right")
        depth[rows] = begun - ended
    if not (depth >= at_least).any():
        raise DataError(
            f"no variant of the cohort is in {at_least:,} regions of {elements}; ask for fewer, or "
            "give regions of the same assembly."
        )
    return np.where(depth >= at_least, times, 1.0)


def weigh_effects(
    effects: Path | str, variants: pl.DataFrame, names: ChromosomeNames
) -> Float64[np.ndarray, "variants"]:
    """Return 1 + |effect| / mean |effect|, of the largest effect predicted of each variant.

    `effects` is a table of `cisgram variants score`. Variants that are not in it weigh 1.

    Raises:
        DataError: the file is no such table, or has no variant of the cohort.
    """
    key = ["chrom", "pos", "ref", "alt"]
    try:
        table = pl.read_csv(
            check_file(effects, "table of effects"),
            separator="\t",
            schema_overrides={"chrom": pl.String, "effect": pl.Float64},
            null_values=["NaN", "NA", ""],
            glob=False,
        ).select(*key, pl.col("effect").abs())
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{effects} is no table of cisgram variants score; give the TSV of its --out."
        ) from error
    table = table.with_columns(pl.col("chrom").map_elements(names.resolve, return_dtype=pl.String))
    largest = table.drop_nulls().group_by(key).agg(pl.col("effect").max())
    own = variants.select("chrom", (pl.col("start") + 1).alias("pos"), "ref", "alt")
    found = own.join(largest, on=key, how="left", maintain_order="left")["effect"]
    mean = float(found.drop_nulls().to_numpy().mean()) if found.null_count() < len(found) else 0.0
    if not mean > 0:
        raise DataError(
            f"{effects} has no effect of a variant of the cohort; score the cohort's own variants."
        )
    return 1 + found.fill_null(0.0).to_numpy() / mean


def write_weights(
    path: Path | str, variants: pl.DataFrame, weights: Float64[np.ndarray, "variants"]
) -> None:
    """Write the table that `read_weights` reads."""
    table = variants.select("chrom", (pl.col("start") + 1).alias("pos"), "ref", "alt")
    with atomic_file(path) as temporary:
        write_tsv(table.with_columns(weight=pl.Series(weights)), temporary)
