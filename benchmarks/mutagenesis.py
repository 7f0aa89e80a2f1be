"""Time saturation mutagenesis against tangermeme's, on the same networks.

    python benchmarks/mutagenesis.py --peer-python PYTHON --json benchmarks/results/mutagenesis.json

PYTHON is an interpreter with tangermeme 1.6.0 and the same torch. A job is a network and a length
of window; weights and windows are random, only speed is at stake. The peer reads every mutant
whole (its generic way), and follows changes through the convolutions (`fast=True`, made to do
so for short jobs too); batches are of the size, out of a few, that suits it best. Both sides mutate
regions in the middle of the same window, in turns, and their outputs are compared. An allocator
that hands memory back makes large networks up to twice slower; both run with glibc's told not to.

Rows of jobs that are not asked for stay in the JSON. Its keys:

- `rows`: one for a network (`cnn`: the mean of dilated convolutions; `shorkie`: the mean of tracks,
  published sizes) and `length`: `mutants_per_second` of a whole call; of tangermeme
  `tangermeme_mutants_per_second` (a whole call) and `tangermeme_fast_mutants_per_second` (mutants
  of a long call beyond those of a short one, so that what it takes to capture the network does not
  count); `speedup_vs_tangermeme` and `speedup_vs_tangermeme_fast`, medians over turns. What is fast
  is absent where `tangermeme_fast_refused` says why. `plain_mutants_per_second`: our network, every
  mutant read whole.
- of each row too: `mutants_timed`, by who; `batch_size` of the peer, by way; `seconds`, by who and
  turn; `max_relative_difference` of outputs, of the largest, beside `largest_relative_effect`, how
  far any mutant's output lies from the window's own; for shorkie `mix_only_bound`, the speed-up
  over the generic way if the local part cost nothing.
- `machine`, `versions`, `environment`.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from machine import machine
from networks import awake, cnn, tracks
from peer import Peer
from plain_shorkie import PlainTracks

from cisgram.core.artifact import read_json, write_json
from cisgram.core.config import to_plain
from cisgram.explain import saturation
from cisgram.explain.mutants import WholeWindows
from cisgram.explain.saturation import Mutagenesis, mean_of_tracks, saturation_mutagenesis
from cisgram.models.base import Model, SplitModel

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**28),
}
JOBS = ("cnn:2114", "cnn:16384", "shorkie:16384")
BATCHES = (4, 32)
"""That the peer may choose from."""


@dataclass(frozen=True)
class Regions:
    """How many positions of a network's window are mutated, by whom."""

    ours: int
    generic: int
    fast: tuple[int, int]
    """In the short call and in the long one."""
    trial: int = 11
    """To choose the size of batches: 33 mutants."""


REGIONS = {
    "cnn": Regions(ours=16_384, generic=110, fast=(500, 4_500)),
    "shorkie": Regions(ours=64, generic=16, fast=(16, 64), trial=4),
}


def network(name: str, length: int) -> Model:
    """Build a network in which bases matter: no layer is zero, and norms know their moments."""
    torch.manual_seed(0)
    if name == "cnn":
        return cnn(length).eval()
    return awake(tracks("shorkie", length), norms=True)


def mutated(model: Model, tokens: np.ndarray, region: dict[str, int]) -> Mutagenesis:
    """Mutate a region, and keep the mean of each track, in units."""

    def reduce(output: torch.Tensor) -> torch.Tensor:
        return mean_of_tracks(model.outputs.in_units(output))

    return saturation_mutagenesis(model, tokens, reduce=reduce, **region)


