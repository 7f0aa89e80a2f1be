"""What a cohort holds, in numbers."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cisgram.core.checks import few
from cisgram.genome.genotypes import allele_frequency
from cisgram.personal.cohort import Cohort

MAF_EDGES = (0.0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
_MOST_VARIANTS = 20_000
_CALLS_PER_BLOCK = 1 << 23


@dataclass(frozen=True)
class MafBin:
    """Variants with a minor allele frequency above `low` and up to `high`."""

    low: float
    high: float
    n_variants: int


@dataclass(frozen=True, kw_only=True)
class CohortSummary:
    """What `cisgram cohort show` prints."""

    path: Path
    n_people: int
    n_genes: int
    n_variants: int
    n_covariates: int
    chromosomes: dict[str, int]
    populations: dict[str, int]
    """People in each population, under an empty name where unknown."""
    phased: bool
    n_variants_examined: int
    """Variants, evenly spread, that the next three numbers come from."""
    n_monomorphic: int
    maf: tuple[MafBin, ...]
    missing_call_rate: float
    missing_expression_rate: float
    n_families: int
    """Groups of related people, two or more in each."""
    account: dict[str, Any]
    """People, genes, genotypes, covariates and relatives: kept, dropped and why."""
    sources: dict[str, Any]
    """Path, size and SHA-256 of every file of the import."""

    def lines(self) -> list[tuple[str, str]]:
        """Return the same for people to read, as names and sentences."""
        people, genes = self.account["people"], self.account["genes"]
        known = {name: n for name, n in self.populations.items() if name}
        n_unknown = sum(self.populations.values()) - sum(known.values())
        unknown = {"unknown": n_unknown} if n_unknown else {}
        constant = len(self.account["covariates"]["constant"])
        names = self.account["covariates"]["names"]
        covariates = f"{self.n_covariates}: {few(names)}" if names else f"{self.n_covariates}"
        lost = {
            "genotyped only": people["n_genotyped_only"],
            "expression only": people["n_expressed_only"],
            "lacking covariates": people["n_without_covariates"],
        }
        return [
            ("cohort", str(self.path)),
            ("people", f"{self.n_people:,}{_left_out(lost)}"),
            ("populations", _counts(known | unknown) if known else "unknown"),
            ("relatives", self._relatives()),
            ("genes", f"{self.n_genes:,}{_left_out(genes['dropped'])}"),
            ("  near a variant", f"{genes['n_with_variants']:,} within 1,000,000 bases"),
            *([("  values", "transcripts per million")] if genes.get("tpm") else []),
            ("  missing values", f"{self.missing_expression_rate:.2%}"),
            ("variants", f"{self.n_variants:,}, {'phased' if self.phased else 'not all phased'}"),
            ("  chromosomes", _counts(self.chromosomes)),
            ("  import", _counts(_flat(self.account["genotypes"]))),
            ("  missing calls", f"{self.missing_call_rate:.2%}"),
            ("  MAF", self._maf()),
            ("covariates", covariates + _left_out({"the same in everybody": constant})),
            *((f"  {what}", f"{facts['path']}") for what, facts in self.sources.items()),
        ]

    def _relatives(self) -> str:
        relatives = self.account["relatives"]
        if not relatives["estimated"]:
            return f"not looked for ({relatives['n_snps']} suitable SNPs)"
        found = f"{len(relatives['pairs']):,} pairs in {self.n_families:,} families, kept together"
        basis = f"kinship from {relatives['n_snps']:,} SNPs"
        return f"{found if relatives['pairs'] else 'none found'} ({basis})"

    def _maf(self) -> str:
        n = self.n_variants_examined
        shares = [f"0 {self.n_monomorphic / n:.0%}"] if self.n_monomorphic else []
        shares += [f"{b.low:g}-{b.high:g} {b.n_variants / n:.0%}" for b in self.maf if b.n_variants]
        return ", ".join(shares) + f" of {n:,} examined"


def describe(cohort: Cohort) -> CohortSummary:
    """Count what a cohort holds, looking at no more than 20,000 variants."""
    frequency, missing = _frequencies(cohort)
    maf = np.minimum(frequency, 1 - frequency)
    counts = np.histogram(-maf[maf > 0], bins=-np.array(MAF_EDGES[::-1]))[0][::-1].tolist()
    chromosomes = cohort.genotypes.variants.group_by("chrom", maintain_order=True).len()
    metadata = cohort.manifest.metadata
    return CohortSummary(
        path=cohort.path,
        n_people=len(cohort.people),
        n_genes=cohort.genes.height,
        n_variants=cohort.genotypes.variants.height,
        n_covariates=len(cohort.covariate_names),
        chromosomes=dict(chromosomes.iter_rows()),
        populations=dict(sorted(Counter(cohort.populations).items())),
        phased=cohort.genotypes.phased,
        n_variants_examined=frequency.size,
        n_monomorphic=int((maf == 0).sum()),
        maf=tuple(map(MafBin, MAF_EDGES[:-1], MAF_EDGES[1:], counts)),
        missing_call_rate=missing,
        missing_expression_rate=float(np.mean([np.isnan(row).mean() for row in cohort.expression])),
        n_families=int((np.bincount(cohort.families) > 1).sum()),
        account=metadata["account"],
        sources=metadata["sources"],
    )


def _frequencies(cohort: Cohort) -> tuple[np.ndarray, float]:
    """Return alternate allele frequencies of a sample of variants, and their missing rate."""
    n_variants, n_people = cohort.genotypes.variants.height, len(cohort.people)
    n = min(n_variants, _MOST_VARIANTS)
    rows = np.linspace(0, n_variants - 1, n).astype(np.int64)
    step = max(1, _CALLS_PER_BLOCK // n_people)
    frequencies: list[np.ndarray] = []
    n_missing = 0
    for start in range(0, n, step):
        dosages = cohort.genotypes.dosages(rows[start : start + step])
        frequencies.append(allele_frequency(dosages))
        n_missing += int(np.isnan(dosages).sum())
    return np.concatenate(frequencies), n_missing / (n * n_people)


def _left_out(reasons: dict[str, int]) -> str:
    told = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items() if n)
    return f" (left out: {told})" if told else ""


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _flat(counts: dict[str, int]) -> dict[str, int]:
    """Name the counts of a genotype import in words, those that are not zero."""
    return {name.removeprefix("n_").replace("_", " "): n for name, n in counts.items() if n}
