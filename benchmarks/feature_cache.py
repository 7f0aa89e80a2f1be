"""Score variants of yeast with a cache of features, empty and filled, and without one.

    python benchmarks/feature_cache.py --vcf ../shared/data/yeast/variation/BY_RM_variants.vcf.gz \
        --genes 40 --json benchmarks/results/feature_cache.json

Variants near genes spread over chromosome IV are scored `without` a cache, into an empty one
(`cold`), from what that left in memory (`warm`) and, once the system was told to forget the files,
from the `disk` of TMPDIR (a virtual machine's host may remember). Each has its own cache object.

Keys of the JSON:

- `scored`: `genes`, `pairs` of variant and gene, `mib` kept, `found` (share of tiles the filled
  cache had), `max_difference` of effects from those without; `ways`, a row a `way`: `seconds`
  (median over turns), and `times`, how much faster than without.
- `tiles`: a row a network, `tiles` of `tile` bases: `bytes_per_base` kept, `computed_seconds`,
  `written_seconds`, `warm_seconds`, `disk_seconds`, and `microseconds_per_base` of each. And
  `machine`.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from machine import machine
from networks import cnn

from cisgram.core.artifact import write_json
from cisgram.genome.vcf import read_sites
from cisgram.models.hub import load_model
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.feature_cache import FeatureCache
from cisgram.prediction.reuse import ReuseConfig
from cisgram.prediction.session import Session
from cisgram.prediction.tile_features import TileFeatures
from cisgram.prediction.tiles import tiles_of
from cisgram.prediction.variants import VariantConfig, near_pairs, score_pairs

MODELS = ("cisgram/yeast-expression", "cisgram/yeast-lm", "dilated CNN")
CHROMOSOME, TILE = "chrIV", 2_048


def forget(place: str) -> None:
    for path in Path(place).glob("*"):
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def score(vcf: Path, n_genes: int, n_turns: int) -> dict:
    session = Session.open(MODELS[0])
    reference, readout = session.reference, choose_readout(session)
    genes = {n: g for n, g in session.genes.places.items() if g.chrom == CHROMOSOME}
    variants = read_sites(vcf).variants
    pairs = near_pairs(reference, variants, genes, reach=VariantConfig().reach)
    near = np.unique(pairs[:, 1])
    chosen = near[np.linspace(0, near.size - 1, n_genes).astype(int)]
    pairs = pairs[np.isin(pairs[:, 1], chosen)]
    seconds: dict[str, list[float]] = {}
    effects: dict[str, np.ndarray] = {}
    for _ in range(n_turns):
        with tempfile.TemporaryDirectory() as place:
            for way in ("without", "cold", "warm", "disk"):
                config = cache = None  # what it has mapped could not be forgotten
                if way == "disk":
                    forget(place)
                started = time.perf_counter()
                cache = None if way == "without" else FeatureCache(place)
                config = VariantConfig(reuse=ReuseConfig(cache=cache))
                effects[way] = score_pairs(
                    session, variants, genes=genes, pairs=pairs, readout=readout, config=config
                )
                seconds.setdefault(way, []).append(time.perf_counter() - started)
                print(way, seconds[way][-1], cache and cache.account, flush=True)
            mib, found = cache.mib, cache.n_found / cache.n_asked
    apart = [float(np.abs(own - effects["without"]).max()) for own in effects.values()]
    taken = {way: statistics.median(times) for way, times in seconds.items()}
    ways = [
        {"way": way, "seconds": own, "times": taken["without"] / own} for way, own in taken.items()
    ]
    counts = {"genes": len(chosen), "pairs": len(pairs), "mib": mib, "found": found}
    return counts | {"ways": ways, "max_difference": max(apart)}


def tile_row(name: str) -> dict:
    model = cnn().eval() if name == MODELS[2] else load_model(name)[0]
    tokens = np.random.default_rng(0).integers(0, 4, 8 * TILE, dtype=np.uint8)
    tiles = tiles_of(tokens, size=TILE, halo=model.halo)
    row = {"network": name, "tiles": len(tiles), "tile": TILE}
    with tempfile.TemporaryDirectory() as place, torch.no_grad():
        for what in ("first", "computed", "written", "warm", "disk"):
            cache = None
            if what == "disk":
                forget(place)
            cache, features = FeatureCache(place), TileFeatures(model, size=TILE)
            cache.find(model, [], size=TILE, species=0)  # hashes the weights
            started = time.perf_counter()
            if what in ("first", "computed"):
                made, computed = features, features.add(tiles, most=tokens.size)
            elif what == "written":
                made.store(computed, cache)
            else:
                features.fetch(tiles, cache)
            row[f"{what}_seconds"] = time.perf_counter() - started
    per_base = {
        what: 1e6 * row[f"{what}_seconds"] / (len(tiles) * TILE)
        for what in ("computed", "written", "warm", "disk")
    }
    return row | {"bytes_per_base": made.bytes_each / TILE, "microseconds_per_base": per_base}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vcf", type=Path, required=True)
    parser.add_argument("--genes", type=int, default=40)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    scored = score(options.vcf, options.genes, options.turns)
    result = {"scored": scored, "tiles": [tile_row(name) for name in MODELS]}
    write_json(options.json, result | {"machine": machine(torch.get_num_threads())})


if __name__ == "__main__":
    main()
