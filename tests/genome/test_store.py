"""What the store does to rows on their way to the files."""

from pathlib import Path

import numpy as np
import polars as pl

from cisgram.genome.alphabet import encode
from cisgram.genome.calls import VariantBlock, with_ends
from cisgram.genome.reference import Reference
from cisgram.genome.store import FARTHEST_MOVE, StoreWriter


def test_rows_that_would_move_far_stay(tmp_path: Path) -> None:
    """A deletion slides to the start of its run of A; letters that are no base are left alone."""
    bases = "G" + "A" * (FARTHEST_MOVE + 100) + "CGC"
    reference = Reference(Path("toy.fa"), {"chr1": len(bases)}, encode(bases))
    last = len(bases) - 4
    rows = [
        (FARTHEST_MOVE, "AA", "A"),
        (last - 1, "AA", "A"),
        (last, "AR", "A"),
        (last, "AC", "AC"),
        (last, "AC", "AT"),
    ]
    columns = pl.DataFrame(rows, schema=["start", "ref", "alt"], orient="row")
    writer = StoreWriter(tmp_path, source=Path("toy.vcf"), reference=reference)
    writer.add(
        VariantBlock(
            variants=with_ends(columns.with_columns(chrom=pl.lit("1"), id=pl.lit("."))),
            calls=np.full((len(rows), 1), 5, dtype=np.uint8),
            dosages=None,
            counts={"n_read": len(rows)},
        )
    )
    counts = writer.finish()
    stored = pl.read_parquet(tmp_path / "variants.parquet").select("start", "end", "ref", "alt")
    assert stored.rows() == [
        (0, 2, "GA", "G"),
        (last - 1, last + 1, "AA", "A"),
        (last, last + 2, "AR", "A"),
        (last, last + 2, "AC", "AC"),
        (last + 1, last + 2, "C", "T"),
    ]
    assert counts.n_left_aligned == 2
