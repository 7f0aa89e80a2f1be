"""Measure how fast the language models predict and train, and how memory grows with the window.

    python benchmarks/lm_throughput.py --json benchmarks/results/lm_throughput.json

Speed is against the fastest matrix product of this machine, found in the same run, and against
the same network written from plain torch layers (`plain_shorkie.py`), the two taking turns.

Keys of the JSON:

- `matmul_peak`: GFLOP/s of the best square matrix product, by precision.
- `networks`: a row a network, work (`forward`, `training`) and precision: `bases_per_second`,
  `gflops_per_megabase`, `fraction_of_matmul_peak` (of the same precision), `plain_bases_per_second`
  and `times_plain`, the median over turns.
- `fraction_of_matmul_peak`: the same of the published sizes in single precision, by work.
- `same_network`: largest difference of logits between the two, beside the largest logit, by
  network; `max_relative_difference`, the largest of these.
- `memory`: a row a window: `window`, `work`, `peak_mib` of a process that does it once on one
  window, `peak_mib_at_start` of the same process before.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from machine import machine, peak_mib
from networks import language
from plain_shorkie import PlainShorkie, image_of
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cisgram.core.artifact import write_json
from cisgram.core.config import to_plain
from cisgram.models.base import mask_bases
from cisgram.models.shorkie import ShorkieConfig
from cisgram.training.recipe import Recipe

ROOT = Path(__file__).parents[1]
SIZES = (512, 1024, 2048, 4096)
WINDOWS = (4_096, 8_192, 16_384, 32_768, 65_536, 131_072)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def configs() -> dict[str, ShorkieConfig]:
    """Name the networks: the published sizes, and those of the packaged weights."""
    packaged = Recipe.read(ROOT / "recipes" / "yeast-lm.toml").model
    return {"shorkie": ShorkieConfig(), "cisgram/yeast-lm": packaged}


def seconds(work: Callable[[], object], turns: int) -> list[float]:
    taken = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def matmul_peak(dtype: torch.dtype) -> float:
    """Return the best GFLOP/s over sizes and repetitions."""
    best = 0.0
    for n in SIZES:
        a, b = (torch.randn(n, n, dtype=dtype) for _ in range(2))
        torch.mm(a, b)
        best = max(best, 2 * n**3 / min(seconds(lambda a=a, b=b: torch.mm(a, b), 5)) / 1e9)
    return best


def windows(config: ShorkieConfig, batch: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    tokens = torch.randint(0, 4, (batch, config.window), dtype=torch.uint8)
    species = torch.zeros(batch, dtype=torch.int64)
    return tokens, torch.rand(tokens.shape) < 0.15, species


def logits(model: nn.Module, data: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    tokens, mask, species = data
    return model(mask_bases(tokens, mask), species)


def work_of(
    model: nn.Module, predict: Callable[[], Tensor], data: tuple[Tensor, Tensor, Tensor], what: str
) -> Callable[[], None]:
    """Return one forward pass, or one pass forward and back with its loss."""
    tokens, mask, _ = data

    def forward() -> None:
        model.eval()
        with torch.inference_mode():
            predict()

    def training() -> None:
        model.train()
        model.zero_grad(set_to_none=True)
        F.cross_entropy(predict()[mask].float(), tokens[mask].long()).backward()

    return forward if what == "forward" else training


def backward_flops(grad: list, x: list, weight: list, *rest, out_shape: tuple, **_) -> int:
    """Count as much as forward for each of the gradients of input and weights that is made.

    torch's own count takes a convolution in groups for a full one.
    """
    del x, rest
    forward = 2 * math.prod(grad) * math.prod(weight[1:])
    return forward * sum(shape is not None for shape in out_shape[:2])


def measure(name: str, config: ShorkieConfig, what: str, precision: str, turns: int) -> dict:
    batch = max(1, 16_384 // config.window)
    data = windows(config, batch)
    ours, plain = language(to_plain(config)), PlainShorkie(config)
    plain.copy_from(ours)
    half = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def predict_ours() -> Tensor:
        with half:
            return logits(ours, data)

    def predict_plain() -> Tensor:
        with half:
            return plain(image_of(*data, config.n_species))

    mine = work_of(ours, predict_ours, data, what)
    theirs = work_of(plain, predict_plain, data, what)
    count = {torch.ops.aten.convolution_backward: backward_flops}
    with FlopCounterMode(display=False, custom_mapping=count) as counter:
        mine()
    theirs()
    times = [(seconds(mine, 1)[0], seconds(theirs, 1)[0]) for _ in range(turns)]
    bases = batch * config.window
    own, other = (statistics.median(column) for column in zip(*times, strict=True))
    return {
        "network": name,
        "work": what,
        "precision": precision,
        "window": config.window,
        "batch": batch,
        "bases_per_second": bases / own,
        "plain_bases_per_second": bases / other,
        "times_plain": statistics.median(b / a for a, b in times),
        "gflops_per_megabase": counter.get_total_flops() / bases / 1e3,
        "gflops": counter.get_total_flops() / own / 1e9,
    }


def same_network(config: ShorkieConfig) -> float:
    """Return the largest difference of logits beside the largest logit, all weights random."""
    torch.manual_seed(1)
    ours, plain = language(to_plain(config)).eval(), PlainShorkie(config).eval()
    with torch.no_grad():
        for value in ours.parameters():
            value.add_(torch.randn_like(value) * 0.05)
    plain.copy_from(ours)
    data = windows(config, 1)
    with torch.inference_mode():
        own, other = logits(ours, data), plain(image_of(*data, config.n_species))
        return float((own - other).abs().max() / own.abs().max())


def memory_of(window: int, what: str) -> dict:
    """Run the published sizes once on one window in this process."""
    config = ShorkieConfig(window=window)
    model, data = language({"window": window}), windows(config, 1)
    before = peak_mib()
    work_of(model, lambda: logits(model, data), data, what)()
    return {"window": window, "work": what, "peak_mib": peak_mib(), "peak_mib_at_start": before}


def memory(windows: list[int]) -> list[dict]:
    rows = []
    for window in windows:
        for what in ("forward", "training"):
            words = [sys.executable, __file__, "--memory", str(window), what]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            # A window that does not fit is an answer too.
            fits = done.returncode == 0
            rows.append(json.loads(done.stdout) if fits else {"window": window, "work": what})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--windows", type=int, nargs="+", default=list(WINDOWS))
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, default=Path("lm_throughput.json"))
    options = parser.parse_args()
    if options.memory:
        print(json.dumps(memory_of(int(options.memory[0]), options.memory[1])))
        return
    peaks = {name: matmul_peak(dtype) for name, dtype in PRECISIONS.items()}
    print(peaks, flush=True)
    rows = []
    for name, config in configs().items():
        for what in ("forward", "training"):
            for precision in PRECISIONS:
                row = measure(name, config, what, precision, options.turns)
                row["fraction_of_matmul_peak"] = row["gflops"] / peaks[precision]
                rows.append(row)
                print(row, flush=True)
    published = [
        row for row in rows if (row["network"], row["precision"]) == ("shorkie", "float32")
    ]
    same = {name: same_network(config) for name, config in configs().items()}
    result = {
        "matmul_peak": peaks,
        "networks": rows,
        "fraction_of_matmul_peak": {
            row["work"]: row["fraction_of_matmul_peak"] for row in published
        },
        "same_network": same,
        "max_relative_difference": max(same.values()),
        "memory": memory(options.windows),
        "machine": machine(torch.get_num_threads()),
        "torch": torch.__version__,
    }
    write_json(options.json, result)


if __name__ == "__main__":
    main()
