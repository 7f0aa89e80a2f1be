"""The course of a run, as lines of JSON."""

import json
from pathlib import Path

from cisgram.core.artifact import atomic_file, damage_errors
from cisgram.core.places import disk_errors
from cisgram.training.checkpoint import RunState


class Record:
    """Averages what updates report and appends it to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sums = {"loss": 0.0, "norm": 0.0, "waited": 0.0}
        self._count = 0
        self._last_seconds = 0.0

    def cut(self, step: int) -> None:
        """Drop the lines after `step`, which a resumed run writes again."""
        with disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._path.exists():
            return
        with damage_errors(self._path, "remove it, and the run goes on without"):
            # The disk may have cut the last line.
            whole, _, _ = self._path.read_text().rpartition("\n")
            lines = [json.loads(line) for line in whole.splitlines()]
            kept = [line for line in lines if line["step"] <= step]
            self._last_seconds = float(kept[-1]["seconds"]) if kept else 0.0
        with atomic_file(self._path) as building:
            building.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def add(self, *, loss: float, norm: float, waited: float) -> None:
        """Count one update: its loss, its gradient's norm, and seconds spent waiting for data."""
        for name, value in (("loss", loss), ("norm", norm), ("waited", waited)):
            self._sums[name] += value
        self._count += 1

    def write(self, state: RunState, *, lr: float) -> None:
        """Append the means since the last line."""
        elapsed = state.seconds - self._last_seconds
        n = self._count
        self._append(
            state,
            {
                "loss": self._sums["loss"] / n,
                "gradient_norm": self._sums["norm"] / n,
                "lr": lr,
                "steps_per_second": n / elapsed if elapsed else None,
                "loading_share": self._sums["waited"] / elapsed if elapsed else None,
            },
        )
        self._sums = dict.fromkeys(self._sums, 0.0)
        self._count, self._last_seconds = 0, state.seconds

    def write_validation(self, state: RunState, loss: float) -> None:
        """Append a validation loss, in nats."""
        self._append(state, {"validation_loss": loss})

    def _append(self, state: RunState, numbers: dict[str, float | None]) -> None:
        line = {"step": state.step, "seconds": round(state.seconds, 3)} | numbers
        with disk_errors(self._path), self._path.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
