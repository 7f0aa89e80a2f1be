"""Turn public tables of yeast transcription into stranded bigWig files, and check what they say.

    python scripts/yeast_tracks.py --json benchmarks/results/yeast_tracks.json

Two assays of strain S288C, each in two conditions:

- STRIPE-seq (Policastro et al. 2020, doi:10.1101/gr.261545.120), the first bases of capped RNA,
  three replicates in YPD and three under diamide: `tss_ypd`, `tss_diamide`, a count a base.
- TIF-seq (Pelechano et al. 2013, doi:10.1038/nature12121), both ends of RNA molecules, in glucose
  and in galactose: `tif_ypd`, `tif_gal`, the number of molecules that lie on a base.

Every column of counts is scaled to the mean total of all columns of its table, and a condition is
the sum of its columns. So no replicate counts more for having been sequenced deeper, the two
conditions of an assay have the same total, and values stay near counts. What changes in all
genes at once is lost by that; neither assay has spikes to measure it.

The checks are made on the files that were written. The results name what they mean.
"""

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import render_docs
from jaxtyping import Bool, Float32, Float64, Int64

from cisgram.core.artifact import write_json
from cisgram.genome.alphabet import encode
from cisgram.genome.bigwig import BigWig, write_bigwig
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.genes import read_features, read_genes
from cisgram.genome.reference import Reference, open_reference

DATA = Path(__file__).parents[2] / "shared" / "data" / "yeast"
OUT = Path(".cache") / "yeast-tracks"
TSS_TABLE = "tracks/stripeseq_TSS_S288C_WT_diamide_perbase.tsv.gz"
TIF_TABLE = "tss/pelechano2013_mTIF_ypd_gal.tsv.gz"
FASTA = "genome/sacCer3.fa.gz"
ANNOTATION = "genome/Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz"

CONDITIONS = {
    "tss_ypd": ("S288C_WT_1", "S288C_WT_2", "S288C_WT_3"),
    "tss_diamide": ("S288C_D_1", "S288C_D_2", "S288C_D_3"),
    "tif_ypd": ("ypd",),
    "tif_gal": ("gal",),
}
"""The columns of each track; its name begins with the assay's."""
STRANDS = {"+": "plus", "-": "minus"}
OPPOSITE = {"+": "-", "-": "+"}
ROMAN = (
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII",
    "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI",
)  # fmt: skip
UPSTREAM, DOWNSTREAM = 250, 50
"""Bases of a promoter before the start codon and from it on."""
KNOWN = ("GAL1", "GAL10", "GAL7", "TRX2", "GRE2", "OYE3", "FLR1", "ACT1")
"""Genes that galactose switches on, genes that diamide does, and one that neither does."""

Signal = dict[str, dict[str, Float32[np.ndarray, "_"]]]
"""By strand and contig, a value for each base."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Rows of one assay."""

    spans: pl.DataFrame
    """chrom (as in the genome), strand, start and end (0-based, half-open), and counts."""
    columns: tuple[str, ...]
    """Which columns are counts."""

    @property
    def scales(self) -> dict[str, float]:
        """Return for each column of counts what it is multiplied with."""
        totals = {name: int(self.spans[name].sum()) for name in self.columns}
        mean = sum(totals.values()) / len(totals)
        return {name: mean / total for name, total in totals.items()}


def read_starts(path: Path, names: ChromosomeNames) -> Counts:
    """Read the table of STRIPE-seq: 1-based positions on chromosomes I to XVI and Mito."""
    table = pl.read_csv(path, separator="\t")
    columns = tuple(name for name in table.columns if name not in ("chr", "pos", "strand"))
    end = pl.col("pos")
    chrom = spelt(table["chr"], names)
    spans = table.select("strand", *columns, chrom=chrom, start=end - 1, end=end)
    return Counts(spans=spans, columns=columns)


