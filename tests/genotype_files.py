"""VCF and PGEN files of a few people, and their import."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from cisgram.genome import calls as call_bytes
from cisgram.genome.genotypes import Genotypes, ImportCounts, Sources, import_genotypes

FORMATS = (
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Call">\n'
    '##FORMAT=<ID=DS,Number=A,Type=Float,Description="Dosage">\n'
)
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def vcf_text(*rows: str, people: str = "ann bob eve", formats: str = FORMATS) -> str:
    """Write rows of `chrom pos ref alt format call ...`, blank separated."""
    header = f"##fileformat=VCFv4.2\n##contig=<ID=1>\n##contig=<ID=2>\n{formats}{COLUMNS}"
    lines = [header + ("\tFORMAT\t" + "\t".join(people.split()) if people else "")]
    for row in rows:
        chrom, position, ref, alt, *calls = row.split()
        lines.append("\t".join((chrom, position, f"rs{position}", ref, alt, ".", ".", ".", *calls)))
    return "\n".join(lines) + "\n"


def write_vcf(place: Path, *rows: str, **options: str) -> Path:
    path = place / "calls.vcf"
    path.write_text(vcf_text(*rows, **options))
    return path


def load(source: Sources, place: Path, **options: object) -> tuple[Genotypes, ImportCounts]:
    people, counts = import_genotypes(source, place / "store", **options)
    return Genotypes.open(place / "store", people), counts


def write_pgen(source: Genotypes, place: Path, suffix: str) -> Path:
    """Write a store as a PLINK 2 fileset."""
    pgenlib = pytest.importorskip("pgenlib")
    n_people, n_variants = len(source.people), source.variants.height
    path = place / "calls.pgen"
    writer = pgenlib.PgenWriter(
        str(path).encode(),
        n_people,
        variant_ct=n_variants,
        nonref_flags=False,
        hardcall_phase_present=True,
    )
    alleles = source.alleles(slice(0, n_variants)).astype(np.int32)
    phased = (source.calls & call_bytes.PHASED != 0).astype(np.uint8)
    for row in range(n_variants):
        pair = np.where(alleles[..., row] < 0, -9, alleles[..., row])
        pair[(pair < 0).any(axis=1)] = -9
        writer.append_partially_phased(np.ascontiguousarray(pair).ravel(), phased[row])
    writer.close()
    lines = ["##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tINFO"]
    for chrom, start, _, name, ref, alt in source.variants.iter_rows():
        lines.append(f"{chrom}\t{start + 1}\t{name}\t{ref}\t{alt}\t.")
    text = "\n".join(lines) + "\n"
    pvar = path.with_suffix(suffix)
    pvar.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
    people = "".join(f"{person}\tNA\n" for person in source.people)
    path.with_suffix(".psam").write_text("#IID\tSEX\n" + people)
    return path
