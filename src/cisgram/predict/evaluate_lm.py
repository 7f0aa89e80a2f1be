"""Perplexity of a language model on chosen contigs, by region, beside count-based baselines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from cisgram.core.artifact import sha256
from cisgram.core.checks import DataError, few
from cisgram.core.metrics import Estimate
from cisgram.data.regions import REGIONS, region_classes
from cisgram.genome.packaged_genomes import packaged_genome
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.checkpoint import open_reader
from cisgram.models.markov import FlankModel, MarkovModel
from cisgram.predict.perplexity import perplexity, perplexity_interval, ratio_interval, surprise
from cisgram.predict.perplexity_config import PerplexityConfig

OVERALL = "overall"
MARKOV, FLANKS = "markov", "two-sided k-mer"
_NO_BASELINES = (
    "No baselines: they need contigs that are not evaluated; name some with --chromosomes."
)


@dataclass(frozen=True, kw_only=True)
class LMEvaluation:
    """Perplexities; the model's own is named after it."""

    model: str
    contigs: tuple[str, ...]
    n_bases: dict[str, int]
    """Known bases, overall and in each region class."""
    perplexity: dict[str, dict[str, float]]
    """By model, then by region."""
    interval: Estimate
    """Of the model's overall perplexity."""
    ratio: dict[str, Estimate]
    """The model's perplexity over each baseline's, on the same bases."""
    config: PerplexityConfig
    notes: tuple[str, ...]
    """What could not be done, and what flatters the model."""

    def plain(self) -> dict[str, Any]:
        """Return the result as JSON holds it."""
        own = self.perplexity[self.model]
        return {
            "model": self.model,
            "contigs": list(self.contigs),
            "perplexity": {
                "overall": own[OVERALL],
                "interval": [self.interval.low, self.interval.high],
                "by_region": {name: own[name] for name in own if name != OVERALL},
            },
            "n_bases": self.n_bases[OVERALL],
            "n_bases_by_region": {n: v for n, v in self.n_bases.items() if n != OVERALL},
            "baselines": {
                name: {
                    "perplexity": values[OVERALL],
                    "by_region": {n: v for n, v in values.items() if n != OVERALL},
                    "ratio": list(self.ratio[name]),
                }
                for name, values in self.perplexity.items()
                if name != self.model
            },
            "protocol": {
                "n_passes": self.config.n_passes,
                "strands": self.config.strands,
                "masking": self.config.masking,
                "weights": "none",
            },
            "notes": list(self.notes),
        }


def evaluate_lm(
    model: str,
    fasta: Path,
    *,
    annotation: Path | None = None,
    chromosomes: Sequence[str] = (),
    baseline_chromosomes: Sequence[str] = (),
    species: str | None = None,
    config: PerplexityConfig | None = None,
) -> LMEvaluation:
    """Measure a model and the baselines on the same bases.

    Args:
        model: what `load_language_model` takes.
        fasta: genome.
        annotation: its genes, for perplexity by region.
        chromosomes: contigs to evaluate; all where none is named.
        baseline_chromosomes: contigs the baselines learn from; where none is named, all that are
            not evaluated.
        species: which of the genomes it learnt from the model is to take this for; the first
            where none is named.
        config: how perplexity is measured.

    Raises:
        DataError: a file cannot be used, a contig is unknown, or one would be learnt from and
            evaluated.
    """
    config = config or PerplexityConfig()
    reader = open_reader(model, species=species)
    reference = open_reference(fasta)
    evaluated = _named(reference, chromosomes) or tuple(reference.contigs)
    learnt = _named(reference, baseline_chromosomes) or tuple(
        name for name in reference.contigs if name not in evaluated
    )
    if both := set(evaluated) & set(learnt):
        raise DataError(
            f"contigs {few(sorted(both))} are both evaluated and learnt from by the baselines; "
            "name different ones."
        )
    contigs = {name: reference.contig(name) for name in evaluated}
    nats = {model: surprise(reader.model, contigs, species=reader.species, config=config)}
    if learnt:
        training = [reference.contig(name) for name in learnt]
        nats |= baseline_surprise(training, contigs)
    regions = region_classes(annotation, reference.contigs) if annotation else {}
    return LMEvaluation(
        model=model,
        contigs=evaluated,
        n_bases={name: int(n) for name, (n, _) in by_region(nats[model], regions).items()},
        perplexity={
            name: {region: value for region, (_, value) in by_region(own, regions).items()}
            for name, own in nats.items()
        },
        interval=perplexity_interval(nats[model]),
        ratio={name: ratio_interval(nats[model], nats[name]) for name in nats if name != model},
        config=config,
        notes=(
            *(() if learnt else (_NO_BASELINES,)),
            *training_notes(reader.card, fasta, evaluated),
        ),
    )


def training_notes(card: Mapping[str, Any], fasta: Path, evaluated: Sequence[str]) -> Iterator[str]:
    """Yield a sentence where the model may have learnt contigs that it is evaluated on."""
    digests = {digest: name for name, digest in card.get("genomes", {}).items()}
    if not digests:
        yield "The model does not say what it learnt from; it may have learnt these contigs."
        return
    packaged = packaged_genome(fasta)
    if genome := digests.get(sha256(packaged.fasta if packaged else fasta)):
        held_out = {
            contig
            for part in card.get("held_out", {}).values()
            if part["genome"] == genome
            for contig in part["contigs"] or evaluated
        }
        if seen := [name for name in evaluated if name not in held_out]:
            yield f"Not held out when the model was trained, so no test of it: {few(seen)}."
    elif packaged:
        yield f"Which of the model's genomes {fasta} is cannot be told; it may have learnt from it."


def baseline_surprise(
    training: Sequence[UInt8[np.ndarray, "_"]], contigs: Mapping[str, UInt8[np.ndarray, "_"]]
) -> dict[str, dict[str, Float64[np.ndarray, "_"]]]:
    """Return -log p of every base under count models fitted to other contigs."""
    fitted = {MARKOV: MarkovModel.fit(training), FLANKS: FlankModel.fit(training)}
    return {
        name: {contig: counts.nll(tokens) for contig, tokens in contigs.items()}
        for name, counts in fitted.items()
    }


def by_region(
    nats: Mapping[str, Float64[np.ndarray, "_"]],
    regions: Mapping[str, UInt8[np.ndarray, "_"]],
) -> dict[str, tuple[int, float]]:
    """Return the number of known bases and their perplexity, overall and in each region class.

    Args:
        nats: surprise of every base, by contig.
        regions: class of every base as a number into `REGIONS`, by contig; empty for none.
    """
    every = np.concatenate(list(nats.values()))
    found = {OVERALL: (int((~np.isnan(every)).sum()), perplexity(every))}
    if regions:
        classes = np.concatenate([regions[name] for name in nats])
        for number, region in enumerate(REGIONS):
            part = every[classes == number]
            known = int((~np.isnan(part)).sum())
            if known:
                found[region] = (known, perplexity(part))
    return found


def _named(reference: Reference, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(reference.names.require(name, f"reference {reference.name}") for name in names)
