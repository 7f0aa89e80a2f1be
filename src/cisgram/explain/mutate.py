"""In-silico saturation mutagenesis: every other base at every position of a region."""

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from cisgram.core.artifact import write_arrays
from cisgram.core.checks import check_choice, check_suffix
from cisgram.core.journal import Journal, Record, resumable
from cisgram.core.progress import progress
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
from cisgram.prediction.identity import session_identity
from cisgram.prediction.language import MaskedLogRatio, site_log_probabilities
from cisgram.prediction.readouts import OutputReadout, Readout
from cisgram.prediction.sequences import Asked, Windows
from cisgram.prediction.session import Session

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POSITIONS_AT_ONCE = 16
_KEPT, _MASKED_KEPT = 64, 256
"""Positions that are kept together where work may be interrupted."""
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


@contextmanager
def mutate_resumably(subject: Subject, out: Path) -> Generator[Mutations]:
    """Yield what `mutate_subject` returns, to be written to `out` before the next step.

    Interrupted, it leaves finished positions in `<out>.partial`, and the same call goes on there.
    """
    contig = subject.reference.contig(subject.region.chrom)
    identity = session_identity(subject.session) | {
        "readout": subject.readout.name,
        "region": str(subject.region),
        "window": str(subject.window),
        "gene": f"{subject.gene} {subject.body}",
        "genome": hashlib.sha256(contig.tobytes()).hexdigest(),
    }
    with resumable(out, identity) as journal:
        yield mutate_subject(subject, journal=journal)


def mutate_subject(
    subject: Subject, *, batch: int | None = None, journal: Journal | None = None
) -> Mutations:
    """Mutate the region of a subject; `mutate` says how. Its parts are kept in a journal."""
    keep = _Kept(journal)
    if isinstance(subject.readout, OutputReadout):
        found = _of_output(subject, subject.readout, batch, keep)
    elif isinstance(subject.readout, MaskedLogRatio):
        found = _of_masked(subject, subject.readout, keep)
    else:
        found = _one_by_one(subject, keep)
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


_Arrays = dict[str, np.ndarray]
_Found = tuple[
    Float32[np.ndarray, "positions 4 outputs"], Float32[np.ndarray, "kept"], Recomputation
]


