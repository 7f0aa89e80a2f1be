"""`cisgram train`: a run from its recipe."""

from pathlib import Path

from cisgram.cli.claims import Directory


def train(recipe: Path, /, *, out: Directory, resume: bool = False, devices: int = 1) -> None:
    """Train a model as a recipe says: a language model, tracks and genes, or another task.

    Args:
        recipe: TOML file with the tables [data], [model], [task], [train] and [optim]; the
            directory recipes/ of the repository holds examples.
        out: Directory of the run: data, checkpoint, metrics.jsonl and, in model, the weights of
            the lowest validation loss.
        resume: Continue the run in the directory; steps and decay may have changed.
        devices: Number of CPU processes or GPUs; each takes its own batches.
    """
    from cisgram.cli.options import say
    from cisgram.training.run import train as run

    state = run(recipe, out, resume=resume, devices=devices)
    say(
        f"{state.step:,} steps in {state.seconds:,.0f} s; lowest validation loss "
        f"{state.best_loss:.4f} at step {state.best_step:,}. The model is in {out / 'model'}."
    )
