"""The columns of GWAS tables under the many names that programs give them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from cisgram.core.checks import ConfigError, DataError, few

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("rsid", "rsids", "rs_id", "rs_number", "rs", "snp", "snpid", "snp_id", "variant_id",
           "markername", "markerid", "marker", "panel_variant_id", "variant", "id", "hm_rsid",
           "row name"),
    "chrom": ("chromosome", "chrom", "chr", "hm_chrom", "chr_name"),
    "position": ("position", "base_pair_location", "pos", "bp", "hm_pos", "genpos", "base_pair",
                 "ps", "bp_hg19"),
    "effect_allele": ("effect_allele", "ea", "tested_allele", "effectallele", "risk_allele", "a1",
                      "allele1"),
    "other_allele": ("non_effect_allele", "other_allele", "nea", "noneffect_allele", "oa", "a2",
                     "a0", "allele0", "allele2", "omitted"),
    "ref": ("ref", "reference_allele"),
    "alt": ("alt", "alternate_allele"),
    "z": ("zscore", "z_score", "z", "z_stat", "zstat"),
    "beta": ("beta", "effect_size", "effect", "b", "log_odds", "logor", "log(or)"),
    "odds_ratio": ("odds_ratio", "or"),
    "se": ("standard_error", "se", "stderr", "sebeta", "se_beta", "beta_se", "log(or)_se",
           "se_dgc"),
    "p": ("p_value", "pvalue", "p", "pval", "p-value", "p.value", "p_val", "p_bolt_lmm",
          "p_bolt_lmm_inf", "p_wald", "p_dgc"),
    "neg_log10_p": ("neg_log_10_p_value", "log10p", "neg_log10_p", "mlog10p", "mlogp", "log10_p"),
    "n": ("n", "sample_size", "n_total", "n_samples", "neff", "n_eff", "obs_ct", "nmiss",
          "n_complete_samples"),
    "test": ("test",),
}  # fmt: skip
"""Spellings of each column, the surest first; letter case and a leading # do not matter."""

TEXT = ("id", "chrom", "effect_allele", "other_allele", "ref", "alt", "test")


@dataclass(frozen=True, kw_only=True)
class GwasOptions:
    """What has to be said of a GWAS table that does not say it in a usual way."""

    n: float | None = None
    """Sample size of the GWAS, to calibrate the variance."""
    h2: float | None = None
    """Heritability of the trait, to calibrate the variance."""
    snp_column: str | None = None
    """Column of SNP IDs."""
    chromosome_column: str | None = None
    """Column of chromosomes."""
    position_column: str | None = None
    """Column of positions, from 1."""
    effect_allele_column: str | None = None
    """Column of the allele whose effect is given."""
    non_effect_allele_column: str | None = None
    """Column of the other allele."""
    zscore_column: str | None = None
    """Column of z-scores."""
    beta_column: str | None = None
    """Column of effects."""
    or_column: str | None = None
    """Column of odds ratios."""
    se_column: str | None = None
    """Column of standard errors; for odds ratios, those of their logarithm."""
    pvalue_column: str | None = None
    """Column of p-values."""
    log_pvalue_column: str | None = None
    """Column of -log10 of p-values."""

    def roles(self) -> dict[str, str]:
        """Return the names given, by the keys of `COLUMNS`."""
        keys = (name for name in COLUMNS if name not in {"ref", "alt", "n", "test"})
        given = (getattr(self, field.name) for field in fields(self)[2:])
        return {key: name for key, name in zip(keys, given, strict=True) if name is not None}


def detect(
    header: list[str], named: Mapping[str, str], path: Path | str, *, alleles_in_ids: bool
) -> dict[str, str]:
    """Decide which column is what; `named` has the names given, by the keys of `COLUMNS`.

    Raises:
        ConfigError: `named` names something unknown.
        DataError: a column is missing.
    """
    if unknown := set(named) - set(COLUMNS):
        raise ConfigError(
            f"columns must be among {', '.join(COLUMNS)}; got {few(sorted(unknown))}."
        )
    found = {role: name.lstrip("#") for role, name in named.items()}
    if absent := [name for name in found.values() if name not in header]:
        raise DataError(f"GWAS table {path} has no column {few(absent)}; it has {few(header, 20)}.")
    lower = {name.lower(): name for name in reversed(header)}
    passed_over = _passed_over(set(named))
    for role, spellings in COLUMNS.items():
        free = {low: name for low, name in lower.items() if name not in found.values()}
        spelling = next((low for low in spellings if low in free), None)
        if role not in found and spelling is not None and role not in passed_over:
            found[role] = free[spelling]
    if lacks := _lacks(set(found), alleles_in_ids=alleles_in_ids):
        raise DataError(
            f"GWAS table {path} has no column for {', '.join(lacks)} among {few(header, 20)}; "
            "name them, as with --snp-column."
        )
    saige = {"allele1", "allele2"} <= set(lower) and bool({"af_allele2", "ac_allele2"} & set(lower))
    if saige and not {"effect_allele", "other_allele"} & set(named):  # the effect is Allele2's
        found["effect_allele"], found["other_allele"] = lower["allele2"], lower["allele1"]
    return {role: found[role] for role in COLUMNS if role in found}


def _passed_over(named: set[str]) -> set[str]:
    """Return statistics of the file that would go before those that are named."""
    of_p, of_effect = {"p", "neg_log10_p"}, {"beta", "odds_ratio", "se"}
    over: set[str] = set()
    if named & (of_p | of_effect):
        over.add("z")
    if named & of_p:
        over |= {"se"} | of_p
    if named & {"beta", "odds_ratio"}:
        over |= {"beta", "odds_ratio"}
    return over - named


def _lacks(found: set[str], *, alleles_in_ids: bool) -> list[str]:
    """Name in words what is missing of an association."""
    has_effect, has_p = found & {"beta", "odds_ratio"}, found & {"p", "neg_log10_p"}
    has = {
        "effect allele": bool(found & {"effect_allele", "alt"}) or alleles_in_ids,
        "other allele": bool(found & {"other_allele", "ref"}) or alleles_in_ids,
        "SNP ID (or chromosome and position)": "id" in found or {"chrom", "position"} <= found,
        "z-score (or effect or odds ratio, with standard error or p-value)": "z" in found
        or bool(has_effect and ("se" in found or has_p)),
    }
    return [what for what, there in has.items() if not there]
