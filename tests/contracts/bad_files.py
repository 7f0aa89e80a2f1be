"""The files of a small good cohort, cut from the packaged data, and ways to spoil them."""

import gzip
import hashlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cisgram.cli.app import main

Row = list[str]
DEMO = Path(__file__).parents[2] / "src" / "cisgram" / "demo"
OFFSET = 29_900_000
"""Taken off every position, so that a reference of 600 kb is enough."""
LENGTH = 600_000
N_PEOPLE, N_SNPS, N_GENES, N_COVARIATES = 100, 400, 5, 6
_VCF_COLUMNS, _BED_COLUMNS = 9, 6

IMPORT = "cohort import --genotypes genotypes.vcf --expression expression.bed"
FIT = "personal fit cohort --executor serial --model top-snp"


@dataclass(frozen=True)
class Place:
    """A directory of good files, before one of them is spoilt."""

    path: Path

    def rows(self, name: str) -> list[Row]:
        """Read a table's cells."""
        return [line.split("\t") for line in (self.path / name).read_text().splitlines()]

    def write(self, name: str, rows: list[Row]) -> None:
        """Write a table's cells."""
        (self.path / name).write_text("".join("\t".join(row) + "\n" for row in rows))

    def edit(self, name: str, change: Callable[[list[Row]], object]) -> None:
        """Change a table's rows in place; what `change` returns does not matter."""
        rows = self.rows(name)
        change(rows)
        self.write(name, rows)

    def pack(self, name: str, pack: Callable[[bytes], bytes]) -> None:
        """Write `name`.gz beside `name`."""
        (self.path / f"{name}.gz").write_bytes(pack((self.path / name).read_bytes()))

    def cut(self, name: str, share: float) -> None:
        """Keep only the first share of a file's bytes."""
        content = (self.path / name).read_bytes()
        (self.path / name).write_bytes(content[: int(len(content) * share)])

    def text(self, name: str, content: str) -> None:
        """Write a file whole."""
        (self.path / name).write_text(content)

    def run(self, command: str) -> None:
        """Run a command that must succeed."""
        before = Path.cwd()
        os.chdir(self.path)
        try:
            assert main(command.split()) == 0, command
        finally:
            os.chdir(before)

    def query(self, name: str, statement: str) -> None:
        """Change an SQLite file."""
        base = sqlite3.connect(self.path / name)
        with base:
            base.execute(statement)
        base.close()

    def contents(self) -> dict[str, str]:
        """Return every path below with the SHA-256 of its bytes, for comparison."""
        return {
            str(path.relative_to(self.path)): hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file()
            else "directory"
            for path in sorted(self.path.rglob("*"))
        }


def write_good_files(place: Place, bgzip: Callable[[bytes], bytes]) -> None:
    """Write tables, a reference, and a cohort, a fit, weights and a GWAS made of them."""
    place.path.mkdir(parents=True)
    bed = _unpack("expression.bed.gz")
    step = (len(bed[0]) - _BED_COLUMNS) // N_PEOPLE
    people = bed[0][_BED_COLUMNS::step][:N_PEOPLE]
    place.write("genotypes.vcf", genotypes := _genotypes(people))
    place.pack("genotypes.vcf", bgzip)
    keep = [*range(_BED_COLUMNS), *(bed[0].index(person) for person in people)]
    rows = [[row[i] for i in keep] for row in bed[: N_GENES + 1]]
    for row in rows[1:]:
        row[1:3] = [str(int(position) - OFFSET) for position in row[1:3]]
    place.write("expression.bed", rows)
    table = _unpack("covariates.txt.gz")
    keep = [0, *(table[0].index(person) for person in people)]
    place.write("covariates.txt", [[row[i] for i in keep] for row in table[: N_COVARIATES + 1]])
    populations = [line.split("\t") for line in (DEMO / "populations.tsv").read_text().split("\n")]
    place.write("populations.tsv", [row for row in populations if row[0] in {"person", *people}])
    place.text("reference.fa", f">chr22\n{_sequence(genotypes)}\n")
    beside = "--covariates covariates.txt --populations populations.tsv"
    place.run(f"{IMPORT} {beside} --out cohort")
    place.run(f"{FIT} --out fit")
    place.run("personal export fit --out weights.db --build b37 --all-genes")
    place.write("gwas.tsv", _gwas(genotypes))


def _unpack(name: str) -> list[Row]:
    text = gzip.decompress((DEMO / name).read_bytes()).decode()
    return [line.split("\t") for line in text.splitlines()]


def _genotypes(people: Row) -> list[Row]:
    """Take every other SNP of the first stretch."""
    rows = _unpack("genotypes.vcf.gz")
    header = next(row for row in rows if row[0] == "#CHROM")
    keep = [*range(_VCF_COLUMNS), *(header.index(person) for person in people)]
    declared = [row for row in rows if row[0].startswith("##") and "contig" not in row[0]]
    snps = [[row[i] for i in keep] for row in rows if row[0] == "chr22"]
    near = [row for row in snps if 0 < int(row[1]) - OFFSET < LENGTH][::2][:N_SNPS]
    for row in near:
        row[1] = str(int(row[1]) - OFFSET)
    contig = [f"##contig=<ID=chr22,length={LENGTH}>"]
    return [*declared, contig, [header[i] for i in keep], *near]


def _sequence(genotypes: list[Row]) -> str:
    bases = np.random.default_rng(3).choice(list("ACGT"), size=LENGTH)
    for row in genotypes:
        if not row[0].startswith("#"):
            bases[int(row[1]) - 1] = row[3]
    return "".join(bases)


def _gwas(genotypes: list[Row]) -> list[Row]:
    rng = np.random.default_rng(4)
    snps = [row for row in genotypes if not row[0].startswith("#")]
    rows = [[*row[:5], f"{z:.3f}"] for row, z in zip(snps, rng.normal(size=len(snps)), strict=True)]
    return [["chrom", "position", "snp", "other_allele", "effect_allele", "zscore"], *rows]
