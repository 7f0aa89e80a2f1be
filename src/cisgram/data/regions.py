"""What every base of a genome is, by its annotation: coding, intron, promoter and so on."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, UInt8

from cisgram.core.checks import DataError, few
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.genes import read_features

REGIONS = (
    "tRNA", "rRNA", "ncRNA", "repeat", "CDS", "intron", "UTR", "promoter", "intergenic"
)  # fmt: skip
"""The classes; where a base could be several, it is the first of them."""
PROMOTER = 500
"""Bases upstream of a coding transcript that are its promoter."""

_CODE = {name: np.uint8(code) for code, name in enumerate(REGIONS)}
_CDS = ("CDS", "start_codon", "stop_codon")
_EXON = r"(?i)^(?:.+_)?exon$"
_INTRON = r"(?i)intron$"
_UTR = r"(?i)UTR$"
_RNA = r"(?i)RNA$|transcript$|antisense|^sense_|ribozyme"
_MESSENGER = r"(?i)^mRNA$|^(?:primary_|pseudogenic_)?transcript$|novel|pseudo"
_CODING = r"(?i)^(?:mRNA|CDS|protein_coding|.+_decay|(?:IG|TR)_.+_gene)$"
_REPEAT = (
    r"(?i)transpos|mobile_genetic|^ltr|ltr$|long_terminal|^ty\d|^x_element|^y_prime|telomere"
    r"|telomeric|repeat|satellite|^[sl]ine$"
)
_FRAMESHIFT = 10
"""Shorter gaps in a coding sequence are slips of the ribosome, no introns."""


def region_classes(
    annotation_path: Path | str,
    contigs: Mapping[str, int],
    *,
    repeats: Mapping[str, Bool[np.ndarray, "_"]] | None = None,
) -> dict[str, UInt8[np.ndarray, "_"]]:
    """Return the class of every base as a number into `REGIONS`, a contig an array.

    tRNA and rRNA reach from the first to the last base of the transcript, other RNA genes
    over their exons. Introns are those the file names and what lies between the exons of a
    transcript, or between its coding parts where it has no exons. UTR is what exons of coding
    genes leave beside their coding parts, as far as the file tells. A promoter is the 500
    bases before the first base of a coding transcript: before its start codon where no UTR is
    known. What has no class of its own, pseudogenes and centromeres for instance, counts as
    intergenic or promoter.

    Args:
        annotation_path: GTF or GFF3; its chromosomes may go by any usual spelling, and those
            that are not in `contigs` are passed over.
        contigs: lengths of the contigs, in bases.
        repeats: per contig, which bases are repeats beside those that the file names.

    Raises:
        DataError: the file cannot be read, tells of none of the contigs or of another
            assembly, or `repeats` does not fit the contigs.
    """
    names = ChromosomeNames(contigs)
    ranges = _ranges(read_features(annotation_path))
    found = ranges["chrom"].unique(maintain_order=True).to_list()
    places = {name: names.resolve(name) for name in found}
    if not any(places.values()):
        raise DataError(
            f"annotation {annotation_path} tells of no gene or repeat on any contig of the genome: "
            f"it has {few(found) or 'none'}, the genome {few(names.known)}; give the annotation of "
            "this genome."
        )
    classes = {name: np.full(n, _CODE["intergenic"]) for name, n in contigs.items()}
    for region in reversed(REGIONS[:-1]):
        part = ranges.filter(pl.col("region") == region)
        for chrom, start, end in part.select("chrom", "start", "end").iter_rows():
            if (place := places[chrom]) is None:
                continue
            if start >= contigs[place] and region != "promoter":
                raise DataError(
                    f"annotation {annotation_path} has a line at {chrom}:{start + 1:,}, but "
                    f"{place} has {contigs[place]:,} bases; give the annotation of this assembly."
                )
            classes[place][max(start, 0) : max(end, 0)] = _CODE[region]
        if region == "repeat":
            _mark_repeats(classes, repeats or {})
    return classes


def region_counts(classes: Mapping[str, UInt8[np.ndarray, "_"]]) -> dict[str, int]:
    """Return how many bases each class has in all contigs together.

    >>> region_counts({"chr1": np.uint8([4, 4, 8]), "chr2": np.uint8([4])})["CDS"]
    3
    """
    counts = np.zeros(len(REGIONS), dtype=np.int64)
    for codes in classes.values():
        counts += np.bincount(codes, minlength=len(REGIONS))
    return dict(zip(REGIONS, counts.tolist(), strict=True))


def _mark_repeats(
    classes: dict[str, UInt8[np.ndarray, "_"]], repeats: Mapping[str, Bool[np.ndarray, "_"]]
) -> None:
    for name, mask in repeats.items():
        if name not in classes or mask.size != classes[name].size:
            expected = f"{classes[name].size:,} bases" if name in classes else "no such contig"
            raise DataError(
                f"the repeat mask has {mask.size:,} bases for {name}, the genome has {expected}; "
                "make it from the same FASTA."
            )
        classes[name][mask] = _CODE["repeat"]


def _ranges(features: pl.DataFrame) -> pl.DataFrame:
    """Return chrom, start, end and region of all stretches that have a class but intergenic."""
    lines = _with_kinds(features)
    feature, kind, unit = pl.col("feature"), pl.col("kind"), pl.col("unit")
    is_exon = feature.str.contains(_EXON)
    exons = lines.filter(is_exon & (kind != "repeat"))
    # A transcript whose exons are known would take its introns with it.
    spliced = pl.coalesce("id", "unit").is_in(exons["unit"].unique().implode()) & ~is_exon
    rna = lines.filter(is_exon | feature.str.contains(_RNA))
    cds = lines.filter(feature.is_in(_CDS) & (kind == "coding"))
    coding_exons = exons.filter(unit.is_in(cds["unit"].unique().implode()))
    without_exons = cds.filter(~unit.is_in(exons["unit"].unique().implode()))
    gaps = _gaps(pl.concat([exons, without_exons]))
    slip = pl.col("end") - pl.col("start") < _FRAMESHIFT
    slips = gaps.filter(slip & unit.is_in(cds["unit"].unique().implode()))
    named = lines.filter(kind != "repeat")
    parts = {
        "tRNA": [rna.filter(kind == "tRNA")],
        "rRNA": [rna.filter(kind == "rRNA")],
        "ncRNA": [rna.filter((kind == "ncRNA") & ~spliced)],
        "repeat": [lines.filter(kind == "repeat")],
        "CDS": [cds, slips],
        "intron": [gaps.filter(~slip), named.filter(feature.str.contains(_INTRON))],
        "UTR": [coding_exons, named.filter(feature.str.contains(_UTR))],
        "promoter": [_promoters(pl.concat([coding_exons, cds]))],
    }
    return pl.concat(
        table.select("chrom", "start", "end", region=pl.lit(region))
        for region, tables in parts.items()
        for table in tables
    )


def _with_kinds(features: pl.DataFrame) -> pl.DataFrame:
    """Give each line its unit, the transcript it is part of, and the kind of its gene.

    Kinds are repeat, tRNA, rRNA, ncRNA, coding and other. The gene's biotype decides, where
    it is not given the transcript's or the line's own feature.
    """
    lines = features.with_row_index("row").explode("parents").rename({"parents": "parent"})
    known = (
        lines.filter(pl.col("id").is_not_null())
        .unique("id", keep="first", maintain_order=True)
        .select("id", "feature", "biotype", "parent")
    )
    for parent, prefix in (("parent", "of_"), ("of_parent", "root_")):
        above = known.rename({name: prefix + name for name in ("feature", "biotype", "parent")})
        lines = lines.join(above, left_on=parent, right_on="id", how="left", maintain_order="left")
    features_above = [pl.col(name) for name in ("feature", "of_feature", "root_feature")]
    biotype = pl.coalesce("root_biotype", "of_biotype", "biotype")
    rna = pl.coalesce(
        pl.when(name.str.contains(_RNA) & ~name.str.contains(_MESSENGER)).then(name)
        for name in features_above
    )
    kind = pl.coalesce(biotype, rna, pl.lit("protein_coding"))
    is_repeat = pl.any_horizontal(
        name.str.contains(_REPEAT).fill_null(value=False) for name in (*features_above, biotype)
    )
    # The first that holds.
    cases = (
        (is_repeat, "repeat"),
        (kind.str.contains(_CODING), "coding"),
        (kind.str.contains(_MESSENGER), "other"),
        (kind.str.contains("(?i)tRNA$"), "tRNA"),
        (kind.str.contains("(?i)rRNA$"), "rRNA"),
        (kind.str.contains(_RNA), "ncRNA"),
    )
    return lines.with_columns(
        unit=pl.coalesce("parent", "id", pl.col("row").cast(pl.String)),
        kind=pl.coalesce(
            *(pl.when(is_it).then(pl.lit(name)) for is_it, name in cases), pl.lit("other")
        ),
    )


def _gaps(parts: pl.DataFrame) -> pl.DataFrame:
    """Return the stretches between the parts of each unit."""
    unit = ["unit", "chrom", "strand"]
    before = pl.col("end").cum_max().shift(1).over(unit)
    return (
        parts.sort("start")
        .with_columns(start=before, end=pl.col("start"))
        .filter(pl.col("start") < pl.col("end"))
    )


def _promoters(parts: pl.DataFrame) -> pl.DataFrame:
    """Return what lies upstream of each unit whose strand is known."""
    units = parts.group_by("unit", "chrom", "strand").agg(
        pl.col("start").min(), pl.col("end").max()
    )
    forward = pl.col("strand") == "+"
    return units.filter(pl.col("strand") != ".").with_columns(
        start=pl.when(forward).then(pl.col("start") - PROMOTER).otherwise("end"),
        end=pl.when(forward).then("start").otherwise(pl.col("end") + PROMOTER),
    )
