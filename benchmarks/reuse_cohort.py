"""Time predictions for a cohort with shared DNA read once against one person at a time.

    python benchmarks/reuse_cohort.py --genotypes VCF --reference FASTA --expression BED \
        --json benchmarks/results/reuse_cohort.json [--jobs shorkie:16384 ...]

Windows are both haplotypes of every person around the TSS of every gene that the reference has the
sequence of. Networks have their published sizes and random weights; what is kept of a window is
the sum of each track. The plain loop reads a sample of the same windows, a person (two windows) at
a time; its time for all of them is the time for the sample times the ratio of the windows. A job
whose reused run would take hours is measured on the genes and people it names.

Keys of the JSON:

- `rows`: one for a network, window and number of people: `network`, `window`, `people`, `genes`,
  `seconds` (end to end, haplotypes too), `seconds_by_step` and `share_by_step` of them,
  `plain_seconds` (from `plain_windows_timed`), `speedup`, `speedup_windows_alone` (were only equal
  windows shared), `max_relative_difference`, `distinct_window_fraction`, `distinct_tile_fraction`,
  `tile`.
- `max_relative_difference` of all rows, and `machine`.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from machine import machine, peak_mib
from networks import awake, tracks
from torch import Tensor

from cisgram.core.artifact import read_json, write_json
from cisgram.genome.genotypes import Genotypes, import_genotypes
from cisgram.genome.haplotype import HaplotypeWindows
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.base import SplitModel
from cisgram.prediction.reuse import STEPS, ReuseConfig, predict_sequences

GROWTH = (10, 30, 100)
"""Numbers of people besides everyone, where a job names none."""


@dataclass(frozen=True)
class Job:
    """A network, its window, and whom it is run for."""

    network: str
    window: int
    genes: int | None
    people: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Job":
        """Read NETWORK:WINDOW[:GENES[:PEOPLE,PEOPLE...]]."""
        network, window, *rest = text.split(":")
        genes = int(rest[0]) if rest and rest[0] else None
        people = tuple(int(n) for n in rest[1].split(",")) if len(rest) > 1 else ()
        return cls(network, int(window), genes, people)


def network(name: str, window: int) -> SplitModel:
    """Build a network whose layers that start at zero have weights too."""
    torch.manual_seed(0)
    return awake(tracks(name, window))


def sums(output: Tensor, spans: np.ndarray) -> Tensor:
    """Keep the sum of each track over the window."""
    del spans
    return F.softplus(output).sum(dim=1)


def tss_with_sequence(expression: Path, reference: Reference, chrom: str) -> list[int]:
    """Return the first base of every gene that lies in the reference."""
    table = pl.read_csv(expression, separator="\t", infer_schema=False)
    starts = table[table.columns[1]].cast(pl.Int64)
    return sorted(starts.filter(starts < reference.contig(chrom).size).to_list())


def windows_of(
    haplotypes: HaplotypeWindows, chrom: str, tss: int, *, window: int, n_people: int
) -> np.ndarray:
    start = tss - window // 2
    return haplotypes.tokens(Interval(chrom, start, start + window), np.arange(n_people))


def reused(
    model: SplitModel, haplotypes: HaplotypeWindows, chrom: str, centres: list[int], n_people: int
) -> tuple[dict, list]:
    steps = dict.fromkeys(("haplotypes", *STEPS), 0.0)
    counts = dict.fromkeys(("windows", "distinct", "tiles", "computed"), 0)
    tiles, outputs = [], []
    started = time.perf_counter()
    for tss in centres:
        before = time.perf_counter()
        windows = windows_of(haplotypes, chrom, tss, window=model.window, n_people=n_people)
        steps["haplotypes"] += time.perf_counter() - before
        found = predict_sequences(model, windows, reduce=sums, config=ReuseConfig(batch=2))
        account = found.account
        for step in STEPS:
            steps[step] += account.seconds[step]
        counts["windows"] += account.n_windows
        counts["distinct"] += account.n_distinct_windows
        counts["tiles"] += account.n_tiles
        counts["computed"] += account.n_distinct_tiles
        tiles.append(account.tile)
        outputs.append(found)
    seconds = time.perf_counter() - started
    row = {
        "seconds": seconds,
        "seconds_by_step": steps,
        "share_by_step": {step: taken / seconds for step, taken in steps.items()},
        "n_windows": counts["windows"],
        "distinct_window_fraction": counts["distinct"] / counts["windows"],
        "distinct_tile_fraction": counts["computed"] / counts["tiles"],
        "tile": float(np.median(tiles)),
    }
    return row, outputs


def plain(
    model: SplitModel, haplotypes: HaplotypeWindows, chrom: str, *, sample: list[tuple[int, int]]
) -> tuple[float, list[np.ndarray]]:
    """Predict people at genes one after the other; return seconds a window and predictions."""
    made = []
    started = time.perf_counter()
    for tss, person in sample:
        start = tss - model.window // 2
        interval = Interval(chrom, start, start + model.window)
        windows = haplotypes.tokens(interval, np.array([person]))
        found = predict_sequences(
            model, windows, reuse=False, reduce=sums, config=ReuseConfig(batch=2)
        )
        made.append(found.values)
    return (time.perf_counter() - started) / (2 * len(sample)), made


def measure(job: Job, haplotypes: HaplotypeWindows, centres: list[int], n_plain: int) -> list[dict]:
    chrom = haplotypes.genotypes.variants["chrom"][0]
    everyone = len(haplotypes.genotypes.people)
    model = network(job.network, job.window)
    if job.genes:
        # Evenly spaced, and away from the ends.
        chosen = np.linspace(0, len(centres) - 1, job.genes + 2)[1:-1].astype(int)
        centres = [centres[i] for i in chosen]
    people = job.people or (*GROWTH, everyone)
    rng = np.random.default_rng(0)
    sample = [(int(rng.choice(centres)), int(rng.integers(min(people)))) for _ in range(n_plain)]
    plain(model, haplotypes, chrom, sample=sample[:1])
    per_window, expected = plain(model, haplotypes, chrom, sample=sample)
    rows = []
    for n_people in people:
        row, outputs = reused(model, haplotypes, chrom, centres, n_people)
        found = [outputs[centres.index(tss)].values[person] for tss, person in sample]
        worst = max(
            float(np.abs(a - b[0]).max() / np.abs(b[0]).max())
            for a, b in zip(found, expected, strict=True)
        )
        plain_seconds = per_window * row["n_windows"]
        rows.append(
            {
                "network": job.network,
                "window": job.window,
                "people": n_people,
                "genes": len(centres),
                **row,
                "plain_seconds": plain_seconds,
                "plain_windows_timed": 2 * n_plain,
                "speedup": plain_seconds / row["seconds"],
                "speedup_windows_alone": 1 / row["distinct_window_fraction"],
                "max_relative_difference": worst,
                "peak_mib": peak_mib(),
            }
        )
        print(rows[-1], flush=True)
    return rows


def others(path: Path, job: Job) -> list[dict]:
    """Return the rows of other jobs that a file has already."""
    rows = read_json(path)["rows"] if path.exists() else []
    return [row for row in rows if (row["network"], row["window"]) != (job.network, job.window)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genotypes", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--expression", type=Path, required=True)
    parser.add_argument("--jobs", nargs="+", type=Job.parse, required=True)
    parser.add_argument("--plain", type=int, default=10, help="people read one at a time")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        people, _ = import_genotypes(options.genotypes, place / "store")
        genotypes = Genotypes.open(place / "store", people)
        reference = Reference.from_fasta(options.reference, place / "reference")
        haplotypes = HaplotypeWindows(genotypes, reference)
        chrom = genotypes.variants["chrom"][0]
        centres = tss_with_sequence(options.expression, reference, chrom)
        for job in options.jobs:
            rows = measure(job, haplotypes, centres, options.plain)
            rows = others(options.json, job) + rows
            worst = max(row["max_relative_difference"] for row in rows)
            result = {"rows": rows, "max_relative_difference": worst}
            write_json(options.json, result | {"machine": machine(torch.get_num_threads())})


if __name__ == "__main__":
    main()
