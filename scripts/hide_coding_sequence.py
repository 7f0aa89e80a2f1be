"""Write a genome in which the coding sequence of every gene is N.

    python scripts/hide_coding_sequence.py --fasta ../shared/data/yeast/genome/sacCer3.fa.gz \
        --annotation ../shared/data/yeast/genome/Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz \
        --out .cache/yeast-tracks/sacCer3.no-cds.fa

A model that learns from it says how much of expression follows from the DNA between coding
sequences: recipes/yeast-promoters.toml.
"""

import argparse
from pathlib import Path

import polars as pl

from cisgram.core.artifact import atomic_file
from cisgram.genome.alphabet import N, decode
from cisgram.genome.genes import read_features
from cisgram.genome.reference import open_reference

LINE = 80


def main() -> None:
    """Read the files, hide, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fasta", type=Path, required=True)
    parser.add_argument("--annotation", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    reference = open_reference(options.fasta)
    coding = read_features(options.annotation).filter(pl.col("feature") == "CDS")
    tokens = {name: reference.contig(name).copy() for name in reference.contigs}
    for chrom, start, end in coding.select("chrom", "start", "end").iter_rows():
        name = reference.names.resolve(chrom)
        if name is not None:
            tokens[name][start:end] = N
    with atomic_file(options.out) as building, building.open("w") as stream:
        for name, contig in tokens.items():
            text = decode(contig)
            lines = (text[at : at + LINE] for at in range(0, len(text), LINE))
            stream.write(f">{name}\n" + "\n".join(lines) + "\n")
    hidden = sum(int((contig == N).sum()) for contig in tokens.values())
    total = sum(contig.size for contig in tokens.values())
    print(f"{hidden:,} of {total:,} bases are N in {options.out}.")


if __name__ == "__main__":
    main()
