"""Whether known sites stand out in explanations of what networks predict of yeast genes.

    python benchmarks/yeast_explanations.py --targets RUN/targets \
        --models cisgram/yeast-expression=cisgram/yeast-expression random=RUN \
        --data ../shared/data/yeast --json benchmarks/results/yeast_explanations.json

Only genes of the chromosomes that all models held out are explained: the gradient of a gene's
number at every base from 600 before its start to its end, both strands read, less the mean over the
four bases. Where genes share a base, the one that starts nearest counts. Beside the models stands
the same network with weights nobody trained.

Keys of the JSON, intervals over sites:

- `elements`: by kind of site and source, of the mean size of what its bases add (`importance`) and
  of how alike the gradient and the motif are (`match`, a cosine): `sites` and `background` means,
  and `auroc`, how often a site is above places at the same distance from the landmark, or above the
  same sequence elsewhere. `model_minus` is how much larger the first model's areas are.
- `words`: words put into shuffled promoters of genes drawn from the same chromosomes, intervals
  over genes: `by_distance` as `cisgram explain words` has it; `by_word`, the means over distances
  of the effect and of what it exceeds that of the word's own letters shuffled by; a ridge
  regression on words of promoters stands beside the models.
- `protocol`, `models`, `machine`.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lm_motif_elements import Element, Layout, elements
from lm_motif_maps import SEED, Maps
from lm_motif_sites import UPSTREAM, Genome, read_genome
from machine import machine
from motif_backgrounds import (
    DISTANCE,
    SAME,
    difference,
    interval,
    mean,
    same_distance,
    same_sequence,
    shares_beaten,
)
from yeast_models import model_parser, untrained
from yeast_words import word_effects

from cisgram.core.artifact import atomic_file, sha256, write_json
from cisgram.core.progress import progress
from cisgram.data.targets import Targets
from cisgram.explain.gene_gradients import attribute_to_gene
from cisgram.explain.motifs import Motif
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.checkpoint import WEIGHTS, model_directory
from cisgram.prediction.tracks import TrackReader

TEST = ("chrXII", "chrXIV", "chrXVI")
NULL = ("chrXIV",)
"""Chromosomes on which weights nobody trained are explained."""
PRIMARY = "segregants"
UNTRAINED = "untrained"
PSEUDO, TINY = 1e-2, 1e-12


def main() -> None:
    options = _options()
    runs = dict(options.models)
    readers = {name: TrackReader.open(run) for name, run in runs.items()}
    readers[UNTRAINED] = untrained(next(iter(readers.values())))
    targets = Targets.open(options.targets)
    reference = targets.reference
    genome = read_genome(
        reference,
        options.data / "genome" / "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz",
        options.data / "tss" / "albert_TSS_per_gene.tsv.gz",
        chromosomes=TEST,
        training=[reference.contig(n) for n in reference.contigs if n not in (*TEST, "chrM")],
    )
    maps = {
        name: gradient_maps(
            reader, reference, genome, on=NULL if name == UNTRAINED else TEST,
            kept=options.work / f"{_key(name, runs)}-{options.output}",
            output=options.output,
        )
        for name, reader in readers.items()
    }  # fmt: skip
    found = [
        test_element(element, genome, maps) for element in elements(reference, genome, options.data)
    ]
    for row in found:
        print(row["name"], row["n_known"], row["sources"], flush=True)
    write_json(
        options.json,
        {
            "elements": found,
            "words": word_effects(
                readers, targets, bodies(genome), options.data, n_genes=options.n_genes
            ),
            "protocol": {
                "output": options.output, "chromosomes": TEST, "null_chromosomes": NULL,
                "genes": genome.genes.height, "upstream": UPSTREAM,
            },
            "models": {name: readers[name].card.get("steps") for name in runs},
            "machine": machine(torch.get_num_threads()),
        },
    )  # fmt: skip


def _options() -> argparse.Namespace:
    parser = model_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n-genes", type=int, default=24, help="genes that words are put before")
    parser.add_argument("--output", default=PRIMARY)
    parser.add_argument("--work", type=Path, default=Path(".cache/bench/yeast-explanations"))
    return parser.parse_args()


def _key(name: str, runs: Mapping[str, str]) -> str:
    if name == UNTRAINED:
        return UNTRAINED
    return sha256(model_directory(runs[name]) / WEIGHTS)[:12]


def bodies(genome: Genome) -> dict[str, Interval]:
    """Return the genes' bodies by identifier."""
    return {
        row["gene"]: Interval(row["chrom"], row["start"], row["end"], row["strand"])
        for row in genome.genes.iter_rows(named=True)
    }


def gradient_maps(
    reader: TrackReader,
    reference: Reference,
    genome: Genome,
    *,
    on: tuple[str, ...],
    kept: Path,
    output: str,
) -> Maps:
    """Return what A, C, G and T on strand `+` would add at every base, (bases, 4) by chromosome.

    NaN where no gene is near. Maps are kept on disk.
    """
    found: Maps = {}
    for chrom in on:
        path = kept.with_name(f"{kept.name}-{chrom}.npy")
        if not path.exists():
            made = _gradients(reader, reference, genome, chrom=chrom, output=output)
            with atomic_file(path) as building, building.open("wb") as stream:
                np.save(stream, made)
        found[chrom] = np.load(path)
    return found


