"""Commands that are killed and run again, and commands that find the disk full."""

import dataclasses
import functools
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from faults_inputs import EMBED, FIT, GENES, IMPORT, MOTIFS, OF_TOY, PREDICT, SCORE, fill
from faults_workers import Job, run_all

EVENTS = ("replace", "rename", "unlink", "mkdir", "rmdir", "fsync")
"""What a command asks of the file system that a kill may come right before or after."""
HERE = f"--model signal {OF_TOY} --region c0:91-110"
KILLED = {
    "import": f"{IMPORT} genotypes.vcf.gz",
    "fit": FIT,
    "train": "train long.toml --out new --resume",
    "score": f"{SCORE} variants.vcf --overwrite".replace("new.tsv", "new.vcf.gz"),
    "predict": f"{GENES} --overwrite",
}
WRITERS = (
    *KILLED.values(),
    PREDICT,
    EMBED,
    MOTIFS,
    "personal evaluate fit --json new.json",
    "personal export fit --out new.db --build b37 --all-genes",
    "personal drivers fit --out new.tsv",
    "personal associate weights.db --covariances weights.txt.gz --gwas gwas.tsv --out new.tsv",
    "report fit --out new.html",
    GENES.replace(".tsv", ".parquet"),
    f"predict --model signal {OF_TOY} --bed places.bed --out new.tsv --out-bigwig new",
    *(f"{SCORE} variants.vcf".replace(".tsv", end) for end in (".tsv", ".parquet", ".vcf", ".bcf")),
    f"explain ism {HERE} --out new.npz",
    *(f"explain ism {HERE} --out new.npz --figure new{end}" for end in (".svg", ".png", ".pdf")),
    f"explain attribute {HERE} --out new.npz",
    f"explain signal {HERE} --out new.npz",
    f"explain insert --model signal {OF_TOY} --out new.tsv --motif T=TATAAA --promoter 40 "
    "--distances 20",
    "explain logo --model lm --genome dna.fa --out new.svg --region c0:101-130",
    f"explain report {HERE} --out new",
    "models ensemble signal signal2 --out new",
    "models show lm --json new.json",
    "bench compare results.json results.json --out new.tsv",
    "data list --json new.json",
)
DEAD = ("death", "killed")
BYSTANDERS = ("new.txt", "new.partial.txt", ".new.backup/kept", ".new.tsv.old/kept")
"""Files of somebody else, named much like ours."""


def digests(place: Path) -> dict[str, str]:
    """Return a digest of every file that a command has made, without what tells the time."""
    found: dict[str, str] = {}
    for path in sorted(place.rglob("*new*")):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            name = str(file.relative_to(place))
            if file.is_file() and name not in BYSTANDERS:
                found[name] = hashlib.sha256(_lasting(file)).hexdigest()
    return found


def _lasting(file: Path) -> bytes:
    """Return the bytes of a file that are the same whenever it is made."""
    content = file.read_bytes()
    if file.name == "checkpoint.safetensors":
        return content[8 + int.from_bytes(content[:8], "little") :]
    if file.name == "metrics.jsonl":
        lines = [json.loads(line) for line in content.splitlines()]
        timed = ("seconds", "steps_per_second", "loading_share")
        return repr([{k: v for k, v in line.items() if k not in timed} for line in lines]).encode()
    in_run = any(part.name in ("model", "data") for part in file.parents)
    timed = file.name in ("genes.parquet", "run.json") or (file.suffix == ".db")
    is_manifest = file.name == "manifest.json" and b'"kind": "cohort"' not in content
    return b"" if timed or is_manifest or (in_run and file.suffix == ".json") else content


