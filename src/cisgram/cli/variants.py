"""`cisgram variants`: effects of variants."""

from pathlib import Path

from cyclopts import App

from cisgram.cli.claims import Overwrite
from cisgram.cli.options import NO_CACHE, CacheOptions, ModelOptions, read_genes, say

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

    Interrupted, it keeps finished variants beside the output; the same command goes on from there.

    Args:
        asked: Model.
        vcf: VCF or BCF, with people in it or without; substitutions, insertions and deletions.
        readout: What is read of the model. Models of tracks: gene (the default where genes are
            known), tracks, mean. Language models: masked (log-ratio of a substitution's alleles,
            the default), pseudo-likelihood. Any model: embedding-distance.
        genes: `all`, identifiers or names of genes between commas, a file with one on each line, or
            a number of genes.
        reach: Largest distance in bases between a variant and the body of a gene.
        out: Tab-separated table with columns chrom pos ref alt gene name output effect; .parquet
            for the same in parquet; .vcf, .vcf.gz or .bcf for the input with INFO/CISGRAM.
        cache: Cache.
    """
    from cisgram.prediction.choose import choose_readout
    from cisgram.prediction.variant_files import score_file
    from cisgram.prediction.variants import VariantConfig

    session = asked.open()
    chosen = choose_readout(session, readout)
    config = VariantConfig(reach=reach, reuse=cache.config())
    named = read_genes(genes, session) if chosen.of_genes else None
    found = score_file(session, vcf, out, readout=chosen, genes=named, config=config)
    text = f"{found.n_variants:,} alternate alleles"
    if chosen.of_genes:
        text += (
            f", {found.n_pairs:,} pairs with genes; {found.n_far:,} have no gene within "
            f"{reach:,} bases"
        )
    elif found.n_missing:
        text += f"; {found.n_missing:,} insertions and deletions have no masked log-ratio"
    if found.n_symbolic:
        text += f"; {found.n_symbolic:,} without a sequence left out"
    say(f"{text}. Effects are in {out}.")
    if config.reuse is not None and config.reuse.cache is not None:
        say(config.reuse.cache.account)
