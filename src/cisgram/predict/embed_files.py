"""Embeddings from files to a file."""

from pathlib import Path

import numpy as np
import polars as pl

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError, DataError, check_file
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.checkpoint import load_language_model
from cisgram.predict.embed import Pool, embed_regions

_BED = ("chrom", "start", "end", "name", "score", "strand")


def embed_file(
    model: str, fasta: Path, out: Path, *, bed: Path | None = None, pool: Pool = "mean"
) -> tuple[int, int]:
    """Embed the records of a FASTA, or the regions of a BED in it, and write them as npz.

    The file holds `values` (rows channels), `region` and `spans` as in `Embeddings`, and `names`
    of the regions.

    Returns:
        numbers of rows and of channels.

    Raises:
        ConfigError: `out` does not end in .npz.
        DataError: a file cannot be used.
    """
    if out.suffix != ".npz":
        raise ConfigError(f"{out} must end in .npz; rename it.")
    network, _ = load_language_model(model)
    reference = open_reference(fasta)
    names, regions = _read_bed(bed, reference) if bed else _records(reference)
    found = embed_regions(network, reference, regions, pool=pool)
    with atomic_file(out) as building, building.open("wb") as stream:
        np.savez_compressed(
            stream,
            values=found.values,
            region=found.region,
            spans=found.spans,
            names=np.array(names),
        )
    return found.values.shape


def _records(reference: Reference) -> tuple[list[str], list[Interval]]:
    names = list(reference.contigs)
    return names, [Interval(name, 0, reference.contigs[name], "+") for name in names]


def _read_bed(bed: Path, reference: Reference) -> tuple[list[str], list[Interval]]:
    check_file(bed, "BED")
    try:
        table = pl.read_csv(
            bed, separator="\t", has_header=False, comment_prefix="#", infer_schema=False
        )
        columns = dict(zip(_BED, table.get_columns(), strict=False))
        starts, ends = (columns[name].cast(pl.Int64).to_list() for name in ("start", "end"))
    except (pl.exceptions.PolarsError, KeyError) as error:
        raise DataError(
            f"BED {bed} is no table of contig, start and end between tabs; correct it."
        ) from error
    chroms = [
        reference.names.require(str(name), f"reference {reference.name}")
        for name in columns["chrom"]
    ]
    strands = columns["strand"].to_list() if "strand" in columns else ["+"] * len(chroms)
    regions = [
        Interval(chrom, start, end, strand)
        for chrom, start, end, strand in zip(chroms, starts, ends, strands, strict=True)
    ]
    names = columns["name"].to_list() if "name" in columns else [str(region) for region in regions]
    return names, regions
