"""Small good inputs of every reader, and the command that reads each."""

import gzip
import importlib
import json
import multiprocessing
import shutil
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

IMPORT = "cohort import --expression expression.bed --out new --genotypes"
TABLES = "cohort import --genotypes genotypes.vcf.gz --out new --expression"
FIT = "personal fit cohort --executor serial --model top-snp --out new"
PREDICT = "personal predict weights.db --genotypes genotypes.vcf.gz --out new.tsv"
ASSOCIATE = (
    "personal associate weights.db --covariances weights.txt.gz --gwas gwas.tsv --out new.tsv"
)
OF_TOY = "--genome toy.fa --annotation toy.gff3"
SCORE = f"variants score --model signal {OF_TOY} --out new.tsv --vcf"
GENES = f"predict --model signal {OF_TOY} --genes all --out new.tsv"
EMBED = "embed --model lm --genome dna.fa --bed regions.bed --out new.npz"
MOTIFS = "explain motifs --contributions ism.npz --motifs motifs.jaspar --out new.tsv"
RESUME = "train recipe.toml --out run --resume"
REPORT = "report fit --evaluation evaluation.json --out new.html"


@dataclass(frozen=True)
class Reader:
    """A file, the kind of text or bytes in it, and a command that reads it."""

    kind: str
    file: str
    form: str
    command: str
    """Words after `cisgram`, or a name in `CALLS`."""


