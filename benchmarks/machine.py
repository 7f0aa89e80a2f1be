"""What a measurement was made on."""

import os
import platform
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