def hand_over(name: str, model: Model, tokens: np.ndarray, place: Path) -> dict:
    """Write what the peer loads; return the request."""
    if name == "cnn":
        weights = dict(model.named_parameters())
    else:
        plain = PlainTracks(model.config, len(model.outputs.names))
        plain.copy_from(model)
        weights = plain.state_dict()
    torch.save({key: value.detach() for key, value in weights.items()}, place / "weights.pt")
    np.save(place / "tokens.npy", tokens)
    sizes = to_plain(model.config) | {"n_tracks": len(model.outputs.names)}
    sizes |= {} if name == "cnn" else {"pool": model.config.pool}
    return {
        "do": "load",
        "network": name,
        "sizes": sizes,
        "weights": str(place / "weights.pt"),
        "tokens": str(place / "tokens.npy"),
        "threads": torch.get_num_threads(),
    }


def middle(length: int, n_positions: int) -> dict[str, int]:
    n = min(n_positions, length)
    start = (length - n) // 2
    return {"start": start, "end": start + n}


def n_mutants(region: dict[str, int]) -> int:
    return 3 * (region["end"] - region["start"])


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Theirs:
    """The peer with a network and a window."""

    def __init__(self, peer: Peer, length: int, regions: Regions, place: Path) -> None:
        self.peer, self.length, self.place = peer, length, place
        short, long = regions.fast
        self.short, self.long = middle(length, min(short, length // 4)), middle(length, long)
        self.generic = middle(length, regions.generic)
        trial = middle(length, regions.trial)
        self.batch = {"generic": self._best_batch(trial, fast=False)}
        answer = self._ask(self.short, fast=True, batch=BATCHES[-1])
        self.refused = answer["refused"]
        if not self.refused:
            self.batch["fast"] = self._best_batch(self.short, fast=True)

    def turn(self) -> dict[str, float]:
        """Return seconds of each way."""
        seconds = {"generic": self._seconds(self.generic, fast=False)}
        if not self.refused:
            short = self._seconds(self.short, fast=True)
            seconds["fast"] = self._seconds(self.long, fast=True) - short
            if seconds["fast"] <= 0:
                raise SystemExit("regions are too short to tell setting up from work; mutate more")
        return seconds

    def mutants(self) -> dict[str, int]:
        timed = {"generic": n_mutants(self.generic)}
        return timed | (
            {} if self.refused else {"fast": n_mutants(self.long) - n_mutants(self.short)}
        )

    def outputs(self, *, fast: bool) -> np.ndarray:
        """Return (positions, 4, tracks) of the region of the generic way."""
        path = self.place / "outputs.npy"
        way = "fast" if fast else "generic"
        self._ask(self.generic, fast=fast, batch=self.batch[way], outputs=str(path))
        return np.load(path)

    def _best_batch(self, region: dict[str, int], *, fast: bool) -> int:
        seconds = {b: self._ask(region, fast=fast, batch=b)["seconds"] for b in BATCHES}
        return min(seconds, key=seconds.get)

    def _seconds(self, region: dict[str, int], *, fast: bool) -> float:
        batch = self.batch["fast" if fast else "generic"]
        return self._ask(region, fast=fast, batch=batch)["seconds"]

    def _ask(
        self, region: dict[str, int], *, fast: bool, batch: int, outputs: str | None = None
    ) -> dict:
        return self.peer.ask(do="mutate", fast=fast, batch_size=batch, outputs=outputs, **region)


def differences(model: Model, tokens: np.ndarray, theirs: Theirs) -> dict[str, float]:
    """Compare outputs with every way of the peer; both numbers are shares of the largest output."""
    found = mutated(model, tokens, theirs.generic)
    outputs = found.reference + found.effects
    largest, worst = np.abs(outputs).max(), 0.0
    for fast in (False, True)[: 1 if theirs.refused else 2]:
        worst = max(worst, float(np.abs(outputs - theirs.outputs(fast=fast)).max() / largest))
    effect = float(np.abs(found.effects).max() / largest)
    return {"max_relative_difference": worst, "largest_relative_effect": effect}


def mix_rate(model: SplitModel, tokens: np.ndarray, batch: int = 4) -> float:
    """Return mutants a second if their features were there already."""
    with torch.inference_mode():
        levels = model.local(torch.from_numpy(tokens[None]))
        levels = tuple(level.repeat(batch, 1, 1) for level in levels)
        return batch / min(
            timed(lambda: mean_of_tracks(model.outputs.in_units(model.mix(levels))))
            for _ in range(4)
        )


def plain_rate(model: Model, tokens: np.ndarray, region: dict[str, int]) -> float:
    way, saturation.way_of = saturation.way_of, WholeWindows
    seconds = timed(lambda: mutated(model, tokens, region))
    saturation.way_of = way
    return n_mutants(region) / seconds


def measure(name: str, length: int, peer: Peer, turns: int, scale: float) -> dict:
    model, regions = network(name, length), REGIONS[name]
    regions = Regions(
        ours=round(regions.ours * scale),
        generic=max(round(regions.generic * scale), 2),
        fast=tuple(max(round(n * scale), 2 * (i + 1)) for i, n in enumerate(regions.fast)),
        trial=max(round(regions.trial * scale), 1),
    )
    tokens = np.random.default_rng(length).integers(0, 4, length, dtype=np.uint8)
    own = middle(length, regions.ours)
    with tempfile.TemporaryDirectory() as folder:
        peer.ask(**hand_over(name, model, tokens, Path(folder)))
        theirs = Theirs(peer, length, regions, Path(folder))
        seconds: dict[str, list[float]] = {}
        for _ in range(turns):
            turn = {"cisgram": timed(lambda: mutated(model, tokens, own))}
            for who, taken in (turn | theirs.turn()).items():
                seconds.setdefault(who, []).append(taken)
        row = {"network": name, "length": length, **differences(model, tokens, theirs)}
    mutants = {"cisgram": n_mutants(own)} | theirs.mutants()
    rates = {who: [mutants[who] / s for s in taken] for who, taken in seconds.items()}
    row["mutants_per_second"] = statistics.median(rates["cisgram"])
    for way, key in (("generic", "tangermeme"), ("fast", "tangermeme_fast")):
        if way in rates:
            row[f"{key}_mutants_per_second"] = statistics.median(rates[way])
            pairs = zip(rates["cisgram"], rates[way], strict=True)
            row[f"speedup_vs_{key}"] = statistics.median(a / b for a, b in pairs)
    row["plain_mutants_per_second"] = plain_rate(model, tokens, theirs.generic)
    if name == "shorkie":
        bound = mix_rate(model, tokens) / row["tangermeme_mutants_per_second"]
        row["mix_only_bound"] = bound
    if theirs.refused:
        row["tangermeme_fast_refused"] = theirs.refused
    return row | {"mutants_timed": mutants, "batch_size": theirs.batch, "seconds": seconds}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--jobs", nargs="+", default=list(JOBS), help="NETWORK:LENGTH")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--scale", type=float, default=1.0, help="shrink regions, to try it out")
    parser.add_argument("--json", type=Path, required=True)
    return parser.parse_args()


def kept_rows(path: Path, jobs: list[str]) -> list[dict]:
    """Return the rows of other jobs that were measured before, which stay."""
    rows = read_json(path)["rows"] if path.exists() else []
    return [row for row in rows if f"{row['network']}:{row['length']}" not in jobs]


def main() -> None:
    options = parse()
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        # glibc reads them when a process starts.
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ALLOCATOR)
    torch.set_num_threads(options.threads)
    peer = Peer(options.peer_python, "mutagenesis.py", **ALLOCATOR)
    rows = kept_rows(options.json, options.jobs)
    for job in options.jobs:
        name, _, length = job.partition(":")
        rows.append(measure(name, int(length), peer, options.turns, options.scale))
        print(rows[-1], flush=True)
        result = {"rows": rows, "machine": machine(options.threads)}
        versions = peer.versions | {"torch_ours": torch.__version__}
        write_json(options.json, result | {"versions": versions, "environment": ALLOCATOR})
    peer.close()


if __name__ == "__main__":
    main()