READERS = (
    Reader("VCF", "genotypes.vcf", "text", f"{IMPORT} genotypes.vcf"),
    Reader("VCF", "variants.vcf", "text", f"{SCORE} variants.vcf"),
    Reader("VCF", "variants.vcf", "text", f"{SCORE} variants.vcf".replace("new.tsv", "new.vcf.gz")),
    Reader("VCF.gz", "genotypes.vcf.gz", "gz", f"{IMPORT} genotypes.vcf.gz"),
    Reader("VCF.gz", "genotypes.vcf.gz", "gz", PREDICT),
    Reader("BCF", "genotypes.bcf", "bytes", f"{IMPORT} genotypes.bcf"),
    Reader("BCF", "variants.bcf", "bytes", f"{SCORE} variants.bcf"),
    Reader("PGEN", "calls.pgen", "bytes", f"{IMPORT} calls.pgen"),
    Reader("pvar", "calls.pvar", "text", f"{IMPORT} calls.pgen"),
    Reader("psam", "calls.psam", "text", f"{IMPORT} calls.pgen"),
    Reader("expression BED", "expression.bed", "text", f"{TABLES} expression.bed"),
    Reader("expression BED", "expression.bed.gz", "gz", f"{TABLES} expression.bed.gz"),
    Reader("TSV", "expression.tsv", "text", f"{TABLES} expression.tsv --annotation genes.gtf"),
    Reader("GCT", "expression.gct", "text", f"{TABLES} expression.gct --annotation genes.gtf"),
    Reader("parquet", "expression.parquet", "bytes", f"{TABLES} expression.parquet"),
    Reader("covariates", "covariates.txt", "text",
           f"{TABLES} expression.bed --covariates covariates.txt"),
    Reader("populations", "populations.tsv", "text",
           f"{TABLES} expression.bed --populations populations.tsv"),
    Reader("GWAS", "gwas.tsv", "text", ASSOCIATE),
    Reader("GWAS", "gwas.tsv.gz", "gz", ASSOCIATE.replace("gwas.tsv", "gwas.tsv.gz")),
    Reader("covariances", "weights.txt.gz", "gz", ASSOCIATE),
    Reader("PredictDB", "weights.db", "sqlite", PREDICT),
    Reader("PredictDB", "weights.db", "sqlite", ASSOCIATE),
    Reader("FASTA", "dna.fa", "text", EMBED),
    Reader("FASTA", "dna.fa", "text", "embed --model lm --fasta dna.fa --out new.npz"),
    Reader("FASTA", "toy.fa", "text", GENES),
    Reader("FASTA.gz", "dna.fa.gz", "gz", EMBED.replace("dna.fa", "dna.fa.gz")),
    Reader("GTF", "genes.gtf", "text", f"{TABLES} expression.tsv --annotation genes.gtf"),
    Reader("GFF3", "toy.gff3", "text", GENES),
    Reader("BED", "regions.bed", "text", EMBED),
    Reader("BED", "places.bed", "text",
           f"predict --model signal {OF_TOY} --bed places.bed --out new.tsv --out-bigwig new"),
    Reader("bigWig", "plus.bw", "bytes", "bigwig"),
    Reader("bigWig", "plus.bw", "bytes", "train tracks.toml --out new"),
    Reader("targets", "genes.tsv", "text", "train tracks.toml --out new"),
    Reader("TOML", "recipe.toml", "toml", "train recipe.toml --out new"),
    Reader("TOML", "recipe.toml", "text", "train recipe.toml --out new"),
    Reader("TOML", "tracks.toml", "toml", "train tracks.toml --out new"),
    Reader("manifest", "cohort/manifest.json", "json", FIT),
    Reader("manifest", "fit/manifest.json", "json", REPORT),
    Reader("manifest", "fit/manifest.json", "json", "personal evaluate fit --json new.json"),
    Reader("manifest", "run/data/manifest.json", "json", RESUME),
    Reader("cohort", "cohort/genes.parquet", "bytes", FIT),
    Reader("cohort", "cohort/expression.npy", "bytes", FIT),
    Reader("cohort", "cohort/genotypes/calls.u8", "bytes", FIT),
    Reader("cohort", "cohort/genotypes/variants.parquet", "bytes", FIT),
    Reader("fit", "fit/weights.parquet", "bytes",
           "personal export fit --out new.db --build b37 --all-genes"),
    Reader("fit", "fit/predictions.npy", "bytes", REPORT),
    Reader("model card", "signal/manifest.json", "json", GENES),
    Reader("model card", "lm/manifest.json", "json", "models show lm --json new.json"),
    Reader("weights", "lm/weights.safetensors", "bytes", EMBED),
    Reader("checkpoint", "run/checkpoint.safetensors", "bytes", RESUME),
    Reader("run", "run/run.json", "json", RESUME),
    Reader("metrics", "run/metrics.jsonl", "jsonl", RESUME),
    Reader("metrics", "run/metrics.jsonl", "text", RESUME),
    Reader("journal", "new.partial/journal.sqlite", "sqlite", FIT),
    Reader("journal", "scores/new.tsv.partial/journal.sqlite", "sqlite",
           f"{SCORE} variants.vcf".replace("new.tsv", "scores/new.tsv")),
    Reader("cache", "cache/features.sqlite", "sqlite", f"{GENES} --cache cache"),
    Reader("npz", "ism.npz", "arrays", MOTIFS),
    Reader("motifs", "motifs.jaspar", "text", MOTIFS),
    Reader("motifs", "motifs.meme", "text", MOTIFS.replace(".jaspar", ".meme")),
    Reader("evaluation", "evaluation.json", "json", REPORT),
    Reader("results", "results.json", "json",
           "bench compare results.json results.json --out new.tsv"),
    Reader("gene list", "genes.txt", "text", f"{FIT} --genes genes.txt"),
    Reader("gene list", "list.txt", "text", GENES.replace("all", "list.txt")),
)  # fmt: skip


def read_bigwig() -> None:
    """Read all that a bigWig holds."""
    from cisgram.genome.bigwig import BigWig

    with BigWig("plus.bw") as signal:
        for chrom in signal.contigs:
            signal.contig(chrom)
        print(signal.n_covered)


CALLS: dict[str, Callable[[], None]] = {"bigwig": read_bigwig}


def fill(good: Path, place: Path, file: str) -> None:
    """Make a directory of links to the good inputs, with a copy of what is to be spoilt."""
    place.mkdir(parents=True)
    copied = file.split("/")[0] or None
    for path in good.iterdir():
        if path.name != copied:
            if path.name not in ("new.partial", "scores"):
                (place / path.name).symlink_to(path)
        elif path.is_dir():
            shutil.copytree(path, place / path.name)
        else:
            shutil.copy(path, place / path.name)


def make_inputs(directory: Path) -> None:
    """Write all inputs, in a process of its own: what forks afterwards has no threads."""
    process = multiprocessing.get_context("spawn").Process(target=_make, args=(directory,))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("the good inputs cannot be made")


