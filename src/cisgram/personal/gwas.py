"""Reads summary statistics of genome-wide association studies under their many spellings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float64
from scipy.special import ndtri_exp

from cisgram.core.checks import ConfigError, DataError, few
from cisgram.data.numeric_table import MISSING
from cisgram.genome.streams import read_lines

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("rsid", "rs_id", "rs_number", "snp", "snpid", "snp_id", "variant_id", "markername",
           "markerid", "marker", "panel_variant_id", "variant", "id"),
    "chrom": ("chromosome", "chrom", "#chrom", "chr", "hm_chrom", "chr_name"),
    "position": ("position", "base_pair_location", "pos", "bp", "hm_pos", "genpos", "base_pair"),
    "effect_allele": ("effect_allele", "ea", "tested_allele", "a1", "allele1", "alt"),
    "other_allele": ("non_effect_allele", "other_allele", "nea", "noneffect_allele", "oa", "a2",
                     "allele0", "allele2", "omitted", "ref", "reference_allele"),
    "z": ("zscore", "z_score", "z", "z_stat", "zstat"),
    "beta": ("beta", "effect_size", "effect", "b", "log_odds", "logor", "log(or)"),
    "odds_ratio": ("odds_ratio", "or"),
    "se": ("standard_error", "se", "stderr", "sebeta", "se_beta", "beta_se", "log(or)_se"),
    "p": ("p_value", "pvalue", "p", "pval", "p-value", "p.value", "p_bolt_lmm", "p_wald"),
    "neg_log10_p": ("neg_log_10_p_value", "log10p", "neg_log10_p", "mlog10p"),
    "n": ("n", "sample_size", "n_total", "n_samples", "neff", "n_eff", "obs_ct"),
}  # fmt: skip
"""Spellings of each column, the surest first; letter case does not matter."""

_TEXT = ("id", "chrom", "effect_allele", "other_allele")
_SMALLEST_P = 5e-324


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
    """Read a GWAS table: tab, comma or space separated, plain or gzipped, with a header.

    The z-score is the file's own, else beta / se, else what the two-sided p-value and the
    sign of the effect say. An odds ratio counts as its logarithm, with the standard error on
    the same scale. A p-value of 0 is read as 5e-324.

    `columns` has the names of columns that are spelled unusually, by the keys of `COLUMNS`.

    Raises:
        ConfigError: `columns` names something unknown.
        DataError: a column is missing or not of numbers, or no row is usable.
    """
    text, separator = _read(Path(path))
    first = text[: text.index(b"\n")].decode(errors="replace").strip("\r")
    header = [name.strip().strip('"') for name in first.split(separator)]
    found = _detect(header, columns or {}, path)
    places = {role: str(header.index(name)) for role, name in found.items()}
    try:
        lines = pl.scan_csv(
            text, separator=separator, has_header=False, skip_rows=1, null_values=list(MISSING),
            schema={str(place): pl.String for place in range(len(header))}, raise_if_empty=False,
        )  # fmt: skip
        table = lines.select(pl.col(place).alias(role) for role, place in places.items()).collect()
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"GWAS table {path} cannot be read ({reason}); check its lines.") from error
    table = _numbers(table, found, path)
    variants, notes = _associations(table, found, path)
    n = table["n"].median() if "n" in found else None
    return Gwas(variants, float(n) if isinstance(n, float) else None, str(path), found, notes)


def z_from_p(
    log_p: Float64[np.ndarray, "variants"], direction: Float64[np.ndarray, "variants"]
) -> Float64[np.ndarray, "variants"]:
    """Return the z-score of two-sided p-values given as natural logarithms.

    >>> z_from_p(np.log(np.array([0.05, 1e-300])), np.array([-2.0, 0.1])).round(3)
    array([-1.96 , 37.066])
    """
    return -np.sign(direction) * ndtri_exp(log_p - np.log(2.0))


def _read(path: Path) -> tuple[bytes, str]:
    """Return the text, columns split by one character, and that character."""
    text = b"".join(read_lines(path, "GWAS table"))
    if not text.strip():
        raise DataError(f"GWAS table {path} is empty; make it again.")
    if not text.endswith(b"\n"):
        text += b"\n"
    header = text[: text.index(b"\n")]
    if b"\0" in header:
        raise DataError(f"GWAS table {path} is no text; name a table of summary statistics.")
    if b"\t" in header:
        return text, "\t"
    if b"," in header:
        return text, ","
    return re.sub(rb"(?m)^ +| +(?=\r?$)", b"", re.sub(rb" +", b" ", text)), " "


def _detect(header: list[str], named: Mapping[str, str], path: Path | str) -> dict[str, str]:
    """Decide which column is what."""
    if unknown := set(named) - set(COLUMNS):
        raise ConfigError(
            f"columns must be among {', '.join(COLUMNS)}; got {few(sorted(unknown))}."
        )
    if absent := [name for name in named.values() if name not in header]:
        raise DataError(f"GWAS table {path} has no column {few(absent)}; it has {few(header, 20)}.")
    found = dict(named)
    lower = {name.lower(): name for name in reversed(header)}
    for role, spellings in COLUMNS.items():
        free = {low: name for low, name in lower.items() if name not in found.values()}
        spelling = next((low for low in spellings if low in free), None)
        if role not in found and spelling is not None:
            found[role] = free[spelling]
    has_effect = "beta" in found or "odds_ratio" in found
    has_p = "p" in found or "neg_log10_p" in found
    lacks = [role for role in ("effect_allele", "other_allele") if role not in found]
    if "id" not in found and not {"chrom", "position"} <= set(found):
        lacks.append("id (or chrom and position)")
    if not ("z" in found or (has_effect and ("se" in found or has_p))):
        lacks.append("z (or beta or odds_ratio, with se or p)")
    if lacks:
        raise DataError(
            f"GWAS table {path} has no column for {', '.join(lacks)} among {few(header, 20)}; "
            "give them these names."
        )
    saige = {"allele1", "allele2", "af_allele2"} <= set(lower)
    if saige and not {"effect_allele", "other_allele"} & set(named):  # the effect is Allele2's
        found["effect_allele"], found["other_allele"] = lower["allele2"], lower["allele1"]
    return {role: found[role] for role in COLUMNS if role in found}


def _numbers(table: pl.DataFrame, found: dict[str, str], path: Path | str) -> pl.DataFrame:
    """Turn texts into numbers; anything else than a number or a missing value is an error."""
    for role in (role for role in found if role not in _TEXT):
        values = table[role].str.strip_chars().cast(pl.Float64, strict=False)
        bad = table[role].is_not_null() & values.is_null()
        if bad.any():
            row = int(bad.arg_max() or 0)
            raise DataError(
                f"GWAS table {path} has {table[role][row]!r} in column {found[role]} of data row "
                f"{row + 1:,}, where a number must be; correct it or write NA."
            )
        high = {"p": 1.0, "neg_log10_p": float("inf")}.get(role)
        if high is not None and not values.drop_nulls().is_between(0, high).all():
            raise DataError(
                f"GWAS table {path} has values in column {found[role]} that are no {role}; "
                "rename the column."
            )
        table = table.with_columns(values.alias(role))
    return table


def _associations(
    table: pl.DataFrame, found: dict[str, str], path: Path | str
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    nothing = np.full(table.height, np.nan)
    column = {role: table[role].to_numpy() for role in found if role not in _TEXT}
    if "odds_ratio" in found and "beta" not in found:
        if (column["odds_ratio"] <= 0).any():
            raise DataError(
                f"GWAS table {path} has odds ratios of 0 or less; they must be positive."
            )
        column["beta"] = np.log(column["odds_ratio"])
    beta = column.get("beta", nothing)
    z, n_zero = _z_scores(column, beta)
    lacking = {
        role: pl.lit(None, kind)
        for role, kind in (("id", pl.String), ("chrom", pl.String), ("position", pl.Int64))
        if role not in found
    }
    variants = table.with_columns(**lacking).select(
        "id",
        "chrom",
        start=pl.col("position").cast(pl.Int64) - 1,
        ref=pl.col("other_allele").str.to_uppercase(),
        alt=pl.col("effect_allele").str.to_uppercase(),
        z=pl.Series(z, nan_to_null=True),
        beta=pl.Series(beta, nan_to_null=True),
    )
    complete = pl.all_horizontal(pl.col("ref", "alt").is_not_null())
    usable = variants.filter(complete & pl.col("z").is_finite())
    if usable.is_empty():
        raise DataError(
            f"GWAS table {path} has no row with alleles and a z-score; check its columns."
        )
    if (usable["ref"] == usable["alt"]).any():
        raise DataError(
            f"GWAS table {path} has the same allele in columns {found['effect_allele']} and "
            f"{found['other_allele']}; rename the one that is not."
        )
    notes: list[str] = []
    if n_lost := variants.height - usable.height:
        notes.append(f"{n_lost:,} of {variants.height:,} rows of {path} lack alleles or a z-score.")
    if n_zero:
        notes.append(f"{n_zero:,} p-values of 0 in {path} were read as {_SMALLEST_P:g}.")
    return usable, tuple(notes)


def _z_scores(
    column: dict[str, Float64[np.ndarray, "variants"]], beta: Float64[np.ndarray, "variants"]
) -> tuple[Float64[np.ndarray, "variants"], int]:
    """Return z-scores, and how many p-values of 0 were used."""
    if "z" in column:
        return column["z"], 0
    if "se" in column:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(column["se"] > 0, beta / column["se"], np.nan), 0
    if "neg_log10_p" in column:
        return z_from_p(-column["neg_log10_p"] * np.log(10.0), beta), 0
    p = column["p"]
    n_zero = int((p == 0).sum())
    return z_from_p(np.log(np.maximum(p, _SMALLEST_P)), beta), n_zero
