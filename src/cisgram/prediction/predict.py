"""Predict genes, regions and sequences: a row each, a column for every output."""

import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Float32

from cisgram.core.checks import ConfigError, DataError, few
from cisgram.core.h5ad import write_h5ad
from cisgram.core.journal import Record, resumable
from cisgram.core.progress import progress
from cisgram.core.results import Result, to_anndata
from cisgram.genome.interval import Interval
from cisgram.models.base import Model
from cisgram.prediction.batches import in_batches
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.identity import genome_identity, session_identity
from cisgram.prediction.perplexity import information
from cisgram.prediction.readouts import OutputReadout, Readout
from cisgram.prediction.reuse import ReuseConfig
from cisgram.prediction.sequences import Asked, Sequences, as_sequences, windows_of_places
from cisgram.prediction.session import Session, as_session
from cisgram.prediction.signal import Signal, predict_signal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AT_ONCE, _KEPT = 32, 128
"""Genes at once, and those that are kept together where work may be interrupted."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Predictions(Result):
    """A row for each gene, region or sequence."""

    rows: pl.DataFrame
    """What each row is: gene and name, or name, then chrom, start (from 0), end, strand."""
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

    def write(self, path: Path | str) -> None:
        """Write the table, .parquet or tab-separated; or .h5ad (AnnData)."""
        if Path(path).suffix == ".h5ad":
            write_h5ad(path, self.values, obs=self.rows, var=self.outputs)
        else:
            super().write(path)

    def plot(self) -> "Figure":
        """Draw the outputs of every row; of a single region, the signal along it."""
        from cisgram.plot.matrix import draw_matrix

        if len(self.signals) == 1:
            return self.signals[0].plot()
        names = self.rows["name"].cast(pl.String).to_list()
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
    middle counts. One that reaches past the ends of its contig, as over the origin of a circular
    one, has no values (NaN).

    Raises:
        DataError: a gene lies on no contig, or none within its contig.
    """
    found = _predict_bodies(session, _held(session, genes), readout, config)
    return _of_all(session, genes, found)


def _held(session: Session, genes: dict[str, Interval]) -> dict[str, Interval]:
    """Return the genes that lie within their contigs, at least one."""
    if not genes:
        raise ConfigError("give at least one gene to predict; got none.")
    held = {gene: body for gene, body in genes.items() if session.reference.holds(body)}
    if not held:
        raise DataError(
            f"every gene reaches past the end of its contig, such as {few(list(genes))}; give the "
            "annotation of this genome."
        )
    return held


def _of_all(session: Session, genes: dict[str, Interval], found: Predictions) -> Predictions:
    """Return predictions of all genes, NaN for those that `_held` leaves out."""
    held = [session.reference.holds(body) for body in genes.values()]
    values = np.full((len(genes), len(found.outputs)), np.nan, dtype=np.float32)
    values[held] = found.values
    bodies = Sequences(tuple(genes), tuple(genes.values()), session.reference)
    return replace(found, rows=_rows(session, bodies), values=values)


def _predict_bodies(
    session: Session,
    genes: dict[str, Interval],
    readout: Readout | str | None,
    config: ReuseConfig | None,
) -> Predictions:
    """Predict genes within their contigs."""
    bodies = Sequences(tuple(genes), tuple(genes.values()), session.reference)
    chosen = choose_readout(session, readout)
    if not isinstance(chosen, OutputReadout):
        if readout is None:
            return _predict_regions(session, bodies, config=config)
        return _predict_windows(session, bodies, chosen, config=config)
    kept: list[Float32[np.ndarray, "genes kept"]] = []
    for part in in_batches(bodies.places, _AT_ONCE, "reading genes"):
        windows = windows_of_places(part, session.model, session.reference, inside=True)
        kept.append(chosen.read(session.model, windows, species=session.species, config=config))
    return Predictions(rows=bodies.table, outputs=chosen.outputs, values=np.concatenate(kept))


@contextmanager
def predict_genes_resumably(
    session: Session,
    genes: dict[str, Interval],
    readout: Readout | str | None = None,
    *,
    out: Path,
    config: ReuseConfig | None = None,
) -> Generator[Predictions]:
    """Yield what `predict_genes` returns, to be written to `out` before the next step.

    Interrupted, it leaves finished genes in `<out>.partial`, and the same call goes on from there.
    """
    held = _held(session, genes)
    names = list(held)
    chosen = choose_readout(session, readout)
    identity = (
        session_identity(session)
        | genome_identity(session)
        | {
            "readout": readout or chosen.name,
            "genes": hashlib.sha256(str(list(genes.items())).encode()).hexdigest(),
        }
    )

    def predicted(part: list[str]) -> Record:
        found = predict_genes(session, {name: held[name] for name in part}, readout, config=config)
        return Record({"outputs": found.outputs}, {"values": found.values})

    with resumable(out, identity) as journal:
        parts = [names[first : first + _KEPT] for first in range(0, len(names), _KEPT)]
        finished = journal.finished()
        done = sum(len(parts[number]) for number in finished)
        kept: list[Record] = []
        with progress("predicting genes", len(names), done=done) as ticker:
            for number, part in enumerate(parts):
                kept.append(journal.keep(number, partial(predicted, part)))
                ticker.advance(0 if number in finished else len(part))
        values = np.concatenate([record.arrays["values"] for record in kept])
        found = Predictions(
            rows=pl.DataFrame(), outputs=tuple(kept[0].row["outputs"]), values=values
        )
        yield _of_all(session, genes, found)


def _predict_windows(
    session: Session,
    sequences: Sequences,
    readout: Readout | str | None,
    *,
    config: ReuseConfig | None,
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
    return Predictions(rows=sequences.table, outputs=chosen.kept, values=values)


def _rows(session: Session, bodies: Sequences) -> pl.DataFrame:
    """Return what each row of genes is: gene, name and place."""
    table = bodies.table.rename({"name": "gene"})
    name = pl.Series("name", session.gene_names(table["gene"]), dtype=pl.String)
    return table.insert_column(1, name)


def _predict_regions(
    session: Session, sequences: Sequences, *, config: ReuseConfig | None
) -> Predictions:
    signals = predict_signal(session, sequences.places, sequences.reference, config=config)
    rows = sequences.table
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
