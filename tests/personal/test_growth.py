"""Nothing may hold all people times all variants in memory."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cisgram.data.splits import find_relatives
from cisgram.personal.cohort import Cohort, import_cohort
from cisgram.personal.cohort_options import ImportOptions
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.gene_fit import GeneFitter

N_PEOPLE, N_VARIANTS, APART = 2_000, 6_000, 1_000
GENES = (1_000_000, 3_000_000, 5_000_000)
FLOAT32_MATRIX = 4 * N_PEOPLE * N_VARIANTS
HEADER = (
    "##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID=GT,Number=1,Type=String,Description=G>\n"
)
IMPORT = """
import sys
from pathlib import Path
from cisgram.genome.genotypes import import_genotypes
import_genotypes(Path(sys.argv[1]), Path(sys.argv[2]))
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def write_vcf(path: Path, n_variants: int) -> Path:
    """Write random calls of everybody, a variant at a time."""
    rng = np.random.default_rng(1)
    calls = np.frombuffer(b"\t0|0\t0|1\t1|0\t1|1", dtype="<u4")
    people = [f"p{i}" for i in range(N_PEOPLE)]
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people]
    with path.open("wb") as vcf:
        vcf.write((HEADER + "\t".join(columns) + "\n").encode())
        for variant in range(n_variants):
            drawn = rng.integers(4, size=N_PEOPLE)
            row = f"1\t{1 + variant * APART}\tv{variant}\tA\tG\t.\tPASS\t.\tGT"
            vcf.write(row.encode() + calls[drawn].tobytes() + b"\n")
    return path


def traced_peak(function: Callable[..., Any], *arguments: Any) -> int:
    """Return the most bytes that Python and numpy held at once while a function ran."""
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Cohort:
    """2,000 people, 6,000 variants over 6 Mb and three genes."""
    place = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(2)
    lines = ["\t".join(["#chr", "start", "end", "gene", *(f"p{i}" for i in range(N_PEOPLE))])]
    for tss in GENES:
        values = "\t".join(f"{value:.3f}" for value in rng.standard_normal(N_PEOPLE))
        lines.append(f"1\t{tss - 1}\t{tss}\tgene{tss}\t{values}")
    (place / "expression.bed").write_text("\n".join(lines) + "\n")
    return import_cohort(
        write_vcf(place / "calls.vcf", N_VARIANTS),
        place / "expression.bed",
        out=place / "cohort",
        options=ImportOptions(relatives=False),
    )


def test_an_import_needs_no_more_memory_for_more_variants(tmp_path):
    """In processes of their own, so that what htslib and polars hold counts, too."""
    peaks = {}
    for n_variants in (N_VARIANTS // 6, N_VARIANTS):
        vcf = write_vcf(tmp_path / f"{n_variants}.vcf", n_variants)
        command = [sys.executable, "-c", IMPORT, str(vcf), str(tmp_path / str(n_variants))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[n_variants] = int(done.stdout) * 1024
    more = FLOAT32_MATRIX * 5 // 6
    assert peaks[N_VARIANTS] - peaks[N_VARIANTS // 6] < more / 4


def test_calls_take_one_byte_each(many):
    files = {path.name: path.stat().st_size for path in many.genotypes.directory.iterdir()}
    assert files.pop("calls.u8") == N_PEOPLE * N_VARIANTS
    assert sum(files.values()) < 40 * N_VARIANTS


def test_opening_a_cohort_reads_no_calls(many):
    assert traced_peak(Cohort.open, many.path) < N_PEOPLE * N_VARIANTS / 10


@pytest.mark.parametrize("model", ["elastic-net", "ridge", "top-snp"])
def test_a_fit_holds_a_window_and_not_the_genome(many, model):
    fitter = GeneFitter(many.path, FitConfig(model=model, window=50_000, n_inner_folds=3))
    fitter(0)  # makes what genes share, and compiles
    peak = max(traced_peak(fitter, gene) for gene in (1, 2))
    window = 4 * N_PEOPLE * 100
    assert peak < 20 * window < FLOAT32_MATRIX / 2


def test_a_ridge_of_many_people_makes_no_matrix_of_people_by_people(many):
    fitter = GeneFitter(many.path, FitConfig(model="ridge", window=50_000, n_inner_folds=3))
    assert len(fitter.splits) == 6
    assert traced_peak(fitter, 0) < 8 * (0.8 * N_PEOPLE) ** 2


def test_kinship_reads_a_few_thousand_snps_and_compares_in_blocks(many):
    """Blocks are of 500 people by everybody, however many variants there are."""
    found = find_relatives(many.genotypes, threshold=0.177, max_snps=600)
    assert found.estimated
    peak = traced_peak(lambda: find_relatives(many.genotypes, threshold=0.177, max_snps=600))
    assert peak < 0.8 * FLOAT32_MATRIX
