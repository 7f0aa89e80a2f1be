"""Reads the tables of PredictDB files: GTEx v7 and v8 releases, older ones, and our own."""

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl

from cisgram.core.checks import DataError, check_file, few

GENE_SCHEMA: dict[str, pl.DataType] = {
    "gene": pl.String(),
    "name": pl.String(),
    "gene_type": pl.String(),
    "n_snps_window": pl.Int64(),
    "n_snps_model": pl.Int64(),
    "r2": pl.Float64(),
    "p_value": pl.Float64(),
    "q_value": pl.Float64(),
    "phi": pl.Float64(),
}
WEIGHT_SCHEMA: dict[str, pl.DataType] = {
    "gene": pl.String(),
    "rsid": pl.String(),
    "var_id": pl.String(),
    "chrom": pl.String(),
    "start": pl.Int64(),
    "ref": pl.String(),
    "eff": pl.String(),
    "weight": pl.Float64(),
    "mean": pl.Float64(),
}
_SQLITE = b"SQLite format 3\x00"
VARIANT_ID = r"^(.+)[_:-](\d+)[_:-]([A-Za-z*]+)[_:/-]([A-Za-z*]+?)(?:[_:-](\w*\d\w*))?$"
"""An ID that spells its variant: chromosome, position from 1, two alleles, perhaps assembly."""
_ASSEMBLIES = {
    "37": "b37", "hg19": "b37", "grch37": "b37", "hs37d5": "b37",
    "38": "b38", "hg38": "b38", "grch38": "b38",
}  # fmt: skip

_WEIGHT_COLUMNS: dict[str, tuple[str, ...]] = {
    "gene": ("gene",),
    "rsid": ("rsid",),
    "var_id": ("varID", "varid"),
    "ref": ("ref_allele",),
    "eff": ("eff_allele",),
    "weight": ("weight",),
}
_EXTRA_COLUMNS: dict[str, tuple[str, ...]] = {
    "gene": ("gene",),
    "name": ("genename", "gene_name"),
    "gene_type": ("gene_type",),
    "n_snps_window": ("n_snps_in_window", "n.snps.in.window"),
    "r2": ("pred.perf.R2", "R2"),
    "p_value": ("pred.perf.pval", "pval"),
    "q_value": ("pred.perf.qval", "qval"),
    "phi": ("phi",),
}


def assembly(name: str) -> str:
    """Return `b37` or `b38` for their usual names, and any other name as it is.

    >>> assembly("GRCh38.p14"), assembly("hg19"), assembly("b37"), assembly("sacCer3")
    ('b38', 'b37', 'b37', 'sacCer3')
    """
    return _ASSEMBLIES.get(name.lower().split(".")[0].removeprefix("b"), name)


def read_tables(path: Path | str) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """Return the rows of `extra`, those of `weights` with their positions, and the assembly."""
    path = check_file(path, "weight file")
    with path.open("rb") as stream:
        if stream.read(len(_SQLITE)) != _SQLITE:
            raise DataError(f"weight file {path} is no SQLite database; name a PredictDB .db.")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as base:
            weights = _select(base, "weights", _WEIGHT_COLUMNS, path=path)
            genes = _select(base, "extra", _EXTRA_COLUMNS, path=path)
    except sqlite3.Error as error:
        raise DataError(
            f"weight file {path} cannot be read ({error}); copy or download it again."
        ) from error
    weights, build = _located(weights, path)
    return genes, weights, build


def first_id(ids: pl.Expr) -> pl.Expr:
    """The first of `rs1;rs2`; null for a missing ID."""
    first = ids.str.split(";").list.first()
    return pl.when(first.is_in([".", ""])).then(None).otherwise(first)


def _select(
    base: sqlite3.Connection, table: str, wanted: dict[str, tuple[str, ...]], *, path: Path
) -> pl.DataFrame:
    """Read the wanted columns under whichever of their names the table has."""
    present = {row[1] for row in base.execute(f"PRAGMA table_info({table})")}
    if not present:
        raise DataError(f"weight file {path} has no table {table}; name a PredictDB .db.")
    found = {
        ours: next((name for name in names if name in present), None)
        for ours, names in wanted.items()
    }
    optional = {"rsid", "var_id"} if table == "weights" else set(wanted) - {"gene"}
    missing = [wanted[ours][0] for ours in found if found[ours] is None and ours not in optional]
    if table == "weights" and not (found["rsid"] or found["var_id"]):
        missing.append("rsid or varID")
    if missing:
        raise DataError(
            f"weight file {path} lacks column {', '.join(missing)} in table {table}; "
            "download it again or choose another release."
        )
    columns = ", ".join(f'"{name}"' if name else "NULL" for name in found.values())
    rows = base.execute(f"SELECT {columns} FROM {table}").fetchall()
    kinds = {**GENE_SCHEMA, **WEIGHT_SCHEMA}
    if not rows:
        raise DataError(f"weight file {path} has an empty table {table}; download it again.")
    columns_read = zip(found, zip(*rows, strict=True), strict=True)
    return pl.DataFrame(
        [pl.Series(ours, values, kinds[ours], strict=False) for ours, values in columns_read]
    )


def _located(weights: pl.DataFrame, path: Path) -> tuple[pl.DataFrame, str]:
    """Check the rows, and read position and assembly out of the variant IDs."""
    bad = weights.filter(
        pl.any_horizontal(pl.col("gene", "ref", "eff", "weight").is_null())
        | ~pl.col("weight").is_finite()
        | (pl.col("rsid").is_null() & pl.col("var_id").is_null())
    )
    if not bad.is_empty():
        raise DataError(
            f"weight file {path} has {bad.height:,} rows of weights without gene, ID, alleles or a "
            f"finite number (gene {few(bad['gene'].fill_null('?').unique().sort())}); "
            "download it again."
        )
    snp = pl.struct("gene", "rsid", "var_id", "ref", "eff")
    if not (twice := weights.filter(snp.is_duplicated())).is_empty():
        raise DataError(
            f"weight file {path} has several weights for {twice['rsid'][0] or twice['var_id'][0]} "
            f"of gene {twice['gene'][0]}; download it again."
        )
    parts = pl.coalesce("var_id", "rsid").str.extract_groups(VARIANT_ID).struct
    weights = weights.with_columns(
        rsid=first_id(pl.col("rsid")),
        chrom=parts.field("1"),
        start=parts.field("2").cast(pl.Int64) - 1,
        ref=pl.col("ref").str.to_uppercase(),
        eff=pl.col("eff").str.to_uppercase(),
        mean=pl.lit(None, pl.Float64),
        tag=parts.field("5"),
    )
    tags = {assembly(tag) for tag in weights["tag"].drop_nulls().unique()}
    if len(tags) > 1:
        raise DataError(
            f"weight file {path} mixes assemblies ({', '.join(sorted(tags))}); split it."
        )
    return weights, next(iter(tags), "")
