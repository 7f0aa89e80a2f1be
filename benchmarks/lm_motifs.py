"""Measure what a language model of yeast DNA knows of regulation, nothing fitted.

    python benchmarks/lm_motifs.py --model MODEL --data ../shared/data/yeast \
        --json benchmarks/results/lm_motifs.json

DATA is a directory with the genome, annotation, motifs, sites and alleles named in
docs/evaluations/lm-motifs.md. Only chromosomes are read whose DNA the packaged model did not learn
from (100 windows of chrXI and chrXIII chose the checkpoint); the count models learn from the
others. Predictions are kept in the work directory, so that a second run only counts.

Keys of the JSON:

- `model`: what was measured; `protocol`, `machine`, `seconds`.
- `elements`: a kind of site each, with the same tests for every source of predictions.
- `patterns`: what repeats in the model's predictions, found without any database.
- `logos`: predictions for the promoters with most known sites.
- `zero_shot`: log-likelihood ratios against allele counts; `masking`: ways of hiding a site.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lm_motif_elements import elements
from lm_motif_maps import FLANKS, MARKOV, MODEL, RANDOM, Maker
from lm_motif_patterns import logos, patterns
from lm_motif_sites import Genome, read_genome
from lm_motif_tests import NEAR, Sources, test_element
from lm_promoter_alleles import Haplotypes, measured_variants, read_haplotypes
from lm_zero_shot import (
    DIFFERENCES,
    GC,
    TRANSITION,
    Masking,
    gc_change,
    haplotype_test,
    map_ratios,
    of_haplotypes,
    site_test,
    transitions,
    variant_test,
)
from machine import machine
from motif_backgrounds import CLEAR, HIT_P, N_MATCHED

from cisgram.core.artifact import write_json
from cisgram.explain.motif_files import read_motifs
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.checkpoint import load_language_model
from cisgram.training.provenance import total

HELD_OUT = ("chrXI", "chrXII", "chrXIII", "chrXIV", "chrXV", "chrXVI")
NULL = ("chrXIV", "chrXVI")
"""Chromosomes on which random weights are read, and which are shuffled."""
NOT_LEARNT = (*HELD_OUT, "chrM")


def main() -> None:
    """Run every part and write the JSON."""
    options = _options()
    torch.set_num_threads(options.threads)
    start = time.perf_counter()
    reference = open_reference(options.data / "genome" / "sacCer3.fa.gz")
    training = [reference.contig(name) for name in reference.contigs if name not in NOT_LEARNT]
    genome = read_genome(
        reference,
        options.data / "genome" / "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz",
        options.data / "tss" / "albert_TSS_per_gene.tsv.gz",
        chromosomes=options.chromosomes,
        training=training,
    )
    maker = Maker(
        model=options.model,
        species=options.species,
        device=options.device,
        batch=options.batch,
        tokens=genome.tokens,
        genic=genome.genic,
        training=training,
        work=options.work,
    )
    result = _measure(reference, genome, maker, options)
    result["seconds"] = time.perf_counter() - start
    write_json(options.json, result)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="cisgram/yeast-lm")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(".cache/bench/lm-motifs"))
    parser.add_argument("--chromosomes", nargs="+", default=HELD_OUT)
    parser.add_argument("--null-chromosomes", nargs="+", default=NULL)
    parser.add_argument("--species", type=int, default=0, help="number of sacCer3 in the model")
    parser.add_argument("--windows", type=int, default=80, help="windows in which sites are hidden")
    parser.add_argument("--haplotypes", type=int, default=60, help="haplotypes read whole")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    return parser.parse_args()


def _measure(
    reference: Reference, genome: Genome, maker: Maker, options: argparse.Namespace
) -> dict[str, Any]:
    chromosomes = list(genome.tokens)
    null = [name for name in options.null_chromosomes if name in genome.tokens]
    real = {source: maker.maps(source, chromosomes) for source in (MODEL, FLANKS, MARKOV)}
    real[RANDOM] = maker.maps(RANDOM, null)
    shuffled = {source: maker.maps(source, null, shuffled=True) for source in (MODEL, FLANKS)}
    found = elements(reference, genome, options.data)
    sources = Sources(genome.tokens, real, shuffled)
    jaspar = read_motifs(options.data / "motifs" / "JASPAR2026_CORE_fungi_latest.jaspar.gz")
    return {
        "model": _model(maker),
        "machine": machine(options.threads) | {"device": options.device},
        "protocol": {
            "chromosomes": chromosomes,
            "null_chromosomes": null,
            "bases": sum(map(len, genome.tokens.values())),
            "bases_copied": sum(int(own.sum()) for own in genome.copied.values()),
            "genes": genome.genes.height,
            "introns": genome.introns.height,
            "n_passes": 7,
            "strands": "both",
            "n_matched": N_MATCHED,
            "hit_p_value": HIT_P,
            "near": NEAR,
            "clear": CLEAR,
        },
        "perplexity": {source: _perplexity(genome, maps) for source, maps in real.items()},
        "elements": [test_element(element, sources) for element in found],
        "patterns": {
            source: patterns(genome, found, jaspar, real=real[source], shuffled=shuffled[source])
            for source in shuffled
        },
        "logos": logos(genome, found, {name: real[name] for name in (MODEL, FLANKS)}),
        "zero_shot": _zero_shot(reference, genome, maker, options, real),
    }


def _model(maker: Maker) -> dict[str, Any]:
    card = load_language_model(maker.model)[1]
    return {
        "name": maker.model,
        "kind": maker.network.kind,
        "n_parameters": maker.network.n_parameters,
        "window": maker.network.window,
        "weights": maker.key,
        "steps": total(card, "steps"),
    }


def _perplexity(genome: Genome, maps: dict[str, np.ndarray]) -> float:
    nats = [
        -np.log(p[np.arange(len(p)), genome.tokens[chrom]])[~genome.copied[chrom]]
        for chrom, p in maps.items()
    ]
    return float(np.exp(np.concatenate(nats).mean()))


def _zero_shot(
    reference: Reference, genome: Genome, maker: Maker, options: argparse.Namespace, real: dict
) -> dict[str, Any]:
    haplotypes = read_haplotypes(options.data, reference, genome.tokens, copied=genome.copied)
    variants = measured_variants(options.data, reference, genome.tokens)
    masking = Masking(
        maker.network, options.species, options.batch, options.windows, options.haplotypes
    )
    by_site = _scores(haplotypes.sites, real)
    by_haplotype = {name: of_haplotypes(haplotypes, own) for name, own in by_site.items()}
    by_haplotype[DIFFERENCES] = _fewer(haplotypes)
    return {
        "account": haplotypes.account,
        "haplotypes": haplotype_test(haplotypes, by_haplotype),
        "sites": site_test(haplotypes, by_site),
        "masking": masking.test(genome.tokens, haplotypes),
        "measured_variants": variant_test(variants, _scores(variants, real)),
    }


def _scores(sites: Any, real: dict) -> dict[str, np.ndarray]:
    ratios = {source: map_ratios(sites, maps) for source, maps in real.items()}
    return ratios | {GC: gc_change(sites), TRANSITION: transitions(sites)}


def _fewer(haplotypes: Haplotypes) -> np.ndarray:
    return -np.array([len(rows) for rows in haplotypes.changes], dtype=np.float64)


if __name__ == "__main__":
    main()
