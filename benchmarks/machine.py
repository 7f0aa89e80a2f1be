"""What a measurement was made on."""

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np


def machine(threads: int) -> dict[str, Any]:
    """Describe this machine and how many threads were used."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "threads": threads,
    }
