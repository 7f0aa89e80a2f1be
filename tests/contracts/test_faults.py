"""The short form of `make fuzz`: every reader once, spoilt."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

N_INPUTS = 60


@pytest.mark.whole
def test_spoilt_inputs_are_right_or_refused_in_one_line(root: Path, tmp_path: Path) -> None:
    words = [root / "benchmarks" / "faults.py", "--kills", "0", "--inputs", str(N_INPUTS)]
    done = subprocess.run(
        [sys.executable, *words, "--seed", "7", "--json", tmp_path / "faults.json"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "faults.json").read_text())
    assert found["defects"] == []
    assert found["right"] + found["refused"] == N_INPUTS
    assert min(found["right"], found["refused"]) > 0
