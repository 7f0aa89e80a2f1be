"""Networks of published sizes with random weights, for benchmarks where only speed is at stake."""

import torch

from cisgram.data.outputs import Outputs
from cisgram.models.base import Model
from cisgram.models.registry import build_model, model_config
from cisgram.nn.conv import BatchNorm

N_TRACKS = {"shorkie": 5_215, "enformer": 5_313}
TRACKS_OF_SHORKIE = {"decoder_channels": (384, 384, 384)}
SMALLEST_WINDOW_WITH_CROP = {"shorkie": 16_384, "enformer": 196_608}
CROP = {"shorkie": 64, "enformer": 320}


def tracks(kind: str, window: int) -> Model:
    """Build a published model of tracks, `shorkie` or `enformer`, for windows of a length."""
    crop = CROP[kind] if window >= SMALLEST_WINDOW_WITH_CROP[kind] else 0
    sizes = TRACKS_OF_SHORKIE if kind == "shorkie" else {}
    config = model_config(kind, {**sizes, "window": window, "crop": crop}, kind)
    outputs = Outputs(
        row="bin",
        names=tuple(f"track{number}" for number in range(N_TRACKS[kind])),
        resolution=config.geometry.resolution,
        margin=config.geometry.margin,
        activation="softplus",
    )
    return build_model(kind, config, outputs)


def cnn(window: int = 2_114) -> Model:
    """Build the dilated CNN that tools of mutagenesis are timed with."""
    config = model_config("dilated-cnn", {"window": window}, "cnn")
    return build_model("dilated-cnn", config, Outputs(row="window", names=("output",)))


def language(sizes: dict | None = None) -> Model:
    """Build Shorkie's language model, of published sizes or others."""
    return build_model("shorkie", model_config("shorkie", sizes or {}, "lm"), Outputs.of_bases())


def awake(model: Model, *, norms: bool = False) -> Model:
    """Give weight to what starts at zero, and moments of random windows to norms, if asked for."""
    with torch.no_grad():
        for value in model.parameters():
            if not value.any():
                value.normal_(std=0.02)
        if norms:
            for module in model.modules():
                if isinstance(module, BatchNorm):
                    module.momentum = 1.0
            model.train()(torch.randint(0, 4, (1, model.window), dtype=torch.uint8))
    return model.eval()
