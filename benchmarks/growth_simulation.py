"""Simulated people for `growth.py`: coalescent genotypes, expression with causal cis SNPs."""

import gzip
from pathlib import Path
from typing import Any

import msprime
import numpy as np
import tskit

EFFECTIVE_SIZE, RECOMBINATION, MUTATION = 10_000, 1.25e-8, 1.25e-8
LENGTH, WINDOW, N_GENES, N_CAUSAL = 5_000_000, 1_000_000, 10, 3
HERITABILITY = (0.1, 0.2, 0.3)
KINSHIP_SNPS, APART = 5_000, 10_000
EXPRESSION_GENES = 500
_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT")
_CALLS = np.frombuffer(b"\t0|0\t0|1\t1|0\t1|1", dtype="<u4")


def simulate(place: Path, n_people: int, length: int, seed: int) -> dict[str, Any]:
    """Write the trees of everybody and the expression of every gene."""
    ancestry = msprime.sim_ancestry(
        n_people,
        population_size=EFFECTIVE_SIZE,
        recombination_rate=RECOMBINATION,
        sequence_length=length,
        random_seed=seed,
    )
    trees = msprime.sim_mutations(
        ancestry, rate=MUTATION, model=msprime.BinaryMutationModel(), random_seed=seed
    )
    trees.dump(place / "everybody.trees")
    counts = np.array([variant.genotypes.sum() for variant in trees.variants()])
    frequency = counts / trees.num_samples
    positions = trees.sites_position
    rng = np.random.default_rng(seed)
    margin = min(WINDOW, length // 4)
    tss = np.linspace(margin, length - margin, N_GENES).astype(int)
    variant = tskit.Variant(trees)
    expression = np.empty((N_GENES, n_people))
    for gene in range(N_GENES):
        near = np.abs(positions - tss[gene]) < WINDOW / 4
        common = np.flatnonzero(near & (np.minimum(frequency, 1 - frequency) > 0.05))
        genetic = np.zeros(n_people)
        for site in rng.choice(common, N_CAUSAL, replace=False):
            variant.decode(int(site))
            dosage = variant.genotypes.reshape(n_people, 2).sum(axis=1)
            genetic += rng.standard_normal() * (dosage - dosage.mean()) / dosage.std()
        share = HERITABILITY[gene % len(HERITABILITY)]
        expression[gene] = np.sqrt(share) * genetic / genetic.std()
        expression[gene] += np.sqrt(1 - share) * rng.standard_normal(n_people)
    np.savez(place / "expression.npz", tss=tss, values=expression)
    return {"n_sites": trees.num_sites, "n_trees": trees.num_trees}


def write_sources(place: Path, n_people: int) -> dict[str, Any]:
    """Write VCF and BED of the first people, a variant at a time."""
    everybody = tskit.load(place / "everybody.trees")
    trees = everybody.simplify(range(2 * n_people))
    people = [f"p{i}" for i in range(n_people)]
    n_variants = 0
    with gzip.open(place / "calls.vcf.gz", "wb", compresslevel=1) as vcf:
        vcf.write(vcf_header(people))
        for variant in trees.variants():
            genotypes = variant.genotypes
            if not 0 < genotypes.sum() < 2 * n_people:
                continue
            n_variants += 1
            position = int(variant.site.position) + 1
            vcf.write(vcf_line(position, genotypes.reshape(n_people, 2)))
    table = np.load(place / "expression.npz")
    with (place / "expression.bed").open("w") as bed:
        bed.write("\t".join(["#chr", "start", "end", "gene", *people]) + "\n")
        for gene, (tss, row) in enumerate(zip(table["tss"], table["values"], strict=True)):
            values = "\t".join(f"{value:.4f}" for value in row[:n_people])
            bed.write(f"1\t{tss - 1}\t{tss}\tgene{gene}\t{values}\n")
    size = (place / "calls.vcf.gz").stat().st_size
    return {"n_variants": n_variants, "vcf_gz_bytes": size}


def write_unlinked(place: Path, n_people: int, seed: int) -> dict[str, Any]:
    """Write a VCF of common SNPs far apart, what kinship is estimated from."""
    rng = np.random.default_rng(seed)
    with gzip.open(place / "unlinked.vcf.gz", "wb", compresslevel=1) as vcf:
        vcf.write(vcf_header([f"p{i}" for i in range(n_people)]))
        for snp in range(KINSHIP_SNPS):
            alleles = rng.random((n_people, 2)) < rng.uniform(0.1, 0.9)
            vcf.write(vcf_line(1 + snp * APART, alleles.astype(np.int8)))
    return {}


def write_expression(place: Path, n_people: int) -> dict[str, Any]:
    """Write a BED of random values: many genes, to see what a table of them weighs."""
    rng = np.random.default_rng(n_people)
    with (place / "table.bed").open("w") as bed:
        people = (f"p{i}" for i in range(n_people))
        bed.write("\t".join(["#chr", "start", "end", "gene", *people]) + "\n")
        for gene in range(EXPRESSION_GENES):
            values = "\t".join(f"{value:.4f}" for value in rng.standard_normal(n_people))
            bed.write(f"1\t{gene * 1000}\t{gene * 1000 + 1}\tgene{gene}\t{values}\n")
    return {}


def vcf_header(people: list[str]) -> bytes:
    lines = [
        "##fileformat=VCFv4.2",
        "##contig=<ID=1>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        "\t".join([*_COLUMNS, *people]),
    ]
    return ("\n".join(lines) + "\n").encode()


def vcf_line(position: int, alleles: np.ndarray) -> bytes:
    """Spell a SNV; `alleles` (people, 2), 0 or 1."""
    calls = _CALLS[2 * alleles[:, 0] + alleles[:, 1]].tobytes()
    return f"1\t{position}\tv{position}\tA\tG\t.\tPASS\t.\tGT".encode() + calls + b"\n"
