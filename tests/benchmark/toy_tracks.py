"""A small yeast: targets, a model that held out `chr4`, and files of the suite in their shapes."""

import gzip
import re
from pathlib import Path

import numpy as np
import polars as pl

from benchmark.toy_yeast import LENGTHS, write_toy_yeast
from cisgram.benchmark.base import Context, Predictor
from cisgram.benchmark.folds import ANNOTATION
from cisgram.core.config import from_plain
from cisgram.data.outputs import Geometry
from cisgram.data.targets import Targets
from cisgram.data.targets_build import build_targets
from cisgram.data.targets_config import TargetsConfig
from cisgram.genome.alphabet import decode
from cisgram.genome.bigwig import write_bigwig
from cisgram.models.hub import load_model, save_model
from cisgram.prediction.session import Session
from models.tiny import tiny

LENGTH, STEP = 6_000, 1_000
CONTIGS = ("chr1", "chr2", "chr3", "chr4")
GEOMETRY = Geometry(window=1_024, resolution=16, margin=0)
TARGETS = ("segregants", "rnaseq_wt", "Rapamycin_5min", "Rapamycin_9min")
FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
HELD_OUT = {"valid": ["chr3"], "test": ["chr4"]}


class Yeast:
    """Tokens and genes of the toy, drawn once."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)
        self.tokens = {c: self.rng.integers(0, 4, LENGTH, dtype=np.uint8) for c in CONTIGS}
        self.genes = {
            f"{chrom}_{number}": (chrom, start + (600 if number % 2 else 200), "-+"[number % 2])
            for chrom in CONTIGS
            for number, start in enumerate(range(0, LENGTH, STEP))
        }

    def insert(self) -> str:
        return FLANKS[0] + decode(self.rng.integers(0, 4, 80, dtype=np.uint8)) + FLANKS[1]

    def snv(self, chrom: str, start: int) -> tuple[str, str]:
        ref = int(self.tokens[chrom][start])
        return "ACGT"[ref], "ACGT"[(ref + 1) % 4]


def write_targets(directory: Path, yeast: Yeast) -> Targets:
    """Write genome, tracks and genes, and make targets of them."""
    letters = (f">{name}\n{decode(tokens)}\n" for name, tokens in yeast.tokens.items())
    (directory / "toy.fa").write_text("".join(letters))
    annotation = directory.joinpath(*ANNOTATION)
    annotation.parent.mkdir()
    rows = [
        f"{chrom}\ttest\t{feature}\t{start + 1}\t{start + 200}\t.\t{strand}\t.\t{ids}"
        for gene, (chrom, start, strand) in yeast.genes.items()
        for feature, ids in (
            ("gene", f"ID=gene:{gene};biotype=protein_coding"),
            ("mRNA", f"ID=transcript:{gene}_m;Parent=gene:{gene}"),
            ("exon", f"Parent=transcript:{gene}_m"),
        )
    ]
    with gzip.open(annotation, "wt") as stream:
        stream.write("##gff-version 3\n" + "\n".join(rows) + "\n")
    lines = ["\t".join(("gene", *TARGETS))]
    for gene in yeast.genes:
        lines.append("\t".join((gene, *(f"{v:.3f}" for v in yeast.rng.normal(size=4)))))
    (directory / "genes.tsv").write_text("\n".join(lines) + "\n")
    tracks: list[dict[str, object]] = []
    for name in ("tss_ypd", "tss_diamide"):
        files = {strand: str(directory / f"{name}.{strand}.bw") for strand in ("plus", "minus")}
        for file in files.values():
            signal = {c: yeast.rng.poisson(1.0, LENGTH).astype(np.float32) for c in CONTIGS}
            write_bigwig(Path(file), signal, contigs=dict.fromkeys(CONTIGS, LENGTH))
        tracks.append({"name": name, "upstream": 64, **files})
    plain = {
        "fasta": str(directory / "toy.fa"), "annotation": str(annotation), "power": 0.5,
        "genes": str(directory / "genes.tsv"), "tracks": tracks,
        "homology": {"enabled": False}, **HELD_OUT,
    }  # fmt: skip
    config = from_plain(TargetsConfig, plain, "[data]")
    return build_targets(config, directory / "targets", geometry=GEOMETRY)


def write_model(directory: Path, targets: Targets) -> Path:
    """Save a tiny model of the targets."""
    path = directory / "model"
    model = tiny("dilated", targets.outputs, window=GEOMETRY.window, resolution=GEOMETRY.resolution)
    save_model(path, model, card={"held_out": HELD_OUT})
    load_model(path)
    return path


def write_variants(directory: Path, yeast: Yeast) -> None:
    """Write variants of both sets and those between the strains."""
    folder = directory / "variation"
    folder.mkdir()
    own = {gene: place for gene, place in yeast.genes.items() if place[0] == "chr4"}
    effects, leads = list[dict[str, object]](), list[dict[str, object]]()
    for number, (gene, (chrom, start, _)) in enumerate(own.items()):
        for shift in (20, 60, 90, 130):
            at = start + shift
            ref, alt = yeast.snv(chrom, at)
            p = 0.9 if shift > 80 else 0.001
            effects.append({
                "chr": chrom, "pos": at + 1, "ref": ref, "alt": alt, "gene": gene,
                "logFC": float(yeast.rng.normal()), "P.Value": p, "adj.P.Val": p,
            })  # fmt: skip
        if number < 3:
            ref, alt = yeast.snv(chrom, start + 40)
            marker = f"{chrom}:{start + 41}_{ref}/{alt}"
            leads.append({"gene": gene, "pmarker": marker, "r": float(yeast.rng.normal())})
    _gzip(folder / "renganaath2020_MPRA_variant_effects.tsv.gz", pl.DataFrame(effects), "\t")
    _gzip(folder / "albert2018_local_eQTL.tsv.gz", pl.DataFrame(leads), "\t")
    lines = ["##fileformat=VCFv4.2"]
    lines += [f"##contig=<ID={chrom},length={LENGTH}>" for chrom in CONTIGS]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    for chrom in CONTIGS:
        for at in range(10, LENGTH, 30):
            ref, alt = yeast.snv(chrom, at)
            lines.append(f"{chrom}\t{at + 1}\t.\t{ref}\t{alt}\t.\t.\t.")
    with gzip.open(folder / "BY_RM_variants.vcf.gz", "wt") as stream:
        stream.write("\n".join(lines) + "\n")


def write_reporters(directory: Path, yeast: Yeast) -> None:
    """Write reporter libraries, and where transcription starts."""
    folder = directory / "mpra"
    folder.mkdir()
    (directory / "tss").mkdir()
    for name in ("Native", "Random"):
        inserts = [yeast.insert() for _ in range(9)]
        if name == "Native":  # a fragment of the held-out contig
            core = decode(yeast.tokens["chr4"][900:980])
            inserts += [FLANKS[0] + core + FLANKS[1]] * 2
        table = pl.DataFrame({"sequence": inserts}).with_columns(
            pl.Series("Measured Expression", yeast.rng.normal(size=len(inserts)))
        )
        _gzip(folder / f"vaishnav_{name}_complex.csv.gz", table, ",")
    rows = [f"{yeast.insert()}\t{yeast.rng.normal():.3f}" for _ in range(30)]
    with gzip.open(folder / "dream2022_demo_train.txt.gz", "wt") as stream:
        stream.write("\n".join(rows) + "\n")
    designed = {"seq110": [yeast.insert() for _ in range(6)], "designedDir": ["high", "low"] * 3}
    table = pl.DataFrame(designed).with_columns(meanEL=pl.Series(yeast.rng.normal(size=6)))
    _gzip(folder / "vaishnav_GA_complex.csv.gz", table, ",")
    mutants = list[dict[str, object]]()
    for number in range(3):
        base = yeast.insert()
        for place in (3, 40, 70):
            letter = "ACGT"[("ACGT".index(base[17 + place]) + 1) % 4]
            sequence = base[: 17 + place] + letter + base[18 + place :]
            mutants.append({
                "baseSeq": f"rand{number}", "seq110": sequence, "mutDesc": f"{place}{letter}",
                "meanEL.mut": float(yeast.rng.normal()),
                "meanEL.base": 1.0, "proTotal": 200,
            })  # fmt: skip
    _gzip(folder / "vaishnav_Drift_complex.csv.gz", pl.DataFrame(mutants), ",")
    starts = [
        {"gene": gene, "TSSType": "5UTR", "TSS": start - 20 if strand == "+" else start + 220}
        for gene, (_, start, strand) in yeast.genes.items()
    ]
    _gzip(directory / "tss" / "albert_TSS_per_gene.tsv.gz", pl.DataFrame(starts), "\t")


def write_motifs(directory: Path, yeast: Yeast) -> None:
    """Write motifs of the factors that are inserted."""
    (directory / "motifs").mkdir()
    records = []
    for number, name in enumerate(("REB1", "ABF1", "RAP1", "GCN4")):
        counts = yeast.rng.integers(0, 50, (4, 8))
        body = [f"{b} [ {' '.join(map(str, row))} ]" for b, row in zip("ACGT", counts, strict=True)]
        records.append("\n".join((f">MA000{number}.1\t{name}", *body)))
    path = directory / "motifs" / "JASPAR2026_CORE_fungi_latest.jaspar.gz"
    with gzip.open(path, "wt") as stream:
        stream.write("\n".join(records) + "\n")


def toy_context(directory: Path) -> Context:
    """Write everything, and return what tasks are run on."""
    yeast = Yeast()
    targets = write_targets(directory, yeast)
    model = write_model(directory, targets)
    write_variants(directory, yeast)
    write_reporters(directory, yeast)
    write_motifs(directory, yeast)
    predictor = Predictor.open("toy", [str(model)])
    return Context((predictor,), directory, targets.path)


def toy_sites_context(directory: Path) -> Context:
    """Return targets of the genome with planted sites, and a model that held out `chrII`."""
    write_toy_yeast(directory)
    annotation = directory.joinpath(*ANNOTATION)
    annotation.parent.mkdir()
    text = (directory / "toy.gff3").read_text()
    annotation.write_bytes(gzip.compress(text.encode()))
    rng = np.random.default_rng(0)
    names = re.findall(r"ID=gene:(\w+)", text)
    rows = [f"{name}\t{rng.normal():.3f}" for name in names]
    (directory / "genes.tsv").write_text("\n".join(["gene\tsegregants", *rows]) + "\n")
    signal = {name: rng.poisson(1.0, n).astype(np.float32) for name, n in LENGTHS.items()}
    write_bigwig(directory / "signal.bw", signal, contigs=LENGTHS)
    held_out = {"valid": ["chrIII"], "test": ["chrII"]}
    plain = {
        "fasta": str(directory / "toy.fa"), "annotation": str(annotation),
        "genes": str(directory / "genes.tsv"), "homology": {"enabled": False},
        "tracks": [{"name": "signal", "file": str(directory / "signal.bw")}], **held_out,
    }  # fmt: skip
    config = from_plain(TargetsConfig, plain, "[data]")
    targets = build_targets(config, directory / "targets", geometry=GEOMETRY)
    sizes = {"window": GEOMETRY.window, "resolution": GEOMETRY.resolution}
    session = Session(
        tiny("dilated", targets.outputs, **sizes), name="toy", card={"held_out": held_out},
        genome=targets.path / "genome", annotation=annotation,
    )  # fmt: skip
    predictor = Predictor("toy", ((session, ("chrII",)),))
    return Context((predictor,), directory, targets.path)


def _gzip(path: Path, table: pl.DataFrame, separator: str) -> None:
    with gzip.open(path, "wt") as stream:
        stream.write(table.write_csv(separator=separator))