class _Kept:
    """Parts of the work, as they were kept in a journal; computed where there is none."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal

    def __call__(self, number: int, work: Callable[[], _Arrays]) -> _Arrays:
        if self._journal is None:
            return work()
        return self._journal.keep(number, lambda: Record({}, work())).arrays

    def finished(self) -> set[int]:
        return set() if self._journal is None else self._journal.finished()


def _of_output(subject: Subject, readout: OutputReadout, batch: int | None, keep: _Kept) -> _Found:
    """Mutate on both strands where outputs say so; only what a mutation changes is computed."""
    session, (start, end) = subject.session, subject.bounds
    tokens, length, span = subject.tokens, subject.window.length, subject.span[None]

    def forward(output: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch kept"]:
        return readout.forward(output, np.broadcast_to(span, (len(output), 2)))

    def backward(output: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch kept"]:
        return readout.backward(output, np.broadcast_to(span, (len(output), 2)))

    def read(first: int, last: int, *, reversed_: bool) -> _Arrays:
        found = saturation_mutagenesis(
            session.model,
            reverse_complement(tokens) if reversed_ else tokens,
            start=first,
            end=last,
            species=session.species,
            reduce=backward if reversed_ else forward,
            batch=batch,
        )
        account = np.array(list(asdict(found.account).values()))
        after = found.effects + found.reference
        return {"after": after, "before": found.reference, "account": account}

    strands = [(start, end, False)]
    if session.outputs.both_strands:
        strands.append((length - end, length - start, True))
    parts = [
        (first, min(first + _KEPT, last), reversed_)
        for low, last, reversed_ in strands
        for first in range(low, last, _KEPT)
    ]
    mutants = [3 * (last - first) for first, last, _ in parts]
    done = sum(mutants[number] for number in keep.finished())
    with progress("mutating", sum(mutants), done=done):
        found = [
            keep(number, partial(read, first, last, reversed_=reversed_))
            for number, (first, last, reversed_) in enumerate(parts)
        ]
    n = len(found) // len(strands)
    after, before = np.concatenate([part["after"] for part in found[:n]]), found[0]["before"]
    if session.outputs.both_strands:
        other = np.concatenate([part["after"] for part in found[n:]])
        after = (after + other[::-1, ::-1]) / 2
        before = (before + found[n]["before"]) / 2
    effects = subject.along_region(readout.effect(after, before))
    counts = np.sum([part["account"] for part in found[:n]], axis=0).tolist()
    names = [field.name for field in fields(Recomputation)]
    account = Recomputation(**dict(zip(names, counts, strict=True)))
    return np.ascontiguousarray(effects), before, account


def _of_masked(subject: Subject, readout: MaskedLogRatio, keep: _Kept) -> _Found:
    """Predict every known base of the region while it is masked."""
    session, region = subject.session, subject.region
    contig = subject.reference.contig(region.chrom)
    sites = np.arange(region.start, region.end)
    sites = sites[contig[sites] < N]
    log_p = np.full((region.length, 4), np.nan, dtype=np.float32)

    def read(part: Int64[np.ndarray, "sites"]) -> _Arrays:
        found = site_log_probabilities(
            session.model,
            {region.chrom: contig},
            {region.chrom: part},
            species=session.species,
            config=replace(readout.masking, apart=min(readout.masking.apart, _MASKED_APART)),
        )
        return {"log_p": found[region.chrom]}

    for number, part in enumerate(in_batches(sites, _MASKED_KEPT, "mutating")):
        log_p[part - region.start] = keep(number, partial(read, part))["log_p"]
    if region.strand == "-":
        log_p = log_p[::-1, ::-1]
    tokens = np.minimum(subject.region_tokens, N - 1).astype(int)
    own = np.take_along_axis(log_p, tokens[:, None], axis=1)
    reference = np.array([np.nansum(own)], dtype=np.float32)
    return (log_p - own)[:, :, None], reference, Recomputation(n_mutants=3 * len(sites))


def _one_by_one(subject: Subject, keep: _Kept) -> _Found:
    """Read every mutant, and the window as it is, at the base that changes and around it."""
    session, readout, (start, end) = subject.session, subject.readout, subject.bounds
    tokens = subject.tokens
    known = start + np.flatnonzero(tokens[start:end] < N)
    effects = np.full((end - start, 4, len(readout.outputs)), np.nan, dtype=np.float32)
    effects[known - start, tokens[known]] = 0
    whole = Windows(tokens[None], np.array([[start, end]]))
    reference = readout.read(session.model, whole, species=session.species)[0]

    def read(places: Int64[np.ndarray, "positions"]) -> _Arrays:
        bases = np.concatenate([tokens[places][None], other_bases(tokens[places])])
        rows = np.repeat(tokens[None], bases.size, axis=0).reshape(*bases.shape, -1)
        rows[:, np.arange(len(places)), places] = bases
        spans = np.stack([places, places + 1], axis=1)
        windows = Windows(rows.reshape(bases.size, -1), np.tile(spans, (4, 1)))
        kept = readout.read(session.model, windows, species=session.species)
        kept = kept.reshape(*bases.shape, -1)
        effects = [readout.effect(kept[change], kept[0]) for change in range(1, 4)]
        return {"bases": bases[1:], "effects": np.stack(effects)}

    for number, places in enumerate(in_batches(known, _POSITIONS_AT_ONCE, "mutating")):
        found = keep(number, partial(read, places))
        effects[places - start, found["bases"]] = found["effects"]
    return subject.along_region(effects), reference, Recomputation(n_mutants=3 * len(known))
