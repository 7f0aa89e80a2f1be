"""Time haplotype windows against genvarloader, and genvarloader + seqpro for one-hot.

    python benchmarks/haplotype_windows.py --genotypes VCF --expression BED \
        --peer-python PYTHON --json benchmarks/results/haplotype_windows.json

PYTHON is an interpreter with genvarloader 0.43.1 and seqpro. Both make the windows
of all people around the same genes, a gene a call, in turns, with one thread on both
sides and then with as many as there are processors; outputs are compared byte by byte
first. The reference is random DNA with the REF bases of the VCF put in, because only
speed is at stake. Both sides return fresh arrays in the quoted ratios, the worst of the
lengths and numbers of threads.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
from machine import machine
from peer import Peer

from cisgram import __version__
from cisgram.core.artifact import write_json
from cisgram.genome.alphabet import LETTERS
from cisgram.genome.genotypes import Genotypes, import_genotypes
from cisgram.genome.haplotype import HaplotypeWindows
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

LENGTHS = (16_384, 196_608)
N_ONE_HOT = {16_384: 10, 196_608: 2}
"""Genes of a one-hot pass: the peer needs minutes for all 50 long ones."""
N_REPEATS = {"letters": 7, "one_hot": 3}
PEOPLE = (10, 50, 100, 200, 358)
OTHER_LENGTHS = (1_024, 4_096, 16_384, 65_536, 196_608)


def random_reference(genotypes: Genotypes, place: Path) -> tuple[Path, Reference]:
    """Write random DNA with every REF base of the store in its place, as FASTA and as ours."""
    variants = genotypes.variants
    chrom = variants["chrom"][0]
    rng = np.random.default_rng(22)
    letters = np.frombuffer(b"ACGT", np.uint8)[
        rng.integers(0, 4, int(variants["end"].max()) + 10**6)
    ]
    letters[variants["start"].to_numpy()] = np.frombuffer(
        "".join(variants["ref"].str.head(1)).encode(), np.uint8
    )
    fasta = place / "random.fa"
    lines = np.full((-(-letters.size // 60), 61), ord("\n"), np.uint8)
    lines[:, :60].flat[: letters.size] = letters
    lines[:, :60].flat[letters.size :] = ord("N")
    fasta.write_bytes(f">{chrom}\n".encode() + lines.tobytes())
    return fasta, Reference.from_fasta(fasta, place / "reference")


def header_with_contig(source: Path, chrom: str, place: Path) -> Path:
    """Copy the VCF with its chromosome in the header, and index it; the peer wants both."""
    fixed = place / "calls.vcf.gz"
    command = (
        f"(zcat {source} | sed -n '/^##/p'; echo '##contig=<ID={chrom}>'; "
        f"zcat {source} | sed '/^##/d') | bgzip -c > {fixed} && tabix -p vcf {fixed}"
    )
    subprocess.run(["bash", "-c", command], check=True)
    return fixed


def genes_with_room(expression: Path, n: int, size: int) -> list[int]:
    """Return evenly spread TSSs that have the longest window's room on either side."""
    table = pl.read_csv(expression, separator="\t", infer_schema=False)
    starts = table[table.columns[1]].cast(pl.Int64).to_numpy()
    half = max(LENGTHS) // 2
    inside = np.unique(starts[(starts > 16_100_000 + half) & (starts < size - half)])
    return inside[np.linspace(0, inside.size - 1, n).astype(int)].tolist()


