"""Makes targets: a genome, its signal in bins, numbers of genes, windows and their splits."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from cisgram.core.artifact import create_artifact, sha256
from cisgram.core.checks import ConfigError, DataError, check_unique, few
from cisgram.core.config import to_plain
from cisgram.data.homology import homology_hits, matched_bases
from cisgram.data.numeric_table import TextLines, read_numeric_table
from cisgram.data.targets import (
    GENES,
    GENOME,
    KIND,
    SIGNAL,
    VALUES,
    VERSION,
    WINDOWS,
    Geometry,
    Scaling,
    Targets,
)
from cisgram.data.targets_config import TargetsConfig
from cisgram.genome.genes import read_genes
from cisgram.genome.reference import Reference
from cisgram.genome.tracks import Tracks, import_tracks


def build_targets(
    config: TargetsConfig, out: Path | str, *, geometry: Geometry, directory: Path | str = "."
) -> Targets:
    """Make the targets `out`.

    Args:
        config: what they are made of.
        out: a directory that does not exist yet.
        geometry: how the model cuts the genome up.
        directory: where relative paths of the config start.

    Raises:
        ConfigError: a contig is named that the genome does not have.
        DataError: a file cannot be used, no window of a split is left, or `out` exists.
    """
    directory = Path(directory)
    metadata: dict[str, Any] = {"config": to_plain(config), "geometry": asdict(geometry)}
    with create_artifact(out, kind=KIND, version=VERSION, metadata=metadata) as building:
        reference = Reference.from_fasta(directory / config.fasta, building / GENOME)
        splits = _splits(config, reference)
        lengths = {chrom: reference.contigs[chrom] for chrom in reference.contigs}
        tracks = import_tracks(
            config.tracks,
            building / SIGNAL,
            contigs=lengths,
            resolution=geometry.resolution,
            directory=directory,
        )
        windows = _windows(geometry, reference, splits)
        windows, metadata["account"] = _drop_homologues(config, geometry, reference, windows)
        _check_splits(config, windows)
        windows.write_parquet(building / WINDOWS)
        genes, names, values = _gene_values(config, reference, splits, directory)
        genes.write_parquet(building / GENES)
        np.save(building / VALUES, values)
        metadata["scaling"] = asdict(
            Scaling(
                power=config.power,
                tracks=_track_means(config, geometry, tracks, windows),
                values=_moments(names, values, genes["split"].to_numpy() == "train"),
            )
        )
        metadata["sources"] = {
            what: sha256(directory / file) for what, file in config.files.items()
        }
    return Targets.open(out)


def _splits(config: TargetsConfig, reference: Reference) -> dict[str, str]:
    """Say which split each contig is for; those that are not used are not there."""
    splits = dict.fromkeys(reference.contigs, "train")
    for split in ("valid", "test", "exclude"):
        for name in getattr(config, split):
            if (found := reference.names.resolve(name)) is None:
                raise ConfigError(
                    f"{split} names contig {name}, which {config.fasta} does not have; take one of "
                    f"{few(list(reference.contigs))}."
                )
            splits[found] = split
    return {chrom: split for chrom, split in splits.items() if split != "exclude"}


def _windows(geometry: Geometry, reference: Reference, splits: dict[str, str]) -> pl.DataFrame:
    """Tile every contig with predicted stretches; the last window ends where the contig does."""
    rows: list[tuple[str, int, str]] = []
    step = geometry.predicted // geometry.resolution * geometry.resolution
    for chrom, split in splits.items():
        last = reference.contigs[chrom] - geometry.window
        if last < 0:
            continue
        last -= last % geometry.resolution
        rows += [(chrom, start, split) for start in sorted({*range(0, last, step), last})]
    schema = {"chrom": pl.String, "start": pl.Int64, "split": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _drop_homologues(
    config: TargetsConfig, geometry: Geometry, reference: Reference, windows: pl.DataFrame
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Drop training windows that resemble held-out contigs, with all that shifts may reach."""
    training = windows["split"] == "train"
    n_before = int(training.sum())
    if not config.homology.enabled:
        return windows, {"train_windows": n_before, "dropped_homology": 0}
    reach = geometry.predicted // 2
    rows = np.flatnonzero(training)
    queries = [
        reference.contig(chrom)[max(start - reach, 0) : start + geometry.window + reach]
        for chrom, start, _ in windows[rows].rows()
    ]
    held_out = windows.filter(~training)["chrom"].unique(maintain_order=True)
    targets = {chrom: reference.contig(chrom) for chrom in held_out}
    hits = homology_hits(queries, targets, preset=config.homology.preset)
    lengths = pl.DataFrame({"query": range(len(queries)), "length": map(len, queries)})
    found = (
        matched_bases(hits)
        .join(lengths, on="query", maintain_order="left")
        .filter(
            (pl.col("identity") > config.homology.min_identity)
            | (pl.col("matched") > config.homology.max_matched * pl.col("length"))
        )
    )
    dropped = np.zeros(windows.height, dtype=np.bool_)
    dropped[rows[found["query"].to_numpy()]] = True
    account = {"train_windows": n_before, "dropped_homology": int(dropped.sum())}
    return windows.filter(~dropped), account


