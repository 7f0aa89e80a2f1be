"""The same fit on a Ray cluster: two nodes, a worker killed midway, the result of one process."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cisgram.personal.fit import Fit, FitConfig, fit_cohort

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed"),
]
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def address() -> Iterator[str]:
    """A cluster of two nodes with a CPU each, in a process of its own."""
    quiet = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=quiet,
    )
    yield cluster.stdout.readline().strip()
    cluster.communicate()


def busy_workers() -> set[int]:
    """Return the processes that Ray names after the task they run."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::_run"):
                found.add(int(process.name))
        except OSError:
            continue
    return found


def wait(condition: Callable[[], object], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_worker_costs_nothing_and_the_fit_is_the_same(cohort, address, tmp_path):
    config = FitConfig(model="ridge")
    alone = fit_cohort(cohort.path, config, tmp_path / "alone")
    out = tmp_path / "ray"
    command = ["personal", "fit", str(cohort.path), "--model", "ridge"]
    command += ["--executor", "ray", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "cisgram", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"RAY_ADDRESS": address},
    )
    log = tmp_path / "ray.partial" / "journal.sqlite-wal"
    wait(lambda: log.exists() and log.stat().st_size > 100_000, process)
    wait(busy_workers, process)
    assert len(busy_workers()) <= 2
    os.kill(min(busy_workers()), signal.SIGKILL)
    assert not out.exists()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    fit = Fit.open(out)
    assert fit.genes["gene"].to_list() == cohort.genes["gene"].to_list()
    assert fit.genes.drop("seconds").equals(alone.genes.drop("seconds"))
    assert fit.weights.equals(alone.weights)
    for name in ("predictions.npy", "measured.npy"):
        assert (out / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
