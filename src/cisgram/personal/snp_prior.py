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

from cisgram.core.checks import DataError, check_file
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
