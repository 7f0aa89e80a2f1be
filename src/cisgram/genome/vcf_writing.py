"""Writing VCF, bgzipped VCF and BCF, and reading what was written to its end."""

import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from cisgram.core.checks import DataError
from cisgram.core.places import CUT_SHORT, DiskError
from cisgram.genome.vcf import Htslib, open_vcf, open_writer, quiet_htslib, sorted_records

WriteMode = Literal["w", "wz", "wb"]
Entries = Mapping[tuple[str, str], Sequence[str]]
"""What is written of alternate alleles at a position, by ref and alt in capitals."""


def annotate_vcf(
    source: Path,
    out: Path,
    *,
    mode: WriteMode,
    info: tuple[str, str],
    values: Iterable[tuple[tuple[str, int], Entries]],
) -> None:
    """Write a VCF or BCF again with one more INFO field.

    Mode `w` writes VCF, `wz` compressed VCF, `wb` BCF. `info` is key and description of the field;
    `values` has entries by chrom and position from 1, in the order of the file. Those of a record's
    alternate alleles come one after the other, and one without any has no field.
    """
    key, what = info
    last = None
    given = iter(values)
    here: tuple[tuple[str, int], Entries] | None = None
    ahead = next(given, None)
    with quiet_htslib():
        vcf = _with_whole_header(source)
        vcf.add_info_to_header({"ID": key, "Number": ".", "Type": "String", "Description": what})
        writer = open_writer(out, vcf, mode)
        try:
            for last in enumerate(sorted_records(vcf, source, None)):
                record = last[1]
                place, ref = (record.CHROM, record.POS), record.REF.upper()
                if ahead is not None and ahead[0] == place:
                    here, ahead = ahead, next(given, None)
                known = here[1] if here is not None and here[0] == place else {}
                alleles = dict.fromkeys(alt.upper() for alt in record.ALT)
                entries = [text for alt in alleles for text in known.get((ref, alt), ())]
                if entries:
                    record.INFO[key] = ",".join(entries)
                if _write(writer, record, last[0] + 1, source) < 0:
                    raise DiskError(out, CUT_SHORT)
        finally:
            writer.close()
        if _last_record(out, key) != _facts(last, key) or (mode == "w" and not _ends_a_line(out)):
            raise DiskError(out, CUT_SHORT)


def _with_whole_header(source: Path) -> Any:
    """Open a VCF whose header names what its records use, as htslib writes nothing else."""
    whole, vcf = open_vcf(source), open_vcf(source)
    deque(sorted_records(whole, source, None), 0)
    named = set(vcf.raw_header.splitlines())
    for line in whole.raw_header.splitlines():
        if line not in named and line.startswith("##"):
            vcf.add_to_header(line)
    return vcf


def _write(writer: Any, record: Htslib, number: int, source: Path) -> int:
    try:
        return writer.write_record(record)
    except Exception:  # cyvcf2 raises nothing more particular
        raise DataError(
            f"record {number:,} of {source} cannot be written again: it is not as the header says; "
            "mend it, or write .tsv or .parquet."
        ) from None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() == b"\n"


def _last_record(written: Path, key: str) -> tuple[object, ...]:
    """Read a file to its end: htslib does not say when a disk is full."""
    try:
        (last,) = deque(enumerate(sorted_records(open_vcf(written), written, None)), 1) or [None]
    except DataError as error:
        raise DiskError(written, CUT_SHORT) from error
    return _facts(last, key)


def _facts(last: tuple[int, Htslib] | None, key: str) -> tuple[object, ...]:
    if last is None:
        return ()
    number, record = last
    return (number, record.CHROM, record.POS, record.REF, record.ALT, record.INFO.get(key))
