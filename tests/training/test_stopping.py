"""A training of two processes ends with its parent, as schedulers end it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.small_corpus import write_genome
from training.test_run import RECIPE

pytestmark = pytest.mark.whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_parent_ends_both_workers(tmp_path: Path, number: signal.Signals) -> None:
    write_genome(tmp_path / "toy.fa")
    longer = RECIPE.replace("steps = 4", "steps = 1_000_000\nlog_every = 1")
    (tmp_path / "recipe.toml").write_text(longer)
    words = ["-m", "cisgram", "train", "recipe.toml", "--out", "run", "--devices", "2"]
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as parent:
        while parent.poll() is None and not (tmp_path / "run" / "metrics.jsonl").exists():
            time.sleep(0.05)
        assert len(alive(parent.pid)) >= 3
        parent.send_signal(number)
        _, said = parent.communicate(timeout=20)
    assert parent.returncode == 128 + number
    last = said.strip().splitlines()[-1]
    assert last.endswith("run the same command again (a training with --resume) to go on."), said
    waited = time.monotonic() + 5
    while left := alive(parent.pid):
        assert time.monotonic() < waited, left
        time.sleep(0.05)


def alive(session: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, *_, own = (place / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if state != "Z" and int(own) == session and int(place.name) != os.getpid():
            found.append(int(place.name))
    return found
