"""Where motifs match the DNA of a region, and whether a map of the region wants them there."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Float64

from cisgram.core.checks import check_range
from cisgram.explain.base_map import BaseMap
from cisgram.explain.motifs import Motif, find_hits
from cisgram.explain.seqlets import core_means
from cisgram.genome.interval import Interval

WANTED = 0.95
"""Share of the region's places above which a hit counts as wanted by the map."""
_SCHEMA = {
    "motif": pl.String, "accession": pl.String, "chrom": pl.String, "start": pl.Int64,
    "end": pl.Int64, "strand": pl.String, "score": pl.Float64, "importance": pl.Float64,
    "importance_above": pl.Float64, "match": pl.Float64, "match_above": pl.Float64,
}  # fmt: skip


def hits_in_map(found: BaseMap, motifs: Sequence[Motif], *, p_value: float = 1e-4) -> pl.DataFrame:
    """Find motifs in a region's DNA, and hold its map against each.

    A row is a place where the DNA matches a motif on either strand; first come those of which
    `match` times the root of the motif's width is highest, as short ones match better by chance:

    - `motif`, `accession`; `chrom`, `start`, `end` (0-based, half-open) and `strand` of the genome;
      `score`, log-odds in bits against bases that are alike.
    - `importance`: the mean size of what its bases do; `importance_above`, the share of all places
      of that width in the region where it is lower.
    - `match`: the cosine of what the map says each base would do there, less its mean over the
      four, and the motif's log-odds, less theirs. It is near 1 where the model wants the motif,
      and below 0 where it would rather have another sequence. `match_above`, the share of all
      places and both orientations in the region where it is lower.

    A motif that reads the same on both strands is on the region's. Shares say where a hit stands in
    this region; they are no p-values, and neighbours overlap. Where the model holds to whatever
    bases are there, their motifs match it for that alone.

    Args:
        found: effects of changes or gradients.
        motifs: what to look for.
        p_value: probability that random sequence matches as well at one position and strand; of a
            motif of which no word is so rare, its best words are found.

    Raises:
        ConfigError: `p_value` is no probability.
    """
    check_range(p_value, "p_value", low=0, high=1)
    rows: list[tuple[str | int | float, ...]] = []
    for motif in motifs:
        if motif.width > found.region.length:
            continue
        hits = list(zip(*find_hits(motif, found.tokens, p_value=p_value), strict=True))
        if np.allclose(motif.probabilities, motif.reversed().probabilities):
            hits = [hit for hit in hits if not hit[1]]
        if hits:
            rows += _rows(found, motif, hits)
    table = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    order = pl.col("match") * (pl.col("end") - pl.col("start")).sqrt()
    return table.sort(order, descending=True, maintain_order=True)


def apart(hits: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that share no base with an earlier one, as for names in a picture."""
    taken: list[Interval] = []
    kept: list[bool] = []
    for chrom, start, end in hits.select("chrom", "start", "end").iter_rows():
        place = Interval(chrom, start, end)
        kept.append(not any(place.overlaps(other) for other in taken))
        if kept[-1]:
            taken.append(place)
    return hits.filter(pl.Series(kept, dtype=pl.Boolean))


def _rows(
    found: BaseMap, motif: Motif, hits: Sequence[tuple[int, bool, float]]
) -> Iterator[tuple[str | int | float, ...]]:
    sizes = core_means(np.abs(found.heights), motif.width)
    matches = np.stack([cosines(found.wants, way) for way in (motif, motif.reversed())])
    for start, reverse, score in hits:
        own = matches[int(reverse), start]
        place = found.region.part(int(start), motif.width, reverse=bool(reverse))
        yield (
            motif.name, motif.accession, place.chrom, place.start, place.end, place.strand,
            float(score), float(sizes[start]), float((sizes < sizes[start]).mean()), float(own),
            float((matches < own).mean()),
        )  # fmt: skip


def cosines(wants: Float[np.ndarray, "bases 4"], motif: Motif) -> Float64[np.ndarray, "starts"]:
    """Return how alike a map and a motif's log-odds are at each place; 0 where the map is flat.

    >>> wants = np.log2(Motif.from_consensus("", "TTTATAAATTT").probabilities)
    >>> wants -= wants.mean(axis=1, keepdims=True)
    >>> int(cosines(wants, Motif.from_consensus("TATA box", "TATAAA")).argmax())
    2
    """
    known = np.nan_to_num(wants.astype(np.float64))
    odds = np.log2(motif.probabilities)
    odds -= odds.mean(axis=1, keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(known, motif.width, axis=0)
    products = np.einsum("sbw,wb->s", windows, odds)
    norms = np.sqrt((windows**2).sum(axis=(1, 2)) * (odds**2).sum())
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
