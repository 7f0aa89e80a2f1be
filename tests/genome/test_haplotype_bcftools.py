"""Consensus sequences against those of bcftools, letter by letter."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cisgram.genome.genotypes import Genotypes, import_genotypes
from cisgram.genome.haplotype import HaplotypeWindows
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(shutil.which("bcftools") is None, reason="needs bcftools"),
]


@dataclass(frozen=True)
class Cohort:
    windows: HaplotypeWindows
    vcf: Path

    def expected(self, intervals: list[Interval], person: int, haplotype: int) -> list[str]:
        """Let bcftools make the haplotype of each interval."""
        reference = self.windows.reference
        chrom = self.windows.genotypes.variants["chrom"][0]
        fasta = "".join(
            f">{chrom}:{interval.start + 1}-{interval.end}\n{text}\n"
            for interval in intervals
            for text in [_letters(reference, interval)]
        )
        name = self.windows.genotypes.people[person]
        command = ["bcftools", "consensus", "-s", name, "-H", str(haplotype + 1), str(self.vcf)]
        result = subprocess.run(command, input=fasta, capture_output=True, text=True, check=True)
        records = result.stdout.split(">")[1:]
        return ["".join(record.split("\n")[1:]).upper() for record in records]

    def differing(self, intervals: list[Interval], person: int, haplotype: int) -> list[Interval]:
        expected = self.expected(intervals, person, haplotype)
        found = [self.windows.consensus(interval, person, haplotype) for interval in intervals]
        assert len(expected) == len(found)
        return [i for i, a, b in zip(intervals, expected, found, strict=True) if a != b]


def _letters(reference: Reference, interval: Interval) -> str:
    letters = np.frombuffer(b"ACGTN", dtype=np.uint8)[reference.fetch(interval)]
    return "\n".join(
        row.tobytes().decode() for row in np.split(letters, range(60, letters.size, 60))
    )


def _open(source: Path, reference: Path, place: Path) -> Cohort:
    """Import a file, and give bcftools a copy with an index."""
    vcf = place / "calls.vcf.gz"
    shutil.copyfile(source, vcf)
    subprocess.run(["tabix", "-p", "vcf", str(vcf)], check=True, capture_output=True)
    people, _ = import_genotypes(source, place / "store")
    genotypes = Genotypes.open(place / "store", people)
    made = Reference.from_fasta(reference, place / "reference")
    return Cohort(HaplotypeWindows(genotypes, made), vcf)


@pytest.fixture(scope="module")
def europeans(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cohort]:
    """300 phased people, 23,670 SNVs and 1,320 indels of chromosome 20, 1 to 4 Mb."""
    human = shared / "human"
    return _open(
        human / "variants_mpra" / "1000G_EUR300.chr20.1-4Mb.vcf.gz",
        human / "reference" / "b37.chr20.fa.gz",
        tmp_path_factory.mktemp("europeans"),
    )


@pytest.fixture(scope="module")
def geuvadis_below_22mb(
    shared: Path, geuvadis: "object", tmp_path_factory: pytest.TempPathFactory
) -> Cohort:
    """358 phased people and the 12,218 SNVs of the part of chromosome 22 that has a reference."""
    return _open(
        shared / "human" / "geuvadis" / "genotypes.chr22.vcf.gz",
        shared / "human" / "reference" / "hg19.chr22.1-22000000.fa.gz",
        tmp_path_factory.mktemp("geuvadis"),
    )


def _around_indels(cohort: Cohort, length: int, n: int, rng: np.random.Generator) -> list[Interval]:
    """Intervals that begin or end at, within or beside an insertion or deletion."""
    variants = cohort.windows.genotypes.variants
    lengths = variants["ref"].str.len_bytes().to_numpy().astype(int)
    indels = np.flatnonzero((lengths > 1) | (variants["alt"].str.len_bytes().to_numpy() > 1))
    starts = []
    for row in rng.choice(indels, n):
        edge = int(variants["start"][int(row)] + rng.integers(-1, lengths[row] + 2))
        starts.append(edge if rng.random() < 0.5 else edge - length)
    return [Interval("20", start, start + length) for start in sorted(starts)]


def test_people_with_many_indels_are_as_in_bcftools(
    europeans: Cohort, rng: np.random.Generator
) -> None:
    for person in rng.choice(300, 12, replace=False).tolist():
        start = int(rng.integers(1_000_000, 3_500_000))
        intervals = [Interval("20", start, start + 400_000)]
        for haplotype in (0, 1):
            assert not europeans.differing(intervals, person, haplotype)


def test_edges_at_indels_are_as_in_bcftools(europeans: Cohort, rng: np.random.Generator) -> None:
    for person in rng.choice(300, 4, replace=False).tolist():
        intervals = _around_indels(europeans, 700, 60, rng)
        for haplotype in (0, 1):
            assert not europeans.differing(intervals, person, haplotype)


def test_snvs_are_as_in_bcftools(geuvadis_below_22mb: Cohort, rng: np.random.Generator) -> None:
    for person in rng.choice(358, 4, replace=False).tolist():
        start = int(rng.integers(17_000_000, 21_500_000))
        intervals = [Interval("22", start, start + 196_608), Interval("22", 21_990_000, 22_000_000)]
        for haplotype in (0, 1):
            assert not geuvadis_below_22mb.differing(intervals, person, haplotype)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_haplotype_of_300_people_is_as_in_bcftools(europeans: Cohort) -> None:
    whole = [Interval("20", 1_000_000, 4_000_000)]
    for person in range(300):
        for haplotype in (0, 1):
            assert not europeans.differing(whole, person, haplotype)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_haplotype_of_the_geuvadis_people_is_as_in_bcftools(
    geuvadis_below_22mb: Cohort,
) -> None:
    windows = [Interval("22", start, start + 200_000) for start in (17_500_000, 20_800_000)]
    for person in range(358):
        for haplotype in (0, 1):
            assert not geuvadis_below_22mb.differing(windows, person, haplotype)
