"""`cisgram variants`: what variants do."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from cisgram.predict.cache_options import NO_CACHE, CacheOptions
from cisgram.predict.model_genome import OWN, GenomeOptions

if TYPE_CHECKING:
    from cisgram.predict.variant_files import ScoredFile
    from cisgram.predict.variants import VariantConfig

app = App(name="variants", help="Score variants by what a model predicts of them.")


@app.command
def score(
    *,
    model: str,
    vcf: Path,
    genes: str = "all",
    genome: Annotated[GenomeOptions, Parameter(name="*")] = OWN,
    reach: int = 1_000,
    out: Path,
    cache: Annotated[CacheOptions, Parameter(name="*")] = NO_CACHE,
) -> None:
    """Score the alternate alleles of a VCF for the genes near them, alternate against reference.

    Args:
        model: Packaged weights such as cisgram/yeast-expression, a model's directory, or a run of
            `cisgram train`.
        vcf: VCF or BCF, with people in it or without; substitutions, insertions and deletions.
        genes: `all`, or a file with the name of a gene a line.
        genome: What the variants were called on.
        reach: Most bases between a variant and the body of a gene.
        out: Tab-separated table with columns chrom pos ref alt gene track effect; .parquet for the
            same in parquet; .vcf, .vcf.gz or .bcf for the input with INFO/CISGRAM.
        cache: What is kept for later commands.
    """
    from cisgram.predict.variant_files import score_variant_file
    from cisgram.predict.variants import VariantConfig

    config = VariantConfig(reach=reach, reuse=cache.config())
    found = score_variant_file(model, vcf, out, genes=genes, genome=genome, config=config)
    _say(found, out, config)


def _say(found: "ScoredFile", out: Path, config: "VariantConfig") -> None:
    from rich.console import Console

    scores = found.scores
    left_out = f"; {found.n_symbolic:,} without a sequence left out" if found.n_symbolic else ""
    console = Console()
    console.print(
        f"{scores.variants.height:,} alternate alleles, {len(scores.pairs):,} pairs with genes; "
        f"{found.n_far:,} have no gene within {config.reach:,} bases{left_out}. "
        f"Effects are in {out}.",
        highlight=False,
    )
    if config.reuse is not None and config.reuse.cache is not None:
        console.print(config.reuse.cache.account, highlight=False)