class Ours:
    """The same requests, answered in this process."""

    def __init__(self, windows: HaplotypeWindows, chrom: str, centres: list[int]) -> None:
        self.windows, self.chrom, self.centres = windows, chrom, centres
        self.memory: dict[tuple, np.ndarray] = {}

    def intervals(self, length: int) -> list[Interval]:
        return [
            Interval(self.chrom, c - length // 2, c - length // 2 + length) for c in self.centres
        ]

    def run(
        self, do: str, length: int, *, n: int, people: np.ndarray, reuse: bool = False
    ) -> float:
        """Return the seconds that `n` genes take."""
        make = self.windows.tokens if do == "letters" else self.windows.one_hot
        seconds = 0.0
        for interval in self.intervals(length)[:n]:
            out = None
            if reuse:
                shape = (people.size, 2, length) + ((4,) if do == "one_hot" else ())
                out = self.memory.setdefault(shape, np.ones(shape, np.uint8))
            started = time.perf_counter()
            made = make(interval, people, out=out)
            seconds += time.perf_counter() - started
            del made
        return seconds

    def digests(self, do: str, length: int, *, n: int, people: np.ndarray) -> list[str]:
        letters = np.frombuffer(LETTERS.encode(), np.uint8)
        found = []
        for interval in self.intervals(length)[:n]:
            if do == "letters":
                made = letters[self.windows.tokens(interval, people)]
            else:
                made = self.windows.one_hot(interval, people)
            found.append(hashlib.sha256(np.ascontiguousarray(made)).hexdigest())
        return found


def check(ours: Ours, peer: Peer, people: np.ndarray) -> None:
    """Stop where outputs differ in any byte."""
    for do in ("letters", "one_hot"):
        for length in LENGTHS:
            answer = peer.ask(do=do, length=length, people=None, windows=[0, 1], digest=True)
            if answer["digests"] != ours.digests(do, length, n=2, people=people):
                raise SystemExit(f"outputs differ: {do} of {length:,} bases")


def compare(ours: Ours, peer: Peer, people: np.ndarray) -> list[dict]:
    """Check that outputs are equal, then time both by turns."""
    check(ours, peer, people)
    rows = []
    for do, repeats in N_REPEATS.items():
        for length in LENGTHS:
            n = len(ours.centres) if do == "letters" else min(N_ONE_HOT[length], len(ours.centres))
            request = {"do": do, "length": length, "people": None, "digest": False}
            seconds: dict[str, list[float]] = {"fresh": [], "reused": [], "peer": []}
            ours.run(do, length, n=1, people=people, reuse=True)
            for _ in range(repeats):
                answer = peer.ask(**request, windows=list(range(n)))
                seconds["peer"].append(answer["seconds"])
                seconds["fresh"].append(ours.run(do, length, n=n, people=people))
                seconds["reused"].append(ours.run(do, length, n=n, people=people, reuse=True))
            n_windows = n * people.size * 2
            rate = {name: n_windows / statistics.median(s) for name, s in seconds.items()}
            rows.append(
                {
                    "output": "tokens" if do == "letters" else "one-hot uint8",
                    "length": length,
                    "threads": ours.windows.n_threads,
                    "genes": n,
                    "windows_per_second": rate["fresh"],
                    "windows_per_second_reused_memory": rate["reused"],
                    "peer_windows_per_second": rate["peer"],
                    "ratio": rate["fresh"] / rate["peer"],
                    "ratio_reused_memory": rate["reused"] / rate["peer"],
                    "seconds": seconds,
                }
            )
            print(f"{do:8s} {length:8,d}  {ours.windows.n_threads} threads  ours "
                  f"{rate['fresh']:10,.0f}/s  reused {rate['reused']:10,.0f}/s  peer "
                  f"{rate['peer']:10,.0f}/s")  # fmt: skip
            ours.memory.clear()
    return rows


def scaling(ours: Ours) -> dict[str, list[dict]]:
    """Time tokens for more people, for longer windows, and for more of the variants."""
    everyone, every = PEOPLE[-1], ours.windows.genotypes.variants.height
    rates = {
        "people": [rate(ours, n, 16_384) for n in PEOPLE],
        "length": [rate(ours, everyone, length) for length in OTHER_LENGTHS],
        "variants": [],
    }
    for nth in (16, 4, 1):
        with tempfile.TemporaryDirectory() as name:
            thinned = thin(ours.windows.genotypes, nth, Path(name))
            fewer = Ours(
                HaplotypeWindows(thinned, ours.windows.reference), ours.chrom, ours.centres
            )
            row = rate(fewer, everyone, 196_608)
        rates["variants"].append(row | {"variants": -(-every // nth)})
    return rates


def rate(ours: Ours, n_people: int, length: int) -> dict:
    people, n = np.arange(n_people), min(20, len(ours.centres))
    ours.run("letters", length, n=1, people=people)
    passes = [ours.run("letters", length, n=n, people=people) for _ in range(3)]
    per_second = n * n_people * 2 / statistics.median(passes)
    return {
        "people": n_people,
        "length": length,
        "windows_per_second": per_second,
        "gigabases_per_second": per_second * length / 1e9,
    }


def thin(genotypes: Genotypes, nth: int, place: Path) -> Genotypes:
    """Write a store with every nth of the variants."""
    shutil.copy(genotypes.directory / "genotypes.json", place)
    genotypes.variants.gather_every(nth).write_parquet(place / "variants.parquet")
    genotypes.calls[::nth].tofile(place / "calls.u8")
    return Genotypes.open(place, genotypes.people)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genotypes", type=Path, required=True)
    parser.add_argument("--expression", type=Path, required=True)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--genes", type=int, default=50)
    parser.add_argument("--json", type=Path, required=True)
    return parser.parse_args()


def against_peer(
    python: str, data: tuple[Genotypes, Reference, Path, Path], centres: list[int], place: Path
) -> tuple[Ours, list[dict], dict]:
    """Compare at one thread and at all; return ours at all, the rows, and facts of the peer."""
    genotypes, reference, vcf, fasta = data
    chrom, people, rows = genotypes.variants["chrom"][0], genotypes.people, []
    for n_threads in sorted({1, len(os.sched_getaffinity(0))}):
        peer = Peer(python, "windows.py", GVL_NUM_THREADS=str(n_threads))
        windows = HaplotypeWindows(genotypes, reference, n_threads=n_threads)
        ours, preparation = Ours(windows, chrom, centres), {}
        for length in LENGTHS:
            starts = [interval.start for interval in ours.intervals(length)]
            answer = peer.ask(
                do="prepare", chrom=chrom, starts=starts, length=length, vcf=str(vcf),
                fasta=str(fasta), directory=str(place / f"peer{length}"),
            )  # fmt: skip
            preparation[str(length)] = answer["seconds"]
        order = np.array([people.index(person) for person in answer["people"]])
        rows += compare(ours, peer, order)
        peer.close()
    return ours, rows, {"preparation": preparation, "versions": peer.versions}


def headline(rows: list[dict]) -> dict:
    """Take the worst ratio over lengths and threads, and the speed on all threads."""
    ratios = {
        output: {
            str(length): min(
                row["ratio"] for row in rows if (row["output"], row["length"]) == (output, length)
            )
            for length in LENGTHS
        }
        for output in ("tokens", "one-hot uint8")
    }
    most = max(row["threads"] for row in rows)
    return {
        "ratio_vs_genvarloader": min(ratios["tokens"].values()),
        "ratio_vs_genvarloader_onehot": min(ratios["one-hot uint8"].values()),
        "ratios": ratios,
        "ratio_quotes": "fresh output arrays and equal threads on both sides",
        "windows_per_second": {
            str(row["length"]): row["windows_per_second"]
            for row in rows
            if (row["output"], row["threads"]) == ("tokens", most)
        },
    }


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        started = time.perf_counter()
        people, counts = import_genotypes(options.genotypes, place / "store")
        import_seconds = time.perf_counter() - started
        genotypes = Genotypes.open(place / "store", people)
        chrom = genotypes.variants["chrom"][0]
        fasta, reference = random_reference(genotypes, place)
        vcf = header_with_contig(options.genotypes, chrom, place)
        centres = genes_with_room(options.expression, options.genes, reference.contigs[chrom])
        data = (genotypes, reference, vcf, fasta)
        ours, rows, peer = against_peer(options.peer_python, data, centres, place)
        content = {
            **headline(rows),
            "people": len(people),
            "variants": counts.n_kept,
            "import_seconds": import_seconds,
            "peer_preparation_seconds": peer["preparation"],
            "comparisons": rows,
            "scaling": scaling(ours),
            "machine": machine(threads=len(os.sched_getaffinity(0))),
            "versions": peer["versions"]
            | {"cisgram": __version__, "numba": version("numba"), "our numpy": np.__version__},
        }
        write_json(options.json, content)


if __name__ == "__main__":
    main()
