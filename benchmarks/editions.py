"""Time what must not become slower, in an earlier checkout and in this one, in turns.

    python benchmarks/editions.py --before ../first-edition/main --peer-mutagenesis PYTHON \
        --peer-windows PYTHON --data ../shared/data/human --json benchmarks/results/editions.json

Each checkout runs its own benchmark scripts from its own .venv, small jobs with the same arguments.
PYTHON are the interpreters that those scripts want for their peers. Turns are added to those that
the file has.

Keys of the JSON:

- `rows`: one for a measure, `what` and its `unit`; `before` and `after`, a value a turn;
  `before_median`, `after_median` and their `ratio`, above 1 where this checkout is better.
- `machine`.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from machine import machine

from cisgram.core.artifact import read_json, write_json

ROOT = Path(__file__).parents[1]
SECONDS = "seconds"
Found = Iterator[tuple[str, str, float]]


@dataclass(frozen=True)
class Edition:
    """A checkout with its environment, and the data and peers that its scripts are given."""

    root: Path
    scratch: Path
    data: Path
    peers: dict[str, Path]

    def script(self, name: str, *arguments: object) -> dict:
        """Run a benchmark script; return its JSON."""
        out = self.scratch / f"{name}.json"
        out.unlink(missing_ok=True)
        self.run("python", f"benchmarks/{name}.py", *arguments, "--json", out)
        return json.loads(out.read_text())

    def run(self, program: str, *arguments: object) -> float:
        """Run a program of the environment; return its seconds."""
        begun = time.perf_counter()
        environment = {**os.environ, "PYTHONPATH": "", "NUMBA_CACHE_DIR": str(self.scratch / "jit")}
        command = [str(self.root / ".venv/bin" / program), *map(str, arguments)]
        subprocess.run(command, cwd=self.root, env=environment, check=True, capture_output=True)
        return time.perf_counter() - begun

    @property
    def calls(self) -> tuple[object, ...]:
        """Options that name the genotypes and the genes of chromosome 22."""
        place = self.data / "geuvadis"
        return (
            *("--genotypes", place / "genotypes.chr22.vcf.gz"),
            *("--expression", place / "genes.50percent.chr22.bed.gz"),
        )


def reuse(edition: Edition) -> Found:
    """A cohort through a network, shared DNA read once."""
    reference = edition.data / "reference" / "hg19.chr22.partial.fa.gz"
    jobs = ("--reference", reference, "--jobs", "shorkie:4096:20:10,100", "--plain", 2)
    for row in edition.script("reuse_cohort", *edition.calls, *jobs)["rows"]:
        yield f"reuse_cohort, {row['people']} people", SECONDS, row["seconds"]


def mutagenesis(edition: Edition) -> Found:
    """Every change of a window, on a network with a short receptive field."""
    peer = ("--peer-python", edition.peers["mutagenesis"])
    jobs = ("--jobs", "cnn:2114", "shorkie:4096", "--turns", 3, "--scale", 0.25)
    for row in edition.script("mutagenesis", *peer, *jobs)["rows"]:
        name = f"mutagenesis, {row['network']} of {row['length']:,}"
        yield name, "mutants a second", row["mutants_per_second"]


def windows(edition: Edition) -> Found:
    """Windows of both haplotypes of all people."""
    peer = ("--peer-python", edition.peers["windows"], "--genes", 20)
    result = edition.script("haplotype_windows", *edition.calls, *peer)
    for row in result["comparisons"]:
        name = f"haplotype_windows, {row['output']} of {row['length']:,}, {row['threads']} threads"
        yield name, "windows a second", row["windows_per_second"]


def elastic_net(edition: Edition) -> Found:
    """The nested cross-validation of genes, as the command runs it."""
    cohort, fit = edition.scratch / "cohort", edition.scratch / "fit"
    if not cohort.exists():
        edition.run("cisgram", "cohort", "import", *edition.calls, "--out", cohort)
    for place in (fit, fit.with_name("fit.partial")):
        subprocess.run(["rm", "-rf", place], check=True)
    command = ("personal", "fit", cohort, "--model", "elastic-net", "--genes", 40)
    seconds = edition.run("cisgram", *command, "--executor", "serial", "--out", fit)
    yield "elastic_net_solver, a fit of 40 genes", SECONDS, seconds


MEASURES = {own.__name__: own for own in (elastic_net, mutagenesis, reuse, windows)}


def main() -> None:
    """Measure in turns, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="checkout of an earlier edition")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peer-mutagenesis", type=Path, required=True)
    parser.add_argument("--peer-windows", type=Path, required=True)
    parser.add_argument("--measures", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--scratch", type=Path, default=Path(".cache") / "editions")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    peers = {
        "mutagenesis": options.peer_mutagenesis.absolute(),
        "windows": options.peer_windows.absolute(),
    }
    known = read_json(options.json)["rows"] if options.json.exists() else []
    found = {
        (row["what"], row["unit"]): {side: row[side] for side in ("before", "after")}
        for row in known
    }
    for _ in range(options.turns):
        for name, root in (("before", options.before), ("after", ROOT)):
            scratch = (options.scratch / name).absolute()
            scratch.mkdir(parents=True, exist_ok=True)
            edition = Edition(root.absolute(), scratch, options.data.absolute(), peers)
            for measure in options.measures:
                for what, unit, value in MEASURES[measure](edition):
                    print(f"{name}: {what}: {value:.4g} {unit}", flush=True)
                    sides = found.setdefault((what, unit), {"before": [], "after": []})
                    sides[name].append(value)
    rows = []
    for (what, unit), sides in found.items():
        before, after = (statistics.median(sides[name]) for name in ("before", "after"))
        ratio = before / after if unit == SECONDS else after / before
        medians = {"before_median": before, "after_median": after, "ratio": round(ratio, 3)}
        rows.append({"what": what, "unit": unit, **sides, **medians})
    write_json(options.json, {"rows": rows, "machine": machine(2)})


if __name__ == "__main__":
    main()
