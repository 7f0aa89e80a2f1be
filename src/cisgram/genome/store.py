"""Writing a genotype store: blocks of rows come in, sorted files without duplicates go out."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64, UInt8, UInt16

from cisgram.core.artifact import write_json
from cisgram.core.checks import DataError
from cisgram.genome.calls import (
    ALLELES,
    COLUMNS,
    DOSAGE_MISSING,
    IS_HAPLOID,
    IS_MISSING,
    IS_UNPHASED,
    N_CODES,
    VariantBlock,
    carries_alternate,
)
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.variant import check_reference, normalize_all

VARIANTS_FILE, CALLS_FILE = "variants.parquet", "calls.u8"
DOSAGES_FILE, ACCOUNT_FILE = "dosages.u16", "genotypes.json"
FARTHEST_MOVE = 4096
"""Rows that left-alignment would move further stay, so that sorting needs little memory."""

_ENOUGH_TO_JUDGE = 1000
_IDENTITY = ("chrom", "start", "ref", "alt")


@dataclass(frozen=True, kw_only=True)
class ImportCounts:
    """What an import met and what it did with it."""

    n_read: int = 0
    n_kept: int = 0
    n_multiallelic_split: int = 0
    n_symbolic_skipped: int = 0
    """Alternate alleles without a sequence (`*`, `<DEL>`, breakends), left out."""
    n_no_alternate: int = 0
    """Records without an alternate allele, left out."""
    n_not_passed: int = 0
    """Records whose FILTER is neither PASS nor `.`; they are kept."""
    n_duplicate: int = 0
    """Rows with the position and alleles of an earlier one, left out."""
    n_left_aligned: int = 0
    n_reference_mismatch: int = 0
    """Stored rows whose REF is not what the reference holds; only with a reference."""
    n_monomorphic: int = 0
    """Stored rows whose alternate allele nobody carries."""
    n_all_missing: int = 0
    """Stored rows in which every call has a missing allele; part of `n_monomorphic` or not."""
    n_unphased: int = 0
    """Heterozygous calls whose alleles are in no known order, or in one that is known only
    within another phase set (FORMAT/PS) than the person's first on the chromosome."""
    n_missing_calls: int = 0
    """Calls with at least one missing allele."""
    n_haploid: int = 0
    n_dosages_from_calls: int = 0
    """Dosages that are the call's (GT), as the person has no DS there; only with dosages."""


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows on their way to the files."""

    variants: pl.DataFrame
    order: Int64[np.ndarray, "rows"]
    """Rank of each row's chromosome in the source."""
    calls: UInt8[np.ndarray, "rows people"]
    dosages: UInt16[np.ndarray, "rows people"] | None

    @property
    def start(self) -> Int64[np.ndarray, "rows"]:
        return self.variants["start"].to_numpy()

    def take(self, rows: slice | Int64[np.ndarray, "rows"] | Bool[np.ndarray, "rows"]) -> Self:
        index = np.arange(self.order.size)[rows]
        return type(self)(
            self.variants[index],
            self.order[rows],
            self.calls[rows],
            None if self.dosages is None else self.dosages[rows],
        )

    def followed_by(self, other: Self) -> Self:
        dosages = None
        if self.dosages is not None and other.dosages is not None:
            dosages = np.concatenate([self.dosages, other.dosages])
        return type(self)(
            pl.concat([self.variants, other.variants]),
            np.concatenate([self.order, other.order]),
            np.concatenate([self.calls, other.calls]),
            dosages,
        )


