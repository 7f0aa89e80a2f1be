"""Where motifs match the DNA of a region, and how well its contributions match them there."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Float64

from cisgram.core.checks import check_range
from cisgram.explain.contributions import Contributions
from cisgram.explain.motifs import Motif, core_means, find_hits
from cisgram.genome.interval import Interval

MATCHED = 0.95
"""Share of the region's positions above which a hit counts as matched by the contributions."""
_SCHEMA = {
    "motif": pl.String, "accession": pl.String, "chrom": pl.String, "start": pl.Int64,
    "end": pl.Int64, "strand": pl.String, "score": pl.Float64, "importance": pl.Float64,
    "importance_above": pl.Float64, "match": pl.Float64, "match_above": pl.Float64,
}  # fmt: skip


def find_motifs(
    found: Contributions, motifs: Sequence[Motif], *, p_value: float = 1e-4
) -> pl.DataFrame:
    """Find motifs in a region's DNA, and compare the contributions there with each.

    A row is a hit of a motif on either strand. First come those of which `match` times the root of
    the motif's width is highest, as short ones match better by chance:

    - `motif`, `accession`; `chrom`, `start`, `end` (0-based, half-open) and `strand` of the genome;
      `score`, log-odds in bits against uniform bases.
    - `importance`: mean absolute contribution of its bases; `importance_above`, the share of all
      positions of that width in the region where it is lower.
    - `match`: the cosine between the hypothetical contributions, less their mean over the four
      bases, and the motif's log-odds, less theirs. It is near 1 where the model prefers the motif,
      and below 0 where it prefers another sequence. `match_above`, the share of all positions and
      both orientations in the region where it is lower.

    A motif that reads the same on both strands is on the region's. Shares say where a hit stands in
    this region; they are no p-values, and neighbours overlap. Where the model holds to whatever
    bases are there, their motifs match it for that alone.

    `p_value` is the probability that random sequence matches as well at one position and strand; of
    a motif of which no sequence is so rare, its best sequences are found.
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
    """Return the rows that share no base with an earlier one, as for names in a figure."""
    taken: list[Interval] = []
    kept: list[bool] = []
    for chrom, start, end in hits.select("chrom", "start", "end").iter_rows():
        place = Interval(chrom, start, end)
        kept.append(not any(place.overlaps(other) for other in taken))
        if kept[-1]:
            taken.append(place)
    return hits.filter(pl.Series(kept, dtype=pl.Boolean))


def _rows(
    found: Contributions, motif: Motif, hits: Sequence[tuple[int, bool, float]]
) -> Iterator[tuple[str | int | float, ...]]:
    sizes = core_means(np.abs(found.contributions), motif.width)
    matches = np.stack([cosines(found.hypothetical, way) for way in (motif, motif.reversed())])
    for start, reverse, score in hits:
        match = matches[int(reverse), start]
        place = found.region.part(int(start), motif.width, reverse=bool(reverse))
        yield (
            motif.name, motif.accession, place.chrom, place.start, place.end, place.strand,
            float(score), float(sizes[start]), float((sizes < sizes[start]).mean()), float(match),
            float((matches < match).mean()),
        )  # fmt: skip


def cosines(scores: Float[np.ndarray, "bases 4"], motif: Motif) -> Float64[np.ndarray, "starts"]:
    """Return how alike scores and a motif's log-odds are at each position; 0 where scores are flat.

    >>> scores = np.log2(Motif.from_consensus("", "TTTATAAATTT").probabilities)
    >>> scores -= scores.mean(axis=1, keepdims=True)
    >>> int(cosines(scores, Motif.from_consensus("TATA box", "TATAAA")).argmax())
    2
    """
    known = np.nan_to_num(scores.astype(np.float64))
    odds = np.log2(motif.probabilities)
    odds -= odds.mean(axis=1, keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(known, motif.width, axis=0)
    products = np.einsum("sbw,wb->s", windows, odds)
    norms = np.sqrt((windows**2).sum(axis=(1, 2)) * (odds**2).sum())
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
