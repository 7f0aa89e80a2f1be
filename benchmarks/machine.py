"""What a measurement was made on, and what it took."""

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from cisgram.core.device import processor


def machine(threads: int) -> dict[str, Any]:
    """Describe this machine and how many threads were used."""
    return {
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "threads": threads,
    }


def peak_mib() -> float:
    """Return this process's peak resident size; `ru_maxrss` would start from the parent's."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)
