"""`cisgram train`: models of signal and of genes' expression."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cisgram.train.checkpoint import RunState


def train(recipe: Path, /, *, out: Path, resume: bool = False, devices: int = 1) -> None:
    """Train a model that predicts tracks and numbers of genes from sequence.

    Args:
        recipe: TOML file; recipes/yeast-expression.toml in the repository is one.
        out: Directory of the run: targets, checkpoint, metrics.jsonl and, in model, the weights of
            the lowest validation loss.
        resume: Go on with the run in `out`; steps and decay may have changed.
        devices: Processes on CPU, or GPUs; each takes its own batches.
    """
    from cisgram.train.fit_tracks import fit_tracks
    from cisgram.train.track_recipe import TrackRecipe

    say_trained(fit_tracks(TrackRecipe.read(recipe), out, resume=resume, devices=devices), out)


def say_trained(state: "RunState", out: Path) -> None:
    """Say how a run ended and where its model is."""
    from rich.console import Console

    Console().print(
        f"{state.step:,} steps in {state.seconds:,.0f} s; best validation loss "
        f"{state.best_loss:.4f} at step {state.best_step:,}. The model is in {out / 'model'}.",
        highlight=False,
    )
