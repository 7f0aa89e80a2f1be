"""A region whose bases are explained, in the window in which a model reads it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import N, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.base import Model
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.readouts import Readout, choose_output
from cisgram.prediction.sequences import Asked, as_sequences, window_of
from cisgram.prediction.session import Session, as_session

ByBase = TypeVar("ByBase", bound=np.ndarray)


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """What is explained: a number that is read of a window, and bases in it."""

    session: Session
    readout: Readout
    output: str
    """The effect that is looked at first."""
    region: Interval
    """Bases that are explained; arrays run along its strand."""
    window: Interval
    """What is read, along its strand."""
    reference: Reference
    gene: str = ""
    """Identifier of the gene that is read; empty where none is."""
    body: Interval | None = None
    """Where the gene lies, on its strand."""

    @property
    def name(self) -> str:
        """Name of the gene, or of the model where there is none."""
        return self.session.genes.name(self.gene) if self.gene else self.session.name

    @property
    def gene_body(self) -> Interval:
        """Where the gene lies."""
        if self.body is None:
            raise ConfigError(f"the readout {self.readout.name} is of no gene.")
        return self.body

    @property
    def tokens(self) -> UInt8[np.ndarray, "length"]:
        """Bases of the window, along its strand."""
        return self.reference.fetch(self.window)

    @property
    def bounds(self) -> tuple[int, int]:
        """Where the region starts and ends in the window, along the window's strand."""
        return self.window.locate(self.region)

    @property
    def span(self) -> Int64[np.ndarray, "2"]:
        """Bases of the window that are read: the gene's body, or all."""
        whole = (0, self.window.length)
        return np.array(whole if self.body is None else self.window.locate(self.body))

    def along_region(
        self, rows: Float32[np.ndarray, "positions ..."]
    ) -> Float32[np.ndarray, "positions ..."]:
        """Return what was computed along the window's strand as it is along the region's.

        The second axis is A, C, G and T, where there is one.
        """
        if not self._opposed:
            return rows
        return np.ascontiguousarray(rows[::-1, ::-1] if rows.ndim > 1 else rows[::-1])

    @property
    def region_tokens(self) -> UInt8[np.ndarray, "positions"]:
        """The bases that are there, along the region's strand."""
        start, end = self.bounds
        tokens = self.tokens[start:end]
        return reverse_complement(tokens) if self._opposed else tokens

    @property
    def _opposed(self) -> bool:
        return (self.window.strand == "-") != (self.region.strand == "-")


def find_subject(
    model: Session | Model | Path | str,
    region: Asked,
    readout: Readout | str | None = None,
    *,
    gene: str | None = None,
    output: str | None = None,
) -> Subject:
    """Find a region, the gene that is read, and the output.

    `region` is such as `chrXIV:187,851-188,050`, a strand may follow; or DNA. Without a `gene`, a
    readout of genes reads the one whose TSS is nearest to the region's middle.

    Raises:
        ConfigError: the model has no such readout or output, or the region is too far from the
            gene or reaches past its contig.
        DataError: a file cannot be used, there is no such gene, or the region is all N.
    """
    session = as_session(model)
    chosen = choose_readout(session, readout)
    named = chosen.outputs[choose_output(chosen, output)]
    sequences = as_sequences(region, session.known_reference)
    if len(sequences) != 1:
        raise ConfigError(f"one region is explained at a time; got {len(sequences)}.")
    place, reference = sequences.places[0], sequences.reference
    if (sequences.tokens(0) == N).all():
        raise DataError(f"{place} is N from end to end; name a region with known bases.")
    identifier, body = "", None
    if chosen.of_genes:
        genes = session.genes
        identifier = genes.nearest(place) if gene is None else next(iter(genes.find([gene])))
        body = genes.places[identifier]
    elif gene is not None:
        raise ConfigError(f"the readout {chosen.name} is of no gene; leave out {gene}.")
    window = window_of(body or place, session.model, reference, inside=body is not None)
    _check_inside(place, window, "the gene" if body else "the middle of the region")
    return Subject(
        session=session,
        readout=chosen,
        output=named,
        region=place,
        window=window,
        reference=reference,
        gene=identifier,
        body=body,
    )


def _check_inside(region: Interval, window: Interval, what: str) -> None:
    start, end = window.locate(region)
    if not window.overlaps(region) or start < 0 or end > window.length:
        raise ConfigError(
            f"{region} reaches outside {window}, which is what the model reads around {what}; "
            "take a region nearer to it, or a shorter one."
        )