def kill_at_event(at: int, *, after: bool) -> str:
    """Have this process count what it asks of the file system, and die at one of these."""
    log = os.open("..events", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    count = 0

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def ask(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            os.write(log, b".")
            if count == at and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            done = call(*arguments, **named)
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return ask

    for name in EVENTS:
        setattr(os, name, watched(getattr(os, name)))
    return f"killed {'after' if after else 'before'} event {at}"


@dataclass
class Undisturbed:
    """What a command does when nobody disturbs it."""

    seconds: float
    n_events: int
    made: dict[str, str]
    largest: int


def undisturbed(good: Path, place: Path, command: str) -> Undisturbed:
    """Run a command, which must succeed."""
    fill(good, place, "")
    prepare = functools.partial(kill_at_event, 0, after=False)
    (ending,) = run_all(
        [Job(number=-1, directory=place, command=command, prepare=prepare)], workers=1
    )
    if ending.outcome != "right":
        raise SystemExit(f"{command} fails by itself: {ending.said}")
    made = digests(place)
    largest = max([0, *((place / name).stat().st_size for name in made)])
    return Undisturbed(ending.seconds, (place / "..events").stat().st_size, made, largest)


def kills(good: Path, work: Path, *, n: int, seed: int, workers: int) -> dict[str, Any]:
    """Kill commands at random moments and at file events, and run each again."""
    known = {own: undisturbed(good, work / own, line) for own, line in KILLED.items()}
    names, lost, touched, n_killed = list(KILLED), list[str](), list[str](), 0
    began = time.monotonic()

    def first(number: int) -> Job:
        name, rng = names[number % len(names)], Random(f"{seed} kill {number}")
        place = work / f"kill{number}"
        fill(good, place, "")
        for other in BYSTANDERS:
            (place / other).parent.mkdir(exist_ok=True)
            (place / other).write_text("of somebody else")
        at = rng.randrange(1, known[name].n_events + 1) if rng.random() < 0.5 else 0
        prepare = functools.partial(kill_at_event, at, after=rng.random() < 0.5)
        limit = None if at else rng.uniform(0, known[name].seconds)
        return Job(number=number, directory=place, command=KILLED[name], prepare=prepare,
                   kill_after=limit)  # fmt: skip

    for start in range(0, 4 * n, 40):
        batch = [first(number) for number in range(start, start + 40)]
        killed = [own.job for own in run_all(batch, workers=workers) if own.outcome in DEAD]
        again = [dataclasses.replace(job, prepare=str, kill_after=None) for job in killed]
        for ending in run_all(again, workers=workers):
            n_killed += 1
            place, name = ending.job.directory, names[ending.job.number % len(names)]
            done = ending.outcome == "right" or "exists already" in ending.said
            if not done or digests(place) != known[name].made or litter(place):
                ended = f"{ending.outcome} {litter(place)} {ending.said}"
                lost.append(f"{name} {ending.job.number}: {ended}")
            if any(_text(place / other) != "of somebody else" for other in BYSTANDERS):
                touched.append(f"{name} {ending.job.number}")
        for job in batch:
            shutil.rmtree(job.directory)
        print(f"{n_killed:,} of {n:,} kills, {len(lost)} lost", file=sys.stderr)
        if n_killed >= n:
            break
    seconds = round(time.monotonic() - began, 1)
    return {"kills": n_killed, "lost": lost, "foreign_touched": touched, "seconds": seconds}


def litter(place: Path) -> list[str]:
    """Name what a command should have removed."""
    ours = {*place.rglob(".*.cisgram"), *place.rglob("*.partial")}
    names = {str(path.relative_to(place)) for path in ours if path.is_dir()}
    return sorted(names)


def full_disk(good: Path, work: Path, *, workers: int) -> dict[str, Any]:
    """Let no file of any writer grow as large as it must."""
    known = {c: undisturbed(good, work / str(i), c) for i, c in enumerate(WRITERS)}
    jobs = []
    for number, command in enumerate(WRITERS):
        for share in (0.3, 0.9, 1.0):
            place = work / f"{number} {share}"
            fill(good, place, "")
            size = max(600, int(known[command].largest * share) - 1)
            jobs.append(Job(number=number, directory=place, command=command, prepare=lambda: "",
                            file_size=size))  # fmt: skip
    truncated, unclear, began = list[str](), list[str](), time.monotonic()
    for ending in run_all(jobs, workers=workers):
        job = ending.job
        made = {k: v for k, v in digests(job.directory).items() if ".partial" not in k}
        half = {k for k, v in made.items() if known[job.command].made.get(k) != v}
        whole = made == known[job.command].made
        of_run = job.command.startswith("train")
        if (ending.outcome == "right" and not whole) or (half and not of_run):
            truncated.append(f"{job.command} ({job.file_size}): {sorted(half)}")
        left = [name for name in litter(job.directory) if not name.endswith(".partial")]
        if ending.outcome not in ("right", "refused") or left:
            unclear.append(f"{job.command}: {ending.outcome} {ending.said[-800:]}")
    return {
        "full_disk_writers": len(WRITERS),
        "truncated": truncated,
        "unclear": unclear,
        "seconds": round(time.monotonic() - began, 1),
    }


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
