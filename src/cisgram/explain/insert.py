"""Motif insertion: what a motif does to predictions, whatever else is in the sequence.

The DNA around is shuffled, its dinucleotides kept, and the motif put in; the mean difference from
the shuffled sequences alone is the motif's global importance (Koo et al. 2021,
doi:10.1371/journal.pcbi.1008925). The null is the motif's own letters in another order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt8

from cisgram.core.checks import ConfigError, check_choice
from cisgram.core.metrics import Estimate, bootstrap_ci, bootstrap_difference
from cisgram.core.progress import progress
from cisgram.core.results import Result
from cisgram.explain.backgrounds import dinucleotide_shuffle, put_in, reordered
from cisgram.explain.insertion_sites import (
    InsertConfig,
    InsertionSite,
    check_fit,
    sites_of_genes,
    sites_of_sequences,
)
from cisgram.explain.motifs import Motif
from cisgram.genome.alphabet import N, decode, reverse_complement
from cisgram.models.base import Model
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.readouts import Readout, choose_output
from cisgram.prediction.sequences import Asked, Windows
from cisgram.prediction.session import Session, as_session

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AT_ONCE = 1_024
"""Windows in memory together, or those of one motif."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Insertions(Result):
    """Effects of motifs on each of several genes or sequences."""

    subjects: tuple[str, ...]
    """Genes or sequences."""
    motifs: tuple[str, ...]
    sequences: tuple[str, ...]
    """What was inserted, N for bases that were left."""
    distances: tuple[int, ...]
    """Bases from the middle of a motif to the landmark."""
    outputs: tuple[str, ...]
    """Names of the effects."""
    effects: Float32[np.ndarray, "subjects motifs distances outputs"]
    """With the motif against without it, as the readout defines it; the mean over backgrounds and
    orientations."""
    nulls: Float32[np.ndarray, "subjects motifs distances outputs"]
    """The same of the motif's letters in other orders; NaN where all of them are alike."""
    output: str
    """The effect that is looked at first."""
    landmark: str
    """What distances are to."""
    n_left_out: int = 0
    """Genes whose promoters lie outside the model's window."""
    seed: int = 0
    """Random seed for the intervals."""

    @property
    def table(self) -> pl.DataFrame:
        """The effects on `output`, as `of` returns them."""
        return self.of(self.output)

    @property
    def over(self) -> str:
        """What effects are means over, such as `12 genes`."""
        n = len(self.subjects)
        return f"{n:,} {'gene' if self.landmark == 'TSS' else 'sequence'}{'s' * (n > 1)}"

    def of(self, output: str) -> pl.DataFrame:
        """Return means over genes or sequences with 95 % bootstrap intervals.

        A row is a motif and distance. Columns are motif, sequence, distance, n, effect, low, high,
        null, difference (of effect and null, one by one), difference_low and difference_high.
        """
        number = self.outputs.index(check_choice(output, self.outputs, "output"))
        rows: list[dict[str, str | float]] = []
        for m, d in np.ndindex(len(self.motifs), len(self.distances)):
            own, null = (found[:, m, d, number] for found in (self.effects, self.nulls))
            effect, beyond = _estimates(own, null, seed=self.seed)
            place = (self.motifs[m], self.sequences[m], self.distances[d], len(self.subjects))
            rows.append(
                dict(zip(("motif", "sequence", "distance", "n"), place, strict=True))
                | dict(zip(("effect", "low", "high"), effect, strict=True))
                | {"null": float(null.mean(dtype=np.float64)), "difference": beyond.value}
                | {"difference_low": beyond.low, "difference_high": beyond.high}
            )
        return pl.DataFrame(rows)

    def plot(self) -> "Figure":
        """Draw each motif's effect by distance, beside its null."""
        from cisgram.plot.insertions import draw_insertions

        return draw_insertions(
            self.table, output=self.output, landmark=self.landmark, over=self.over
        )


def _estimates(
    own: Float32[np.ndarray, "subjects"], null: Float32[np.ndarray, "subjects"], *, seed: int
) -> tuple[Estimate, Estimate]:
    """Return the mean effect, and how far it is beyond the null; one subject has no interval."""
    if np.isnan(null).all():
        return bootstrap_ci(own, seed=seed), Estimate(np.nan, np.nan, np.nan)
    return bootstrap_ci(own, seed=seed), bootstrap_difference(own, null, seed=seed)


