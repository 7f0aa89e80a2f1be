"""Compare a language model's log-ratios of bases masked together with those of bases masked alone.

    python benchmarks/masking_distance.py --json benchmarks/results/masking_distance.json

In-silico mutagenesis masks several bases of a region in one pass, so that it takes fewer of them.
Each base then sees less around it. Sites are spread over a promoter that the model never saw, and
the log-ratios of their other bases are compared.

Keys of the JSON:

- `rows`: one for a way to mask, `apart` in bases or `share` of the window: `r` (Pearson's) and
  `largest` (nats) of its log-ratios against those masked alone; `passes` of a region of 200 bases.
- `region`, `sites`, `model`, and `machine`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from machine import machine

import cisgram
from cisgram.core.artifact import write_json
from cisgram.genome.interval import Interval
from cisgram.prediction.masked import MaskingConfig, masked_log_p

MODEL = "cisgram/yeast-lm"
REGION = Interval("chrXIV", 187_880, 188_080)
N_SITES = 25
APART = (8, 16, 32, 64)
N_PASSES = 7


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    loaded = cisgram.load(MODEL)
    model, length = loaded.model, REGION.end - REGION.start
    first = (REGION.start + REGION.end - model.window) // 2
    around = Interval(REGION.chrom, first, first + model.window)
    window = torch.from_numpy(loaded.reference.fetch(around)[None])
    begin = REGION.start - first
    sites = np.linspace(begin, begin + length - 1, N_SITES).astype(int)
    there = window[0, sites].long()

    def log_ratios(masked: list[np.ndarray]) -> np.ndarray:
        """Read each site under its own mask, (sites, 4)."""
        rows = []
        for site, base, places in zip(sites, there, masked, strict=True):
            mask = torch.zeros(window.shape, dtype=torch.bool)
            mask[0, places] = True
            with torch.inference_mode():
                log_p = masked_log_p(
                    model, window, mask, species=torch.tensor([0]), config=MaskingConfig()
                )
            rows.append((log_p[0, site] - log_p[0, site, base]).numpy())
        return np.stack(rows)

    def compare(masked: list[np.ndarray]) -> dict[str, float]:
        found = log_ratios(masked)
        other = np.ones(found.shape, bool)
        other[np.arange(N_SITES), there.numpy()] = False
        r = np.corrcoef(found[other], alone[other])[0, 1]
        return {"r": float(r), "largest": float(np.abs(found - alone).max())}

    alone = log_ratios([np.array([site]) for site in sites])
    rng = np.random.default_rng(0)
    shares = [
        np.r_[site, rng.choice(model.window, model.window // N_PASSES, replace=False)]
        for site in sites
    ]
    rows = [
        {"how": f"a share of 1/{N_PASSES} of the window", "passes": N_PASSES, **compare(shares)}
    ]
    for apart in APART:
        masked = [
            np.arange(begin + (site - begin) % apart, begin + length, apart) for site in sites
        ]
        rows.append({"how": f"{apart} bases apart", "passes": apart, **compare(masked)})
    facts = {"model": MODEL, "region": str(REGION), "sites": N_SITES}
    write_json(options.json, {"rows": rows, **facts, "machine": machine(torch.get_num_threads())})


if __name__ == "__main__":
    main()
