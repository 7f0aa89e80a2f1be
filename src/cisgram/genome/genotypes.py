"""Genotypes of a cohort as memory-mapped files: one byte a call, one row a variant.

`variants.parquet` holds chrom, start (0-based), end, id, ref and alt, ordered by
the chromosomes of the source and then by start; `calls.u8` the bytes that
`genome.calls` describes, variants by people; `dosages.u16`, where dosages were
imported, alternate-allele dosages in units of 1 / 16,384 (65,535 missing);
`genotypes.json` the account of the import.
"""

import json
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int, Int8, Int64, UInt8

from cisgram.core.checks import DataError, check_unique, few
from cisgram.core.places import disk_errors
from cisgram.core.progress import progress
from cisgram.genome.calls import ALLELES, DOSAGE_MISSING, DOSAGE_UNIT, DOSAGES, VariantBlock
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.interval import Interval
from cisgram.genome.pgen import pgen_people, read_pgen
from cisgram.genome.reference import Reference
from cisgram.genome.store import (
    ACCOUNT_FILE,
    CALLS_FILE,
    DOSAGES_FILE,
    VARIANTS_FILE,
    ImportCounts,
    StoreWriter,
)
from cisgram.genome.vcf import read_vcf, vcf_people

_VCF_SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
_PLINK_SUFFIXES = (".pgen", ".bed")


class Genotypes:
    """Calls of people at biallelic variants; nothing is read before it is asked for."""

    people: tuple[str, ...]
    variants: pl.DataFrame
    """Columns chrom, start, end, id, ref, alt."""
    names: ChromosomeNames
    phased: bool
    """Whether every heterozygous call is phased, and each person's on a chromosome together."""
    directory: Path
    calls: UInt8[np.ndarray, "snps people"]

    def __init__(self, directory: Path, people: Sequence[str]) -> None:
        self.directory, self.people = directory, tuple(people)
        try:
            self.variants = pl.read_parquet(directory / VARIANTS_FILE, glob=False)
            account = json.loads((directory / ACCOUNT_FILE).read_text())
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            message = f"{directory} holds no genotypes ({error}); import them again."
            raise DataError(message) from error
        self.phased = account["n_unphased"] == 0
        self.names = ChromosomeNames(self.variants["chrom"].unique(maintain_order=True))
        self.calls = self._map(CALLS_FILE, np.uint8)
        has_dosages = (directory / DOSAGES_FILE).exists()
        self._dosages = self._map(DOSAGES_FILE, np.uint16) if has_dosages else None
        self._starts: Int64[np.ndarray, "snps"] = self.variants["start"].to_numpy()
        lengths = self.variants["chrom"].rle().struct.unnest()
        ends = np.cumsum(lengths["len"].to_numpy()).tolist()
        firsts = [0, *ends[:-1]]
        self._bounds = dict(zip(lengths["value"], zip(firsts, ends, strict=True), strict=True))

    @classmethod
    def open(cls, directory: Path, people: Sequence[str]) -> Self:
        """Open the files that `import_genotypes` wrote for `people`."""
        return cls(directory, people)

    def __reduce__(self) -> tuple[object, tuple[Path, tuple[str, ...]]]:
        """Travel to other processes as a path."""
        return type(self), (self.directory, self.people)

    def rows(self, chrom: str, start: int, end: int) -> slice:
        """Return the variants that start in [start, end), under any usual name of `chrom`.

        Of an unknown chromosome there are none.
        """
        name = self.names.resolve(chrom)
        if name is None:
            return slice(0, 0)
        first, last = self._bounds[name]
        low, high = np.searchsorted(self._starts[first:last], [start, max(start, end)]).tolist()
        return slice(first + low, first + high)

    def dosages(
        self,
        rows: slice | Int[np.ndarray, "snps"],
        people: Int[np.ndarray, "people"] | None = None,
    ) -> Float32[np.ndarray, "people snps"]:
        """Return how many alternate alleles, 0 to 2, each person has; NaN where a call is missing.

        A call with one of two alleles missing is missing. A haploid alternate
        call counts 2, so that a man's X weighs as much as a homozygous woman's
        (the PLINK convention). Each variant's column is contiguous in memory.
        """
        table = self.calls if self._dosages is None else self._dosages
        stored = table[rows] if people is None else table[rows][:, people]
        if self._dosages is None:
            return self._looked_up(DOSAGES, stored).T
        dosages = stored.astype(np.float32) / DOSAGE_UNIT
        dosages[stored == DOSAGE_MISSING] = np.nan
        return dosages.T

    def alleles(
        self,
        rows: slice | Int[np.ndarray, "snps"],
        people: Int[np.ndarray, "people"] | None = None,
    ) -> Int8[np.ndarray, "people haplotypes snps"]:
        """Return 0 reference, 1 alternate, -1 missing or -2 absent for both alleles of each call.

        They stand in the order of the call, which for unphased ones means nothing.
        """
        calls = self.calls[rows] if people is None else self.calls[rows][:, people]
        return self._looked_up(ALLELES, calls).transpose(1, 2, 0)

    def _looked_up(self, table: np.ndarray, calls: UInt8[np.ndarray, "..."]) -> np.ndarray:
        """Return what a table has for call bytes."""
        try:
            return np.take(table, calls, axis=0)
        except IndexError as error:
            path = self.directory / CALLS_FILE
            raise DataError(f"{path} is damaged; import the genotypes again.") from error

    def _map(self, name: str, dtype: type[np.uint8 | np.uint16]) -> np.ndarray:
        path, shape = self.directory / name, (self.variants.height, len(self.people))
        expected = shape[0] * shape[1] * np.dtype(dtype).itemsize
        if not path.is_file() or path.stat().st_size != expected:
            raise DataError(
                f"{path} is not of {shape[0]:,} variants and {shape[1]:,} people; import the "
                "genotypes again."
            )
        return np.memmap(path, dtype=dtype, mode="r", shape=shape).view(np.ndarray)


