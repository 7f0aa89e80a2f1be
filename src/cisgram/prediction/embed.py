"""Embed sequences: the output of a layer of any model, with the DNA around in sight."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64

from cisgram.core.artifact import write_arrays
from cisgram.core.checks import check_choice, check_range, check_suffix
from cisgram.core.device import evaluating
from cisgram.core.h5ad import write_h5ad
from cisgram.core.progress import progress
from cisgram.core.results import Result, to_anndata
from cisgram.genome.interval import Interval
from cisgram.models.base import Model
from cisgram.prediction.batches import by_length
from cisgram.prediction.sequences import Asked, Sequences, as_sequences
from cisgram.prediction.session import Session, as_session

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pool = Literal["mean", "none"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Embeddings(Result):
    """Rows of channels, one sequence after the other."""

    values: Float32[np.ndarray, "rows channels"]
    """A row a sequence where pooled, else a row a position."""
    region: Int64[np.ndarray, "rows"]
    """Number of the sequence that a row belongs to."""
    spans: Int64[np.ndarray, "rows 2"]
    """Bases a row stands for, 0-based half-open, on the contig's forward strand."""
    sequences: Sequences
    """What was embedded."""

    @property
    def table(self) -> pl.DataFrame:
        """A row each: name, chrom, start (from 0), end, strand."""
        rows = self.sequences.table[self.region]
        return rows.with_columns(start=self.spans[:, 0], end=self.spans[:, 1])

    def to_anndata(self) -> Any:
        """Return AnnData: rows as observations, channels as variables."""
        return to_anndata(self.values, self.table, self._channels())

    def plot(self) -> "Figure":
        """Draw the rows on their first two principal components."""
        from cisgram.plot.matrix import draw_components

        return draw_components(self.values, names=self.table["name"].to_list())

    def write_arrays(self, out: Path) -> None:
        """Write .npz: `values` (rows, channels), `region`, `spans`, `names` of the sequences.

        Or .h5ad (AnnData): rows as observations, channels as variables.
        """
        if out.suffix == ".h5ad":
            write_h5ad(out, self.values, obs=self.table, var=self._channels())
            return
        write_arrays(
            check_suffix(out, ".npz"),
            {
                "values": self.values,
                "region": self.region,
                "spans": self.spans,
                "names": np.array(self.sequences.names),
            },
        )

    def _channels(self) -> list[str]:
        return [f"channel{number}" for number in range(self.values.shape[1])]


def embed(
    model: Session | Model | Path | str,
    sequences: Asked,
    *,
    layer: str | None = None,
    pool: Pool = "mean",
    batch: int = 8,
) -> Embeddings:
    """Embed sequences in the DNA around them.

    A sequence is cut into pieces of a window at most; each is read in the middle of a window, N
    past the contig's ends, shorter only where the contig is. The positions that overlap the
    sequence are kept; `mean` weighs each by the bases it shares with the sequence. On strand `-`
    the window is read reverse complemented.

    Args:
        model: a session, a model, or the name of one.
        sequences: `Sequences`; a BED or FASTA; regions; or DNA.
        layer: name of a submodule or number in `layer_names`; the model's usual one by default.
        pool: one row a sequence (`mean`), or one a position of the layer (`none`).
        batch: windows read at once.

    Raises:
        ConfigError: there is no such layer.
        DataError: a file cannot be used, or a region lies on no contig.
    """
    check_range(batch, "batch", low=1)
    check_choice(pool, ("mean", "none"), "pool")
    session = as_session(model)
    if not isinstance(sequences, Sequences):
        sequences = as_sequences(sequences, session.known_reference)
    layer = session.model.layer(layer)
    found = _read(session, sequences, layer, batch)
    in_order = [found[number] for number in range(len(found))]
    values, region, spans = (np.concatenate(parts) for parts in zip(*in_order, strict=True))
    if pool == "mean":
        values, region, spans = _mean(values, region, spans, sequences.places)
    return Embeddings(values=values, region=region, spans=spans, sequences=sequences)


_Rows = tuple[
    Float32[np.ndarray, "rows channels"],
    Int64[np.ndarray, "rows"],
    Int64[np.ndarray, "rows 2"],
]


def _read(session: Session, sequences: Sequences, layer: str, batch: int) -> dict[int, _Rows]:
    """Return the positions of each piece, by its number."""
    model, reference = session.model, sequences.reference
    pieces = [
        (number, piece)
        for number, region in enumerate(sequences.places)
        for piece in _cut(region, model)
    ]
    lengths = [model.window_for(len(reference.contig(piece.chrom))) for _, piece in pieces]
    read: dict[int, _Rows] = {}
    with evaluating(model) as device, progress("embedding", len(pieces)) as ticker:
        for length, numbers in by_length(lengths, most=batch * model.window):
            windows = [pieces[number][1].around(length) for number in numbers]
            tokens = torch.from_numpy(np.stack([reference.fetch(window) for window in windows]))
            species = torch.full((len(numbers),), session.species, device=device)
            embedded = model.embed(tokens.to(device), species, layer=layer)
            values = embedded.values.float().cpu().numpy()
            spans = embedded.spans.cpu().numpy()
            for i, number in enumerate(numbers):
                owner, piece = pieces[number]
                placed = _on_contig(spans[i], windows[i])
                kept = (placed[:, 0] < piece.end) & (placed[:, 1] > piece.start)
                inside = np.clip(placed[kept], piece.start, piece.end)
                read[number] = values[i][kept], np.full(len(inside), owner), inside
            ticker.advance(len(numbers))
    return read


def _cut(region: Interval, model: Model) -> list[Interval]:
    return [
        Interval(region.chrom, start, min(start + model.window, region.end), region.strand)
        for start in range(region.start, region.end, model.window)
    ]


def _on_contig(
    spans: Int64[np.ndarray, "positions 2"], window: Interval
) -> Int64[np.ndarray, "positions 2"]:
    if window.strand == "-":
        return window.end - spans[:, ::-1]
    return window.start + spans


def _mean(
    values: Float32[np.ndarray, "positions channels"],
    region: Int64[np.ndarray, "positions"],
    spans: Int64[np.ndarray, "positions 2"],
    places: Sequence[Interval],
) -> _Rows:
    """Return the mean of each sequence's positions, weighted by the bases shared with it."""
    weights = np.diff(spans, axis=1).astype(np.float32)
    sums = np.zeros((len(places), values.shape[1]), dtype=np.float32)
    np.add.at(sums, region, values * weights)
    total = np.zeros((len(places), 1), dtype=np.float32)
    np.add.at(total, region, weights)
    bounds = np.array([(place.start, place.end) for place in places], dtype=np.int64)
    return sums / total, np.arange(len(places)), bounds