def _gradients(
    reader: TrackReader, reference: Reference, genome: Genome, *, chrom: str, output: str
) -> np.ndarray:
    length = len(genome.tokens[chrom])
    hypothetical = np.full((length, 4), np.nan, dtype=np.float32)
    nearest = np.full(length, np.inf)
    own = [row for row in genome.genes.iter_rows(named=True) if row["chrom"] == chrom]
    with progress(f"explaining genes of {chrom}", len(own)) as ticker:
        for row in own:
            gene = Interval(chrom, row["start"], row["end"], row["strand"])
            found = attribute_to_gene(reader, reference, gene, output=output)
            start, end = gene.start, gene.end
            if gene.strand == "-":
                end += UPSTREAM
            else:
                start -= UPSTREAM
            window = found.place.window
            region = Interval(chrom, max(start, window.start), min(end, window.end))
            rows = found.within(region).hypothetical
            distance = np.abs(np.arange(region.start, region.end) - row["tss"])
            closer = distance < nearest[region.start : region.end]
            hypothetical[region.start : region.end][closer] = rows[closer]
            nearest[region.start : region.end][closer] = distance[closer]
            ticker.advance()
    return hypothetical


def test_element(element: Element, genome: Genome, maps: Mapping[str, Maps]) -> dict[str, Any]:
    """Compare a kind of site with its backgrounds, in every source."""
    layout, rng = Layout(genome.tokens), np.random.default_rng(SEED)
    places = layout.places(element.known)
    usable = layout.join(element.usable, fill=False)
    distance = layout.join(element.distance, fill=np.nan)
    backgrounds = {
        DISTANCE: same_distance(places, usable, distance, rng=rng, total=layout.total),
        SAME: same_sequence(element, genome.tokens, places, usable, rng=rng),
    }
    sources: dict[str, Any] = {}
    shares: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for source, own in maps.items():
        sources[source], shares[source] = {}, {}
        for what, values in statistics(element.motif, genome.tokens, own).items():
            flat = layout.join(values, fill=np.nan)
            at_sites = flat[places]
            rows = {n: np.where(b >= 0, flat[b], np.nan) for n, b in backgrounds.items()}
            shares[source][what] = {n: shares_beaten(at_sites, row) for n, row in rows.items()}
            sources[source][what] = {
                "n": int(np.isfinite(at_sites).sum()),
                "sites": mean(at_sites),
                "background": {name: mean(row) for name, row in rows.items()},
                "auroc": {name: interval(own) for name, own in shares[source][what].items()},
            }
    first, *others = maps
    return {
        "name": element.name,
        "consensus": element.motif.consensus,
        "truth": element.truth,
        "landmark": element.landmark,
        "n_known": len(places),
        "n_matched": {name: int((rows[:, 0] >= 0).sum()) for name, rows in backgrounds.items()},
        "sources": sources,
        "model_minus": {
            source: {
                what: {name: difference(shares[first][what][name], own) for name, own in by.items()}
                for what, by in shares[source].items()
            }
            for source in others
        },
    }


def statistics(
    motif: Motif, tokens: Mapping[str, np.ndarray], maps: Maps
) -> dict[str, dict[str, np.ndarray]]:
    """Return statistics of a motif at every place of either strand, (2, bases) by chromosome."""
    found: dict[str, dict[str, np.ndarray]] = {"importance": {}, "match": {}}
    for chrom, hypothetical in maps.items():
        letters = np.minimum(tokens[chrom], 3)[:, None].astype(np.int64)
        adds = np.take_along_axis(hypothetical, letters, axis=1)[:, 0]
        importance = _windows(np.abs(adds), motif.width).mean(axis=1)
        found["importance"][chrom] = np.tile(_padded(importance, len(adds)), (2, 1))
        weights = np.log2(motif.probabilities + PSEUDO)
        weights -= weights.mean(axis=1, keepdims=True)
        size = np.sqrt(_windows((hypothetical**2).sum(axis=1), motif.width).sum(axis=1))
        found["match"][chrom] = np.stack(
            [
                _padded(_dot(hypothetical, own) / (size + TINY) / np.linalg.norm(own), len(adds))
                for own in (weights, weights[::-1, ::-1])
            ]
        )
    return found


def _dot(hypothetical: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the scalar product of the motif and the map at every place."""
    n = len(hypothetical) - len(weights) + 1
    return np.sum([hypothetical[i : i + n] @ row for i, row in enumerate(weights)], axis=0)


def _windows(values: np.ndarray, width: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, width)


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values.astype(np.float32), (0, length - len(values)), constant_values=np.nan)


if __name__ == "__main__":
    main()
