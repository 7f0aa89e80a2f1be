"""Bad inputs of `cisgram train` and `cisgram predict`."""

import numpy as np
import torch

from cisgram.data.outputs import Outputs
from cisgram.genome.bigwig import write_bigwig
from cisgram.models.hub import save_model
from cisgram.models.registry import build_model, model_config
from contracts.bad_files import Place
from contracts.spoilers import Case, Spoil, replace, write
from training.small_targets import LENGTH, SIZES, write_sources

RECIPE = """[data]
kind = "tracks"
fasta = "toy.fa"
annotation = "toy.gff3"
genes = "genes.tsv"
valid = ["c2"]
test = ["c3"]
homology = { enabled = false }
[[data.tracks]]
name = "word"
plus = "plus.bw"
minus = "minus.bw"
[model]
kind = "shorkie"
n_species = 1
window = 128
crop = 4
stem_channels = 8
channels = [8, 8, 8, 8]
decoder_channels = [8, 8]
n_layers = 1
n_heads = 2
key_size = 4
[task]
kind = "tracks"
[train]
steps = 1
batch = 1
"""
OUTPUTS = Outputs(
    row="bin",
    names=("word+", "word-"),
    gene_targets=("worth",),
    resolution=4,
    margin=16,
    activation="softplus",
    both_strands=True,
)
TRAIN = "train tracks.toml --out new"
PREDICT = "predict --model signal --out new.tsv"
OF_GENOME = f"{PREDICT} --genome toy.fa"


def write_track_files(place: Place) -> None:
    """Write a genome with signal and genes, their recipe, and a model of them."""
    write_sources(place.path)
    place.text("tracks.toml", RECIPE)
    place.text("places.bed", "c0\t100\t164\tone\t0\t+\n")
    torch.manual_seed(0)
    model = build_model("shorkie", model_config("shorkie", SIZES, "[model]"), OUTPUTS)
    save_model(place.path / "signal", model, card={})


def in_recipe(old: str, new: str) -> object:
    return replace("tracks.toml", old, new)


def bigwig(name: str, value: float, contigs: list[str]) -> Spoil:
    """Write a bigWig of one value in place of this one."""
    lengths = dict.fromkeys(contigs, LENGTH)
    signal = {chrom: np.full(LENGTH, value) for chrom in contigs}
    return lambda place: write_bigwig(place.path / name, signal, contigs=lengths)


TRAININGS = (
    Case(
        "recipe of tracks without data",
        TRAIN,
        r"lacks the table \[data\]",
        write("tracks.toml", "[model]" + RECIPE.partition("[model]")[2]),
    ),
    Case(
        "recipe that learns bases from tracks",
        TRAIN,
        "no language model",
        in_recipe('[task]\nkind = "tracks"', '[task]\nkind = "masked"'),
    ),
    Case(
        "number of tracks set by hand",
        TRAIN,
        "no field 'n_tracks'",
        in_recipe("crop = 4", "crop = 4\nn_tracks = 9"),
    ),
    Case(
        "track with a file for one strand",
        TRAIN,
        "word",
        in_recipe('minus = "minus.bw"\n', ""),
    ),
    Case("track that is no bigWig", TRAIN, "plus.bw", write("plus.bw", "fixedStep")),
    Case(
        "track with values below zero",
        TRAIN,
        "never below 0",
        bigwig("minus.bw", -1.0, ["c0", "c1", "c2", "c3"]),
    ),
    Case(
        "track that lacks the validation contig",
        TRAIN,
        "valid contig c2 has no signal",
        bigwig("minus.bw", 1.0, ["c0", "c1", "c3"]),
    ),
    Case(
        "genes without an annotation",
        TRAIN,
        "go together",
        in_recipe('annotation = "toy.gff3"\n', ""),
    ),
    Case(
        "genes that the annotation does not know",
        TRAIN,
        "none of the genes",
        write("genes.tsv", "gene\tworth\nYFG1\t1\nYFG2\t2\n"),
    ),
    Case(
        "held-out contig that is not there",
        TRAIN,
        "valid names contig c9",
        in_recipe('valid = ["c2"]', 'valid = ["c9"]'),
    ),
    Case(
        "start of other sizes",
        TRAIN,
        "has other sizes",
        in_recipe("steps = 1", 'steps = 1\nstart = "lm"'),
    ),
)
PREDICTIONS = (
    Case("prediction of nothing", PREDICT, "give one of --genes, --bed and --fasta; got none"),
    Case("genes without a genome", f"{PREDICT} --genes all", "add --genome"),
    Case("genes without their places", f"{OF_GENOME} --genes all", "add --annotation"),
    Case(
        "genome that is neither a file nor packaged",
        f"{PREDICT} --genome yeast-r46 --bed places.bed",
        r"is no packaged genome \(yeast-r64\)",
    ),
    Case(
        "gene that the packaged genome does not know",
        f"{PREDICT} --genome yeast-r64 --genes list.txt",
        "annotation yeast-r64 has no gene c0_1",
        write("list.txt", "YAL038W\nc0_1\n"),
    ),
    Case(
        "gene that the annotation does not know",
        f"{OF_GENOME} --annotation toy.gff3 --genes list.txt",
        "has no gene YFG1",
        write("list.txt", "c0_1\nYFG1\n"),
    ),
    Case(
        "region past the end of its contig",
        f"{OF_GENOME} --bed places.bed",
        "reaches past the 2,000 bases of c0",
        write("places.bed", "c0\t1900\t2100\n"),
    ),
    Case(
        "bigWig of genes",
        f"{OF_GENOME} --annotation toy.gff3 --genes all --out-bigwig signals",
        "goes with --bed or --fasta",
    ),
    Case(
        "cache inside a file",
        f"{OF_GENOME} --bed places.bed --cache toy.fa/features",
        "cannot write toy.fa/features: a part of the path is a file",
    ),
    Case(
        "prediction by a readout of language models",
        f"{OF_GENOME} --bed places.bed --readout masked",
        "masked",
    ),
)
TRACK_CASES = (*TRAININGS, *PREDICTIONS)
