"""A toy genome: two chromosomes of 20 kb, two genes on each, six people."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class ToyVariant:
    """A row of the toy VCF, its calls as "0|1"; `start` is 0-based."""

    chrom: str
    start: int
    ref: str
    alt: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class ToyGenome:
    """Two chromosomes of 20 kb, two genes on each, six people with phased SNVs and indels."""

    fasta: Path
    gtf: Path
    vcf: Path
    sequences: dict[str, str]
    people: tuple[str, ...]
    variants: tuple[ToyVariant, ...]

    def haplotype(self, chrom: str, person: int, which: int) -> str:
        """Return a chromosome of one person, edited from its end so that starts stay valid."""
        sequence = self.sequences[chrom]
        for variant in reversed(self.variants):
            if variant.chrom == chrom and variant.calls[person][2 * which] == "1":
                end = variant.start + len(variant.ref)
                sequence = sequence[: variant.start] + variant.alt + sequence[end:]
        return sequence


def write_toy_genome(place: Path, bgzip: Callable[[bytes], bytes]) -> ToyGenome:
    """Write the files of the toy genome, the same ones each time."""
    rng = np.random.default_rng(7)
    people = tuple(f"person{i}" for i in range(1, 7))
    sequences = {name: "".join(rng.choice(list("ACGT"), size=20_000)) for name in ("chr1", "chr2")}
    variants = tuple(
        _toy_variant(rng, chrom, sequence, start=start, n_people=len(people))
        for chrom, sequence in sequences.items()
        for start in range(150, 19_800, 150)
    )
    files = {"fasta": place / "toy.fa", "gtf": place / "toy.gtf", "vcf": place / "toy.vcf.gz"}
    files["fasta"].write_text("".join(f">{name}\n{_wrapped(s)}" for name, s in sequences.items()))
    files["gtf"].write_text(_toy_gtf(sequences))
    files["vcf"].write_bytes(bgzip(_toy_vcf(sequences, people, variants).encode()))
    return ToyGenome(**files, sequences=sequences, people=people, variants=variants)


def _toy_variant(
    rng: np.random.Generator, chrom: str, sequence: str, *, start: int, n_people: int
) -> ToyVariant:
    """Draw a SNV (two of three), an insertion or a deletion of up to 20 bases."""
    kind = rng.integers(6)
    ref, alt = sequence[start], sequence[start]
    if kind < 4:
        alt = str(rng.choice([base for base in "ACGT" if base != ref]))
    elif kind == 4:
        alt = ref + "".join(rng.choice(list("ACGT"), size=rng.integers(1, 21)))
    else:
        ref = sequence[start : start + rng.integers(2, 22)]
    frequency = rng.uniform(0.1, 0.6)
    alleles = (rng.random((n_people, 2)) < frequency).astype(int)
    return ToyVariant(chrom, start, ref, alt, tuple(f"{a}|{b}" for a, b in alleles))


def _toy_vcf(
    sequences: dict[str, str], people: tuple[str, ...], variants: tuple[ToyVariant, ...]
) -> str:
    lines = [
        "##fileformat=VCFv4.2",
        *(f"##contig=<ID={name},length={len(s)}>" for name, s in sequences.items()),
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        "\t".join(
            ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people]
        ),
    ]
    for i, v in enumerate(variants):
        fields = [v.chrom, str(v.start + 1), f"v{i}", v.ref, v.alt, ".", "PASS", ".", "GT"]
        lines.append("\t".join([*fields, *v.calls]))
    return "\n".join(lines) + "\n"


def _toy_gtf(sequences: dict[str, str]) -> str:
    """Write a gene of two exons on each strand of each chromosome."""
    rows: list[str] = []
    for chrom in sequences:
        for start, end, strand in ((4_000, 7_000, "+"), (12_000, 16_000, "-")):
            gene = f"{chrom}_{'plus' if strand == '+' else 'minus'}"
            ids = f'gene_id "{gene}"; gene_name "{gene}"; gene_type "protein_coding";'
            spans = {
                "gene": [(start, end)],
                "transcript": [(start, end)],
                "exon": [(start, start + 500), (end - 800, end)],
            }
            for feature, intervals in spans.items():
                extra = "" if feature == "gene" else f' transcript_id "{gene}.1";'
                for low, high in intervals:
                    rows.append(
                        f"{chrom}\ttoy\t{feature}\t{low + 1}\t{high}\t.\t{strand}\t.\t{ids}{extra}"
                    )
    return "\n".join(rows) + "\n"


def _wrapped(sequence: str, width: int = 60) -> str:
    return "".join(sequence[i : i + width] + "\n" for i in range(0, len(sequence), width))
