"""A small model of tracks and genes, a genome and genes for it."""

from pathlib import Path

import numpy as np
import torch

from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.shorkie_tracks import ShorkieTracks, ShorkieTracksConfig
from cisgram.predict.tracks import Columns, TrackReader
from train.small_targets import SIZES, write_sources

GENES = {
    "left": Interval("c0", 600, 640, "+"),
    "right": Interval("c0", 700, 760, "-"),
    "far": Interval("c1", 600, 640, "+"),
}


def toy_reference(place: Path) -> Reference:
    write_sources(place)
    return Reference.from_fasta(place / "toy.fa", place / "reference")


def toy_reader() -> TrackReader:
    torch.manual_seed(0)
    model = ShorkieTracks(ShorkieTracksConfig(**SIZES, n_tracks=2, n_values=1))
    with torch.no_grad():
        for value in model.parameters():
            if not value.any():
                value.normal_(std=0.3)
    return TrackReader(
        model,
        Columns(("word+", "word-"), ("worth",), (12, 12)),
        power=0.5,
        track_means=np.array([2, 2], np.float32),
        value_moments=np.array([[1, 3]], np.float32),
        card={},
    )
