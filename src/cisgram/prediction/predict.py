"""Predict genes, regions and sequences: a row each, a column for every output."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Float32

from cisgram.core.checks import ConfigError, DataError
from cisgram.core.results import Result, to_anndata
from cisgram.genome.interval import Interval
from cisgram.models.base import Model
from cisgram.prediction.batches import in_batches
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.perplexity import information
from cisgram.prediction.readouts import OutputReadout, Readout
from cisgram.prediction.reuse import ReuseConfig
from cisgram.prediction.sequences import Asked, Sequences, as_sequences, windows_of_places
from cisgram.prediction.session import Session, as_session
from cisgram.prediction.signal import Signal, predict_signal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Predictions(Result):
    """A row for each gene, region or sequence."""

    rows: pl.DataFrame
    """What each row is: gene or name, chrom, start (from 0), end, strand."""
    outputs: tuple[str, ...]
    """Names of the columns."""
    values: Float32[np.ndarray, "rows outputs"]
    """In the units of the model's outputs."""
    signals: tuple[Signal, ...] = ()
    """Of models with rows along their window, the signal of each region."""

    @property
    def table(self) -> pl.DataFrame:
        """The rows with a column for each output."""
        columns = (pl.Series(name, self.values[:, n]) for n, name in enumerate(self.outputs))
        return self.rows.hstack(list(columns))

    def to_anndata(self) -> Any:
        """Return AnnData: rows as observations, outputs as variables."""
        return to_anndata(self.values, self.rows, list(self.outputs))

    def plot(self) -> "Figure":
        """Draw the outputs of every row; of a single region, the signal along it."""
        from cisgram.plot.matrix import draw_matrix

        if len(self.signals) == 1:
            return self.signals[0].plot()
        names = self.rows.to_series(0).cast(pl.String).to_list()
        return draw_matrix(self.values, rows=names, columns=self.outputs)


def predict(
    model: Session | Model | Path | str,
    sequences: Asked | None = None,
    readout: Readout | str | None = None,
    *,
    genes: Sequence[str] | None = None,
    config: ReuseConfig | None = None,
) -> Predictions:
    """Predict genes, or sequences of any kind; both strands are averaged where outputs say so.

    Args:
        model: a session, a model, or the name of one.
        sequences: `Sequences`; a BED or FASTA; regions such as `chrII:278000-278500`; or DNA.
        readout: what is read; for genes `gene`, for regions the mean of each output, for windows
            their outputs, by default.
        genes: identifiers or names of genes, in place of sequences.
        config: sizes, memory and cache.

    Returns:
        Of genes, their targets and the sums of tracks over their bodies. Of regions, the mean of
        each track; of language models the mean log-likelihood and information of masked bases.

    Raises:
        ConfigError: neither or both of sequences and genes are given, or the model cannot predict
            them.
        DataError: a file cannot be used, or a gene is unknown.
    """
    session = as_session(model)
    if genes is not None and sequences is None:
        return predict_genes(session, session.genes.find(genes), readout, config=config)
    if sequences is None or genes is not None:
        raise ConfigError("give sequences or genes to predict, and not both.")
    found = as_sequences(sequences, session.known_reference)
    if session.outputs.row == "window" or readout is not None:
        return _predict_windows(session, found, readout, config=config)
    return _predict_regions(session, found, config=config)


def predict_genes(
    session: Session,
    genes: dict[str, Interval],
    readout: Readout | str | None = None,
    *,
    config: ReuseConfig | None = None,
) -> Predictions:
    """Predict genes in the middle of windows, or as near as their contigs' ends allow.

    `genes` are bodies by name, on their strands; of one longer than what a window predicts the
    middle counts.

    Raises:
        DataError: a gene lies on no contig.
    """
    chosen = choose_readout(session, readout)
    if not genes:
        raise ConfigError("give at least one gene to predict; got none.")
    bodies = Sequences(tuple(genes), tuple(genes.values()), session.reference)
    if not isinstance(chosen, OutputReadout):
        if readout is None:
            return _predict_regions(session, bodies, config=config, name="gene")
        return _predict_windows(session, bodies, chosen, config=config, name="gene")
    kept: list[Float32[np.ndarray, "genes kept"]] = []
    for part in in_batches(bodies.places, _AT_ONCE, "reading genes"):
        windows = windows_of_places(part, session.model, session.reference, inside=True)
        kept.append(chosen.read(session.model, windows, species=session.species, config=config))
    rows = bodies.table.rename({"name": "gene"})
    return Predictions(rows=rows, outputs=chosen.outputs, values=np.concatenate(kept))


def _predict_windows(
    session: Session,
    sequences: Sequences,
    readout: Readout | str | None,
    *,
    config: ReuseConfig | None,
    name: str = "name",
) -> Predictions:
    """Read sequences in the middle of windows, N around those that are shorter."""
    chosen = choose_readout(session, readout)
    if not chosen.kept:
        raise ConfigError(
            f"the readout {chosen.name} compares two sequences and predicts nothing of one; "
            "use embed, or another readout."
        )
    for own, place in zip(sequences.names, sequences.places, strict=True):
        if place.length > session.model.window:
            raise DataError(
                f"{own} has {place.length:,} bases and {session.name} reads "
                f"{session.model.window:,}; cut it."
            )
    windows = windows_of_places(sequences.places, session.model, sequences.reference, inside=False)
    values = chosen.read(session.model, windows, species=session.species, config=config)
    rows = sequences.table.rename({"name": name})
    return Predictions(rows=rows, outputs=chosen.kept, values=values)


def _predict_regions(
    session: Session, sequences: Sequences, *, config: ReuseConfig | None, name: str = "name"
) -> Predictions:
    signals = predict_signal(session, sequences.places, sequences.reference, config=config)
    rows = sequences.table.rename({"name": name})
    if not session.outputs.are_bases:
        means = np.stack([signal.values.mean(axis=0) for signal in signals])
        return Predictions(
            rows=rows, outputs=session.outputs.names, values=means, signals=tuple(signals)
        )
    values = [
        _expected(signal.values, sequences.tokens(number)) for number, signal in enumerate(signals)
    ]
    return Predictions(
        rows=rows,
        outputs=("log_likelihood", "information"),
        values=np.array(values, dtype=np.float32),
        signals=tuple(signals),
    )


def _expected(p: Float32[np.ndarray, "bases 4"], tokens: np.ndarray) -> tuple[float, float]:
    """Return the mean log-likelihood in nats, and the mean information in bits, of known bases."""
    known = np.flatnonzero(~np.isnan(p[:, 0]))
    if not known.size:
        return float("nan"), float("nan")
    own = np.maximum(p[known, tokens[known]], np.float32(1e-12))
    return float(np.log(own).mean()), float(information(p[known]).mean())
