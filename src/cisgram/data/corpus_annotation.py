"""Exons and repeats of an annotation, as intervals of a genome.

Less is asked of the file than by `genome.genes`: it may lack genes, and RNA without exons
counts as a whole.
"""

from pathlib import Path

import polars as pl

from cisgram.core.checks import DataError, few
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.genes import read_features

_PIECE = r"^(?:.+_)?exon$|^CDS$"
_TRANSCRIPT = r"RNA$|transcript$|_segment$|^transposable_element$"
_REPEAT = (
    r"(?i)transpos|soloLTR|long_terminal_repeat|^LTR|^Ty\d|repeat_region|dispersed_repeat"
    r"|^X_element|^Y_prime"
)
_SPLICE_MARGIN = 2


def read_spans(path: Path | str, names: ChromosomeNames) -> pl.DataFrame:
    """Read the intervals of an annotation that lie on the contigs `names` of a genome.

    A transcript without exons is taken to have its CDS for exons, and one without either
    to be one exon. An exon's end that faces an intron is moved inwards by two bases, so
    that splice sites count as intron.

    Returns:
        chrom (as in `names`), start, end (0-based, half-open) and kind: `exon` for every
        exon, once more as `protein_coding`, `rRNA` or `tRNA` where it is of that, and
        `repeat` for mobile elements and subtelomeric repeats.

    Raises:
        DataError: the file is damaged, no annotation, or of other contigs.
    """
    lines = _on_contigs(read_features(path), names, path)
    exons = _exons(lines)
    kinds = {
        "exon": exons,
        **{kind: exons.filter(kind) for kind in ("protein_coding", "rRNA", "tRNA")},
        "repeat": lines.filter(pl.col("feature").str.contains(_REPEAT)),
    }
    return pl.concat(
        rows.select("chrom", "start", "end", kind=pl.lit(kind)) for kind, rows in kinds.items()
    )


def _on_contigs(lines: pl.DataFrame, names: ChromosomeNames, path: Path | str) -> pl.DataFrame:
    """Keep the lines of exons, RNA and repeats on known contigs, named as in the FASTA."""
    wanted = pl.col("feature").str.contains(f"{_PIECE}|{_TRANSCRIPT}|{_REPEAT}")
    lines = lines.filter(wanted)
    if not lines.height:
        raise DataError(
            f"annotation {path} has no line of an exon, CDS or RNA; give a GTF or GFF3 of genes."
        )
    contigs = {name: names.resolve(name) for name in lines["chrom"].unique().sort()}
    if not any(contigs.values()):
        raise DataError(
            f"annotation {path} has contigs {few(contigs)}, and the FASTA {few(names.known)}; "
            "give the annotation of this FASTA."
        )
    chrom = pl.col("chrom").replace_strict(contigs, return_dtype=pl.String)
    # A GTF names the transcript on every line, and gives its own line no other name.
    return lines.with_columns(
        chrom, id=pl.coalesce("id", pl.col("parents").list.first()), owner="parents"
    ).drop_nulls("chrom")


def _exons(lines: pl.DataFrame) -> pl.DataFrame:
    """Return chrom, start, end and, as booleans, protein_coding, rRNA and tRNA."""
    feature, owner = pl.col("feature"), pl.col("owner")
    pieces = lines.filter(feature.str.contains(_PIECE)).explode("owner")
    is_cds = feature == "CDS"
    with_cds = pieces.filter(is_cds)["owner"].drop_nulls().unique()
    with_exons = pieces.filter(~is_cds)["owner"].drop_nulls().unique()
    transcripts = lines.filter(feature.str.contains(_TRANSCRIPT))
    heads = transcripts.drop_nulls("id").unique("id", keep="first", maintain_order=True)
    exons = pieces.filter(~(is_cds & _is_among(owner, with_exons))).join(
        heads.select(owner="id", head="feature", said="biotype"),
        on="owner",
        how="left",
        maintain_order="left",
    )
    whole = transcripts.filter(~_is_among(pl.col("id"), pieces["owner"].drop_nulls().unique()))
    columns = ("chrom", "start", "end", "feature", "head", "biotype", "owner")
    exons = pl.concat(
        [
            _trimmed(exons).with_columns(biotype=pl.coalesce("said", "biotype")).select(columns),
            whole.with_columns(owner="id", head="feature").select(columns),
        ]
    )
    biotype = pl.col("biotype")
    kinds = {
        "protein_coding": is_cds | _is_among(owner, with_cds) | (biotype == "protein_coding"),
        **{kind: (pl.col("head") == kind) | (biotype == kind) for kind in ("rRNA", "tRNA")},
    }
    return exons.select(
        "chrom", "start", "end", **{kind: of.fill_null(value=False) for kind, of in kinds.items()}
    )


def _is_among(name: pl.Expr, names: pl.Series) -> pl.Expr:
    return name.is_in(names.implode()).fill_null(value=False)


def _trimmed(exons: pl.DataFrame) -> pl.DataFrame:
    """Take the bases next to introns off the exons of each transcript."""
    place = ("chrom", "owner")
    alone = pl.col("owner").is_null()
    first = alone | (pl.col("start") == pl.col("start").min().over(place))
    last = alone | (pl.col("end") == pl.col("end").max().over(place))
    return exons.with_columns(
        start=pl.col("start") + pl.when(first).then(0).otherwise(_SPLICE_MARGIN),
        end=pl.col("end") - pl.when(last).then(0).otherwise(_SPLICE_MARGIN),
    ).filter(pl.col("end") > pl.col("start"))
