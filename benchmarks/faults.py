"""Feed every reader spoilt files, kill commands, and fill the disk under every writer.

    python benchmarks/faults.py --json benchmarks/results/faults.json [--inputs 3200] [--seed 0]

Keys of the JSON:

- `seed`; `n_inputs`, spoilt inputs of `n_readers` kinds of files.
- `right` (exit code 0), `refused` (one line, exit code 2), `unclear` (exit code 2, but not one
  line), `tracebacks`, `deaths` (by a signal), `hangs` (30 s), and `left_behind` (refused, and a
  temporary file is left) of the inputs.
- `kills` of commands that were then run again; `lost`, those that ended otherwise than undisturbed
  or left a temporary file; `foreign_touched`, files that are not ours and changed.
- `full_disk_writers`; `full_disk_unclear`, endings on a full disk other than one line.
- `silent_truncations`: cut inputs that changed a result, and incomplete files under a final name.
- `seconds` of each part, and `defects`, each with what repeats it.
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
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

for _name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

from faults_inputs import READERS, Reader, fill, make_inputs  # noqa: E402 - after the threads are set
from faults_kills import digests, full_disk, kills, litter, undisturbed  # noqa: E402
from faults_mutations import mutate  # noqa: E402
from faults_workers import Job, import_all, run_all  # noqa: E402

WHOLE = ("bytes", "gz", "json", "sqlite", "arrays")
"""Forms whose files tell where they end."""


def mend_seals(path: Path) -> None:
    """Let manifests tell the truth about a spoilt file, so that its reader meets it."""
    from cisgram.core.artifact import sealed, sha256

    manifests = (parent / "manifest.json" for parent in path.parents[:2])
    for manifest in (path, *(own for own in manifests if own.exists() and own != path)):
        with suppress(ValueError, AttributeError, TypeError, KeyError, RecursionError):
            content = json.loads(manifest.read_text())
            if manifest != path:
                facts = {"bytes": path.stat().st_size, "sha256": sha256(path)}
                content["files"][str(path.relative_to(manifest.parent))].update(facts)
            if "seal" in content:
                manifest.write_text(json.dumps(sealed(content)))


def spoil(reader: Reader, seed: str) -> str:
    """Spoil the file of a reader in the working directory, and say how."""
    path = Path(reader.file)
    said = mutate(path, reader.form, Random(seed))
    mend_seals(path)
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
    """Run spoilt inputs, and return how many ended how, and the defects."""
    counts: Counter[str] = Counter()
    defects: list[dict[str, str]] = []

    @cache
    def made(command: str) -> dict[str, str]:
        return undisturbed(good, work / f"good{made.cache_info().currsize}", command).made

    if len(numbers) >= len(readers):  # good inputs must be right
        for reader in readers:
            made(reader.command)
    started = said = time.monotonic()
    before = state(good)
    endings = run_all(
        jobs(good, work, readers=readers, numbers=numbers, seed=seed), workers=workers
    )
    for ending in endings:
        reader, place = readers[ending.job.number % len(readers)], ending.job.directory
        kind = ending.outcome
        if kind == "right" and reader.form in WHOLE and "cut:" in ending.prepared:
            kind = "right" if digests(place) == made(reader.command) else "truncated"
        if kind == "refused" and [own for own in litter(place) if own.endswith(".cisgram")]:
            kind = "litter"
        counts[kind] += 1
        if kind not in ("right", "refused"):
            defects.append({
                "number": str(ending.job.number), "kind": kind, "reader": reader.kind,
                "file": reader.file, "command": reader.command, "mutation": ending.prepared,
                "said": ending.said[-1200:],
            })  # fmt: skip
        shutil.rmtree(place, ignore_errors=True)
        if (now := time.monotonic()) - said > 5:
            said, n = now, sum(counts.values())
            rate = n / (now - started)
            words = f"{n:,} of {len(numbers):,} inputs, {rate:.0f} a second, {dict(counts)}"
            print(words, file=sys.stderr)
    after = state(good)
    touched = [name for name, facts in before.items() if after.get(name) != facts]
    seconds = round(time.monotonic() - started, 1)
    return {"counts": counts, "defects": defects, "touched": touched, "seconds": seconds}


def state(place: Path) -> dict[str, tuple[int, int]]:
    """Return the size and time of every file below."""
    files = (path for path in place.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def all_parts(
    work: Path, *, n_inputs: int, n_kills: int, seed: int, workers: int
) -> dict[str, Any]:
    """Make the inputs, do the three parts, and return what the JSON holds."""
    good = work / "good"
    os.environ["CISGRAM_CACHE"] = str(work / "cache")
    make_inputs(good)
    import_all()
    numbers = range(n_inputs)
    killed = kills(good, work / "kills", n=n_kills, seed=seed, workers=workers) if n_kills else {}
    filled = full_disk(good, work / "disk", workers=workers) if n_kills else {}
    found = fuzz(good, work / "fuzz", readers=READERS, numbers=numbers, seed=seed, workers=workers)
    counts = found["counts"]
    return {
        "seed": seed,
        "n_inputs": counts.total(),
        "n_readers": len({reader.kind for reader in READERS}),
        "right": counts["right"],
        "refused": counts["refused"],
        "tracebacks": counts["traceback"],
        "deaths": counts["death"],
        "hangs": counts["hang"],
        "unclear": counts["unclear"],
        "kills": killed.get("kills", 0),
        "lost": len(killed.get("lost", ())),
        "foreign_touched": len([*found["touched"], *killed.get("foreign_touched", ())]),
        "left_behind": counts["litter"],
        "full_disk_writers": filled.get("full_disk_writers", 0),
        "full_disk_unclear": len(filled.get("unclear", ())),
        "silent_truncations": counts["truncated"] + len(filled.get("truncated", ())),
        "seconds": {"inputs": found["seconds"], "kills": killed.get("seconds", 0),
                    "full_disk": filled.get("seconds", 0)},
        "defects": [*found["defects"], *killed.get("lost", ()), *filled.get("truncated", ()),
                    *filled.get("unclear", ())],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--inputs", type=int, default=3200)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = all_parts(Path(temporary), n_inputs=options.inputs, n_kills=options.kills,
                          seed=options.seed, workers=options.workers)  # fmt: skip
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({name: value for name, value in found.items() if name != "defects"}))


if __name__ == "__main__":
    main()
