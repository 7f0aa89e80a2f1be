"""Genes of an annotation that a model is asked about, and where they lie."""

from pathlib import Path

from cisgram.core.checks import DataError, few, read_text
from cisgram.genome.genes import read_genes
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

ALL = "all"


def gene_places(
    annotation: Path | str, reference: Reference, *, genes: str = ALL
) -> dict[str, Interval]:
    """Return the bodies of genes on their strands, by the annotation's identifier.

    Args:
        annotation: GTF or GFF3.
        reference: what they lie on.
        genes: `all`, in the annotation's order, or a file with a gene a line, by identifier or
            by name.

    Raises:
        DataError: the annotation lacks a gene that is asked for, or the reference its contig.
    """
    if genes == ALL:
        return _all_genes(annotation, reference)
    return named_genes(annotation, reference, read_text(genes, "list of genes").split())


def named_genes(
    annotation: Path | str, reference: Reference, names: list[str]
) -> dict[str, Interval]:
    """Return the bodies of the genes of these identifiers or names, by identifier.

    Raises:
        DataError: the annotation lacks one of them, or the reference its contig.
    """
    table = read_genes(annotation).genes
    rows = {row["name"]: row for row in table.iter_rows(named=True)}
    rows |= {row["gene"]: row for row in table.iter_rows(named=True)}
    if missing := [name for name in names if name not in rows]:
        raise DataError(f"annotation {annotation} has no gene {few(missing)}; use its names.")
    found: dict[str, Interval] = {}
    for name in names:
        row = rows[name]
        chrom = reference.names.resolve(row["chrom"])
        if chrom is None:
            raise DataError(
                f"gene {name} lies on {row['chrom']}, which {reference.name} lacks; "
                "give the annotation of this genome."
            )
        found[row["gene"]] = Interval(chrom, row["start"], row["end"], row["strand"])
    return found


def genes_by_name(annotation: Path | str, reference: Reference) -> dict[str, Interval]:
    """Return the bodies of all genes on their strands, by name; by identifier if it is taken.

    Raises:
        DataError: the reference lacks the contigs of all of them.
    """
    names = dict(read_genes(annotation).genes.select("gene", "name").iter_rows())
    found: dict[str, Interval] = {}
    for gene, place in _all_genes(annotation, reference).items():
        found[gene if names[gene] in found else names[gene]] = place
    return found


def _all_genes(annotation: Path | str, reference: Reference) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for row in read_genes(annotation).genes.iter_rows(named=True):
        chrom = reference.names.resolve(row["chrom"])
        if chrom is not None:
            found[row["gene"]] = Interval(chrom, row["start"], row["end"], row["strand"])
    if not found:
        raise DataError(
            f"no gene of {annotation} lies on a contig of {reference.name}; "
            "give the annotation of this genome."
        )
    return found