Sources = Path | str | Sequence[Path | str]
"""One file of genotypes, or several of the same people, each with chromosomes of its own."""


def genotype_people(source: Sources) -> tuple[str, ...]:
    """Return the people of VCF, BCF or PLINK files, in the order of the first.

    Raises:
        DataError: they are not the same in all files, or one is named twice.
    """
    first, *others = genotype_files(source)
    people = _people(first)
    for other in others:
        if differing := set(people) ^ set(_people(other)):
            raise DataError(
                f"{first} and {other} are not of the same people: {len(differing):,} are in one "
                f"only ({few(sorted(differing))}); give files of the same people."
            )
    return people


def genotype_files(source: Sources) -> list[Path]:
    """Return the files of genotypes, at least one."""
    files = [Path(source)] if isinstance(source, Path | str) else [Path(path) for path in source]
    if not files:
        raise DataError("no genotype file is given; name at least one.")
    return files


def import_genotypes(
    source: Sources,
    directory: Path | str,
    *,
    people: Sequence[str] | None = None,
    reference: Reference | None = None,
    dosage_field: bool = False,
    region: Interval | None = None,
) -> tuple[tuple[str, ...], ImportCounts]:
    """Write the genotypes of VCF, BCF or PLINK files into `directory`, a block at a time.

    Alleles of multi-allelic records become rows of their own. With a reference,
    REF is checked and variants are trimmed and left-aligned, those that would
    move more than 4,096 bases excepted.

    Args:
        source: `.vcf`, `.vcf.gz`, `.bcf`, `.pgen` (with `.pvar` and `.psam` beside it) or `.bed`
            (with `.bim` and `.fam`); or several, of the same people in whatever order, each with
            chromosomes of its own.
        directory: where the files go; made when there is none.
        people: whom to keep, in this order; everyone in the order of the file by default.
        reference: genome the variants were called on.
        dosage_field: store the dosages of the file (FORMAT/DS), too; GT stands in where
            a person has none. A record of a VCF without GT is read from DS in any case:
            its calls are the whole numbers within 0.1 of the dosage. Where the first
            record is such a one, dosages are stored unasked.
        region: keep only the variants that start in it.

    Returns:
        The people stored, and the account.
    """
    files, directory = genotype_files(source), Path(directory)
    available = genotype_people(files)
    chosen = available if people is None else tuple(people)
    named = ", ".join(map(str, files))
    _check_people(chosen, available, named)
    blocks = _blocks(files, chosen, dosages=dosage_field, region=region)
    what = f"importing {files[0].name if len(files) == 1 else f'{len(files):,} files'} (records)"
    with disk_errors(directory), progress(what) as ticker:
        directory.mkdir(parents=True, exist_ok=True)
        writer = StoreWriter(directory, source=named, reference=reference, region=region)
        try:
            with closing(blocks):
                for block in blocks:
                    writer.add(block)
                    ticker.advance(block.counts["n_read"])
            counts = writer.finish()
        except BaseException:
            writer.discard()
            raise
    return chosen, counts


