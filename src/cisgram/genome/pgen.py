"""Reading PLINK filesets in blocks of bounded size.

PLINK 2 has .pgen with .pvar and .psam, PLINK 1 .bed with .bim and .fam.
"""

from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8, UInt16

from cisgram.core.checks import DataError, check_file, missing_extra, read_text
from cisgram.genome.calls import (
    Record,
    VariantBlock,
    block_rows,
    pack_calls,
    pack_dosages,
    split_alternates,
    variant_block,
)
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.interval import Interval

_MISSING = -9
_PVAR_SUFFIXES = (".pvar", ".pvar.zst", ".pvar.gz")
_PLINK1 = ".bed"
_BIM = ("chrom", "id", "morgans", "position", "alt", "ref")
_NO_ALLELE = ("0", ".")


def plink_tables(source: Path) -> tuple[Path, Path]:
    """Return where the tables of variants and of people lie, beside the calls."""
    if source.suffix.lower() == _PLINK1:
        return source.with_suffix(".bim"), source.with_suffix(".fam")
    candidates = [source.with_suffix(suffix) for suffix in _PVAR_SUFFIXES]
    variants = next((path for path in candidates if path.exists()), candidates[0])
    return variants, source.with_suffix(".psam")


def pgen_people(source: Path) -> tuple[str, ...]:
    """Return the people of a fileset, from the table beside the calls."""
    _, table = plink_tables(source)
    # Between tabs a cell may be empty.
    rows = [
        line.split("\t" if "\t" in line else None)
        for line in read_text(table, "people table").splitlines()
        if line.strip() and not line.startswith("##")
    ]
    header = rows.pop(0) if rows and rows[0][0].startswith("#") else ["FID", "IID"]
    named = [name.removeprefix("#") for name in header]
    column = named.index("IID") if "IID" in named else len(named)
    people = tuple(row[column].strip() if column < len(row) else "" for row in rows)
    if not people or not all(people):
        raise DataError(f"{table} names no people in a column IID; make it again with PLINK.")
    return people


def read_pgen(
    source: Path, people: Sequence[str], *, dosages: bool, region: Interval | None = None
) -> Generator[VariantBlock]:
    """Yield the biallelic rows of a fileset for `people`, all of whom it must have.

    PLINK keeps no ploidy: haploid calls come as homozygotes; of PLINK 1, A2 is REF and A1 is ALT,
    and no call is phased. With a region, only variants that start in it.
    """
    everyone = pgen_people(source)
    position_of = {person: i for i, person in enumerate(everyone)}
    wanted = np.array([position_of[person] for person in people], dtype=np.uint32)
    included, order = np.unique(wanted, return_inverse=True)
    pvar = _read_bim(source) if source.suffix.lower() == _PLINK1 else _read_pvar(source)
    n_alleles = pvar["alt"].str.count_matches(",", literal=True).to_numpy().astype(np.int64) + 2
    reader = _open(source, len(everyone), n_alleles, included)
    first, last = _bounds(pvar, region)
    rows = block_rows(len(people))
    for start in range(first, last, rows):
        end = min(start + rows, last)
        records = [
            Record(chrom, position - 1, name, ref, [] if alt == "." else alt.split(","), passed)
            for chrom, position, name, ref, alt, passed in pvar[start:end].iter_rows()
        ]
        split = split_alternates(records)
        try:
            calls = _calls(reader, range(start, end), split, len(people))
            stored = _dosages(reader, start, split, len(people)) if dosages else None
        except RuntimeError as error:
            raise _damaged(source, error) from error
        yield variant_block(
            records,
            split,
            calls=calls[:, order],
            dosages=None if stored is None else stored[:, order],
        )


def _read_pvar(source: Path) -> pl.DataFrame:
    """Return columns chrom, position (1-based), id, ref, alt and passed of the .pvar, sorted."""
    path = check_file(plink_tables(source)[0], "variant table")
    names = {"#CHROM": "chrom", "POS": "position", "ID": "id", "REF": "ref", "ALT": "alt"}
    try:
        read = partial(
            pl.read_csv, path, glob=False, separator="\t", comment_prefix="##", infer_schema=False
        )
        filters = {"FILTER": "passed"} if "FILTER" in read(n_rows=0).columns else {}
        table = read(columns=[*names, *filters]).rename(names | filters)
        passed = (
            table["passed"].fill_null(".").is_in(["PASS", "."]) if filters else pl.lit(value=True)
        )
        pvar = table.select(*names.values(), passed=passed).with_columns(
            pl.col("position").cast(pl.Int64)
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path} must be a tab-separated table with columns {', '.join(names)}; make it again "
            "with plink2."
        ) from error
    lacking = pvar.with_row_index().filter(pl.any_horizontal(pl.all().is_null()))["index"]
    if lacking.len():
        raise DataError(
            f"variant {lacking[0] + 1:,} of {path} lacks a field; make it again with plink2."
        )
    _check_order(pvar, path)
    return pvar


