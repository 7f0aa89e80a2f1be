"""`cisgram predict` and `cisgram embed`: what models say of genes, regions and sequences."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from cisgram.cli.claims import Directory, Overwrite
from cisgram.cli.options import NO_CACHE, CacheOptions, ModelOptions, read_genes, say
from cisgram.core.checks import ConfigError, check_extra, few
from cisgram.core.places import check_new

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from cisgram.prediction.sequences import Sequences
    from cisgram.prediction.session import Session


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SequenceOptions:
    """What is read, unless it is genes."""

    bed: Path | None = None
    """Regions of the genome, each read with the DNA around it."""
    fasta: Path | None = None
    """Sequences that are read whole, such as edited ones."""

    def check(self, others: "Mapping[str, object]") -> None:
        """Refuse none or several of these and other options."""
        given = {**others, "bed": self.bed, "fasta": self.fasta}
        named = [f"--{name}" for name, value in given.items() if value is not None]
        if len(named) != 1:
            options = [f"--{name}" for name in given]
            listed = f"{', '.join(options[:-1])} and {options[-1]}"
            raise ConfigError(f"give one of {listed}; got {' and '.join(named) or 'none'}.")

    def read(self, session: "Session") -> "Sequences":
        """Return the regions of the session's genome, or the sequences."""
        from cisgram.prediction.sequences import Sequences

        if self.fasta is not None:
            return Sequences.from_fasta(self.fasta)
        return Sequences.from_bed(str(self.bed), session.reference)


NO_SEQUENCES = SequenceOptions()


def predict(
    *,
    asked: ModelOptions,
    genes: str | None = None,
    given: SequenceOptions = NO_SEQUENCES,
    readout: str | None = None,
    out: Path,
    out_bigwig: Directory | None = None,
    cache: CacheOptions = NO_CACHE,
    overwrite: Overwrite = False,
) -> None:
    """Predict genes, regions or sequences; both strands are read and averaged.

    Give one of --genes, --bed and --fasta. Interrupted, --genes keeps finished genes beside the
    output; the same command goes on from there.

    Args:
        asked: Model.
        genes: `all`, identifiers or names of genes between commas, a file with one on each line, or
            a number of genes.
        given: Regions or sequences.
        readout: What is read of the model, such as gene, tracks, mean or masked; by default the
            usual readout for what is predicted.
        out: Table to write, tab-separated or .parquet, with a row for each gene, region or
            sequence; or .h5ad for AnnData.
        out_bigwig: Directory for a bigWig of each track, with --bed or --fasta.
        cache: Cache.
    """
    from cisgram.prediction.predict import predict as run
    from cisgram.prediction.predict import predict_genes_resumably
    from cisgram.prediction.signal import write_bigwigs

    given.check({"genes": genes})
    _check_h5ad(out)
    if out_bigwig is not None:
        check_new(out_bigwig, overwrite=overwrite)
    session, config = asked.open(), cache.config()
    if genes is not None:
        if out_bigwig is not None:
            raise ConfigError("--out-bigwig goes with --bed or --fasta; leave it out with --genes.")
        names = read_genes(genes, session)
        chosen = list(session.genes.places) if names is None else names
        if not chosen:
            raise ConfigError("give at least one gene to predict; got none.")
        bodies = session.genes.find(chosen)
        with predict_genes_resumably(session, bodies, readout, out=out, config=config) as found:
            found.write(out)
    else:
        sequences = given.read(session)
        if out_bigwig is not None and (readout is not None or session.outputs.row == "window"):
            raise ConfigError(
                "--out-bigwig is for signal along regions; leave it out with --readout, and with "
                "models of whole windows."
            )
        found = run(session, sequences, readout, config=config)
        if out_bigwig is not None:
            write_bigwigs(found.signals, sequences.reference, out_bigwig)
        found.write(out)
    what = "genes" if genes else "sequences" if given.fasta else "regions"
    text = f"{len(found):,} {what} are in {out}"
    if genes is not None:
        text += _remarks(found.rows, session)
    say(f"{text}.")
    if config.cache is not None:
        say(config.cache.account)


def _remarks(genes: "pl.DataFrame", session: "Session") -> str:
    """Say which genes could not be predicted, and how many have no strand."""
    sizes = genes["chrom"].replace_strict(dict(session.reference.contigs))
    beyond = genes["gene"].filter(genes["end"] > sizes)
    n_strandless = int((genes["strand"] == ".").sum())
    text = f"; {n_strandless:,} without a strand are read as on +" if n_strandless else ""
    if beyond.len():
        text += f"; {len(beyond):,} reach past the end of their contig and have no values "
        text += f"({few(beyond.to_list())})"
    return text


def embed(
    *,
    asked: ModelOptions,
    given: SequenceOptions = NO_SEQUENCES,
    layer: str | None = None,
    pool: Literal["mean", "none"] = "mean",
    out: Path,
    overwrite: Overwrite = False,
) -> None:
    """Embed the regions of a BED or the records of a FASTA: the output of a layer of any model.

    Args:
        asked: Model.
        given: Regions or sequences.
        layer: Name or number of the layer, counted from 0 or, negative, from the end; by default
            the last one before the head that relates all of a window.
        pool: One row for each region (mean), or one for each position of the layer (none).
        out: .npz file with values, names, and the span of bases of each row; or .h5ad for AnnData.
    """
    from cisgram.core.checks import check_suffix
    from cisgram.prediction.embed import embed as run

    check_suffix(out, ".npz", ".h5ad")
    _check_h5ad(out)
    given.check({})
    session = asked.open()
    found = run(session, given.read(session), layer=layer, pool=pool)
    found.write_arrays(out)
    say(f"{len(found.values):,} rows of {found.values.shape[1]} channels are in {out}.")


def _check_h5ad(out: Path) -> None:
    """Name a missing extra before work."""
    if out.suffix == ".h5ad":
        check_extra("h5py", "convert")