def _blocks(
    files: Sequence[Path], people: Sequence[str], *, dosages: bool, region: Interval | None
) -> Generator[VariantBlock]:
    """Yield the blocks of files one after the other.

    Raises:
        DataError: a chromosome is in two files, or some have calls and others dosages only.
    """
    file_of: dict[str, Path] = {}
    keeps: tuple[bool, Path] | None = None
    for source in files:
        read = read_pgen if is_plink(source) else read_vcf
        with closing(read(source, people, dosages=dosages, region=region)) as blocks:
            for block in blocks:
                has, first = keeps = keeps or (block.dosages is not None, source)
                if has != (block.dosages is not None):
                    both = (first, source) if has else (source, first)
                    raise DataError(
                        f"{both[0]} has dosages (DS) only and {both[1]} calls (GT); give files of "
                        "one kind, or all with DS and the option for dosages."
                    )
                for chrom in block.variants["chrom"].unique(maintain_order=True):
                    if (other := file_of.setdefault(chrom, source)) is not source:
                        raise DataError(
                            f"chromosome {chrom} is both in {other} and in {source}; join them "
                            "with bcftools concat."
                        )
                yield block


def allele_frequency(dosages: Float32[np.ndarray, "people snps"]) -> Float64[np.ndarray, "snps"]:
    """Return half the mean dosage, 0 to 1, of calls that are not missing; NaN where all are.

    On autosomes that is the frequency of the alternate allele. A haploid call,
    whose dosage is 0 or 2, weighs twice what its single allele would.
    """
    known = ~np.isnan(dosages)
    total = np.where(known, dosages, 0).sum(axis=0, dtype=np.float64)
    n_alleles = 2.0 * known.sum(axis=0)
    return np.divide(total, n_alleles, out=np.full_like(total, np.nan), where=n_alleles > 0)


def missing_rate(dosages: Float32[np.ndarray, "people snps"]) -> Float64[np.ndarray, "snps"]:
    """Return the fraction, 0 to 1, of people whose call is missing."""
    return np.isnan(dosages).mean(axis=0, dtype=np.float64)


def _people(source: Path) -> tuple[str, ...]:
    people = pgen_people(source) if is_plink(source) else vcf_people(source)
    check_unique(people, "person", str(source))
    return people


def _check_people(chosen: Sequence[str], available: Sequence[str], source: str) -> None:
    check_unique(chosen, "person", "the list of people to keep")
    absent = sorted(set(chosen) - set(available))
    if absent:
        raise DataError(
            f"{len(absent):,} of {len(chosen):,} people to keep are not in {source} "
            f"({few(absent)}), which has {few(available)}; correct the list."
        )
    if not chosen:
        raise DataError(f"the list of people to keep of {source} is empty; name at least one.")


def is_plink(source: Path) -> bool:
    """Say whether it is of PLINK, or else a VCF, by the name."""
    name = source.name.lower()
    if not name.endswith((*_VCF_SUFFIXES, *_PLINK_SUFFIXES)):
        raise DataError(
            f"genotype file {source} must end in {', '.join((*_VCF_SUFFIXES, *_PLINK_SUFFIXES))}; "
            "convert it with bcftools or plink2."
        )
    return name.endswith(_PLINK_SUFFIXES)