def _read_bim(source: Path) -> pl.DataFrame:
    """Return the same columns of the .bim; where an allele is not known there is no ALT."""
    path = check_file(plink_tables(source)[0], "variant table")
    lines = pl.read_csv(
        path, glob=False, separator="\1", has_header=False, infer_schema=False, quote_char=None,
        encoding="utf8-lossy", new_columns=["line"],
    ).filter(pl.col("line").str.contains(r"\S"))  # fmt: skip
    cells = lines["line"].str.extract_all(r"\S+").list.to_struct(fields=_BIM).struct.unnest()
    bim = cells.with_columns(pl.col("position").cast(pl.Int64, strict=False), passed=True)
    if (wrong := bim["ref"].is_null() | bim["position"].is_null()).any():
        raise DataError(
            f"variant {(wrong.arg_max() or 0) + 1:,} of {path} lacks one of contig, ID, morgans, "
            "position and two "
            "alleles; make it again with PLINK."
        )
    known = pl.col("ref").is_in(_NO_ALLELE)
    bim = bim.with_columns(
        ref=pl.when(known).then("alt").otherwise("ref"),
        alt=pl.when(known | pl.col("alt").is_in(_NO_ALLELE)).then(pl.lit(".")).otherwise("alt"),
    )
    _check_order(bim, path)
    return bim.select("chrom", "position", "id", "ref", "alt", "passed")


def _check_order(pvar: pl.DataFrame, path: Path) -> None:
    same = pl.col("chrom") == pl.col("chrom").shift()
    falls = same & (pl.col("position") < pl.col("position").shift())
    returns = ~same & ~pl.col("chrom").is_first_distinct()
    wrong = pvar.with_row_index().filter(falls | returns)
    if wrong.height:
        index, chrom, position = wrong.select("index", "chrom", "position").row(0)
        raise DataError(
            f"{path} is not sorted: {chrom}:{position:,} (variant {index + 1:,}) comes after "
            f"{pvar['chrom'][index - 1]}:{pvar['position'][index - 1]:,}; sort it with plink2 "
            "--sort-vars, or plink --make-bed."
        )


def _bounds(pvar: pl.DataFrame, region: Interval | None) -> tuple[int, int]:
    """Return the first and the end row of those that start in the region."""
    if region is None:
        return 0, pvar.height
    chrom = ChromosomeNames(pvar["chrom"].unique(maintain_order=True)).resolve(region.chrom)
    inside = (pl.col("chrom") == chrom) & pl.col("position").is_between(
        region.start + 1, region.end
    )
    index = pvar.with_row_index().filter(inside)["index"]
    return (int(index[0]), int(index[-1]) + 1) if index.len() else (0, 0)


def _open(
    source: Path,
    n_people: int,
    n_alleles: Int64[np.ndarray, "variants"],
    included: np.ndarray,
) -> Any:
    check_file(source, "genotype file")
    try:
        from pgenlib import PgenReader
    except ImportError:
        missing_extra("pgenlib", "pgen")
    offsets = np.concatenate([[0], np.cumsum(n_alleles)]).astype(np.uintp)
    multiallelic = bool((n_alleles > 2).any())
    try:
        return PgenReader(
            str(source).encode(),
            raw_sample_ct=n_people,
            variant_ct=n_alleles.size,
            sample_subset=included,
            allele_idx_offsets=offsets if multiallelic else None,
        )
    except RuntimeError as error:
        raise _damaged(source, error) from error


def _calls(
    reader: Any, rows: range, split: Int64[np.ndarray, "rows 2"], n_people: int
) -> UInt8[np.ndarray, "rows people"]:
    alleles = np.empty((len(rows), 2 * n_people), dtype=np.int32)
    phased = np.empty((len(rows), n_people), dtype=np.uint8)
    reader.read_alleles_and_phasepresent_range(rows.start, rows.stop, alleles, phased)
    record, number = split.T
    calls = np.empty((len(rows), n_people, 3), dtype=np.int8)
    pairs = alleles.reshape(len(rows), n_people, 2)
    calls[..., :2] = np.where(pairs == _MISSING, -1, pairs)
    calls[..., 2] = phased
    return pack_calls(calls[record], number)


def _dosages(
    reader: Any, start: int, split: Int64[np.ndarray, "rows 2"], n_people: int
) -> UInt16[np.ndarray, "rows people"]:
    stored = np.empty((len(split), n_people), dtype=np.uint16)
    dosages = np.empty(n_people, dtype=np.float32)
    for row, (record, number) in enumerate(split.tolist()):
        reader.read_dosages(start + record, dosages, allele_idx=number)
        stored[row] = pack_dosages(np.where(dosages == _MISSING, np.nan, dosages))
    return stored


def _damaged(source: Path, error: RuntimeError) -> DataError:
    reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
    variants, people = (table.suffix for table in plink_tables(source))
    return DataError(
        f"{source} cannot be read with its {variants} and {people} "
        f"({reason.strip().rstrip('.')}); "
        "make the three again together."
    )
