"""Exons and repeats of an annotation, as intervals of a genome.

Less is asked of the file than by `genome.genes`: it may lack genes, and RNA without exons
counts as a whole.
"""

from pathlib import Path

import polars as pl

from cisgram.core.checks import DataError, few
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.streams import read_lines

_COLUMNS = (
    "chrom", "source", "feature", "start", "end", "score", "strand", "phase", "attributes"
)  # fmt: skip
_PIECE = r"^(?:.+_)?exon$|^CDS$"
_TRANSCRIPT = r"RNA$|transcript$|_segment$|^transposable_element$"
_REPEAT = (
    r"(?i)transpos|soloLTR|long_terminal_repeat|^LTR|^Ty\d|repeat_region|dispersed_repeat"
    r"|^X_element|^Y_prime"
)
_BIOTYPES = ("transcript_biotype", "transcript_type", "biotype", "gene_biotype", "gene_type")
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
    lines = _on_contigs(_read(path), names, path)
    exons = _exons(lines)
    kinds = {
        "exon": exons,
        **{kind: exons.filter(kind) for kind in ("protein_coding", "rRNA", "tRNA")},
        "repeat": lines.filter(pl.col("feature").str.contains(_REPEAT)),
    }
    return pl.concat(
        rows.select("chrom", "start", "end", kind=pl.lit(kind)) for kind, rows in kinds.items()
    )


def _read(path: Path | str) -> pl.DataFrame:
    """Return the lines that say something of exons or repeats, as nine columns of text."""
    tables: list[pl.DataFrame] = []
    wanted = pl.col("feature").str.contains(f"{_PIECE}|{_TRANSCRIPT}|{_REPEAT}")
    for text in read_lines(path, "annotation"):
        lines, fasta, _ = text.partition(b"##FASTA")
        try:
            table = pl.read_csv(
                lines,
                separator="\t",
                has_header=False,
                schema=dict.fromkeys(_COLUMNS, pl.String),
                comment_prefix="#",
                quote_char=None,
                truncate_ragged_lines=True,
                raise_if_empty=False,
                encoding="utf8-lossy",
            )
        except pl.exceptions.PolarsError:
            raise DataError(
                f"annotation {path} is not a table of nine columns between tabs; "
                "give a GTF or GFF3."
            ) from None
        tables.append(table.filter(wanted))
        if fasta:
            break
    table = pl.concat(tables)
    if not table.height:
        raise DataError(
            f"annotation {path} has no line of an exon, CDS or RNA; give a GTF or GFF3 of genes."
        )
    return table.with_columns(pl.col("attributes").fill_null(""))


def _on_contigs(lines: pl.DataFrame, names: ChromosomeNames, path: Path | str) -> pl.DataFrame:
    """Keep the lines on known contigs, named as in the FASTA, with positions as numbers.

    Raises:
        DataError: no line is on a known contig, or one has no proper positions.
    """
    contigs = {name: names.resolve(name) for name in lines["chrom"].unique().sort()}
    if not any(contigs.values()):
        raise DataError(
            f"annotation {path} has contigs {few(contigs)}, and the FASTA {few(names.known)}; "
            "give the annotation of this FASTA."
        )
    table = lines.with_columns(
        pl.col("chrom").replace_strict(contigs, return_dtype=pl.String),
        # Some files have passed through a table of real numbers: 1349.0.
        pl.col("start", "end").cast(pl.Float64, strict=False).cast(pl.Int64, strict=False),
    ).drop_nulls("chrom")
    good = (pl.col("start") >= 1) & (pl.col("end") >= pl.col("start"))
    if (wrong := table.filter(~good.fill_null(value=False))).height:
        words = " ".join(str(wrong[name][0]) for name in ("chrom", "feature", "start", "end"))
        raise DataError(
            f"annotation {path} has a line without proper positions ({words}); download it again."
        )
    return table.with_columns(pl.col("start") - 1)


def _exons(lines: pl.DataFrame) -> pl.DataFrame:
    """Return chrom, start, end and, as booleans, protein_coding, rRNA and tRNA."""
    table = _with_owners(lines)
    feature, owner = pl.col("feature"), pl.col("owner")
    pieces = table.filter(feature.str.contains(_PIECE)).explode("owner")
    is_cds = feature == "CDS"
    with_cds = pieces.filter(is_cds)["owner"].drop_nulls().unique()
    with_exons = pieces.filter(~is_cds)["owner"].drop_nulls().unique()
    transcripts = table.filter(feature.str.contains(_TRANSCRIPT))
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


def _with_owners(lines: pl.DataFrame) -> pl.DataFrame:
    """Read id, owner (a list: the transcripts a line belongs to) and biotype off the attributes."""
    is_gff3 = lines["attributes"].str.contains(r"^\s*[^\s;=]+=").any()

    def said(name: str) -> pl.Expr:
        pattern = rf"(?:^|;)\s*{name}=([^;]+)" if is_gff3 else rf'\b{name}\s+"*([^";]+)'
        return pl.col("attributes").str.extract(pattern)

    return lines.with_columns(
        id=said("ID" if is_gff3 else "transcript_id"),
        owner=said("Parent" if is_gff3 else "transcript_id").str.split(","),
        biotype=pl.coalesce(said(name) for name in _BIOTYPES),
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
