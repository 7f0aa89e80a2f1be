"""Read counts of genes, and transcripts per million made of them."""

from dataclasses import replace

import numpy as np
import polars as pl

from cisgram.core.checks import ConfigError, DataError, few
from cisgram.data.expression import ExpressionTable, known_as
from cisgram.genome.genes import Annotation


def exon_lengths(annotation: Annotation) -> pl.DataFrame:
    """Return each gene's length: the bases in any exon of any of its transcripts.

    Columns are gene and length; genes without exons are left out.
    """
    exons = annotation.exons.filter(pl.col("gene").is_not_null()).sort("gene", "chrom", "start")
    # By start, an exon adds what lies beyond all exons before it.
    before = pl.col("end").cum_max().shift(1).over("gene", "chrom").fill_null(0)
    added = (pl.col("end") - pl.max_horizontal("start", before)).clip(lower_bound=0)
    return (
        exons.with_columns(length=added)
        .group_by("gene", maintain_order=True)
        .agg(pl.col("length").sum())
    )


def tpm(table: ExpressionTable, annotation: Annotation) -> ExpressionTable:
    """Turn read counts into transcripts per million (Wagner et al. 2012), person by person.

    Every gene counts, whether it can be modelled or not, so that the table must
    have all of them. A missing count stays missing and adds nothing to the total.

    Raises:
        ConfigError: the annotation has no exons of a gene.
        DataError: a count is negative, or a person has no reads.
    """
    genes = pl.DataFrame({"gene": known_as(table.genes["gene"], annotation)})
    length = genes.join(exon_lengths(annotation), on="gene", how="left", maintain_order="left")
    lacking = table.genes["gene"].filter(length["length"].is_null())
    if lacking.len():
        raise ConfigError(
            f"transcripts per million need the exons of every gene, and the annotation has none "
            f"of {few(lacking.to_list())}; give the annotation that the reads were counted with."
        )
    if (negative := (table.values < 0).any(axis=0)).any():
        raise DataError(
            f"{table.people[int(negative.argmax())]} has a count below 0; give raw read counts."
        )
    rates = table.values / length["length"].to_numpy()[:, None]
    totals = np.nansum(rates, axis=0)
    if (empty := totals == 0).any():
        raise DataError(
            f"{table.people[int(empty.argmax())]} has no reads in any gene; leave that person out."
        )
    return replace(table, values=rates / totals * 1e6)
