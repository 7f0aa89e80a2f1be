"""Bad inputs of language models: `cisgram train`, `embed`, `explain logo` and `models`."""

import gzip

import torch

from cisgram.data.outputs import Outputs
from cisgram.models.hub import save_model
from cisgram.models.shorkie import Shorkie, ShorkieConfig
from contracts.bad_files import Place
from contracts.spoilers import (
    HANDLED,
    Case,
    all_of,
    cut,
    directory,
    replace,
    write,
)

RECIPE = """[data]
kind = "corpus"
margin = 0
min_contig = 100
max_repeat = 1.0
dust = false
homology = { enabled = false }
valid = { genome = "toy", contigs = ["c2"] }
test = { genome = "toy", contigs = ["c3"] }
[[data.genomes]]
name = "toy"
fasta = "dna.fa"
[model]
kind = "shorkie"
n_species = 1
window = 64
stem_channels = 8
channels = [8, 8]
decoder_channels = [8, 8]
n_layers = 1
n_heads = 2
key_size = 4
[task]
kind = "masked"
[train]
steps = 2
batch = 2
[optim]
warmup = 1
"""
SIZES = {"stem_channels": 8, "channels": (8, 8), "n_layers": 1, "n_heads": 2, "key_size": 4}
GFF = "##gff-version 3\n{}\tx\tgene\t101\t400\t.\t+\t.\tID=gene:A;biotype=protein_coding\n"
TRAIN = "train recipe.toml --out new"
RESUME = "train recipe.toml --out run --resume"
EMBED = "embed --model lm --fasta dna.fa --out new.npz"
REGIONS = "embed --model lm --genome dna.fa --out new.npz --bed regions.bed"
LOGO = "explain logo --model lm --genome dna.fa --out new.svg --region"
CONVERT = "models convert dna.fa --out new"


def write_language_files(place: Place) -> None:
    """Write a genome, its recipe and a run of it, regions, a language model and one of tracks."""
    sequence = (place.path / "reference.fa").read_text().partition("\n")[2].strip()
    contigs = (f">c{i}\n{sequence[i * 1000 : (i + 1) * 1000]}\n" for i in range(4))
    place.text("dna.fa", "".join(contigs))
    place.text("recipe.toml", RECIPE)
    place.text("regions.bed", "c0\t100\t164\tone\t0\t+\nc1\t0\t32\ttwo\t0\t-\n")
    write_lm(place, "lm")
    place.text("other.toml", 'plugins = ["none.py"]\n' + RECIPE)
    place.run("train recipe.toml --out run")


def write_lm(place: Place, name: str, *, seed: int = 0) -> None:
    torch.manual_seed(seed)
    bases = ShorkieConfig(n_species=1, window=64, decoder_channels=(8, 8), **SIZES)
    save_model(place.path / name, Shorkie(bases, Outputs.of_bases()), card={})


def in_recipe(old: str, new: str) -> object:
    return replace("recipe.toml", old, new)


def tiny_contigs(place: Place) -> None:
    place.text("dna.fa", "".join(f">c{i}\nACGTTGCAGGTC\n" for i in range(50)))


def messy(place: Place) -> None:
    """Pack a genome in lower case, with IUPAC letters and contigs too short for a window."""
    text = (place.path / "dna.fa").read_text().lower().replace("acga", "rcgw")
    small = "".join(f">s{i}\nacgt\n" for i in range(20))
    (place.path / "dna.fa.gz").write_bytes(gzip.compress((text + small).encode()))


