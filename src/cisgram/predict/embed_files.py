"""Embeddings from files to a file."""

from pathlib import Path

import numpy as np

from cisgram.core.artifact import write_arrays
from cisgram.core.checks import check_suffix
from cisgram.genome.bed import read_bed
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.checkpoint import open_reader
from cisgram.predict.embed import Pool, embed_regions


def embed_file(
    model: str,
    fasta: Path,
    out: Path,
    *,
    bed: Path | None = None,
    pool: Pool = "mean",
    species: str | None = None,
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
    check_suffix(out, ".npz")
    reader = open_reader(model, species=species)
    reference = open_reference(fasta)
    names, regions = read_bed(bed, reference) if bed else _records(reference)
    found = embed_regions(reader.model, reference, regions, pool=pool, species=reader.species)
    write_arrays(
        out,
        {
            "values": found.values,
            "region": found.region,
            "spans": found.spans,
            "names": np.array(names),
        },
    )
    return found.values.shape


def _records(reference: Reference) -> tuple[list[str], list[Interval]]:
    names = list(reference.contigs)
    return names, [Interval(name, 0, reference.contigs[name], "+") for name in names]
