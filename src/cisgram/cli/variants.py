"""`cisgram variants`: effects of variants."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from cisgram.cli.claims import Overwrite
from cisgram.cli.options import NO_CACHE, CacheOptions, ModelOptions, read_genes, say
from cisgram.core.checks import few

app = App(name="variants", help="Score variants by what a model predicts of both alleles.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class VariantChoice:
    """Which variants are scored, and for which genes."""

    reach: int = 1_000
    """Largest distance in bases between a variant and the body of a gene."""
    skip_bad: Annotated[bool, Parameter(negative="")] = False
    """Leave out, and count, the variants whose REF is not what the genome has; by default they are
    refused."""


EVERY_VARIANT = VariantChoice()


@app.command
def score(
    *,
    asked: ModelOptions,
    vcf: Path,
    readout: str | None = None,
    genes: str = "all",
    choice: VariantChoice = EVERY_VARIANT,
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
        choice: Which of them.
        out: Tab-separated table with columns chrom pos ref alt gene name output effect; .parquet
            for the same in parquet; .vcf, .vcf.gz or .bcf for the input with INFO/CISGRAM.
        cache: Cache.
    """
    from cisgram.prediction.choose import choose_readout
    from cisgram.prediction.variant_files import score_file
    from cisgram.prediction.variants import VariantConfig

    session = asked.open()
    chosen = choose_readout(session, readout)
    config = VariantConfig(reach=choice.reach, skip_bad=choice.skip_bad, reuse=cache.config())
    named = read_genes(genes, session) if chosen.of_genes else None
    found = score_file(session, vcf, out, readout=chosen, genes=named, config=config)
    text = f"{found.n_variants:,} alternate alleles"
    if chosen.of_genes:
        text += (
            f", {found.n_pairs:,} pairs with genes; {found.n_far:,} have no gene within "
            f"{choice.reach:,} bases"
        )
    elif found.n_missing:
        text += f"; {found.n_missing:,} insertions and deletions have no masked log-ratio"
    notes = found.remarks
    for genes_of, what in (
        (notes.deleted, "pairs have no effect (NaN), as the variant deletes the whole gene"),
        (notes.beyond, "pairs have no effect (NaN), as the gene reaches past its contig's end"),
        (notes.strandless, "pairs are of genes without a strand, read as on +"),
    ):
        text += f"; {genes_of.total():,} {what} ({few(list(genes_of))})" if genes_of else ""
    for number, what in (
        (found.n_symbolic, "without another sequence of A C G T left out"),
        (found.n_unknown, "left out where the genome has N"),
        (found.n_bad, "left out whose REF is not what the genome has"),
    ):
        text += f"; {number:,} {what}" if number else ""
    say(f"{text}. Effects are in {out}.")
    if config.reuse is not None and config.reuse.cache is not None:
        say(config.reuse.cache.account)
