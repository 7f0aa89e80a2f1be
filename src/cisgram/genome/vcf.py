"""Reading VCF, bgzipped VCF and BCF, in blocks of bounded size."""

import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, cast

import numpy as np
from jaxtyping import Float32, Int8, Int16, Int64, UInt8, UInt16

from cisgram.core.checks import ConfigError, DataError, check_file
from cisgram.genome.calls import (
    Record,
    VariantBlock,
    block_rows,
    dosages_or_calls,
    hard_calls,
    pack_calls,
    split_alternates,
    variant_block,
)
from cisgram.genome.chromosomes import ChromosomeNames, same_chromosome
from cisgram.genome.interval import Interval
from cisgram.genome.streams import lacks_end
from cisgram.genome.vcf_text import VcfText

with np.errstate():  # cyvcf2 silences numpy's warnings for everybody when imported
    from cyvcf2 import VCF, Writer
    from cyvcf2.cyvcf2 import set_htslib_log_level

_HTSLIB_SILENT, _HTSLIB_DEFAULT = 0, 3
_DIPLOID = 2
_TYPES = ("Float", "Integer", "String")
_ABSENT = -2
_MOST_ALTERNATES = 127
_NO_PHASE_SET = (-(1 << 31), ".")
"""What htslib makes of a PS of `.`, be it a number or text."""


class Htslib(Protocol):
    """The part of cyvcf2's Variant that is used here."""

    CHROM: str
    POS: int
    ID: str | None
    REF: str
    ALT: list[str]
    FILTER: str | None
    """None for PASS and for `.`."""

    INFO: Any

    @property
    def genotype(self) -> Any:
        """The GT field."""

    def format(self, field: str) -> Any:
        """Return another field; None where the record has none."""


def vcf_people(source: Path) -> tuple[str, ...]:
    """Return the people of a VCF or BCF, in its order."""
    with quiet_htslib():
        vcf = open_vcf(source)
        try:
            people = tuple(cast("list[str]", vcf.samples))
        except UnicodeDecodeError:
            raise DataError(
                f"{source} names a person with bytes that are no UTF-8; rename them with "
                "bcftools reheader."
            ) from None
    if not people:
        raise DataError(f"{source} has no genotypes (no sample columns); give a file of people.")
    for person in people:
        if "," in person or person.startswith("^"):
            raise DataError(
                f"{source} has a person named {person}, and a name must not hold a comma or begin "
                "with '^'; rename them with bcftools reheader."
            )
    return people


def read_vcf(
    source: Path, people: Sequence[str], *, dosages: bool, region: Interval | None = None
) -> Generator[VariantBlock]:
    """Yield the biallelic rows of a VCF for `people`, all of whom it must have.

    Dosages are FORMAT/DS, or what GT says of a person without DS; calls are made of
    DS where a record has no GT. A record with neither has only missing calls. Where
    the first record has no GT, dosages come along unasked. Heterozygotes of another
    phase set (PS) than the person's first on the chromosome come as unphased. With a
    region, only records that start in it; an index beside the file is used when there
    is one.

    Raises:
        DataError: the file is damaged, cut short or unsorted, or has neither GT nor DS.
        ConfigError: `dosages` are asked for and the file has none.
    """
    with quiet_htslib():
        vcf = open_vcf(source)
        fields = _genotype_fields(vcf, source)
        if not fields & {"GT", "DS"}:
            raise DataError(f"{source} declares neither GT nor DS; give a file with genotypes.")
        if dosages and "DS" not in fields:
            raise ConfigError(
                f"dosage_field needs FORMAT/DS, which {source} does not declare; leave it out."
            )
        vcf.set_samples(list(people))
        position_of = {person: i for i, person in enumerate(cast("list[str]", vcf.samples))}
        order = np.array([position_of[person] for person in people], dtype=np.int64)
        records = sorted_records(vcf, source, region)
        if (first := next(records, None)) is None:
            return
        block = _Block(
            alleles=np.empty((block_rows(order.size), order.size, 3), dtype=np.int8),
            order=order,
            fields=fields,
            keeps_dosages=dosages or ("DS" in fields and _calls(first) is None),
        )
        records = chain([first], records)
        while block.fill(records, source):
            yield block.rows()


