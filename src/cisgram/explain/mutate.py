"""In-silico saturation mutagenesis: every other base at every position of a region."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from cisgram.core.artifact import write_arrays
from cisgram.core.checks import check_choice, check_suffix
from cisgram.core.results import Result
from cisgram.explain.contributions import Contributions
from cisgram.explain.mutants import Recomputation, other_bases
from cisgram.explain.saturation import saturation_mutagenesis
from cisgram.explain.subject import Subject, find_subject
from cisgram.genome.alphabet import LETTERS, N, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.models.base import Model
from cisgram.plot.sites import Site
from cisgram.prediction.batches import in_batches
from cisgram.prediction.language import MaskedLogRatio, site_log_probabilities
from cisgram.prediction.readouts import OutputReadout, Readout
from cisgram.prediction.sequences import Asked, Windows
from cisgram.prediction.session import Session

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POSITIONS_AT_ONCE = 16
_MASKED_APART = 32
"""Bases between those that a language model predicts in one pass: nearer ones, masked together,
would change each other's effects."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Mutations(Result):
    """Effects of all single-base changes of a region."""

    region: Interval
    """What was mutated; arrays run along its strand."""
    subject: str
    """The gene that is read, or the model where none is."""
    tokens: UInt8[np.ndarray, "positions"]
    """The bases that are there."""
    outputs: tuple[str, ...]
    """Names of the effects."""
    output: str
    """The one that is looked at first."""
    all_effects: Float32[np.ndarray, "positions 4 outputs"]
    """With A, C, G or T put in, against the region as it is, as the readout defines it; 0 for the
    base that is there, NaN where that is N."""
    reference: Float32[np.ndarray, "kept"]
    """What the readout keeps of the region as it is."""
    account: Recomputation
    """How much was computed."""

    @property
    def effects(self) -> Float32[np.ndarray, "positions 4"]:
        """The effects on `output`."""
        return self.of(self.output)

    def of(self, output: str) -> Float32[np.ndarray, "positions 4"]:
        """Return the effects on one output."""
        number = self.outputs.index(check_choice(output, self.outputs, "output"))
        return self.all_effects[:, :, number]

    @property
    def contributions(self) -> Contributions:
        """Scores of the bases: minus the mean effect of the three changes of each."""
        effects = self.effects
        return Contributions(
            region=self.region,
            subject=self.subject,
            output=self.output,
            tokens=self.tokens,
            contributions=-effects.sum(axis=1) / 3,
            hypothetical=effects - effects.mean(axis=1, keepdims=True),
            method="in-silico mutagenesis",
        )

    @property
    def table(self) -> pl.DataFrame:
        """A row a change and output: chrom, position (from 1), ref, alt, output and effect.

        Bases are those of the region's strand.
        """
        at, base = np.nonzero((np.arange(4) != self.tokens[:, None]) & (self.tokens < N)[:, None])
        positions = np.array([self.region.position(offset) + 1 for offset in at.tolist()])
        n = len(self.outputs)
        letters = np.array(list(LETTERS))
        changes = pl.DataFrame(
            {
                "chrom": [self.region.chrom] * len(at),
                "position": positions,
                "ref": letters[self.tokens[at]].tolist(),
                "alt": letters[base].tolist(),
            }
        )[np.repeat(np.arange(len(at)), n)]
        return changes.with_columns(
            pl.Series("output", self.outputs * len(at), dtype=pl.String),
            pl.Series("effect", self.all_effects[at, base].reshape(-1)),
        )

    def plot(self, *, sites: Sequence[Site] = ()) -> "Figure":
        """Draw the bases as high as they contribute, over the effect of each change."""
        return self.contributions.plot(
            sites=sites, colours=self.effects, colours_are=f"effect of the change on {self.output}"
        )

    def to_tangermeme(self) -> Float32[np.ndarray, "1 4 positions"]:
        """Return the effects on `output` as tangermeme has attributions: a batch of one."""
        return self.contributions.to_tangermeme()

    def write_arrays(self, out: Path) -> None:
        """Write .npz: effects, and what `Contributions.write_arrays` writes.

        `effects` (positions, 4) are on `output`; `all_effects` (positions, 4, outputs) and
        `all_reference` are of all `outputs`.
        """
        own = {
            "effects": self.effects,
            "all_effects": self.all_effects,
            "all_reference": self.reference,
            "outputs": np.array(self.outputs),
        }
        write_arrays(check_suffix(out, ".npz"), own | self.contributions.arrays())


