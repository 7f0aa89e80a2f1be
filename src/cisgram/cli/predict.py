"""`cisgram predict`: tracks and numbers of genes from sequence."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cisgram.core.checks import ConfigError
from cisgram.predict.cache_options import NO_CACHE, CacheOptions
from cisgram.predict.model_genome import OWN, GenomeOptions

if TYPE_CHECKING:
    import polars as pl

    from cisgram.predict.reuse import ReuseConfig


def predict(
    *,
    model: str,
    genome: Annotated[GenomeOptions, Parameter(name="*")] = OWN,
    genes: str | None = None,
    bed: Path | None = None,
    fasta: Path | None = None,
    out: Path,
    out_bigwig: Path | None = None,
    cache: Annotated[CacheOptions, Parameter(name="*")] = NO_CACHE,
) -> None:
    """Predict tracks, and numbers of genes, from sequence; both strands are read and averaged.

    Give one of --genes, --bed and --fasta.

    Args:
        model: Packaged weights, a model's directory, or a run of `cisgram train`.
        genome: What genes or regions are of.
        genes: `all`, or a file with the name of a gene a line.
        bed: Regions.
        fasta: Sequences to be predicted whole, edited ones for example.
        out: Tab-separated table to write, a row a gene, region or sequence.
        out_bigwig: Directory for a bigWig of each track, of --bed and --fasta.
        cache: What is kept for later commands.
    """
    from cisgram.predict.track_files import predict_gene_file, predict_region_file

    given = [name for name, value in (("genes", genes), ("bed", bed), ("fasta", fasta)) if value]
    if len(given) != 1:
        raise ConfigError(
            f"give one of --genes, --bed and --fasta; got {' and '.join(given) or 'none'}."
        )
    config = cache.config()
    if genes is None:
        source = genome if fasta is None else GenomeOptions(genome=str(fasta))
        found = predict_region_file(
            model, bed, out, genome=source, bigwig=out_bigwig, config=config
        )
        _say(found, "regions" if bed else "sequences", out, config=config)
        return
    if out_bigwig is not None:
        raise ConfigError("--out-bigwig goes with --bed or --fasta; leave it out with --genes.")
    found = predict_gene_file(model, genes, out, genome=genome, config=config)
    _say(found, "genes", out, config=config)


def _say(table: "pl.DataFrame", what: str, out: Path, *, config: "ReuseConfig") -> None:
    from rich.console import Console

    console = Console()
    console.print(f"{table.height:,} {what} are in {out}.", highlight=False)
    if config.cache is not None:
        console.print(config.cache.account, highlight=False)