def read_sites(source: Path) -> VariantBlock:
    """Return every alternate allele of a VCF or BCF, with people in it or without; no calls."""
    return next(read_site_blocks(source, None))


def read_site_blocks(source: Path, size: int | None) -> Generator[VariantBlock]:
    """Yield the same in blocks of so many records; one without any where the file has none."""
    with quiet_htslib():
        found = map(_record, sorted_records(open_vcf(source), source, None))
        records = list(islice(found, size))
        while True:
            split = split_alternates(records)
            calls = np.empty((len(split), 0), dtype=np.uint8)
            yield variant_block(records, split, calls=calls, dosages=None)
            if not (records := list(islice(found, size))):
                return


@dataclass
class _Block:
    """The records of a block as htslib gives them; its large array is used again and again."""

    alleles: Int8[np.ndarray, "records people 3"]
    """Two allele numbers and the phase of each call."""
    order: Int64[np.ndarray, "people"]
    """Where each person asked for stands among those read."""
    fields: set[str]
    keeps_dosages: bool
    chrom: str = ""
    phase_sets: dict[int, int | str | None] = field(default_factory=dict[int, int | str | None])
    """The first phase set of each person, by index, on this chromosome; None where not named."""
    records: list[Record] = field(default_factory=list[Record])
    dosages: list[Float32[np.ndarray, "people alts"] | None] = field(
        default_factory=list[Float32[np.ndarray, "people alts"] | None]
    )
    without_calls: set[int] = field(default_factory=set[int])

    def fill(self, records: Iterator[Htslib], source: Path) -> bool:
        """Copy the next records; return False when there are none."""
        self.records, self.dosages, self.without_calls = [], [], set()
        for index, record in enumerate(islice(records, len(self.alleles))):
            self._copy_calls(record, index, source)
            if "PS" in self.fields:
                self._unphase(record, self.alleles[index])
            self.records.append(_record(record))
            wanted = self.keeps_dosages or index in self.without_calls
            given = record.format("DS") if wanted and "DS" in self.fields else None
            self.dosages.append(_without_signals(given))
        return bool(self.records)

    def _copy_calls(self, record: Htslib, index: int, source: Path) -> None:
        if len(record.ALT) > _MOST_ALTERNATES:
            raise DataError(
                f"{source} has {len(record.ALT):,} alternate alleles at {record.CHROM}:"
                f"{record.POS:,}, too many for one record; split it with bcftools norm -m-."
            )
        calls = _calls(record)
        target = self.alleles[index]
        if calls is None:
            target[:] = (-1, -1, 0)
            self.without_calls.add(index)
        elif calls.shape[1] == _DIPLOID + 1:
            target[:] = calls
        elif calls.shape[1] == _DIPLOID:
            # What cyvcf2 says of the phase of such calls is memory that nobody has set.
            target[:, 0], target[:, 1], target[:, 2] = calls[:, 0], _ABSENT, 1
        else:
            raise DataError(
                f"{source} has calls of {calls.shape[1] - 1} alleles at {record.CHROM}:"
                f"{record.POS:,}; only haploid and diploid calls can be used."
            )

    def _unphase(self, record: Htslib, calls: Int8[np.ndarray, "people 3"]) -> None:
        """Take as unphased the heterozygotes outside a person's first phase set."""
        if self.chrom != record.CHROM:
            self.chrom, self.phase_sets = record.CHROM, {}
        first, second, phased = calls.T
        known = np.minimum(first, second) >= 0
        people = np.flatnonzero(known & (first != second) & (phased == 1))
        given = record.format("PS")
        sets = None if given is None else given.reshape(len(calls), -1)[:, 0].tolist()
        for person in people.tolist():
            own = None if sets is None or sets[person] in _NO_PHASE_SET else sets[person]
            if self.phase_sets.setdefault(person, own) != own:
                calls[person, 2] = 0

    def rows(self) -> VariantBlock:
        """Split the records into rows of one alternate allele and pack their calls."""
        split = split_alternates(self.records)
        record, number = split.T
        whole = record.size == len(self.records) and bool((number == 1).all())
        alleles = self.alleles[: record.size] if whole else self.alleles[record]
        calls = pack_calls(alleles, number)
        for row, (index, alternate) in enumerate(split.tolist()):
            if index in self.without_calls and (given := self._given(index, alternate)) is not None:
                calls[row] = hard_calls(given)
        dosages, n_from_calls = None, 0
        if self.keeps_dosages:
            dosages, n_from_calls = self._pack_dosages(split, calls)
        if (self.order[:-1] >= self.order[1:]).any():
            calls = calls[:, self.order]
            dosages = None if dosages is None else dosages[:, self.order]
        block = variant_block(self.records, split, calls=calls, dosages=dosages)
        block.counts["n_dosages_from_calls"] = n_from_calls
        return block

    def _pack_dosages(
        self, split: Int64[np.ndarray, "rows 2"], calls: UInt8[np.ndarray, "rows people"]
    ) -> tuple[UInt16[np.ndarray, "rows people"], int]:
        """Pack DS, or what the calls say where there is none; count these."""
        packed = np.empty(calls.shape, dtype=np.uint16)
        n_from_calls = 0
        for row, (record, number) in enumerate(split.tolist()):
            packed[row], n = dosages_or_calls(self._given(record, number), calls[row])
            n_from_calls += n
        return packed, n_from_calls

    def _given(self, record: int, number: int) -> Float32[np.ndarray, "people"] | None:
        """Return DS of one alternate allele, None where the record has none."""
        given = self.dosages[record]
        return None if given is None or given.shape[1] < number else given[:, number - 1]


