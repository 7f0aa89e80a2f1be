"""Where motifs are inserted: before genes, or in the middle of sequences."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from cisgram.core.checks import ConfigError, DataError, check_fields
from cisgram.explain.motifs import Motif
from cisgram.genome.interval import Interval
from cisgram.prediction.readouts import Readout
from cisgram.prediction.sequences import Asked, as_sequences, window_of
from cisgram.prediction.session import Session


@dataclass(frozen=True, kw_only=True)
class InsertConfig:
    """Where and how often motifs are inserted."""

    distances: tuple[int, ...] | None = None
    """Bases from the motif's middle to the landmark after it: the TSS of a gene (50, 100, 150 and
    200 by default), or the middle of a sequence (0 by default)."""
    n_backgrounds: int = 5
    """Shuffles of each sequence that a motif is inserted into."""
    n_nulls: int = 10
    """Shuffles of the motif's letters for each sequence, each inserted into one background."""
    promoter: int = 500
    """Bases before the TSS that are shuffled, where genes are read."""
    both_strands: bool = True
    """Insert motifs in both orientations, and average."""
    n_genes: int | None = None
    """Genes that are drawn at random of those given; all by default."""
    seed: int = 0
    """Random seed for everything that is drawn."""

    def __post_init__(self) -> None:
        """Check every field; a list of distances becomes a tuple."""
        if self.distances is not None:
            object.__setattr__(self, "distances", tuple(self.distances))
            if not self.distances:
                raise ConfigError("distances must name at least one; got none.")
        check_fields(self, "n_backgrounds", "n_nulls", "promoter", low=1)
        check_fields(self, "seed", low=0)
        check_fields(self, "n_genes", low=2)


@dataclass(frozen=True, kw_only=True, eq=False)
class InsertionSite:
    """A window that motifs are inserted into."""

    name: str
    tokens: UInt8[np.ndarray, "length"]
    shuffled: slice
    """Bases that are shuffled."""
    landmark: int
    """Position that distances are to."""
    span: Int64[np.ndarray, "2"]
    """Bases that are read."""


def check_fit(motif: Motif, site: InsertionSite, distances: tuple[int, ...], *, to: str) -> None:
    """Refuse a motif that reaches past what is shuffled, at one of the distances."""
    room, past = site.landmark - site.shuffled.start, site.shuffled.stop - site.landmark
    for distance in distances:
        before = distance + motif.width // 2
        if not motif.width - past <= before <= room:
            raise ConfigError(
                f"motif {motif.name} of {motif.width:,} bases at a distance of {distance:,} from "
                f"the {to} reaches past the {room + past:,} bases that are shuffled; choose "
                "another distance."
            )


def sites_of_genes(
    session: Session, genes: Mapping[str, Interval], config: InsertConfig
) -> tuple[list[InsertionSite], int]:
    """Return the windows of genes whose promoters lie in them, as many as are to be drawn."""
    usable: list[tuple[str, Interval, Interval]] = []
    for name, gene in genes.items():
        window = window_of(gene, session.model, session.reference, inside=True)
        start, _ = window.locate(gene)
        if config.promoter <= start <= window.length:
            usable.append((name, gene, window))
    if len(usable) < 2:
        raise DataError(
            "an interval over genes needs two with their promoters in the model's window; "
            f"got {len(usable)}."
        )
    n = min(config.n_genes or len(usable), len(usable))
    rng = np.random.default_rng(config.seed)
    drawn = np.sort(rng.choice(len(usable), n, replace=False)).tolist()
    sites: list[InsertionSite] = []
    for name, gene, window in (usable[number] for number in drawn):
        start, end = window.locate(gene)
        sites.append(
            InsertionSite(
                name=name,
                tokens=session.reference.fetch(window),
                shuffled=slice(start - config.promoter, start),
                landmark=start,
                span=np.array([start, end]),
            )
        )
    return sites, len(genes) - len(usable)


def sites_of_sequences(session: Session, readout: Readout, sequences: Asked) -> list[InsertionSite]:
    """Return windows with sequences in their middle.

    A likelihood or an embedding is that of the sequence; other outputs are those of the window.
    """
    found = as_sequences(sequences, session.known_reference)
    places: list[InsertionSite] = []
    for name, place in zip(found.names, found.places, strict=True):
        window = window_of(place, session.model, found.reference, inside=False)
        start, end = window.locate(place)
        inside = slice(max(start, 0), min(end, window.length))
        span = [inside.start, inside.stop] if readout.of_alleles else [0, window.length]
        places.append(
            InsertionSite(
                name=name,
                tokens=found.reference.fetch(window),
                shuffled=inside,
                landmark=(inside.start + inside.stop) // 2,
                span=np.array(span),
            )
        )
    return places
