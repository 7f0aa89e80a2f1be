"""Reads summary statistics of genome-wide association studies, and leaves out impossible rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64
from scipy.special import ndtri_exp

from cisgram.core.checks import DataError, few
from cisgram.personal.gwas_columns import TEXT
from cisgram.personal.gwas_text import read_columns
from cisgram.personal.predictdb_reader import VARIANT_ID

_SMALLEST_P = 5e-324
_NAMED = 3  # rows named in a note
_PLACE_ID = r"^((?i:chr)?(?:\d{1,2}|[XYxy]|MT?))[:_-](\d+)"


@dataclass(frozen=True)
class Gwas:
    """Associations of variants with one trait."""

    variants: pl.DataFrame
    """A row a variant: `id chrom start ref alt z beta`; `alt` is the effect allele, `start`
    is 0-based; `chrom`, `start` and `beta` are null when the file has none."""
    n: float | None
    """Median sample size; None when the file has none."""
    source: str
    columns: dict[str, str]
    """Which column of the file was read as what."""
    notes: tuple[str, ...]
    """Sentences about rows left out or changed."""


def read_gwas(path: Path | str, *, columns: Mapping[str, str] | None = None) -> Gwas:
    """Read a GWAS table (tab, comma or space separated, with a header) or a GWAS in VCF.

    The z-score is the file's own, else beta / se, else what the two-sided p-value and the
    sign of the effect say. An odds ratio counts as its logarithm, with the standard error on
    the same scale. A p-value of 0 is read as 5e-324. Where the file names the alleles only as
    REF and ALT, the effect is that of A1 or else of ALT. Positions and alleles that no column
    has are read from IDs such as `chr22:1000100:A:G`.

    Rows that cannot be are left out, counted and named in `notes`; so are variants whose rows
    disagree. Of several tests (a column TEST) only the additive one is read.

    `columns` has the names of columns that are spelled unusually, by the keys of
    `gwas_columns.COLUMNS`.

    Raises:
        ConfigError: `columns` names something unknown.
        DataError: a column is missing, most rows cannot be, or none of the tests is additive.
    """
    path = Path(path)
    table, found = read_columns(path, columns or {})
    table = table.with_row_index("line", offset=1)
    table, notes = _one_test(table, found, path)
    table, faults = _numbers(table, found)
    table, n_zero = _associations(_with_alleles(table, found), found)
    faults.append(("the same allele twice", table["ref"] == table["alt"]))
    table, more = _without(table, faults, path)
    notes += more
    usable = table.filter(
        pl.all_horizontal(pl.col("ref", "alt").is_not_null(), pl.col("z").is_finite())
    )
    if usable.is_empty():
        raise DataError(
            f"GWAS table {path} has no row with alleles and a z-score; check its columns."
        )
    if n_lost := table.height - usable.height:
        notes.append(f"{n_lost:,} of {table.height:,} rows of {path} lack alleles or a z-score.")
    if n_zero:
        notes.append(f"{n_zero:,} p-values of 0 in {path} were read as {_SMALLEST_P:g}.")
    usable, more = _without(usable, [_disagreement(usable)], path)
    n = usable["n"].median()
    variants = usable.drop("n", "line")
    return Gwas(
        variants, float(n) if isinstance(n, float) else None, str(path), found, (*notes, *more)
    )


def z_from_p(
    log_p: Float64[np.ndarray, "variants"], direction: Float64[np.ndarray, "variants"]
) -> Float64[np.ndarray, "variants"]:
    """Return the z-score of two-sided p-values given as natural logarithms.

    >>> z_from_p(np.log(np.array([0.05, 1e-300])), np.array([-2.0, 0.1])).round(3)
    array([-1.96 , 37.066])
    """
    return -np.sign(direction) * ndtri_exp(log_p - np.log(2.0))


def _one_test(
    table: pl.DataFrame, found: Mapping[str, str], path: Path
) -> tuple[pl.DataFrame, list[str]]:
    """Keep the rows of the additive test, where the file says which test a row is of."""
    if "test" not in found or (tests := table["test"].drop_nulls().unique().sort()).is_empty():
        return table, []
    additive = [
        test for test in tests if test.upper() == "ADD" or test.upper().startswith("ADD-WGR")
    ]
    if len(additive) != 1:
        raise DataError(
            f"GWAS table {path} has rows of {few(tests)} in column {found['test']}, and needs "
            "those of one additive test (ADD); keep these, or rename the column."
        )
    kept = table.filter(pl.col("test") == additive[0])
    n_others = table.height - kept.height
    others = few([test for test in tests if test != additive[0]])
    left = f"{n_others:,} of {table.height:,} rows of {path} are left out: other tests ({others})."
    return kept, [left] if n_others else []


_Fault = tuple[str, pl.Series]
"""What is wrong with some rows, and which."""


def _numbers(table: pl.DataFrame, found: Mapping[str, str]) -> tuple[pl.DataFrame, list[_Fault]]:
    """Turn texts into numbers, and say which rows have none that can be."""
    faults: list[_Fault] = []
    for role in (role for role in found if role not in TEXT):
        values = table[role].cast(pl.Float64, strict=False).fill_nan(None)
        bad = table[role].is_not_null() & values.is_null()
        if bad.any():
            words = few([repr(word) for word in table[role].filter(bad).head(100).unique()], 2)
            faults.append((f"{words} instead of a number in column {found[role]}", bad))
        table = table.with_columns(values.alias(role))
    for role, what, wrong in (
        ("p", "a p-value outside 0 to 1", ~pl.col("p").is_between(0, 1)),
        ("neg_log10_p", "a -log10 p-value below 0", pl.col("neg_log10_p") < 0),
        ("odds_ratio", "an odds ratio of 0 or less", pl.col("odds_ratio") <= 0),
        ("se", "a standard error below 0", pl.col("se") < 0),
    ):
        if role in found:
            faults.append((what, table.select(wrong).to_series()))
    return table, faults


def _with_alleles(table: pl.DataFrame, found: Mapping[str, str]) -> pl.DataFrame:
    """Settle place and alleles: `chrom start ref alt`, from columns or from IDs."""
    has = set(found)
    if "id" not in has:
        table = table.with_columns(id=pl.lit(None, pl.String))
    lacks_allele = not (has & {"effect_allele", "alt"} and has & {"other_allele", "ref"})
    lacks_place = not {"chrom", "position"} <= has
    if lacks_place or lacks_allele:
        ids = pl.col("variant" if "variant" in table.columns else "id")
        table = table.with_columns(variant=ids.str.extract_groups(VARIANT_ID))
    variant = pl.col("variant").struct
    if lacks_place:
        table = table.with_columns(chrom=variant.field("1"), position=variant.field("2"))
        if table["chrom"].has_nulls():
            place = pl.col("id").str.extract_groups(_PLACE_ID).struct
            table = table.with_columns(
                pl.coalesce("chrom", place.field("1").alias("chrom")),
                pl.coalesce("position", place.field("2").alias("position")),
            )
        table = table.with_columns(pl.col("position").cast(pl.Float64))
    if lacks_allele:
        table = table.with_columns(ref=variant.field("3"), alt=variant.field("4"))
        has |= {"ref", "alt"}
    upper = {
        role: pl.col(role).str.to_uppercase()
        for role in ("effect_allele", "other_allele", "ref", "alt") if role in has
    }  # fmt: skip
    effect = upper.get("effect_allele", upper.get("alt"))
    other = upper.get("other_allele")
    if other is None:
        other = upper["ref"]
        if "alt" in upper:
            other = pl.when(effect == upper["ref"]).then(upper["alt"]).otherwise(upper["ref"])
    position = pl.col("position")
    start = pl.when(position >= 1).then(position).cast(pl.Int64, strict=False) - 1
    chrom = pl.col("chrom").str.strip_suffix(".0")
    return table.with_columns(chrom=chrom, start=start, ref=other, alt=effect)


def _associations(table: pl.DataFrame, found: Mapping[str, str]) -> tuple[pl.DataFrame, int]:
    """Return `id chrom start ref alt z beta n`, and how many p-values of 0 were used."""
    nothing = np.full(table.height, np.nan)
    column = {role: table[role].to_numpy() for role in found if role not in TEXT}
    beta = column.get("beta", nothing)
    with np.errstate(divide="ignore", invalid="ignore"):
        if "odds_ratio" in found and "beta" not in found:
            beta = np.log(column["odds_ratio"])
        z, n_zero = _z_scores(column, beta)
    numbers = {"z": pl.Series(z, nan_to_null=True), "beta": pl.Series(beta, nan_to_null=True)}
    n = pl.col("n") if "n" in found else pl.lit(None, pl.Float64)
    chosen = table.select("line", "id", "chrom", "start", "ref", "alt", **numbers, n=n)
    return chosen, n_zero


def _z_scores(
    column: dict[str, Float64[np.ndarray, "variants"]], beta: Float64[np.ndarray, "variants"]
) -> tuple[Float64[np.ndarray, "variants"], int]:
    """Return z-scores, and how many p-values of 0 were used."""
    if "z" in column:
        return column["z"], 0
    if "se" in column:
        return np.where(column["se"] > 0, beta / column["se"], np.nan), 0
    if "neg_log10_p" in column:
        return z_from_p(-column["neg_log10_p"] * np.log(10.0), beta), 0
    p = column["p"]
    n_zero = int((p == 0).sum())
    return z_from_p(np.log(np.maximum(p, _SMALLEST_P)), beta), n_zero


def _disagreement(table: pl.DataFrame) -> _Fault:
    """Find variants that have several rows with different z-scores."""
    low, high = pl.min_horizontal("ref", "alt"), pl.max_horizontal("ref", "alt")
    key = pl.struct(
        "chrom", "start", pl.when(pl.col("start").is_null()).then("id"), low=low, high=high
    )
    place = pl.col("chrom").hash() ^ pl.col("start").hash()  # what is cheap comes first
    name = pl.when(pl.col("start").is_null()).then(pl.col("id").hash()).otherwise(place)
    known = pl.any_horizontal(pl.col("start", "id").is_not_null())
    z = pl.when(pl.col("ref") < pl.col("alt")).then("z").otherwise(-pl.col("z"))
    some = table.filter(known & name.is_duplicated()).filter((z.max() > z.min()).over(key))
    differ = table.select(pl.col("line").is_in(some["line"].implode())).to_series()
    return "several rows with different z-scores of one variant", differ


def _without(
    table: pl.DataFrame, faults: list[_Fault], path: Path
) -> tuple[pl.DataFrame, list[str]]:
    """Take out rows that have a fault; where most have, the columns are others or of more."""
    notes: list[str] = []
    gone = pl.repeat(value=False, n=table.height, eager=True)
    for what, wrong in faults:
        new = wrong.fill_null(value=False) & ~gone
        if not (n := int(new.sum())):
            continue
        first = table.filter(new).head(_NAMED).iter_rows(named=True)
        names = ", ".join(map(_name, first)) + (f" and {n - _NAMED:,} more" if n > _NAMED else "")
        if n > table.height / 2:
            raise DataError(
                f"GWAS table {path} has {what} in {n:,} of {table.height:,} rows ({names}); "
                "keep the rows of one test, or name the columns, as with --pvalue-column."
            )
        notes.append(f"{n:,} of {table.height:,} rows of {path} are left out: {what} ({names}).")
        gone |= new
    return table.filter(~gone), notes


def _name(row: dict[str, Any]) -> str:
    """Name a row by its ID, its place, or its number."""
    if row["id"] is not None:
        return row["id"]
    if row["start"] is None:
        return f"data row {row['line']:,}"
    return f"{row['chrom']}:{row['start'] + 1:,}"
