"""A genome whose words say where signal is, on which strand, and what its genes are worth."""

from pathlib import Path

import numpy as np

from cisgram.core.config import from_plain
from cisgram.data.targets_config import TargetsConfig
from cisgram.genome.alphabet import decode, encode, reverse_complement
from cisgram.genome.bigwig import write_bigwig
from cisgram.models.registry import model_config
from cisgram.training.config import OptimConfig, TrainConfig
from cisgram.training.recipe import Recipe
from cisgram.training.tasks.tracks import TracksConfig, TracksTask

WORD = encode("GATTACAG")
LENGTH, STEP = 2_000, 40
SIZES = {
    "n_species": 1,
    "window": 128,
    "stem_channels": 8,
    "channels": [8, 8, 8, 8],
    "decoder_channels": [8, 8],
    "n_layers": 1,
    "n_heads": 2,
    "key_size": 4,
    "crop": 4,
    "conv_dropout": 0.0,
    "dropout": 0.0,
}


def write_sources(directory: Path) -> dict[str, object]:
    """Write contigs c0 to c3 and what goes with them; return the recipe's table `data`.

    Every 40 bases stands the word, its reverse complement, or neither; signal of 5 a base lies on
    the word, on its strand. A gene is 40 bases around each word, and worth 2 or, on every
    other one of `c1`, unknown; genes without a word are worth -1.
    """
    rng = np.random.default_rng(0)
    contigs = {f"c{number}": rng.integers(0, 4, LENGTH, dtype=np.uint8) for number in range(4)}
    signal = {strand: {c: np.zeros(LENGTH, np.float32) for c in contigs} for strand in "+-"}
    genes, places = ["gene\tworth"], []
    for chrom, tokens in contigs.items():
        for number, start in enumerate(range(0, LENGTH - STEP, STEP)):
            kind = rng.integers(3)
            strand = "+-"[rng.integers(2)] if kind == 2 else "+-"[kind]
            if kind < 2:
                word = WORD if kind == 0 else reverse_complement(WORD)
                tokens[start + 16 : start + 24] = word
                signal[strand][chrom][start + 16 : start + 24] = 5
            name = f"{chrom}_{number}"
            unknown = chrom == "c1" and number % 2
            genes.append(f"{name}\t{'' if unknown else 2 if kind < 2 else -1}")
            places.append(
                f"{chrom}\ttest\tgene\t{start + 1}\t{start + STEP}\t.\t{strand}\t.\tID=gene:{name}"
            )
    fasta = directory / "toy.fa"
    fasta.write_text("".join(f">{c}\n{decode(tokens)}\n" for c, tokens in contigs.items()))
    (directory / "genes.tsv").write_text("\n".join(genes) + "\n")
    (directory / "toy.gff3").write_text("##gff-version 3\n" + "\n".join(places) + "\n")
    lengths = dict.fromkeys(contigs, LENGTH)
    for name, strand in (("plus", "+"), ("minus", "-")):
        write_bigwig(directory / f"{name}.bw", signal[strand], contigs=lengths)
    return {
        "fasta": str(fasta),
        "annotation": str(directory / "toy.gff3"),
        "genes": str(directory / "genes.tsv"),
        "tracks": [
            {
                "name": "word",
                "plus": str(directory / "plus.bw"),
                "minus": str(directory / "minus.bw"),
            }
        ],
        "valid": ["c2"],
        "test": ["c3"],
        "homology": {"enabled": False},
    }


def small_recipe(directory: Path, *, lr: float = 1e-2, **train: object) -> Recipe:
    """A recipe of a tiny network on these sources."""
    model = model_config("shorkie", SIZES, "[model]")
    data = from_plain(TargetsConfig, write_sources(directory), "[data]")
    return Recipe(
        data=data.for_geometry(model.geometry),
        data_kind="tracks",
        model=model,
        model_kind="shorkie",
        task=TracksTask(TracksConfig()),
        train=from_plain(TrainConfig, train, "[train]"),
        optim=OptimConfig(lr=lr, warmup=10),
        directory=directory,
    )
