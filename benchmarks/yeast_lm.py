"""Measure masked language models of yeast on chromosomes they never saw, beside count models.

    python benchmarks/yeast_lm.py --genome DIR --models cisgram/yeast-lm RUN ... \
        --json benchmarks/results/yeast_lm.json

`DIR` holds sacCer3.fa.gz and the Ensembl R64-1-1 GFF3. Every base of chrXII, XIV and XVI is hidden
once, in seven passes, and perplexity is unweighted. Baselines learn from R64 chrI to X, where they
may copy repeats and duplicated genes, as the networks may. Intervals are of blocks of 10,000 bases,
drawn with replacement.

Keys of the JSON:

- `models`: by name, the card's facts (`n_parameters`, `steps` and `seconds` with those of the model
  it started from, `genomes`), and `perplexity` (`overall`, `low`, `high`) and `by_region`.
- `baselines`: by name, the same; `composition` knows only how often each base occurs.
- `not_copied`: perplexity of every model and baseline on the test bases that stand next to no 20
  bases which also occur on chrI to X, on either strand; `n_bases` of them.
- `ratios`: perplexity of the first over that of the second on the same bases, `value`, `low`,
  `high`; of each model over the baselines, and of each over the next.
- `protocols`: of the first model: other numbers of passes, both strands, bases hidden as N.
- `n_bases`: known bases, overall and by region.
- `published`: Shorkie's figures and what is different about them.
"""

import argparse
import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine

from cisgram.benchmark.markov import FlankModel
from cisgram.core.artifact import write_json
from cisgram.data.regions import region_classes
from cisgram.genome.alphabet import N
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.checkpoint import load_language_model
from cisgram.prediction.evaluate_lm import baseline_surprise, by_region
from cisgram.prediction.perplexity import perplexity_interval, ratio_interval, surprise
from cisgram.prediction.perplexity_config import PerplexityConfig
from cisgram.training.provenance import total

TEST = ("chrXII", "chrXIV", "chrXVI")
LEARNT = ("chrI", "chrII", "chrIII", "chrIV", "chrV", "chrVI", "chrVII", "chrVIII", "chrIX", "chrX")
FASTA, ANNOTATION = "sacCer3.fa.gz", "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz"
PROTOCOLS = {
    "3 passes": PerplexityConfig(n_passes=3),
    "7 passes": PerplexityConfig(),
    "20 passes": PerplexityConfig(n_passes=20),
    "7 passes, both strands": PerplexityConfig(strands="both"),
    "7 passes, hidden as N without the flag": PerplexityConfig(masking="zero"),
}
PUBLISHED = {
    "figures": {
        "R64": {"overall": 3.7458, "gene": 3.7561, "intergenic": 3.7386},
        "80 strains": {"overall": 3.7257, "gene": 3.7342, "intergenic": 3.7225},
        "165 Saccharomycetales": {"overall": 3.5853, "gene": 3.5488, "intergenic": 3.6360},
        "1,341 fungi": {"overall": 3.6380, "gene": 3.6043, "intergenic": 3.6851},
    },
    "source": "Chao et al. 2025, figure 1 of the preprint as recomputed in its repository",
    "differences": [
        "bases in exons and in repeats count a tenth there, all bases alike here",
        "perplexity there is of the mean over windows of weighted means, here of the mean of bases",
        "windows there are 16,384 bases that overlap and passed repeat filters, here all bases",
        "gene and intergenic masks there are not turned with windows that are reverse complemented",
        "the corpora there are of other genomes, up to 165 and 1,361 of them, here of 16 at most",
    ],
}

Nats = dict[str, np.ndarray]


def summary(nats: Nats, regions: dict[str, np.ndarray]) -> dict[str, Any]:
    interval = perplexity_interval(nats)
    found = by_region(nats, regions)
    return {
        "perplexity": {"overall": interval.value, "low": interval.low, "high": interval.high},
        "by_region": {name: value for name, (_, value) in found.items() if name != "overall"},
    }


def composition(training: list[np.ndarray], contigs: Nats) -> Nats:
    """Return the surprise under the training bases' frequencies alone, both strands."""
    counts = sum(np.bincount(tokens, minlength=5)[:4] for tokens in training)
    frequencies = (counts + counts[::-1]) / (2 * counts.sum())
    table = np.append(-np.log(frequencies), math.nan)
    return {name: table[np.minimum(tokens, N)] for name, tokens in contigs.items()}


def facts(name: str) -> dict[str, Any]:
    model, card = load_language_model(name)
    return {
        "n_parameters": model.n_parameters,
        "steps": total(card, "steps"),
        "seconds": total(card, "seconds"),
        "genomes": list(card.get("genomes", {})),
    }


def measure(name: str, contigs: Nats, config: PerplexityConfig) -> Nats:
    model, _ = load_language_model(name)
    return surprise(model, contigs, config=config)


def on(nats: Nats, chosen: Nats) -> Nats:
    return {name: np.where(chosen[name], values, np.nan) for name, values in nats.items()}


def compare(nats: dict[str, Nats], models: list[str]) -> list[dict[str, Any]]:
    baselines = [name for name in nats if name not in models]
    pairs = [(model, baseline) for model in models for baseline in baselines]
    pairs += itertools.pairwise(models)
    rows = []
    for first, second in pairs:
        ratio = ratio_interval(nats[first], nats[second])
        rows.append({"of": first, "over": second, **ratio._asdict()})
    return rows


def contigs_of(reference: Reference, names: tuple[str, ...]) -> Nats:
    return {name: np.asarray(reference.contig(name)) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--genome", type=Path, required=True)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--json", type=Path, default=Path("yeast_lm.json"))
    options = parser.parse_args()
    reference = open_reference(options.genome / FASTA)
    contigs = contigs_of(reference, TEST)
    training = list(contigs_of(reference, LEARNT).values())
    classes = region_classes(options.genome / ANNOTATION, reference.contigs)
    regions = {name: classes[name] for name in TEST}
    started = time.perf_counter()
    baselines = {"composition": composition(training, contigs)}
    baselines |= baseline_surprise(training, contigs)
    seconds = {"baselines": time.perf_counter() - started}
    nats = {}
    for name in options.models:
        started = time.perf_counter()
        nats[name] = measure(name, contigs, PerplexityConfig())
        seconds[name] = time.perf_counter() - started
        print(name, perplexity_interval(nats[name]), flush=True)
    protocols = {}
    for what, config in PROTOCOLS.items():
        found = measure(options.models[0], contigs, config)
        protocols[what] = summary(found, regions)
        print(what, protocols[what]["perplexity"], flush=True)
    counts = FlankModel.fit(training)
    unseen = {name: ~counts.copied(tokens) for name, tokens in contigs.items()}
    result = {
        "not_copied": {
            "n_bases": int(sum(chosen.sum() for chosen in unseen.values())),
            **{
                name: perplexity_interval(on(found, unseen))._asdict()
                for name, found in (nats | baselines).items()
            },
        },
        "models": {name: facts(name) | summary(nats[name], regions) for name in options.models},
        "baselines": {name: summary(found, regions) for name, found in baselines.items()},
        "ratios": compare(nats | baselines, options.models),
        "protocols": protocols,
        "n_bases": {
            name: n for name, (n, _) in by_region(nats[options.models[0]], regions).items()
        },
        "test": TEST,
        "learnt_by_baselines": LEARNT,
        "seconds": seconds,
        "published": PUBLISHED,
        "machine": machine(torch.get_num_threads()),
    }
    write_json(options.json, result)
    print(json.dumps(result["ratios"], indent=1))


if __name__ == "__main__":
    main()
