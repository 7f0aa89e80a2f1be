"""Nothing may hold all people times all variants in memory."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cisgram.core.checks import DataError
from cisgram.data.splits import find_relatives
from cisgram.personal.cohort import Cohort, import_cohort
from cisgram.personal.cohort_options import ImportOptions
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.gene_fit import GeneFitter
from cisgram.personal.linear import train_gene

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


def write_vcf(
    path: Path, n_variants: int, *, n_people: int = N_PEOPLE, apart: int = APART, rare: bool = False
) -> Path:
    """Write random calls, a variant at a time; rare ones of any frequency to 5%, with gaps."""
    rng = np.random.default_rng(1)
    calls = np.frombuffer(b"\t0|0\t0|1\t1|0\t1|1\t.|.", dtype="<u4")
    people = [f"p{i}" for i in range(n_people)]
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people]
    with path.open("wb") as vcf:
        vcf.write((HEADER + "\t".join(columns) + "\n").encode())
        for variant in range(n_variants):
            share = rng.uniform(0, 0.05) if rare else 0.5
            first, second = rng.random((2, n_people)) < share
            drawn = np.where(rare & (rng.random(n_people) < 0.09), 4, 2 * first + second)
            row = f"1\t{1 + variant * apart}\tv{variant}\tA\tG\t.\tPASS\t.\tGT"
            vcf.write(row.encode() + calls[drawn].tobytes() + b"\n")
    return path


def write_expression(path: Path, n_people: int = N_PEOPLE, missing: float = 0.0) -> Path:
    """Write random values of every gene."""
    rng = np.random.default_rng(2)
    lines = ["\t".join(["#chr", "start", "end", "gene", *(f"p{i}" for i in range(n_people))])]
    for tss in GENES:
        values = rng.standard_normal(n_people)
        values[rng.random(n_people) < missing] = np.nan
        row = "\t".join("NA" if np.isnan(value) else f"{value:.3f}" for value in values)
        lines.append(f"1\t{tss - 1}\t{tss}\tgene{tss}\t{row}")
    path.write_text("\n".join(lines) + "\n")
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
    return import_cohort(
        write_vcf(place / "calls.vcf", N_VARIANTS),
        write_expression(place / "expression.bed"),
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


@pytest.fixture(scope="module")
def rare(tmp_path_factory) -> Cohort:
    """200 people, 2,000 variants of which half are rare, one call in eleven missing."""
    place = tmp_path_factory.mktemp("rare")
    return import_cohort(
        write_vcf(place / "calls.vcf", 2_000, n_people=200, rare=True),
        write_expression(place / "expression.bed", 200, missing=0.2),
        out=place / "cohort",
        options=ImportOptions(relatives=False),
    )


@pytest.mark.parametrize(("min_maf", "max_missing"), [(0.0, 1.0), (0.01, 0.1), (0.03, 0.08)])
def test_variants_left_out_unread_could_not_have_been_used(rare, min_maf, max_missing):
    """A ridge weighs every SNP that passes: they are those of a fit that sees the whole window."""
    config = FitConfig(model="ridge", min_maf=min_maf, max_missing=max_missing)
    fitter = GeneFitter(rare.path, config)
    window = rare.cis_rows(0, config.window)
    split = fitter.splits[-1]
    everything = train_gene(
        "ridge",
        rare.genotypes.dosages(window),
        split.target.target(np.asarray(rare.expression[0])),
        train=split.train,
        folds=split.folds,
        prior=fitter._prior(rare, 0, np.arange(window.start, window.stop)),
        min_maf=min_maf,
        max_missing=max_missing,
    )
    assert everything is not None
    found = fitter(0)
    assert 0 < found.row["n_snps_window"] == everything.n_window < window.stop - window.start
    np.testing.assert_array_equal(found.arrays["snps"], window.start + everything.used)
    np.testing.assert_allclose(found.arrays["weights"], everything.coefficients, rtol=1e-6)


def test_what_is_rare_in_everybody_is_not_held(rare, monkeypatch):
    monkeypatch.setattr("cisgram.personal.gene_fit._READ_CALLS", 20_000)
    peaks = {}
    for min_maf in (0.0, 0.045):
        fitter = GeneFitter(rare.path, FitConfig(model="top-snp", min_maf=min_maf))
        fitter(0)
        peaks[min_maf] = traced_peak(fitter, 0)
    assert peaks[0.045] < 0.7 * peaks[0.0]


def test_strangers_linked_into_one_family_are_refused(tmp_path):
    """600 SNPs are too few to tell kinship 0.04 from none; folds of one family are no folds."""
    vcf = write_vcf(tmp_path / "calls.vcf", 600, n_people=60, apart=10_000)
    expression = write_expression(tmp_path / "expression.bed", 60)
    options = ImportOptions(kinship_threshold=0.04)
    with pytest.raises(DataError, match=r"600 SNPs makes one family of \d+ of 60 people"):
        import_cohort(vcf, expression, out=tmp_path / "cohort", options=options)
    assert not (tmp_path / "cohort").exists()


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
