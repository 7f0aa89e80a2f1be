"""Regions from BED files."""

from pathlib import Path

import polars as pl

from cisgram.core.checks import DataError, check_file
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

_COLUMNS = ("chrom", "start", "end", "name", "score", "strand")


def read_bed(path: Path | str, reference: Reference) -> tuple[list[str], list[Interval]]:
    """Return the names and regions of a BED, contigs spelt as the reference spells them.

    A region without a name is called by its place; one without a strand lies on `+`.

    Raises:
        DataError: the file is no BED, or names a contig that the reference lacks.
        ConfigError: a region has no base.
    """
    check_file(path, "BED")
    try:
        table = pl.read_csv(
            path,
            separator="\t",
            has_header=False,
            comment_prefix="#",
            infer_schema=False,
            glob=False,
        )
        columns = dict(zip(_COLUMNS, table.get_columns(), strict=False))
        starts, ends = (columns[name].cast(pl.Int64).to_list() for name in ("start", "end"))
    except (pl.exceptions.PolarsError, KeyError) as error:
        raise DataError(
            f"BED {path} is no table of contig, start and end between tabs; correct it."
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