class StoreWriter:
    """Writes the files of one store into a directory that exists."""

    def __init__(
        self,
        directory: Path,
        *,
        source: str,
        reference: Reference | None,
        region: Interval | None = None,
    ) -> None:
        self._directory, self._source, self._reference = directory, source, reference
        self._region = region
        self._counts: Counter[str] = Counter()
        self._codes = np.zeros(N_CODES, dtype=np.int64)
        self._tables: list[pl.DataFrame] = []
        self._chromosomes: dict[str, int] = {}
        self._held: _Rows | None = None
        self._any_dosage = False
        self._calls = (directory / CALLS_FILE).open("wb")
        self._dosages: BinaryIO | None = None

    def add(self, block: VariantBlock) -> None:
        """Take in the next block; write the rows that no later one can come before."""
        self._counts.update(block.counts)
        if block.variants.is_empty():
            return
        for chrom in block.variants["chrom"].unique(maintain_order=True):
            self._chromosomes.setdefault(chrom, len(self._chromosomes))
        order = block.variants["chrom"].replace_strict(self._chromosomes, return_dtype=pl.Int64)
        last_order, last_start = int(order[-1]), int(block.variants["start"][-1])
        rows = _Rows(self._normalised(block.variants), order.to_numpy(), block.calls, block.dosages)
        if self._held is not None:
            rows = self._held.followed_by(rows)
        if self._reference is not None:
            rows = rows.take(np.lexsort((rows.start, rows.order)))
            last_start -= FARTHEST_MOVE
        earlier = (rows.order < last_order) | (rows.start < last_start)
        n_settled = int(earlier.sum())
        self._write(rows.take(slice(0, n_settled)))
        self._held = rows.take(slice(n_settled, None))

    def finish(self) -> ImportCounts:
        """Write what is held and the tables."""
        if self._held is not None:
            self._write(self._held)
        self.close()
        if not self._tables:
            raise DataError(
                f"{self._source} gave no variant{f' of {self._region}' if self._region else ''} "
                f"({self._counts['n_read']:,} records read); check the file and its build."
            )
        variants = pl.concat(self._tables)
        any_allele = bool(self._codes[(ALLELES >= 0).any(axis=1)].any())
        if not (any_allele if self._dosages is None else self._any_dosage):
            raise DataError(
                f"every call is missing in the {variants.height:,} variants kept of "
                f"{self._source}; check GT and DS of its records."
            )
        self._counts["n_kept"] = variants.height
        self._counts["n_haploid"] = int(self._codes[IS_HAPLOID].sum())
        self._counts["n_missing_calls"] = int(self._codes[IS_MISSING].sum())
        self._counts["n_unphased"] = int(self._codes[IS_UNPHASED].sum())
        if self._reference is not None:
            check = check_reference(variants, self._reference)
            self._counts["n_reference_mismatch"] = check.n_checked - check.n_match
        counts = ImportCounts(**self._counts)
        variants.write_parquet(self._directory / VARIANTS_FILE)
        write_json(self._directory / ACCOUNT_FILE, asdict(counts))
        return counts

    def close(self) -> None:
        """Close the files."""
        self._calls.close()
        if self._dosages is not None:
            self._dosages.close()

    def discard(self) -> None:
        """Close and remove the files."""
        self.close()
        for name in (CALLS_FILE, DOSAGES_FILE, VARIANTS_FILE, ACCOUNT_FILE):
            (self._directory / name).unlink(missing_ok=True)

    def _normalised(self, variants: pl.DataFrame) -> pl.DataFrame:
        if self._reference is None:
            return variants
        if not self._tables and variants.height >= _ENOUGH_TO_JUDGE:
            check_reference(variants, self._reference)  # a wrong build shows at once
        normal = normalize_all(variants, self._reference)
        near = variants["start"] - normal["start"] <= FARTHEST_MOVE  # the others go back
        normal = normal.with_columns(
            normal[name].zip_with(near, variants[name]) for name in COLUMNS
        )
        changed = [normal[name] != variants[name] for name in _IDENTITY[1:]]
        self._counts["n_left_aligned"] += int(np.logical_or.reduce(changed).sum())
        return normal

    def _write(self, rows: _Rows) -> None:
        first = rows.variants.select(pl.struct(_IDENTITY).is_first_distinct()).to_series()
        if not first.all():
            self._counts["n_duplicate"] += int((~first).sum())
            rows = rows.take(first.to_numpy())
        if not rows.order.size:
            return
        rows.calls.tofile(self._calls)
        if rows.dosages is not None:
            if self._dosages is None:
                self._dosages = (self._directory / DOSAGES_FILE).open("wb")
            rows.dosages.tofile(self._dosages)
            self._any_dosage = self._any_dosage or bool((rows.dosages != DOSAGE_MISSING).any())
        self._tables.append(rows.variants.select(COLUMNS))
        codes = np.bincount(rows.calls.ravel(), minlength=N_CODES)
        self._codes += codes
        self._counts["n_monomorphic"] += int((~carries_alternate(rows.calls)).sum())
        if codes[IS_MISSING].any():
            self._counts["n_all_missing"] += int(IS_MISSING[rows.calls].all(axis=1).sum())
