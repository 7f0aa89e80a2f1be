"""Reading BGEN, whose people may be named in a .sample beside it, in blocks of bounded size."""

import struct
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from cisgram.core.checks import DataError, check_file, missing_extra, read_text
from cisgram.genome.calls import (
    Record,
    VariantBlock,
    block_rows,
    hard_calls,
    pack_dosages,
    split_alternates,
    variant_block,
)
from cisgram.genome.chromosomes import same_chromosome
from cisgram.genome.interval import Interval

_FIXED, _MAGIC = 20, (b"bgen", bytes(4))
_NAMES_PEOPLE = 1 << 31
_DIPLOID = 2
_TITLES = 2  # lines of a .sample above the people


def bgen_people(source: Path) -> tuple[str, ...]:
    """Return the people of a BGEN, from the .sample beside it where there is one."""
    flags, table = _flags(source), source.with_suffix(".sample")
    if table.exists():
        rows = [line.split() for line in read_text(table, "people table").splitlines()]
        people = tuple(row[1] for row in rows[_TITLES:] if len(row) > 1)
    elif flags & _NAMES_PEOPLE:
        with _opened(source) as file:
            people = tuple(file.samples)
    else:
        raise DataError(f"{source} names no people; put its .sample file {table.name} beside it.")
    return people


def read_bgen(
    source: Path, people: Sequence[str], *, dosages: bool, region: Interval | None = None
) -> Generator[VariantBlock]:
    """Yield the rows of a BGEN for `people`, all of whom it must have; the first allele is REF.

    Dosages are expected ones, and come along unasked; calls are made of them, without a phase.
    With a region, only variants that start in it.

    Raises:
        DataError: the file is damaged or unsorted, or a variant has more than two alleles.
    """
    everyone = bgen_people(source)
    position_of = {person: i for i, person in enumerate(everyone)}
    order = np.array([position_of[person] for person in people], dtype=np.int64)
    with _opened(source) as file:
        if len(file.samples) != len(everyone):
            raise DataError(
                f"{source} has {len(file.samples):,} people and its .sample {len(everyone):,}; "
                "give the two that belong together."
            )
        variants = _sorted(file, source, region)
        while found := list(islice(variants, block_rows(order.size))):
            records = [record for record, _ in found]
            given = np.stack([_expected(variant, source)[order] for _, variant in found])
            split = split_alternates(records)
            kept = given[split[:, 0]]
            yield variant_block(records, split, calls=hard_calls(kept), dosages=pack_dosages(kept))


def _flags(source: Path) -> int:
    with check_file(source, "genotype file").open("rb") as stream:
        start = stream.read(_FIXED)
        length = struct.unpack("<I", start[4:8])[0] if len(start) == _FIXED else 0
        if start[16:] not in _MAGIC or length < _FIXED:
            raise DataError(f"genotype file {source} is no BGEN; check the file.")
        stream.seek(length)
        end = stream.read(4)
    if len(end) != 4:
        raise DataError(f"genotype file {source} is cut short; copy or download it again.")
    return struct.unpack("<I", end)[0]


@contextmanager
def _opened(source: Path) -> Generator[Any]:
    """Open the file; what is wrong with it while it is open is said in a sentence."""
    try:
        reader = import_module("bgen").BgenReader
    except ImportError:
        missing_extra("bgen", "bgen")
    try:
        with reader(str(source), delay_parsing=True) as file:
            yield file
    except (ValueError, IndexError, OSError, RuntimeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{source} cannot be read ({error}): it is damaged or cut short; copy or download it "
            "again."
        ) from error


def _sorted(file: Any, source: Path, region: Interval | None) -> Iterator[tuple[Record, Any]]:
    """Yield each variant with its record, those in the region when there is one."""
    chrom, position, finished = "", 0, set[str]()
    for number, variant in enumerate(file, 1):
        # Some write 01 for 1.
        here = variant.chrom.lstrip("0") or variant.chrom
        if here != chrom:
            finished.add(chrom)
        if here in finished or (here == chrom and variant.pos < position):
            raise DataError(
                f"{source} is not sorted: {here}:{variant.pos:,} (variant {number:,}) comes after "
                f"{chrom}:{position:,}; sort it with plink2 --sort-vars."
            )
        chrom, position = here, variant.pos
        if len(variant.alleles) > _DIPLOID:
            raise DataError(
                f"{source} has {len(variant.alleles):,} alleles at {here}:{position:,}; split them "
                "with plink2, or give a VCF."
            )
        if region is None or (
            region.start < position <= region.end and same_chromosome(here, region.chrom)
        ):
            ref, *alts = variant.alleles
            name = variant.rsid or variant.varid or "."
            yield Record(here, position - 1, name, ref, alts), variant


def _expected(variant: Any, source: Path) -> Float32[np.ndarray, "people"]:
    """Return expected dosages of the second allele, twice of haploid people; NaN where missing."""
    p = np.asarray(variant.probabilities, dtype=np.float32)
    ploidy = np.broadcast_to(variant.ploidy, len(p))
    if ploidy.max(initial=1) > _DIPLOID:
        raise DataError(
            f"{source} has people of more than two alleles at {variant.chrom}:{variant.pos:,}; "
            "only haploid and diploid calls can be used."
        )
    if variant.is_phased:
        expected = p[:, 1] + (np.nan_to_num(p[:, 3]) if p.shape[1] > 3 else 0)
    else:
        expected = p[:, 1] + (2 * np.nan_to_num(p[:, 2]) if p.shape[1] > 2 else 0)
    return np.where(ploidy == 1, 2 * p[:, 1], expected).astype(np.float32)
