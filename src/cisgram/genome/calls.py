"""One byte a genotype call, and the blocks of calls that readers hand to the store.

Bits 0-1 hold the first allele, bits 2-3 the second: 0 reference, 1 alternate,
2 missing, 3 absent (the second allele of a haploid call). Bit 4 is set where
the call is phased.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int8, Int64, UInt8, UInt16

REFERENCE, ALTERNATE, MISSING, ABSENT = range(4)
PHASED = 16
N_CODES = 32
DOSAGE_UNIT = 16384
"""A stored dosage of 1 alternate allele."""
DOSAGE_MISSING = 65535
CALLS_PER_BLOCK = 1 << 20
"""Calls read at a time: what bounds the memory of an import."""

COLUMNS = ("chrom", "start", "end", "id", "ref", "alt")

_HARD_CALL_DISTANCE = 0.1
_SEQUENCE = frozenset("ACGTNRYSWKMBDHVacgtnryswkmbdhv")


@dataclass(frozen=True, eq=False)
class VariantBlock:
    """Biallelic rows in the order of their file."""

    variants: pl.DataFrame
    """Columns chrom, start (0-based), end, id, ref, alt; alleles in capitals."""
    calls: UInt8[np.ndarray, "rows people"]
    dosages: UInt16[np.ndarray, "rows people"] | None
    """In units of 1 / 16,384 alternate allele; only when dosages were asked for."""
    counts: dict[str, int]
    """Of the records of the file that the rows were made of: the first of `ImportCounts`."""


class Record(NamedTuple):
    """The columns of a VCF record, or of a row of a PVAR, that say which variant it is."""

    chrom: str
    start: int
    id: str
    ref: str
    alts: Sequence[str]
    passed: bool = True
    """Whether FILTER says PASS or nothing."""


def split_alternates(records: Sequence[Record]) -> Int64[np.ndarray, "rows 2"]:
    """Return record and allele number (1 the first) of every alternate allele with a sequence."""
    split = [
        (index, number)
        for index, record in enumerate(records)
        for number, alt in enumerate(record.alts, 1)
        if is_sequence(alt)
    ]
    return np.array(split, dtype=np.int64).reshape(-1, 2)


def variant_block(
    records: Sequence[Record],
    split: Int64[np.ndarray, "rows 2"],
    *,
    calls: UInt8[np.ndarray, "rows people"],
    dosages: UInt16[np.ndarray, "rows people"] | None,
) -> VariantBlock:
    """Join calls with the table of their variants, one row for each of `split`."""
    rows = [(records[index], number - 1) for index, number in split.tolist()]
    variants = pl.DataFrame(
        {
            "chrom": [record.chrom for record, _ in rows],
            "start": [record.start for record, _ in rows],
            "id": [record.id for record, _ in rows],
            "ref": [record.ref.upper() for record, _ in rows],
            "alt": [record.alts[alternate].upper() for record, alternate in rows],
        },
        schema=dict.fromkeys(("chrom", "start", "id", "ref", "alt"), pl.String)
        | {"start": pl.Int64},
    )
    n_alternates = [len(record.alts) for record in records]
    counts = {
        "n_read": len(records),
        "n_multiallelic_split": sum(n > 1 for n in n_alternates),
        "n_symbolic_skipped": sum(n_alternates) - len(rows),
        "n_no_alternate": n_alternates.count(0),
        "n_not_passed": sum(not record.passed for record in records),
    }
    return VariantBlock(with_ends(variants), calls, dosages, counts)


def with_ends(variants: pl.DataFrame) -> pl.DataFrame:
    """Set the column `end` by start and ref, and put the columns in their order."""
    end = pl.col("start") + pl.col("ref").str.len_bytes().cast(pl.Int64)
    return variants.with_columns(end=end).select(COLUMNS)


def block_rows(n_people: int) -> int:
    """Return how many records of `n_people` calls make a block."""
    return max(CALLS_PER_BLOCK // max(n_people, 1), 16)


def is_sequence(allele: str) -> bool:
    """Say whether an allele spells bases.

    >>> [is_sequence(allele) for allele in ("A", "ACG", "*", "<DEL>", "G]17:198982]", ".")]
    [True, True, False, False, False, False]
    """
    return bool(allele) and _SEQUENCE.issuperset(allele)


def pack_calls(
    calls: Int8[np.ndarray, "rows people 3"], number: Int64[np.ndarray, "rows"]
) -> UInt8[np.ndarray, "rows people"]:
    """Make call bytes of two allele numbers, -1 missing and -2 absent, and the phase, 0 or 1.

    `number` is each row's own alternate allele; the record's other alternate
    alleles count as reference in that row.

    >>> calls = np.array([[[0, 1, 1], [2, -1, 0], [1, -2, 1]]], dtype=np.int8)
    >>> pack_calls(calls, np.array([1])).tolist()
    [[20, 8, 29]]
    """
    if (number != 1).any() or calls.max(initial=0) > 1:
        own = calls == number[:, np.newaxis, np.newaxis].astype(np.int8)
        own[..., 2] = calls[..., 2] == 1
        calls = np.where(own, np.int8(1), np.minimum(calls, 0))
    # As two bits -1 reads 3 and -2 reads 2; the stored codes have them the other way round.
    bits = calls.view(np.uint8) & 3
    bits ^= bits >> 1
    return bits[..., 0] | bits[..., 1] << 2 | bits[..., 2] << 4


def pack_dosages(
    dosages: Float32[np.ndarray, "*calls"],
) -> UInt16[np.ndarray, "*calls"]:
    """Make stored dosages of alternate-allele dosages from 0 to 2; NaN is missing."""
    scaled = np.clip(dosages, 0, 2) * DOSAGE_UNIT
    return np.where(np.isnan(scaled), DOSAGE_MISSING, np.rint(scaled)).astype(np.uint16)


def hard_calls(
    dosages: Float32[np.ndarray, "*calls"],
) -> UInt8[np.ndarray, "*calls"]:
    """Make unphased calls of dosages within 0.1 of a whole number; others are missing.

    >>> hard_calls(np.array([0.05, 1.0, 1.5, 2.0, np.nan], dtype=np.float32)).tolist()
    [0, 4, 10, 5, 10]
    """
    nearest = np.rint(np.nan_to_num(dosages, nan=-9))
    close = np.abs(dosages - nearest) <= _HARD_CALL_DISTANCE
    codes = np.array([0, ALTERNATE << 2, ALTERNATE | ALTERNATE << 2], dtype=np.uint8)
    missing = np.uint8(MISSING | MISSING << 2)
    return np.where(close, codes[np.clip(nearest, 0, 2).astype(np.intp)], missing)


def _allele_tables() -> tuple[Int8[np.ndarray, "codes 2"], Float32[np.ndarray, "codes"]]:
    meaning = np.array([0, 1, -1, -2], dtype=np.int8)
    codes = np.arange(N_CODES)
    alleles = np.stack([meaning[codes & 3], meaning[codes >> 2 & 3]], axis=-1)
    first, second = alleles.T.astype(np.float32)
    dosage = np.where((first < 0) | (second == -1), np.nan, first + second)
    dosage = np.where((second == -2) & (first >= 0), 2 * first, dosage)
    return alleles, dosage.astype(np.float32)


ALLELES, DOSAGES = _allele_tables()
"""By call byte: the two alleles (-1 missing, -2 absent) and the alternate dosage (NaN missing)."""
IS_MISSING: Bool[np.ndarray, "codes"] = (ALLELES == -1).any(axis=1)
IS_HAPLOID: Bool[np.ndarray, "codes"] = ALLELES[:, 1] == -2
IS_UNPHASED: Bool[np.ndarray, "codes"] = (
    (ALLELES.min(axis=1) >= 0) & (ALLELES[:, 0] != ALLELES[:, 1]) & (np.arange(N_CODES) < PHASED)
)
"""Heterozygotes whose two alleles are in no known order."""


def dosages_or_calls(
    given: Float32[np.ndarray, "people"] | None, calls: UInt8[np.ndarray, "people"]
) -> tuple[UInt16[np.ndarray, "people"], int]:
    """Pack dosages of a variant, or what a call says where there is none; count the latter.

    A dosage runs from 0 to 1 where the call is haploid, which counts as twice that.
    """
    called = DOSAGES[calls]
    if given is None:
        return pack_dosages(called), int((~np.isnan(called)).sum())
    stands_in = np.isnan(given) & ~np.isnan(called)
    dosages = np.where(IS_HAPLOID[calls], 2 * given, given)
    return pack_dosages(np.where(stands_in, called, dosages)), int(stands_in.sum())


def carries_alternate(
    calls: UInt8[np.ndarray, "rows people"],
) -> Bool[np.ndarray, "rows"]:
    """Say in which rows anybody has an alternate allele.

    >>> carries_alternate(np.array([[0, 10, 12], [0, 4, 10]], dtype=np.uint8)).tolist()
    [False, True]
    """
    low_bit_only = calls & ~(calls >> 1) & 0b0101
    return np.asarray(low_bit_only.any(axis=1))
