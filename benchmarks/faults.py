"""Feed every reader spoilt files, kill commands, and fill the disk under every writer.

python benchmarks/faults.py --json benchmarks/results/faults.json [--inputs 3200] [--seed 0]
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

for _name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

from faults_inputs import READERS, Reader, fill, make_inputs  # noqa: E402 - after the threads are set
from faults_mutations import mutate  # noqa: E402
from faults_workers import Ending, Job, import_all, run_all  # noqa: E402

DEFECTS = ("traceback", "death", "hang", "unclear")
WHOLE = ("bytes", "gz", "json", "sqlite", "arrays")
"""Forms whose files tell where they end."""


def mend_manifest(path: Path) -> None:
    """Let the manifest have the size of a spoilt file, so that its reader meets it."""
    for parent in path.parents[:2]:
        manifest = parent / "manifest.json"
        if manifest.exists() and path != manifest:
            content = json.loads(manifest.read_text())
            content["files"][str(path.relative_to(parent))]["bytes"] = path.stat().st_size
            manifest.write_text(json.dumps(content))


def spoil(reader: Reader, seed: str) -> str:
    """Spoil the file of a reader in the working directory, and say how."""
    path = Path(reader.file)
    said = mutate(path, reader.form, Random(seed))
    mend_manifest(path)
    return said


def jobs(
    good: Path, work: Path, *, readers: Sequence[Reader], numbers: range, seed: int
) -> Iterator[Job]:
    """Yield a job for each number; the readers take turns."""
    for number in numbers:
        reader = readers[number % len(readers)]
        place = work / str(number)
        fill(good, place, reader.file)

        prepare = partial(spoil, reader, f"{seed} {number}")
        yield Job(number=number, directory=place, command=reader.command, prepare=prepare)


def fuzz(
    good: Path, work: Path, *, readers: Sequence[Reader], numbers: range, seed: int, workers: int
) -> dict[str, Any]:
    """Run spoilt inputs and count how they end."""
    counts: Counter[str] = Counter()
    failures: list[dict[str, str]] = []
    started = said = time.monotonic()
    before = state(good)
    for ending in run_all(
        jobs(good, work, readers=readers, numbers=numbers, seed=seed), workers=workers
    ):
        reader = readers[ending.job.number % len(readers)]
        counts[ending.outcome] += 1
        kind = ending.outcome if ending.outcome in DEFECTS else ""
        if ending.outcome == "right" and reader.form in WHOLE and "cut:" in ending.prepared:
            kind = "cut"
        if kind:
            failures.append(describe(ending, reader, kind))
            print(json.dumps(failures[-1]), file=sys.stderr)
        shutil.rmtree(ending.job.directory, ignore_errors=True)
        if time.monotonic() - said > 5:
            said = time.monotonic()
            n = sum(counts.values())
            rate = n / (said - started)
            words = f"{n:,} of {len(numbers):,} inputs, {rate:.0f} a second, {dict(counts)}"
            print(words, file=sys.stderr)
    return {
        "counts": counts,
        "failures": failures,
        "changed": [p for p in before if state(good).get(p) != before[p]],
        "seconds": round(time.monotonic() - started, 1),
    }


def state(place: Path) -> dict[str, tuple[int, int]]:
    """Return the size and time of every file below."""
    return {
        str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in place.rglob("*") if p.is_file()
    }


def describe(ending: Ending, reader: Reader, kind: str) -> dict[str, str]:
    return {
        "number": str(ending.job.number),
        "kind": kind,
        "reader": f"{reader.kind} {reader.file}",
        "command": reader.command,
        "mutation": ending.prepared,
        "said": ending.said[-1200:],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inputs", type=int, default=3200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    readers = [reader for reader in READERS if options.only in f"{reader.kind} {reader.file}"]
    with tempfile.TemporaryDirectory() as temporary:
        good = Path(temporary) / "good"
        os.environ["CISGRAM_CACHE"] = f"{temporary}/cache"
        make_inputs(good)
        import_all()
        found = fuzz(
            good,
            Path(temporary) / "work",
            readers=readers,
            numbers=range(options.first, options.first + options.inputs),
            seed=options.seed,
            workers=options.workers,
        )
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
