"""`cisgram predict` and `cisgram embed`: what models say of genes, regions and sequences."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cisgram.cli.options import NO_CACHE, CacheOptions, ModelOptions, read_genes, say
from cisgram.core.checks import ConfigError

if TYPE_CHECKING:
    from cisgram.prediction.sequences import Sequences
    from cisgram.prediction.session import Session


def predict(
    *,
    asked: ModelOptions,
    genes: str | None = None,
    bed: Path | None = None,
    fasta: Path | None = None,
    readout: str | None = None,
    out: Path,
    out_bigwig: Path | None = None,
    cache: CacheOptions = NO_CACHE,
) -> None:
    """Predict genes, regions or sequences; both strands are read and averaged.

    Give one of --genes, --bed and --fasta.

    Args:
        asked: Model.
        genes: `all`, identifiers or names of genes between commas, a file with one on each line, or
            a number of genes.
        bed: Regions of the genome.
        fasta: Sequences that are predicted whole, such as edited ones.
        readout: What is read of the model, such as gene, tracks, mean or masked; by default the
            usual readout for what is predicted.
        out: Table to write, tab-separated or .parquet, with a row for each gene, region or
            sequence.
        out_bigwig: Directory for a bigWig of each track, with --bed or --fasta.
        cache: Cache.
    """
    from cisgram.prediction.predict import predict as run
    from cisgram.prediction.signal import write_bigwigs

    _only_one(genes=genes, bed=bed, fasta=fasta)
    session, config = asked.open(), cache.config()
    if genes is not None:
        if out_bigwig is not None:
            raise ConfigError("--out-bigwig goes with --bed or --fasta; leave it out with --genes.")
        names = read_genes(genes, session)
        chosen = list(session.genes.places) if names is None else names
        found = run(session, readout=readout, genes=chosen, config=config)
    else:
        sequences = _sequences(session, bed, fasta)
        if out_bigwig is not None and (readout is not None or session.outputs.row == "window"):
            raise ConfigError(
                "--out-bigwig is for signal along regions; leave it out with --readout, and with "
                "models of whole windows."
            )
        found = run(session, sequences, readout, config=config)
        if out_bigwig is not None:
            write_bigwigs(found.signals, sequences.reference, out_bigwig)
    found.write(out)
    say(f"{len(found):,} {'genes' if genes else 'sequences' if fasta else 'regions'} are in {out}.")
    if config.cache is not None:
        say(config.cache.account)


def embed(
    *,
    asked: ModelOptions,
    bed: Path | None = None,
    fasta: Path | None = None,
    layer: str | None = None,
    pool: Literal["mean", "none"] = "mean",
    out: Path,
) -> None:
    """Embed the regions of a BED or the records of a FASTA: the output of a layer of any model.

    Args:
        asked: Model.
        bed: Regions of the genome, each read with the DNA around it.
        fasta: Sequences that are embedded whole.
        layer: Name or number of the layer, counted from 0 or, negative, from the end; by default
            the last one before the head that relates all of a window.
        pool: One row for each region (mean), or one for each position of the layer (none).
        out: .npz file with values, names, and the span of bases of each row.
    """
    from cisgram.core.checks import check_suffix
    from cisgram.prediction.embed import embed as run

    check_suffix(out, ".npz")
    _only_one(bed=bed, fasta=fasta)
    session = asked.open()
    found = run(session, _sequences(session, bed, fasta), layer=layer, pool=pool)
    found.write_arrays(out)
    say(f"{len(found.values):,} rows of {found.values.shape[1]} channels are in {out}.")


def _only_one(**given: object) -> None:
    """Refuse none or several of some options."""
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if len(named) != 1:
        options = [f"--{name}" for name in given]
        listed = f"{', '.join(options[:-1])} and {options[-1]}"
        raise ConfigError(f"give one of {listed}; got {' and '.join(named) or 'none'}.")


def _sequences(session: "Session", bed: Path | None, fasta: Path | None) -> "Sequences":
    from cisgram.prediction.sequences import Sequences

    if fasta is not None:
        return Sequences.from_fasta(fasta)
    return Sequences.from_bed(str(bed), session.reference)
