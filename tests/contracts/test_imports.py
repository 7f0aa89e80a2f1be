"""Importing cisgram does nothing, and `--help` imports little."""

import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
HEAVY = {
    "numpy",
    "scipy",
    "numba",
    "polars",
    "torch",
    "lightning_fabric",
    "cyvcf2",
    "ray",
    "jinja2",
}
HELP_SECONDS = 0.3

WATCH = """
import importlib, json, os, random, signal, sys
# These leave harmless traces of their own: variables for an allocator and OpenMP, random numbers.
import lightning_fabric, numpy, polars, rich.progress, threadpoolctl, torch
environment, path, warnings = dict(os.environ), list(sys.path), numpy.geterr()
state, handler = random.getstate(), signal.getsignal(signal.SIGINT)
for name in {names}:
    importlib.import_module(name)
changed = {{
    "environment": dict(os.environ) != environment,
    "sys.path": sys.path != path,
    "random state": random.getstate() != state,
    "interrupts": signal.getsignal(signal.SIGINT) != handler,
    "numpy's warnings": numpy.geterr() != warnings,
    "files": os.listdir() != [],
}}
print(json.dumps([what for what, is_so in changed.items() if is_so]))
"""


def run(code: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.whole
def test_importing_changes_nothing(tmp_path: Path) -> None:
    names = [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(SOURCE.rglob("*.py"))
        if path.stem != "__main__"
    ]
    assert json.loads(run(WATCH.format(names=names), tmp_path)) == []


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; from cisgram.cli.app import main; main(['--help']); print(*sys.modules)"
    modules = run(code, tmp_path).splitlines()[-1].split()
    assert "cyclopts" in modules
    assert not HEAVY & set(modules)


def test_help_is_quick(tmp_path: Path) -> None:
    def seconds() -> float:
        """Measure processor time: it is one thread that waits for nothing, busy machine or not."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "cisgram", "--help"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert statistics.median(seconds() for _ in range(5)) < HELP_SECONDS