TRAININGS = (
    Case("recipe that does not exist", "train r.toml --out new", "does not exist"),
    Case("recipe that is no TOML", TRAIN, "is no TOML", write("recipe.toml", "steps: 3")),
    Case(
        "recipe with an unknown table",
        TRAIN,
        "no table 'optimizer'",
        in_recipe("[optim]", "[optimizer]"),
    ),
    Case("recipe with an unknown field", TRAIN, "no field 'warm'", in_recipe("warmup", "warm")),
    Case(
        "recipe without a model",
        TRAIN,
        r"lacks the table \[model\]",
        write("recipe.toml", RECIPE.partition("[model]")[0]),
    ),
    Case(
        "recipe without genomes",
        TRAIN,
        "genomes",
        in_recipe('[[data.genomes]]\nname = "toy"\nfasta = "dna.fa"\n', ""),
    ),
    Case(
        "recipe without an architecture",
        TRAIN,
        "lacks kind",
        in_recipe('kind = "shorkie"\n', ""),
    ),
    Case(
        "recipe with text for a number",
        TRAIN,
        "must be a whole number; got 'two'",
        in_recipe("steps = 2", 'steps = "two"'),
    ),
    Case(
        "recipe with more layers than any network",
        TRAIN,
        r"n_layers in \[model\] of recipe.toml must be at most 1,000; got 1,000,000",
        in_recipe("n_layers = 1", "n_layers = 1_000_000"),
    ),
    Case(
        "run whose metrics are damaged",
        RESUME,
        "run/metrics.jsonl cannot be read .*remove it, and the run goes on without",
        write("run/metrics.jsonl", '{"step": 1}\n'),
    ),
    Case(
        "recipe that sets the window of the data",
        TRAIN,
        "window",
        in_recipe("margin = 0", "margin = 0\nwindow = 128"),
    ),
    Case(
        "task of another kind of network",
        TRAIN,
        "masked-tokens",
        in_recipe('kind = "masked"', 'kind = "masked-tokens"'),
    ),
    Case(
        "recipe without a task",
        TRAIN,
        r"lacks the table \[task\]",
        in_recipe('[task]\nkind = "masked"\n', ""),
    ),
    Case("recipe with a plugin that is not there", "train other.toml --out new", "none.py"),
    Case("genome that does not exist", TRAIN, "none.fa", in_recipe('"dna.fa"', '"none.fa"')),
    Case(
        "genome that is a protein",
        TRAIN,
        "stands for no nucleotide",
        write("dna.fa", ">c0\nMKLVEELP\n"),
    ),
    Case("genome of contigs all too short", TRAIN, "window", tiny_contigs),
    Case("held-out contig that is unknown", TRAIN, "c9", in_recipe('["c3"]', '["c9"]')),
    Case("contig held out twice", TRAIN, "c2", in_recipe('["c3"]', '["c2"]')),
    Case(
        "nothing left to train on",
        TRAIN,
        "train",
        in_recipe('["c3"]', '["c0", "c1", "c3"]'),
    ),
    Case(
        "messy genome without annotation",
        TRAIN,
        "2 steps in",
        all_of(messy, in_recipe('"dna.fa"', '"dna.fa.gz"')),
        HANDLED,
    ),
    Case("run that is there already", "train recipe.toml --out run", "--resume"),
    Case(
        "resumed run with another recipe",
        RESUME,
        r"batch in \[train\] is 3 and was 2",
        in_recipe("batch = 2", "batch = 3"),
    ),
    Case(
        "checkpoint cut short",
        RESUME,
        "make it again",
        cut("run/checkpoint.safetensors", 0.5),
    ),
    Case(
        "run in a directory of other things",
        TRAIN,
        "no run and not empty",
        directory("new/thesis"),
    ),
)
USES = (
    Case("model that does not exist", EMBED.replace("lm --f", "m --f"), "there is no model"),
    Case("model with weights cut short", EMBED, "cut short", cut("lm/weights.safetensors", 0.5)),
    Case("embeddings of nothing", EMBED.replace(" --fasta dna.fa", ""), "--bed|--fasta"),
    Case("embeddings of a layer that is none", f"{EMBED} --layer layers.99", "layers.99"),
    Case("embeddings for a species that it lacks", f"{EMBED} --species R64", "R64"),
    Case("embeddings into a text file", EMBED.replace("npz", "txt"), r"must end in \.npz"),
    Case(
        "BED without positions",
        REGIONS,
        "line 1 of BED .* has no contig",
        write("regions.bed", "c0\n"),
    ),
    Case(
        "BED with words for numbers",
        REGIONS,
        "line 1 of BED .* has no contig",
        write("regions.bed", "c0\tx\ty\n"),
    ),
    Case("BED of another genome", REGIONS, "chr7", write("regions.bed", "chr7\t1\t9\n")),
    Case("BED that is empty", REGIONS, "is empty", write("regions.bed", "")),
    Case(
        "BED with an end before its start",
        REGIONS,
        "regions.bed|c0",
        write("regions.bed", "c0\t9\t1\n"),
    ),
    Case("weights that are no Keras file", CONVERT, "dna.fa"),
    Case("weights that do not exist", "models convert m.h5 --out new", "does not exist"),
    Case("model that nobody knows", "models show shorky", "there is no model"),
    Case(
        "ensemble of a model with itself",
        "models ensemble lm lm --out new",
        "lm has the weights of lm",
    ),
    Case("ensemble of a language model", "models ensemble lm signal --out new", "differ in"),
    Case(
        "ensemble of one",
        "models ensemble cisgram/yeast-expression --out new",
        "two members or more",
    ),
    Case(
        "ensemble that exists",
        "models ensemble lm other --out lm",
        "lm exists already",
        lambda place: write_lm(place, "other", seed=1),
    ),
    Case(
        "perplexity of a contig that is not there",
        "bench run perplexity --model lm --genome dna.fa --contigs c9 --out new",
        "no contig c9",
    ),
    Case(
        "perplexity with no contig held out",
        "bench run perplexity --model lm --genome dna.fa --out new",
        "add --contigs",
    ),
    Case(
        "another genome for a task of yeast",
        "bench run yeast-motifs --model lm --genome dna.fa --contigs c0 --out new",
        "run perplexity",
    ),
)
LOGOS = (
    Case("a region that is none", f"{LOGO} c0:9-", "must look like"),
    Case("a region past its contig", f"{LOGO} c0:990-1,001", "past the 1,000 bases of c0"),
    Case("a region of another genome", f"{LOGO} chr7:1-9", "chr7"),
    Case("a logo into a text file", f"{LOGO} c0:1-9".replace("svg", "txt"), "must end in .png"),
    Case("a region too long to draw", f"{LOGO} c0:1-20,000", "holds 2,000 at most"),
    Case(
        "sites that are no BED",
        f"{LOGO} c0:1-9 --sites regions.bed",
        "line 1 of BED .* has no contig",
        write("regions.bed", "c0\n"),
    ),
)
LM_CASES = (*TRAININGS, *USES, *LOGOS)