def read_isoforms(path: Path, names: ChromosomeNames) -> Counts:
    """Read the table of TIF-seq: 1-based first and last bases, chromosomes 1 to 16."""
    table = pl.read_csv(path, separator="\t")
    columns = tuple(name for name in table.columns if name not in ("chr", "strand", "t5", "t3"))
    roman = table["chr"].replace_strict(dict(enumerate(ROMAN, 1)), return_dtype=pl.String)
    spans = table.select(
        "strand",
        *columns,
        chrom=spelt(roman, names),
        start=pl.min_horizontal("t5", "t3") - 1,
        end=pl.max_horizontal("t5", "t3"),
    )
    return Counts(spans=spans, columns=columns)


def spelt(chroms: pl.Series, names: ChromosomeNames) -> pl.Series:
    """Return names of chromosomes as the genome spells them."""
    own = {name: names.require(name, "the genome") for name in chroms.unique()}
    return chroms.replace_strict(own, return_dtype=pl.String)


def pile(spans: pl.DataFrame, column: str, length: int) -> Int64[np.ndarray, "length"]:
    """Return how many of a column's counts lie on each base of one strand of one contig."""
    counts = spans[column].to_numpy()
    edges = np.zeros(length + 1, dtype=np.int64)
    np.add.at(edges, spans["start"].to_numpy(), counts)
    np.subtract.at(edges, spans["end"].to_numpy(), counts)
    return np.cumsum(edges[:-1])


def signal_of(counts: Counts, columns: tuple[str, ...], contigs: Mapping[str, int]) -> Signal:
    """Return the sum of some columns, each scaled."""
    scales = counts.scales
    parts = counts.spans.partition_by("strand", "chrom", as_dict=True)
    nothing = counts.spans.clear()

    def values(strand: str, chrom: str) -> Float32[np.ndarray, "length"]:
        spans = parts.get((strand, chrom), nothing)
        piles = (scales[name] * pile(spans, name, contigs[chrom]) for name in columns)
        return sum(piles, np.zeros(contigs[chrom])).astype(np.float32)

    return {strand: {chrom: values(strand, chrom) for chrom in contigs} for strand in STRANDS}


def write_signal(out: Path, track: str, signal: Signal) -> None:
    """Write the two files of a track."""
    for strand, values in signal.items():
        contigs = {chrom: column.size for chrom, column in values.items()}
        write_bigwig(out / f"{track}.{STRANDS[strand]}.bw", values, contigs=contigs)


def read_signal(out: Path, track: str) -> Signal:
    """Read the files of a track back."""
    signal: Signal = {}
    for strand, word in STRANDS.items():
        with BigWig(out / f"{track}.{word}.bw") as bigwig:
            signal[strand] = {chrom: bigwig.contig(chrom) for chrom in bigwig.contigs}
    return signal


def coding_genes(path: Path, names: ChromosomeNames) -> pl.DataFrame:
    """Return gene, name, chrom, strand, and start and end from first to last codon."""
    coding = (
        read_features(path)
        .filter(pl.col("feature") == "CDS")
        .group_by(gene=pl.col("id").str.strip_prefix("CDS:"))
        .agg(pl.col("start").min(), pl.col("end").max())
    )
    genes = read_genes(path).genes.filter(pl.col("biotype") == "protein_coding")
    chrom = spelt(genes["chrom"], names)
    return genes.select("gene", "name", "strand", chrom=chrom).join(
        coding, on="gene", maintain_order="left"
    )


def promoters(genes: pl.DataFrame) -> pl.DataFrame:
    """Return the stretches around start codons in place of the genes'."""
    start, end, forward = pl.col("start"), pl.col("end"), pl.col("strand") == "+"
    first = pl.when(forward).then(start - UPSTREAM).otherwise(end - DOWNSTREAM)
    last = pl.when(forward).then(start + DOWNSTREAM).otherwise(end + UPSTREAM)
    return genes.with_columns(start=first.clip(lower_bound=0), end=last)


def masks_of(
    spans: pl.DataFrame, contigs: Mapping[str, int]
) -> dict[str, dict[str, Bool[np.ndarray, "_"]]]:
    """Return by strand and contig which bases lie in a stretch."""
    masks = {
        strand: {chrom: np.zeros(length, dtype=bool) for chrom, length in contigs.items()}
        for strand in STRANDS
    }
    for chrom, strand, start, end in spans.select("chrom", "strand", "start", "end").iter_rows():
        masks[strand][chrom][start:end] = True
    return masks


