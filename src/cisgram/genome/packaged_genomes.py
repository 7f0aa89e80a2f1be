"""Genomes that come with the package, which files may be named by."""

from dataclasses import dataclass
from pathlib import Path

from cisgram.core.checks import DataError

_PLACE = Path(__file__).parent / "packaged"
"""A directory a genome; `scripts/make_yeast_genome.py` writes the one of yeast."""


@dataclass(frozen=True, kw_only=True)
class PackagedGenome:
    """The files of a genome in the package."""

    name: str
    fasta: Path
    annotation: Path
    """GFF3 of its genes."""


def packaged_genome(name: Path | str) -> PackagedGenome | None:
    """Return the packaged genome of that name, if there is one.

    >>> packaged_genome("yeast-r64").fasta.name
    'genome.fa.gz'
    """
    if str(name) not in packaged_genome_names():
        return None
    fasta, annotation = (_PLACE / name / file for file in ("genome.fa.gz", "genes.gff3.gz"))
    return PackagedGenome(name=str(name), fasta=fasta, annotation=annotation)


def packaged_genome_names() -> tuple[str, ...]:
    """Return the names of all packaged genomes."""
    return tuple(path.name for path in sorted(_PLACE.iterdir()))


def check_path_or_name(path: Path | str, what: str) -> Path:
    """Return `path` when something lies there."""
    path = Path(path)
    if not path.exists():
        names = ", ".join(packaged_genome_names())
        raise DataError(
            f"{what} {path} does not exist and is no packaged genome ({names}); check the path."
        )
    return path
