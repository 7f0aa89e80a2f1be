"""What bases and words do to genes, as files."""

from pathlib import Path

import numpy as np
import polars as pl

from cisgram.core.artifact import atomic_file, write_arrays
from cisgram.explain.gene_gradients import GeneGradients
from cisgram.explain.gene_maps import GeneMap
from cisgram.explain.gene_regions import GeneRegion


def write_map(place: GeneRegion, found: GeneMap, out: Path) -> None:
    """Write effects of all single-base changes as .npz.

    `effects` (positions, 4) and `reference` are of the chosen track, `all_effects` (positions, 4,
    outputs) and `all_reference` of each of `outputs`; `tokens` are the bases that are there, along
    the strand of `region`; `gene` and `track` are names.
    """
    arrays = {
        "effects": found.of(place.track),
        "reference": found.reference[found.outputs.index(place.track)],
        "tokens": found.tokens,
        "outputs": np.array(found.outputs),
        "all_effects": found.effects,
        "all_reference": found.reference,
    }
    write_arrays(out, arrays | _names(place))


def write_gradients(place: GeneRegion, found: GeneGradients, out: Path) -> None:
    """Write what bases of the region add, by gradients, as .npz.

    `contributions` (positions,) are of the bases that are there, `hypothetical` (positions, 4) of
    A, C, G and T; `reference` is the number that is explained. Of integrated gradients, `n_steps`
    is above 0, and `completeness_gap` is that of the whole window. `tokens`, `region`, `gene` and
    `track` are those of `write_map`.
    """
    own, gap = found.within(place.region), found.window.completeness_gap
    arrays = {
        "contributions": own.contributions,
        "hypothetical": own.hypothetical,
        "reference": np.float32(own.reference),
        "tokens": own.tokens,
        "n_steps": np.int64(found.n_steps),
        "completeness_gap": np.float32(np.nan if gap is None else gap),
    }
    write_arrays(out, arrays | _names(place))


def write_table(table: pl.DataFrame, out: Path) -> None:
    """Write a table between tabs, whole or not at all."""
    with atomic_file(out) as building:
        table.write_csv(building, separator="\t", float_precision=5)


def _names(place: GeneRegion) -> dict[str, np.ndarray]:
    texts = {"region": str(place.region), "gene": place.gene, "track": place.track}
    return {name: np.array(text) for name, text in texts.items()}