def strand_shares(
    signal: Signal, spans: pl.DataFrame, contigs: Mapping[str, int]
) -> dict[str, float]:
    """Return the shares of a signal that lie in stretches, on their strand and on the other.

    Where stretches of both strands overlap, the signal is on some stretch's own strand, and counts
    as that only. `expected` is the share on their strand of a signal that is the same everywhere.
    """
    masks = masks_of(spans, contigs)
    total = own = other = n_bases = 0.0
    for strand, opposite in OPPOSITE.items():
        for chrom, values in signal[strand].items():
            here, there = masks[strand][chrom], masks[opposite][chrom]
            total += values.sum(dtype=np.float64)
            own += values[here].sum(dtype=np.float64)
            other += values[there & ~here].sum(dtype=np.float64)
            n_bases += int(here.sum())
    expected = n_bases / (2 * sum(contigs.values()))
    return {"own": own / total, "other": other / total, "expected": expected}


def sums_of(signal: Signal, spans: pl.DataFrame) -> Float64[np.ndarray, "spans 2"]:
    """Return the signal on each stretch, on its strand and on the other."""
    places = spans.select("chrom", "strand", "start", "end").iter_rows()
    return np.array(
        [
            [
                signal[on][chrom][start:end].sum(dtype=np.float64)
                for on in (strand, OPPOSITE[strand])
            ]
            for chrom, strand, start, end in places
        ]
    )


def are_alone(spans: pl.DataFrame, contigs: Mapping[str, int]) -> Bool[np.ndarray, "spans"]:
    """Say which stretches no stretch of the other strand overlaps."""
    masks = masks_of(spans, contigs)
    places = spans.select("chrom", "strand", "start", "end").iter_rows()
    return np.array(
        [
            not masks[OPPOSITE[strand]][chrom][start:end].any()
            for chrom, strand, start, end in places
        ]
    )


def letter_share(signal: Signal, reference: Reference, *, offset: int, letters: str) -> float:
    """Return the share of a signal with one of some letters `offset` bases further along.

    Both are read on the signal's own strand. The ends of contigs count as neighbours.
    """
    complement = str.maketrans("ACGT", "TGCA")
    total = found = 0.0
    for strand, contigs in signal.items():
        wanted = encode(letters if strand == "+" else letters.translate(complement))
        step = offset if strand == "+" else -offset
        for chrom, values in contigs.items():
            is_wanted = np.isin(np.roll(reference.contig(chrom), -step), wanted)
            total += values.sum(dtype=np.float64)
            found += values[is_wanted].sum(dtype=np.float64)
    return found / total


def ends_of(counts: Counts, *, last: bool) -> Counts:
    """Return the first or the last base of each molecule in place of all."""
    from_start = (pl.col("strand") == "-") if last else (pl.col("strand") == "+")
    start = pl.when(from_start).then("start").otherwise(pl.col("end") - 1)
    spans = counts.spans.with_columns(start=start).with_columns(end=pl.col("start") + 1)
    return Counts(spans=spans, columns=counts.columns)


def check_positions(tables: Mapping[str, Counts], reference: Reference) -> dict[str, float]:
    """Return what shows that positions count from 1 and both ends are inside.

    Transcription begins at a purine after a pyrimidine. The last base of a molecule that is not of
    its tail cannot be told from the tail when it is an A, so it is none, and what follows often is.
    """
    first = {
        name: signal_of(ends_of(counts, last=False), counts.columns, reference.contigs)
        for name, counts in tables.items()
    }
    last = signal_of(ends_of(tables["tif"], last=True), tables["tif"].columns, reference.contigs)
    facts: dict[str, float] = {}
    for name, signal in first.items():
        facts[f"{name}_purine"] = letter_share(signal, reference, offset=0, letters="AG")
        facts[f"{name}_pyrimidine_before"] = letter_share(
            signal, reference, offset=-1, letters="CT"
        )
    facts["tif_last_a"] = letter_share(last, reference, offset=0, letters="A")
    facts["tif_a_after_last"] = letter_share(last, reference, offset=1, letters="A")
    return facts


