"""Log-ratios of promoter variants between two strains, against frequency and measured effects.

Nothing is fitted. The log-ratio is log p(alternate) - log p(reference) of the masked base; effects
are of a reporter assay, and have no sign that a language model could know.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64

from cisgram.benchmark.base import Context, Rows, evaluation
from cisgram.benchmark.language import HeldOut
from cisgram.benchmark.sites import Layout
from cisgram.benchmark.statistics import auroc, correlation, resampled
from cisgram.benchmark.substitutions import Substitutions
from cisgram.genome.alphabet import encode

BLOCK = 10_000
"""Bases of which variants are drawn together for intervals."""


@evaluation(
    "yeast-measured-alleles",
    suite="yeast",
    title="Do log-ratios of a language model go with measured effects of promoter variants?",
    needs="language",
)
def yeast_measured_alleles(context: Context, rows: Rows) -> None:
    """Correlate log-ratios with frequency and reporter effects (Renganaath et al. 2020)."""
    held_out = HeldOut(context)
    layout = Layout(held_out.tokens)
    sites, effect, significant, frequency = _measured(context, layout)
    block = sites.at // BLOCK
    for name, values in sites.scores(held_out, layout).items():
        size, known = np.abs(values), ~np.isnan(values)
        found = {
            ("frequency", "rho"): correlation(values, frequency, groups=block, ranks=True),
            ("size of effect", "rho"): correlation(size, effect, groups=block, ranks=True),
            ("significant effect", "auroc"): (
                resampled(auroc, size[known], significant[known], groups=block[known]),
                int(known.sum()),
            ),
        }
        for (output, metric), (value, n) in found.items():
            rows.add(name, metric, value, output=output, n=n)


def _measured(
    context: Context, layout: Layout
) -> tuple[
    Substitutions, Float64[np.ndarray, "_"], Bool[np.ndarray, "_"], Float64[np.ndarray, "_"]
]:
    """Return substitutions, sizes of their effects, whether significant, and frequencies."""
    path = context.file("variation", "renganaath2020_MPRA_variant_effects.tsv.gz")
    names = context.reference.names
    single = (pl.col("ref").str.len_chars() == 1) & (pl.col("alt").str.len_chars() == 1)
    table = (
        pl.read_csv(path, separator="\t", infer_schema_length=None)
        .filter(single)
        .with_columns(pl.col("chr").map_elements(names.resolve, return_dtype=pl.String))
        .filter(pl.col("chr").is_in(list(layout.offsets)))
        .group_by("chr", "pos", "ref", "alt", maintain_order=True)
        .agg(
            effect=pl.col("logFC").abs().mean(),
            significant=(pl.col("adj.P.Val") < 0.05).any(),
            frequency=pl.col("populationFreq").cast(pl.Float64, strict=False).first(),
        )
        .with_columns(at=pl.col("chr").replace_strict(layout.offsets, return_dtype=pl.Int64))
    )
    at = table["at"].to_numpy() + table["pos"].to_numpy() - 1
    ref, alt = (encode("".join(table[name])) for name in ("ref", "alt"))
    right = layout.tokens[at] == ref
    kept = table.filter(pl.Series(right))
    return (
        Substitutions(at[right], ref[right], alt[right]),
        kept["effect"].to_numpy(),
        kept["significant"].to_numpy(),
        kept["frequency"].fill_null(float("nan")).to_numpy(),
    )