def insert(
    model: Session | Model | Path | str,
    motifs: Sequence[Motif],
    sequences: Asked | None = None,
    *,
    readout: Readout | str | None = None,
    genes: Sequence[str] | None = None,
    output: str | None = None,
    config: InsertConfig | None = None,
) -> Insertions:
    """Insert motifs into shuffled sequences, and read the model.

    Of genes, the promoter is shuffled and nothing else; of sequences, the whole sequence. What a
    sequence and a motif become depends on the seed and their numbers alone.

    Args:
        model: a session, a model, or the name of one.
        motifs: of each the likeliest sequence is inserted.
        sequences: a BED, regions or DNA, read in the middle of windows; or give genes.
        readout: what is read; the model's usual readout by default.
        genes: identifiers or names; by default all, where no sequences are given.
        output: the effect that is looked at first; the readout's first by default.
        config: where and how often.

    Raises:
        ConfigError: there are no motifs, one does not fit in, or the model has no such readout.
        DataError: a gene is unknown, a file cannot be used, or fewer than two genes have their
            promoters in the model's window.
    """
    session, config = as_session(model), config or InsertConfig()
    readout, letters = choose_readout(session, readout), _likeliest(motifs)
    first = readout.outputs[choose_output(readout, output)]
    if sequences is None:
        if not readout.of_genes:
            raise ConfigError(
                f"give sequences to insert motifs into; the readout {readout.name} is of no gene."
            )
        known = session.genes.places if genes is None else session.genes.find(genes)
        sites, n_left_out = sites_of_genes(session, known, config)
        landmark, usual = "TSS", (50, 100, 150, 200)
    else:
        sites, n_left_out = sites_of_sequences(session, readout, sequences), 0
        landmark, usual = "middle", (0,)
    distances = config.distances or usual
    smallest = min(sites, key=lambda site: site.shuffled.stop - site.shuffled.start)
    for motif in motifs:
        check_fit(motif, smallest, distances, to=landmark)
    effects, nulls = _read_all(session, readout, sites, letters, distances, config=config)
    return Insertions(
        subjects=tuple(site.name for site in sites),
        motifs=tuple(motif.name for motif in motifs),
        sequences=tuple(decode(own) for own in letters),
        distances=distances,
        outputs=readout.outputs,
        effects=effects,
        nulls=nulls,
        output=first,
        landmark=landmark,
        n_left_out=n_left_out,
        seed=config.seed,
    )


def _likeliest(motifs: Sequence[Motif]) -> list[UInt8[np.ndarray, "_width"]]:
    if not motifs:
        raise ConfigError("there must be a motif to insert; got none.")
    letters = [motif.likeliest for motif in motifs]
    for motif, own in zip(motifs, letters, strict=True):
        if (own == N).all():
            raise ConfigError(f"motif {motif.name} has no base that is likelier than another.")
    return letters


def _read_all(
    session: Session,
    readout: Readout,
    sites: Sequence[InsertionSite],
    letters: Sequence[UInt8[np.ndarray, "_width"]],
    distances: tuple[int, ...],
    *,
    config: InsertConfig,
) -> tuple[
    Float32[np.ndarray, "subjects motifs distances outputs"],
    Float32[np.ndarray, "subjects motifs distances outputs"],
]:
    shape = (len(sites), len(letters), len(distances), len(readout.outputs))
    effects, nulls = np.empty(shape, np.float32), np.empty(shape, np.float32)
    n_rows = config.n_backgrounds + config.n_nulls
    at_once = max(1, _AT_ONCE // (len(distances) * (1 + config.both_strands) * n_rows))
    with progress("inserting motifs", len(sites)) as ticker:
        for number, site in enumerate(sites, start=1):  # seeds do not see zeros
            backgrounds = _shuffled(site, config, number)
            for first in range(0, len(letters), at_once):
                part = list(range(first, min(first + at_once, len(letters))))
                rows = [_rows(letters[motif], config, (number, motif + 1)) for motif in part]
                middles = [site.landmark - distance for distance in distances]
                tokens, under = _inserted(
                    rows, backgrounds, middles, both_strands=config.both_strands
                )
                windows = Windows(tokens, np.broadcast_to(site.span, (len(tokens), 2)))
                kept = readout.read(session.model, windows, species=session.species)
                n = config.n_backgrounds
                after = kept[n:].reshape(len(rows), len(distances), -1, n_rows, kept.shape[1])
                found = readout.effect(after, kept[:n][under])
                effects[number - 1, part] = found[..., :n, :].mean(axis=(2, 3))
                nulls[number - 1, part] = found[..., n:, :].mean(axis=(2, 3))
            ticker.advance()
    nulls[:, [len(set(own[own < N].tolist())) < 2 for own in letters]] = np.nan
    return effects, nulls


def _inserted(
    rows: Sequence[UInt8[np.ndarray, "rows _width"]],
    backgrounds: UInt8[np.ndarray, "backgrounds length"],
    middles: Sequence[int],
    *,
    both_strands: bool,
) -> tuple[UInt8[np.ndarray, "windows length"], Int64[np.ndarray, "rows"]]:
    """Return backgrounds, then motifs in them at each middle; and the background of each row.

    Motifs meet every background, and nulls one each, in turn.
    """
    n, n_rows = len(backgrounds), len(rows[0])
    under = np.r_[np.arange(n), np.arange(n_rows - n) % n]
    windows = [backgrounds]
    for own in rows:
        orientations = [own, reverse_complement(own)] if both_strands else [own]
        for middle in middles:
            windows += [
                put_in(row, backgrounds[[background]], middle - own.shape[1] // 2)
                for orientation in orientations
                for row, background in zip(orientation, under, strict=True)
            ]
    return np.concatenate(windows), under


def _shuffled(
    site: InsertionSite, config: InsertConfig, number: int
) -> UInt8[np.ndarray, "backgrounds length"]:
    backgrounds = np.repeat(site.tokens[None], config.n_backgrounds, axis=0)
    rng = np.random.default_rng((config.seed, number))
    for own in backgrounds:
        own[site.shuffled] = dinucleotide_shuffle(site.tokens[site.shuffled], rng)
    return backgrounds


def _rows(
    letters: UInt8[np.ndarray, "width"], config: InsertConfig, numbers: tuple[int, int]
) -> UInt8[np.ndarray, "rows width"]:
    """Return a motif once for each background, then nulls."""
    rng = np.random.default_rng((config.seed, *numbers))
    nulls = [reordered(letters, rng) for _ in range(config.n_nulls)]
    return np.stack([letters] * config.n_backgrounds + nulls)