def _make(directory: Path) -> None:
    from contracts.bad_effects import write_effect_files
    from contracts.bad_files import Place, write_good_files
    from contracts.bad_lm import write_language_files
    from contracts.bad_tracks import write_track_files

    place = Place(directory)
    write_good_files(place, importlib.import_module("make_demo_data").bgzip)
    for write in (write_language_files, write_track_files, write_effect_files):
        write(place)
    recipe = (directory / "recipe.toml").read_text()
    steps = "steps = 6\ncheckpoint_every = 1\nvalidate_every = 2\nlog_every = 1"
    place.text("long.toml", recipe.replace("steps = 2", steps))
    _write_another_model(directory)
    _write_genotypes(directory)
    _write_tables(place)
    place.run("explain ism --model signal --region c0:100-105 --out ism.npz " + OF_TOY)
    place.run("personal evaluate fit --json evaluation.json")
    place.run(f"{GENES.replace('new.tsv', 'tmp.tsv')} --cache cache")
    with _journals_kept():
        place.run(FIT)
        (directory / "scores").mkdir()
        place.run(f"{SCORE} variants.vcf".replace("new.tsv", "scores/new.tsv"))
    shutil.rmtree(directory / "new")
    for left in ("tmp.tsv", "scores/new.tsv", "reference.fa", "other.toml"):
        (directory / left).unlink()


@contextmanager
def _journals_kept() -> Any:
    """Leave journals behind, as a run does that is killed before it removes its own."""
    from cisgram.core.journal import Journal

    remove, Journal.remove = Journal.remove, lambda _: None
    try:
        yield
    finally:
        Journal.remove = remove


def _write_another_model(directory: Path) -> None:
    """Write the model of tracks with other weights, for an ensemble."""
    import torch

    from cisgram.models.hub import load_model, save_model

    model, card = load_model(directory / "signal")
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.01)
    save_model(directory / "signal2", model, card=card)


def _write_genotypes(directory: Path) -> None:
    from cyvcf2 import VCF, Writer

    from cisgram.genome.genotypes import Genotypes
    from cisgram.personal.cohort import Cohort
    from genotype_files import write_pgen

    for name in ("genotypes", "variants"):
        vcf = VCF(str(directory / f"{name}.vcf"))
        writer = Writer(str(directory / f"{name}.bcf"), vcf, "wb")
        for record in vcf:
            writer.write_record(record)
        writer.close()
    people = Cohort.open(directory / "cohort").people
    write_pgen(Genotypes.open(directory / "cohort" / "genotypes", people), directory, ".pvar")


def _write_tables(place: Any) -> None:
    import polars as pl

    from cisgram.core.artifact import sealed

    bed = place.rows("expression.bed")
    for name in ("expression.bed", "gwas.tsv", "dna.fa"):
        place.pack(name, gzip.compress)
    rows = [[row[3], *row[6:]] for row in bed]
    place.write("expression.tsv", rows)
    gct = [[row[0], row[0], *row[1:]] for row in rows]
    gct[0][:2] = ["Name", "Description"]
    place.write("expression.gct", [["#1.2"], [str(len(rows) - 1), str(len(rows[0]) - 1)], *gct])
    pl.read_csv(place.path / "expression.bed", separator="\t").write_parquet(
        place.path / "expression.parquet"
    )
    gtf = '{0}\tx\tgene\t{1}\t{2}\t.\t+\t.\tgene_id "{3}"; gene_name "n{3}";\n'
    place.text("genes.gtf", "".join(gtf.format(*row[:4]) for row in bed[1:]))
    place.text("genes.txt", "".join(f"{row[3]}\n" for row in bed[1:3]))
    place.text("list.txt", "c0_2\n# words\nc1_3\n")
    place.text("motifs.jaspar", ">MA1 one\nA [9 0 1 0]\nC [0 9 0 1]\nG [0 0 9 0]\nT [1 1 0 9]\n")
    place.text(
        "motifs.meme",
        "MEME version 4\n\nALPHABET= ACGT\n\nMOTIF M1 one\n"
        "letter-probability matrix: alength= 4 w= 3\n"
        "0.9 0.0 0.05 0.05\n0.1 0.7 0.1 0.1\n0.25 0.25 0.25 0.25\n",
    )
    row = {"task": "t", "predictor": "m", "metric": "r", "value": 0.5, "low": 0.4, "high": 0.6}
    facts = {"models": {"m": ["x"]}, "tasks": {}, "rows": [row]}
    place.text("results.json", json.dumps(sealed(facts)))
