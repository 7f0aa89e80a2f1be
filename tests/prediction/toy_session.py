"""Small models of every kind on a genome of three contigs, with genes on both strands."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cisgram.data.outputs import Outputs, Scale
from cisgram.genome.alphabet import decode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.base import Model
from cisgram.models.hub import save_model
from cisgram.models.registry import build_model, model_config
from cisgram.models.wrapped import wrap_network
from cisgram.prediction.session import Session
from models.tiny import awake, tiny_lm

LENGTHS = {"c0": 2_000, "c1": 2_000, "c2": 100}
GENES = {
    "left": Interval("c0", 600, 640, "+"),
    "right": Interval("c0", 700, 760, "-"),
    "first": Interval("c0", 20, 60, "+"),
    "far": Interval("c1", 600, 640, "+"),
    "last": Interval("c1", 1_950, 1_990, "-"),
}
NAMES = {"left": "LEF1"}
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
TRACKS = Outputs(
    row="bin",
    names=("word+", "word-", "both"),
    upstream=(12, 12, 0),
    resolution=4,
    margin=16,
    activation="softplus",
    scale=Scale(power=0.5, track_means=(2.0, 2.0, 1.0)),
    units={"word+": "reads", "worth": "log2 worth"},
    both_strands=True,
)
GENE_TRACKS = replace(
    TRACKS,
    gene_targets=("worth", "age"),
    scale=Scale(power=0.5, track_means=(2.0, 2.0, 1.0), gene_moments=((1.0, 3.0), (0.0, 1.0))),
)
WINDOW = 40
"""Bases that the network of another project takes."""


def bases() -> dict[str, np.ndarray]:
    """The contigs, the same ones each time."""
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 4, n, dtype=np.uint8) for name, n in LENGTHS.items()}


def write_genome(place: Path) -> Reference:
    """Write toy.fa, genes.gff3 and the reference that they make into a directory."""
    contigs = (f">{name}\n{decode(tokens)}\n" for name, tokens in bases().items())
    (place / "toy.fa").write_text("".join(contigs))
    genes = (
        f"{gene.chrom}\tx\tgene\t{gene.start + 1}\t{gene.end}\t.\t{gene.strand}\t.\tID={name}"
        + (f";Name={NAMES[name]}\n" if name in NAMES else "\n")
        for name, gene in GENES.items()
    )
    (place / "genes.gff3").write_text("##gff-version 3\n" + "".join(genes))
    return Reference.from_fasta(place / "toy.fa", place / "reference")


@cache
def gene_model() -> Any:
    """A model of tracks and gene targets."""
    return _shorkie(GENE_TRACKS)


@cache
def track_model() -> Any:
    """A model of tracks alone."""
    return _shorkie(TRACKS)


@cache
def window_model() -> Any:
    """A plain network of another project that predicts two numbers of a window, wrapped."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv1d(4, 6, 5), nn.ReLU(), nn.Flatten(), nn.Linear(36 * 6, 2))
    return wrap_network(network, outputs=["a", "b"], window=WINDOW, both_strands=True)


language_model = cache(tiny_lm)
"""A language model whose window is 32 bases."""
MODELS = {"genes": gene_model, "tracks": track_model, "bases": language_model}
MODELS |= {"window": window_model}


def by_hand(model: Any, tokens: np.ndarray) -> np.ndarray:
    """Predictions of a window, the mean of both strands: tracks, then targets of both strands.

    Tracks are softplus, times the mean, squared; targets times the deviation, plus the mean.
    """
    both = torch.from_numpy(np.stack([tokens, reverse_complement(tokens)]))
    with torch.no_grad():
        raw = model(both).double()
    tracks = (F.softplus(raw[..., :3]) * torch.tensor([2, 2, 1])) ** 2
    if raw.shape[-1] == 3:
        forward, backward = tracks.numpy()
        return (forward + backward[::-1, [1, 0, 2]]) / 2
    targets = raw[..., 3:] * torch.tensor([3, 1, 3, 1]) + torch.tensor([1, 0, 1, 0])
    forward, backward = torch.cat([tracks, targets], dim=-1).numpy()
    return (forward + backward[::-1, [1, 0, 2, 5, 6, 3, 4]]) / 2


def session(model: Model, place: Path, *, genes: bool = True) -> Session:
    """Put a model on the genome that `write_genome` wrote."""
    annotation = place / "genes.gff3" if genes else None
    return Session(model, name="toy", genome=place / "reference", annotation=annotation)


def write_model(place: Path, model: Model, name: str = "model", **card: object) -> Path:
    """Write a model beside the genome."""
    save_model(place / name, model, card=card)
    return place / name


def _shorkie(outputs: Outputs) -> Any:
    torch.manual_seed(0)
    return awake(build_model("shorkie", model_config("shorkie", SIZES, "the test"), outputs))