def _record(record: Htslib) -> Record:
    name, passed = record.ID or ".", record.FILTER is None
    return Record(record.CHROM, record.POS - 1, name, record.REF, record.ALT, passed)


def _without_signals(
    dosages: Float32[np.ndarray, "people alts"] | None,
) -> Float32[np.ndarray, "people alts"] | None:
    """Put the usual NaN where htslib has its signalling one, on which arithmetic warns."""
    if dosages is not None:
        dosages[np.isnan(dosages)] = np.nan
    return dosages


def sorted_records(vcf: Any, source: Path, region: Interval | None) -> Iterator[Htslib]:
    """Yield the records, those in `region` when there is one, and check their order."""
    number, chrom, position = 0, "", 0
    finished: set[str] = set()
    if region is not None:
        found = ChromosomeNames(vcf.seqnames).resolve(region.chrom)
        region = replace(region, chrom=found or region.chrom)
    records = _records(vcf, source, region)
    while True:
        number += 1
        try:
            record = next(records)
            _record(record)  # which decodes its text
        except StopIteration:
            return
        except DataError:
            raise
        except Exception as error:  # cyvcf2 raises nothing more particular
            raise DataError(
                f"record {number:,} of {source} cannot be read: the file is damaged or cut short; "
                "copy or download it again."
            ) from error
        here = record.CHROM
        if here != chrom:
            finished.add(chrom)
        if here in finished or (here == chrom and position > record.POS):
            raise DataError(
                f"{source} is not sorted: {here}:{record.POS:,} (record {number:,}) comes after "
                f"{chrom}:{position:,}; sort it with bcftools sort."
            )
        chrom, position = here, record.POS
        if region is None or _starts_in(region, chrom, position - 1):
            yield record
        elif same_chromosome(chrom, region.chrom) and position > region.end:
            return


