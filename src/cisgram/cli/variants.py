"""`cisgram variants`: effects of variants."""

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from cisgram.cli.claims import Overwrite
from cisgram.cli.options import NO_CACHE, CacheOptions, ModelOptions, read_genes, say

if TYPE_CHECKING:
    from cisgram.prediction.variants import VariantEffects

app = App(name="variants", help="Score variants by what a model predicts of both alleles.")


@app.command
def score(
    *,
    asked: ModelOptions,
    vcf: Path,
    readout: str | None = None,
    genes: str = "all",
    reach: int = 1_000,
    out: Path,
    cache: CacheOptions = NO_CACHE,
    overwrite: Overwrite = False,
) -> None:
    """Score the alternate alleles of a VCF, each against the reference allele.

    Args:
        asked: Model.
        vcf: VCF or BCF, with people in it or without; substitutions, insertions and deletions.
        readout: What is read of the model. Models of tracks: gene (the default where genes are
            known), tracks, mean. Language models: masked (log-ratio of a substitution's alleles,
            the default), pseudo-likelihood. Any model: embedding-distance.
        genes: `all`, identifiers or names of genes between commas, a file with one on each line, or
            a number of genes.
        reach: Largest distance in bases between a variant and the body of a gene.
        out: Tab-separated table with columns chrom pos ref alt gene output effect; .parquet for the
            same in parquet; .vcf, .vcf.gz or .bcf for the input with INFO/CISGRAM.
        cache: Cache.
    """
    from cisgram.prediction.choose import choose_readout
    from cisgram.prediction.variants import VariantConfig, check_target, score_variants

    if out.name.endswith((".vcf", ".vcf.gz", ".bcf")):
        check_target(vcf, out)
    session = asked.open()
    chosen = choose_readout(session, readout)
    config = VariantConfig(reach=reach, reuse=cache.config())
    named = read_genes(genes, session) if chosen.of_genes else None
    found = score_variants(session, vcf, chosen, genes=named, config=config)
    found.write(out)
    _say(found, out, config.reach)
    if config.reuse is not None and config.reuse.cache is not None:
        say(config.reuse.cache.account)


def _say(found: "VariantEffects", out: Path, reach: int) -> None:
    import numpy as np

    text = f"{found.variants.height:,} alternate alleles"
    if found.genes:
        text += (
            f", {len(found.pairs):,} pairs with genes; {found.n_far:,} have no gene within "
            f"{reach:,} bases"
        )
    elif n_missing := int(np.isnan(found.effects).all(axis=1).sum()):
        text += f"; {n_missing:,} insertions and deletions have no masked log-ratio"
    if found.n_symbolic:
        text += f"; {found.n_symbolic:,} without a sequence left out"
    say(f"{text}. Effects are in {out}.")
