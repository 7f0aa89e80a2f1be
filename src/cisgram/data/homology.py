"""Alignments of stretches of DNA with sequences, by minimap2 (Li 2018, Bioinformatics 34:3094)."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8

from cisgram.core.checks import check_choice, check_extra, check_fields
from cisgram.core.executor import map_work
from cisgram.core.progress import progress
from cisgram.genome.alphabet import decode

PRESETS = ("asm5", "asm10", "asm20", "map-hifi", "map-pb", "map-ont")
"""Of minimap2's presets, those for long stretches of DNA; mappy takes any other word for none."""
_SCHEMA = {
    "query": pl.Int64,
    "start": pl.Int64,
    "end": pl.Int64,
    "target": pl.String,
    "target_start": pl.Int64,
    "target_end": pl.Int64,
    "strand": pl.Int64,
    "matches": pl.Int64,
    "columns": pl.Int64,
}
_AT_ONCE = 64
_FEW = 512
"""Queries that are aligned sooner than other processes start."""

_Hit = tuple[int, int, int, str, int, int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class HomologyConfig:
    """Which training windows resemble held-out contigs too much, on either strand."""

    enabled: bool = True
    """Whether such windows are removed."""
    min_identity: float = 0.8
    """A window goes when more than this share of the columns of an alignment of it match."""
    max_matched: float = 0.1
    """A window goes when more than this share of its bases match, all alignments together."""
    preset: str = "asm20"
    """minimap2's preset; `map-ont` finds more distant relatives."""
    own_genome: bool = True
    """Whether such windows of the held-out contigs' own genome go too; else its other contigs are
    kept whole, with the repeats and duplicated genes that they share with held-out ones."""

    def __post_init__(self) -> None:
        check_fields(self, "min_identity", "max_matched", low=0, high=1)
        check_choice(self.preset, PRESETS, "preset")

    def check_installed(self) -> None:
        """Raise ConfigError where windows are to be aligned and mappy is not installed."""
        if self.enabled:
            check_extra("mappy", "lm")


def resembling(
    queries: Sequence[UInt8[np.ndarray, "_"]],
    targets: Mapping[str, UInt8[np.ndarray, "_"]],
    config: HomologyConfig,
    *,
    executor: str = "processes",
) -> Int64[np.ndarray, "found"]:
    """Return the numbers of the queries that resemble targets too much."""
    hits = homology_hits(queries, targets, preset=config.preset, executor=executor)
    found = matched_bases(hits)
    lengths = np.array([len(query) for query in queries], np.int64)[found["query"].to_numpy()]
    alike = (found["identity"] > config.min_identity) | (
        found["matched"] > pl.Series(config.max_matched * lengths)
    )
    return found.filter(alike)["query"].to_numpy()


def homology_hits(
    queries: Sequence[UInt8[np.ndarray, "_"]],
    targets: Mapping[str, UInt8[np.ndarray, "_"]],
    *,
    preset: str = "asm20",
    executor: str = "processes",
) -> pl.DataFrame:
    """Align stretches of DNA with named sequences, on both strands.

    Preset `asm20` finds what is 80% identical or more.

    Returns:
        One row an alignment, by query: query (its number), start, end (in the query), target,
        target_start, target_end, strand (1 or -1), matches (identical bases), columns (of
        the alignment, with gaps, without N).
    """
    check_choice(preset, PRESETS, "preset")
    if not len(queries) or not targets:
        return pl.DataFrame(schema=_SCHEMA)
    parts = [(i, queries[i : i + _AT_ONCE]) for i in range(0, len(queries), _AT_ONCE)]
    rows: list[_Hit] = []
    with tempfile.TemporaryDirectory() as place:
        fasta = Path(place) / "targets.fa"
        with fasta.open("w") as stream:
            for number, tokens in enumerate(targets.values()):
                stream.write(f">{number}\n{decode(tokens)}\n")
        found = map_work(
            _Aligner(fasta, preset),
            parts,
            executor=executor if len(queries) > _FEW else "serial",
        )
        with progress("aligning windows", len(queries)) as ticker:
            for part, hits in found:
                rows += hits
                ticker.advance(len(parts[part][1]))
    table = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    names = dict(enumerate(targets))
    return table.sort("query", maintain_order=True).with_columns(
        pl.col("target").cast(pl.Int64).replace_strict(names, return_dtype=pl.String)
    )


def matched_bases(hits: pl.DataFrame) -> pl.DataFrame:
    """Sum up the alignments of each query.

    Returns:
        One row a query that has any: query, identity (the highest of its alignments: matches
        per column) and matched (matching bases of all its alignments, at most the bases that
        they cover together).
    """
    reached = pl.col("end").cum_max().shift(1, fill_value=0).over("query")
    fresh = (pl.col("end") - pl.max_horizontal("start", reached)).clip(lower_bound=0)
    return (
        hits.sort("query", "start")
        .with_columns(fresh=fresh)
        .group_by("query", maintain_order=True)
        .agg(
            identity=(pl.col("matches") / pl.col("columns")).max(),
            matched=pl.min_horizontal(pl.col("matches").sum(), pl.col("fresh").sum()),
        )
    )


@dataclass
class _Aligner:
    """Aligns parts of the queries; each process makes its own index of the targets."""

    fasta: Path
    preset: str

    @cached_property
    def index(self) -> Any:
        """The targets, indexed by minimap2."""
        check_extra("mappy", "lm")
        import mappy

        return mappy.Aligner(str(self.fasta), preset=self.preset)

    def __call__(self, part: tuple[int, Sequence[UInt8[np.ndarray, "_"]]]) -> list[_Hit]:
        """Align some queries, numbered from the first."""
        first, queries = part
        return [
            (n, h.q_st, h.q_en, h.ctg, h.r_st, h.r_en, h.strand, h.mlen, h.blen)
            for n, tokens in enumerate(queries, first)
            for h in self.index.map(decode(tokens))
        ]
