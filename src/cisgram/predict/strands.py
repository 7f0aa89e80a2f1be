"""Windows read on both strands, and what their outputs mean on the one that was asked for."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from cisgram.genome.alphabet import reverse_complement
from cisgram.models.base import Model
from cisgram.predict.reuse import ReuseConfig, predict_sequences


class Columns(NamedTuple):
    """What the outputs of a model of tracks are."""

    tracks: tuple[str, ...]
    """Names of the tracks; `name+` is the strand that is read."""
    values: tuple[str, ...]
    """Names of the numbers of genes; each has a column a strand, after the tracks."""

    @property
    def partner(self) -> Int64[np.ndarray, "columns"]:
        """For each column, that of the same signal on the other strand; itself without strand.

        >>> Columns(("tss+", "tss-", "mnase"), ("tpm",)).partner
        array([1, 0, 2, 4, 3])
        """
        places = {name: number for number, name in enumerate(self.tracks)}
        other = {"+": "-", "-": "+"}
        of_tracks = [
            places.get(name[:-1] + other.get(name[-1], name[-1]), number)
            for number, name in enumerate(self.tracks)
        ]
        n, n_tracks = len(self.values), len(self.tracks)
        of_values = [*range(n_tracks + n, n_tracks + 2 * n), *range(n_tracks, n_tracks + n)]
        return np.array(of_tracks + of_values, dtype=np.int64)


def predict_both_strands(
    model: Model,
    windows: UInt8[np.ndarray, "windows length"],
    columns: Columns,
    *,
    species: int = 0,
    config: ReuseConfig | None = None,
) -> Float32[np.ndarray, "windows bins columns"]:
    """Return the mean of what a model says of windows and of their reverse complements.

    Bins and columns are those of the windows as they were given.
    """
    both = np.stack([windows, reverse_complement(windows)])
    read = predict_sequences(model, both, species=species, config=config).values
    return (read[0] + read[1][:, ::-1, columns.partner]) / 2