def mutate(
    model: Session | Model | Path | str,
    region: Asked,
    readout: Readout | str | None = None,
    *,
    gene: str | None = None,
    output: str | None = None,
    batch: int | None = None,
) -> Mutations:
    """Put every other base at every position of a region, and read the model.

    Args:
        model: a session, a model, or the name of one.
        region: such as `chrXIV:187,851-188,050`, a strand may follow; or DNA.
        readout: what is read; the model's usual readout by default. With `masked`, of language
            models, effects are log-ratios of each base and the one that is there, both masked.
        gene: gene that is read; by default the one whose TSS is nearest.
        output: the effect that is looked at first.
        batch: mutants at once; chosen by default.

    Raises:
        ConfigError: the model has no such readout or output, or the region lies too far away.
        DataError: there is no such gene, or a file cannot be used.
    """
    subject = find_subject(model, region, readout, gene=gene, output=output)
    return mutate_subject(subject, batch=batch)


def mutate_subject(subject: Subject, *, batch: int | None = None) -> Mutations:
    """Mutate the region of a subject; `mutate` says how."""
    if isinstance(subject.readout, OutputReadout):
        found = _of_output(subject, subject.readout, batch)
    elif isinstance(subject.readout, MaskedLogRatio):
        found = _of_masked(subject, subject.readout)
    else:
        found = _one_by_one(subject)
    effects, reference, account = found
    return Mutations(
        region=subject.region,
        subject=subject.name,
        tokens=subject.region_tokens,
        outputs=subject.readout.outputs,
        output=subject.output,
        all_effects=effects,
        reference=reference,
        account=account,
    )


_Found = tuple[
    Float32[np.ndarray, "positions 4 outputs"], Float32[np.ndarray, "kept"], Recomputation
]


def _of_output(subject: Subject, readout: OutputReadout, batch: int | None) -> _Found:
    """Mutate on both strands where outputs say so; only what a mutation changes is computed."""
    session, (start, end) = subject.session, subject.bounds
    tokens, length, span = subject.tokens, subject.window.length, subject.span[None]
    read = partial(saturation_mutagenesis, session.model, species=session.species, batch=batch)

    def forward(output: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch kept"]:
        return readout.forward(output, np.broadcast_to(span, (len(output), 2)))

    def backward(output: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch kept"]:
        return readout.backward(output, np.broadcast_to(span, (len(output), 2)))

    found = read(tokens, start=start, end=end, reduce=forward)
    after, before = found.effects + found.reference, found.reference
    if session.outputs.both_strands:
        other = read(
            reverse_complement(tokens), start=length - end, end=length - start, reduce=backward
        )
        after = (after + (other.effects + other.reference)[::-1, ::-1]) / 2
        before = (before + other.reference) / 2
    effects = subject.along_region(readout.effect(after, before))
    return np.ascontiguousarray(effects), before, found.account


def _of_masked(subject: Subject, readout: MaskedLogRatio) -> _Found:
    """Predict every known base of the region while it is masked."""
    session, region = subject.session, subject.region
    contig = subject.reference.contig(region.chrom)
    sites = np.arange(region.start, region.end)
    sites = sites[contig[sites] < N]
    log_p = np.full((region.length, 4), np.nan, dtype=np.float32)
    log_p[sites - region.start] = site_log_probabilities(
        session.model,
        {region.chrom: contig},
        {region.chrom: sites},
        species=session.species,
        config=replace(readout.masking, apart=min(readout.masking.apart, _MASKED_APART)),
    )[region.chrom]
    if region.strand == "-":
        log_p = log_p[::-1, ::-1]
    tokens = np.minimum(subject.region_tokens, N - 1).astype(int)
    own = np.take_along_axis(log_p, tokens[:, None], axis=1)
    reference = np.array([np.nansum(own)], dtype=np.float32)
    return (log_p - own)[:, :, None], reference, Recomputation(n_mutants=3 * len(sites))


def _one_by_one(subject: Subject) -> _Found:
    """Read every mutant, and the window as it is, at the base that changes and around it."""
    session, readout, (start, end) = subject.session, subject.readout, subject.bounds
    tokens = subject.tokens
    known = start + np.flatnonzero(tokens[start:end] < N)
    effects = np.full((end - start, 4, len(readout.outputs)), np.nan, dtype=np.float32)
    effects[known - start, tokens[known]] = 0
    whole = Windows(tokens[None], np.array([[start, end]]))
    reference = readout.read(session.model, whole, species=session.species)[0]
    for places in in_batches(known, _POSITIONS_AT_ONCE, "mutating"):
        bases = np.concatenate([tokens[places][None], other_bases(tokens[places])])
        rows = np.repeat(tokens[None], bases.size, axis=0).reshape(*bases.shape, -1)
        rows[:, np.arange(len(places)), places] = bases
        spans = np.stack([places, places + 1], axis=1)
        windows = Windows(rows.reshape(bases.size, -1), np.tile(spans, (4, 1)))
        read = readout.read(session.model, windows, species=session.species)
        kept = read.reshape(*bases.shape, -1)
        for change in range(1, 4):
            effects[places - start, bases[change]] = readout.effect(kept[change], kept[0])
    return subject.along_region(effects), reference, Recomputation(n_mutants=3 * len(known))
