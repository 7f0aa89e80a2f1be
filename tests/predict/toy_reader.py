"""A small model of tracks and genes, a genome and genes for it."""

from pathlib import Path

import numpy as np
import torch

from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.checkpoint import save_model
from cisgram.models.shorkie_tracks import ShorkieTracks, ShorkieTracksConfig
from cisgram.predict.tracks import Columns, Scale, TrackReader
from train.small_targets import SIZES, write_sources

GENES = {
    "left": Interval("c0", 600, 640, "+"),
    "right": Interval("c0", 700, 760, "-"),
    "far": Interval("c1", 600, 640, "+"),
}


SCALE = Scale(
    power=0.5,
    track_means=np.array([2, 2], np.float32),
    value_moments=np.array([[1, 3]], np.float32),
)
CARD = {
    "columns": {"tracks": ["word+", "word-"], "values": ["worth"], "upstream": [12, 12]},
    "scaling": {"power": 0.5, "tracks": {"word+": 2, "word-": 2}, "values": {"worth": [1, 3]}},
}
ANNOTATION = """##gff-version 3
c0\tx\tgene\t601\t640\t.\t+\t.\tID=left;Name=LEF1
c0\tx\tgene\t701\t760\t.\t-\t.\tID=right
"""


def write_toy_model(place: Path) -> Reference:
    """Write model, toy.fa and genes.gff3 into a directory."""
    save_model(place / "model", toy_reader().model, card=CARD)
    (place / "genes.gff3").write_text(ANNOTATION)
    return toy_reference(place)


def toy_reference(place: Path) -> Reference:
    write_sources(place)
    return Reference.from_fasta(place / "toy.fa", place / "reference")


def toy_reader(seed: int = 0) -> TrackReader:
    torch.manual_seed(seed)
    model = ShorkieTracks(ShorkieTracksConfig(**SIZES, n_tracks=2, n_values=1))
    with torch.no_grad():
        for value in model.parameters():
            if not value.any():
                value.normal_(std=0.3)
    return TrackReader(
        model,
        Columns(("word+", "word-"), ("worth",), (12, 12)),
        (SCALE,),
        card={},
    )
