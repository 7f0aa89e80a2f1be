"""What benchmarks of yeast ask: models by name, the same network untrained, and genes."""

import argparse
from pathlib import Path

import torch

from cisgram.data.targets import Targets
from cisgram.genome.interval import Interval
from cisgram.models.registry import build_model
from cisgram.prediction.tracks import TrackReader


def model_parser(description: str | None) -> argparse.ArgumentParser:
    """Take --targets, --models and --json; `dict(options.models)` is what was named, in order."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument(
        "--models", nargs="+", required=True, type=_named, metavar="NAME=MODEL",
        help="packaged models, or runs of `cisgram train`",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, required=True)
    return parser


def _named(text: str) -> tuple[str, str]:
    name, equals, model = text.partition("=")
    if not (name and equals and model):
        raise argparse.ArgumentTypeError(f"must look like NAME=MODEL; got {text!r}")
    return name, model


def untrained(reader: TrackReader) -> TrackReader:
    """Return the same network with random weights."""
    torch.manual_seed(7)
    sizes = {name: getattr(reader.model.config, name) for name in vars(reader.model.config)}
    model = build_model(reader.model.kind, sizes, "the run")
    return TrackReader(
        model,  # pyright: ignore[reportArgumentType]
        reader.columns,
        reader.scales,
        card={},
    )


def bodies(targets: Targets, *, split: str | None = None) -> dict[str, Interval]:
    """Return the bodies of a split's genes, or of all, each on its strand, by identifier."""
    return {
        row["gene"]: Interval(row["chrom"], row["start"], row["end"], row["strand"])
        for row in targets.genes.iter_rows(named=True)
        if split in (None, row["split"])
    }