def _records(vcf: Any, source: Path, region: Interval | None) -> Iterator[Htslib]:
    """Yield all records, or through the index at least those in `region`."""
    indexed = any(Path(f"{source}{suffix}").exists() for suffix in (".tbi", ".csi"))
    # A header may name some of the chromosomes only.
    if region is None or not indexed or region.chrom not in vcf.seqnames:
        yield from _checked(vcf, source)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cyvcf2 warns of a chromosome without records
        yield from vcf(f"{region.chrom}:{max(region.start, 0) + 1}-{region.end}")


def _checked(vcf: Any, source: Path) -> Iterator[Htslib]:
    """Yield all records, and read the first of a contig that the header does not name once more.

    Where htslib could not read such a record, cyvcf2 takes it for a good one, and the process ends
    when it is used. Once htslib has met the contig, it says what it cannot read.
    """
    named = {entry.info().get("ID") for entry in vcf.header_iter() if entry.type == "CONTIG"}
    with VcfText(source) as text:
        for number, record in enumerate(vcf, 1):
            if record.CHROM not in named:
                named.add(record.CHROM)
                _read_again(text.record(number), text.header, record.CHROM)
            yield record


def _read_again(line: bytes, header: bytes, contig: str) -> None:
    """Read a record under a header that names its contig; cyvcf2 raises where that fails."""
    with TemporaryDirectory(prefix="cisgram-") as directory:
        path = Path(directory) / "record.vcf"
        path.write_bytes(header + line)
        vcf = VCF(str(path))
        vcf.add_to_header(f"##contig=<ID={contig}>")
        next(vcf)


def _starts_in(region: Interval, chrom: str, start: int) -> bool:
    return region.start <= start < region.end and same_chromosome(chrom, region.chrom)


def _calls(record: Htslib) -> Int16[np.ndarray, "people ploidy_and_phase"] | None:
    try:
        genotype = record.genotype
    except Exception:  # cyvcf2's word for a record without GT
        return None
    return None if genotype is None else cast("np.ndarray", genotype.array())


def _genotype_fields(vcf: Any, source: Path) -> set[str]:
    """Return which of GT, DS and PS the header declares."""
    entries = [entry.info() for entry in vcf.header_iter() if entry["HeaderType"] == "FORMAT"]
    types = {entry["ID"]: entry.get("Type") for entry in entries}
    found = types.keys() & {"GT", "DS", "PS"}
    if wrong := [name for name in sorted(found) if types[name] not in _TYPES]:
        raise DataError(
            f"the header of {source} gives FORMAT/{wrong[0]} no Type of {', '.join(_TYPES)}; "
            "correct it."
        )
    return found


def open_vcf(source: Path) -> Any:
    """Open a VCF or BCF that is whole; raise DataError where it is none."""
    with check_file(source, "genotype file").open("rb") as stream:
        if lacks_end(stream):
            raise DataError(f"genotype file {source} is cut short; copy or download it again.")
    try:
        # Lazily, because calls that could not be read must not be looked at.
        return VCF(str(source), lazy=True)
    except Exception as error:  # cyvcf2 raises nothing more particular
        raise DataError(
            f"the header of {source} cannot be read: it is no VCF or BCF, is cut short, lacks "
            "its #CHROM line or names a person twice; check the file."
        ) from error


def open_writer(out: Path, vcf: Any, mode: str) -> Any:
    """Open a file with the header of another; mode `w` is VCF, `wz` compressed VCF, `wb` BCF."""
    return Writer(str(out), vcf, mode=mode)


@contextmanager
def quiet_htslib() -> Generator[None]:
    """Keep htslib from writing to stderr: what matters is raised here instead.

    It warns, among others, of every contig that the header does not name.
    """
    set_htslib_log_level(_HTSLIB_SILENT)
    try:
        yield
    finally:
        set_htslib_log_level(_HTSLIB_DEFAULT)