def _check_splits(config: TargetsConfig, windows: pl.DataFrame) -> None:
    for split in ("train", "valid", *(("test",) if config.test else ())):
        if split not in windows["split"]:
            raise DataError(
                f"no {split} window is left; its contigs are too short or too like held-out ones."
            )


def _gene_values(
    config: TargetsConfig, reference: Reference, splits: dict[str, str], directory: Path
) -> tuple[pl.DataFrame, tuple[str, ...], Float32[np.ndarray, "genes values"]]:
    """Read numbers of genes and where the genes are; those of contigs that are not used go."""
    schema = {"gene": pl.String, "chrom": pl.String, "start": pl.Int64, "end": pl.Int64}
    if config.genes is None or config.annotation is None:
        empty = pl.DataFrame(schema=schema | {"strand": pl.String, "split": pl.String})
        return empty, (), np.empty((0, 0), dtype=np.float32)
    path = directory / config.genes
    lines = TextLines(path, "gene table")
    header = lines.take().rstrip("\r\n").split("\t")
    table = read_numeric_table(lines, header, n_leading=_one_leading)
    names = table.text.to_series().to_list()
    check_unique(names, "gene", f"gene table {path}")
    places = read_genes(directory / config.annotation).genes
    places = places.with_columns(
        chrom=pl.col("chrom").map_elements(reference.names.resolve, return_dtype=pl.String)
    )
    rows = pl.DataFrame({"gene": names}).with_row_index("row")
    joined = rows.join(places, on="gene", maintain_order="left").filter(
        pl.col("chrom").is_in(list(splits))
    )
    if not joined.height:
        raise DataError(
            f"none of the genes of {path} ({few(names)}) is in {directory / config.annotation} "
            "on a contig that is used; give both the same names."
        )
    genes = joined.select(*schema, "strand", split=pl.col("chrom").replace_strict(splits))
    return genes, table.columns, table.values[joined["row"].to_numpy()].astype(np.float32)


def _one_leading(header: list[str], rows: pl.DataFrame) -> int:
    del header, rows
    return 1


def _track_means(
    config: TargetsConfig, geometry: Geometry, tracks: Tracks, windows: pl.DataFrame
) -> dict[str, float]:
    """Return the mean of each column over the bins of training windows, strands together."""
    sums: Float64[np.ndarray, "tracks"] = np.zeros(len(tracks.names))
    n_bins = 0
    for chrom, start, _ in windows.filter(pl.col("split") == "train").rows():
        first = (start + geometry.margin) // geometry.resolution
        bins = tracks.contig(chrom)[first : first + geometry.predicted // geometry.resolution]
        sums += (bins.astype(np.float64) ** config.power).sum(axis=0)
        n_bins += len(bins)
    partner: Int64[np.ndarray, "tracks"] = np.asarray(tracks.partner)
    means = (sums + sums[partner]) / (2 * n_bins)
    for name, mean in zip(tracks.names, means, strict=True):
        if not mean > 0:
            raise DataError(f"track {name} is 0 in all training windows; leave it out.")
    return dict(zip(tracks.names, means.tolist(), strict=True))


def _moments(
    names: tuple[str, ...], values: Float32[np.ndarray, "genes values"], training: Any
) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation of each number over training genes."""
    found: dict[str, tuple[float, float]] = {}
    for name, column in zip(names, values[training].T.astype(np.float64), strict=True):
        known = column[~np.isnan(column)]
        if known.size < 2 or not known.std() > 0:
            raise DataError(f"number {name} of the genes does not vary in training; leave it out.")
        found[name] = (float(known.mean()), float(known.std()))
    return found