def check_track(
    signal: Signal, genes: pl.DataFrame, *, contigs: Mapping[str, int]
) -> dict[str, Any]:
    """Return totals of a track and how it lies about genes."""
    around = promoters(genes)
    bodies = sums_of(signal, genes)
    judged = are_alone(genes, contigs) & (bodies.sum(axis=1) > 0)
    known = genes.with_columns(
        promoter=sums_of(signal, around)[:, 0],
        body=bodies[:, 0] / (genes["end"] - genes["start"]).to_numpy(),
    ).filter(pl.col("name").is_in(KNOWN))
    return {
        "total": {
            word: sum(float(values.sum(dtype=np.float64)) for values in signal[strand].values())
            for strand, word in STRANDS.items()
        },
        "n_bases": sum(int((v > 0).sum()) for part in signal.values() for v in part.values()),
        "promoters": strand_shares(signal, around, contigs),
        "bodies": strand_shares(signal, genes, contigs),
        "n_alone": int(judged.sum()),
        "own_higher": float((bodies[judged, 0] > bodies[judged, 1]).mean()),
        "genes": {
            row["name"]: {place: row[place] for place in ("promoter", "body")}
            for row in known.iter_rows(named=True)
        },
    }


def changes(tracks: Mapping[str, Any], gene: str) -> dict[str, float]:
    """Return a gene's signal in each track, and log2 of the ratio of a condition to YPD.

    Signal is that of the gene (TIF-seq) or of its promoter (STRIPE-seq). One is added to both sides
    of a ratio.
    """
    places = {
        "tif_ypd": "body",
        "tif_gal": "body",
        "tss_ypd": "promoter",
        "tss_diamide": "promoter",
    }
    found = {track: tracks[track]["genes"][gene][place] for track, place in places.items()}
    return found | {
        "galactose": math.log2((found["tif_gal"] + 1) / (found["tif_ypd"] + 1)),
        "diamide": math.log2((found["tss_diamide"] + 1) / (found["tss_ypd"] + 1)),
    }


def build(data: Path, out: Path, reference: Reference) -> dict[str, Any]:
    """Write all tracks and return what was checked."""
    contigs = reference.contigs
    tables = {
        "tss": read_starts(data / TSS_TABLE, reference.names),
        "tif": read_isoforms(data / TIF_TABLE, reference.names),
    }
    genes = coding_genes(data / ANNOTATION, reference.names)
    tracks: dict[str, Any] = {}
    for track, columns in CONDITIONS.items():
        counts = tables[track.partition("_")[0]]
        write_signal(out, track, signal_of(counts, columns, contigs))
        tracks[track] = check_track(read_signal(out, track), genes, contigs=contigs)
        print(f"{track}: {sum(tracks[track]['total'].values()):,.0f} in all")
    return {
        "columns": {
            name: {"total": int(counts.spans[name].sum()), "scale": scale}
            for counts in tables.values()
            for name, scale in counts.scales.items()
        },
        "positions": check_positions(tables, reference),
        "tracks": tracks,
        "changes": {name: changes(tracks, name) for name in KNOWN},
        "n_genes": genes.height,
    }


def main() -> None:
    """Write the files, print the checks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="where the tables are")
    parser.add_argument("--out", type=Path, default=OUT, help="where the bigWig files go")
    parser.add_argument("--json", type=Path, help="where to write the checks as data")
    options = parser.parse_args()
    result = build(options.data, options.out, open_reference(options.data / FASTA))
    for name, region in render_docs.declared()[0].items():
        if name.startswith("yeast_tracks."):
            print(f"\n{region.render(result)}")
    if options.json:
        write_json(options.json, result)
    print(f"\nThe files are in {options.out}.")


if __name__ == "__main__":
    main()
