"""Makes targets: a genome, its signal in bins, gene targets, windows and their splits."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from cisgram.core.artifact import create_artifact, sha256
from cisgram.core.checks import ConfigError, DataError, check_file, check_unique, few
from cisgram.core.config import to_plain
from cisgram.data.base import WINDOWS, dataset
from cisgram.data.homology import resembling
from cisgram.data.numeric_table import NumericTable, TextLines, read_numeric_table
from cisgram.data.outputs import Geometry, Scale
from cisgram.data.targets import GENE_COLUMNS, GENES, GENOME, KIND, SIGNAL, VERSION, Targets
from cisgram.data.targets_config import TargetsConfig
from cisgram.genome.genes import read_genes
from cisgram.genome.reference import Reference
from cisgram.genome.tracks import Tracks, import_tracks


@dataset("tracks", TargetsConfig, opens=Targets.open)
def build_targets(
    config: TargetsConfig, out: Path | str, *, geometry: Geometry, directory: Path | str = "."
) -> Targets:
    """Make the targets `out` for a network's geometry; relative paths start at `directory`."""
    directory = Path(directory)
    metadata: dict[str, Any] = {"config": to_plain(config), "geometry": asdict(geometry)}
    with create_artifact(out, kind=KIND, version=VERSION, metadata=metadata) as building:
        measured = _read_inputs(config, directory)
        reference = Reference.from_fasta(directory / config.fasta, building / GENOME)
        splits = _splits(config, reference)
        tracks = import_tracks(
            config.tracks,
            building / SIGNAL,
            contigs=reference.contigs,
            resolution=geometry.resolution,
            directory=directory,
        )
        windows = _windows(geometry, reference, splits)
        windows, metadata["account"] = _drop_homologues(config, geometry, reference, windows)
        _check_splits(config, windows)
        _check_signal(tracks, windows)
        windows.write_parquet(building / WINDOWS)
        genes = _gene_targets(config, measured, reference, splits, directory)
        genes.write_parquet(building / GENES)
        metadata["scale"] = asdict(
            Scale(
                power=config.power,
                track_means=_track_means(config, geometry, tracks, windows),
                gene_moments=_moments(genes),
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
    dropped = np.zeros(windows.height, dtype=np.bool_)
    dropped[rows[resembling(queries, targets, config.homology)]] = True
    account = {"train_windows": n_before, "dropped_homology": int(dropped.sum())}
    return windows.filter(~dropped), account


def _check_splits(config: TargetsConfig, windows: pl.DataFrame) -> None:
    for split in ("train", "valid", *(("test",) if config.test else ())):
        if split not in windows["split"]:
            raise DataError(
                f"no {split} window is left; its contigs are too short or too like held-out ones."
            )


def _check_signal(tracks: Tracks, windows: pl.DataFrame) -> None:
    """Refuse held-out contigs without signal, on which zeros would choose or test the weights."""
    held_out = windows.filter(pl.col("split") != "train").select("chrom", "split").unique()
    for chrom, split in held_out.sort("chrom").iter_rows():
        signal = np.any(tracks.contig(chrom), axis=0).tolist()
        for name, source, has_signal in zip(tracks.names, tracks.sources, signal, strict=True):
            if not has_signal:
                why = "lacks it" if chrom in source["absent"] else "is 0 all along it"
                raise DataError(
                    f"{split} contig {chrom} has no signal of track {name}: {source['file']} "
                    f"{why}; give a file with it, or hold out another contig."
                )


def _read_inputs(config: TargetsConfig, directory: Path) -> NumericTable | None:
    """Return the gene table; refuse what is missing before the sequence is read."""
    config.homology.check_installed()
    check_file(directory / config.fasta, "FASTA")
    for source in config.tracks:
        for file in source.files:
            check_file(directory / file, "bigWig")
    if config.genes is None or config.annotation is None:
        return None
    check_file(directory / config.annotation, "annotation")
    path = directory / config.genes
    lines = TextLines(path, "gene table")
    header = lines.take().rstrip("\r\n").split("\t")
    table = read_numeric_table(lines, header, n_leading=lambda _header, _rows: 1)
    check_unique(table.text.to_series().to_list(), "gene", f"gene table {path}")
    return table


def _gene_targets(
    config: TargetsConfig,
    table: NumericTable | None,
    reference: Reference,
    splits: dict[str, str],
    directory: Path,
) -> pl.DataFrame:
    """Return gene targets and where the genes lie; those of contigs that are not used go."""
    if table is None or config.annotation is None:
        text: dict[str, type[pl.DataType]] = dict.fromkeys(GENE_COLUMNS, pl.String)
        return pl.DataFrame(schema=text | {"start": pl.Int64, "end": pl.Int64})
    names = table.text.to_series().to_list()
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
            f"none of the genes of {directory / str(config.genes)} ({few(names)}) is in "
            f"{directory / config.annotation} on a contig that is used; give both the same names."
        )
    genes = joined.with_columns(split=pl.col("chrom").replace_strict(splits)).select(GENE_COLUMNS)
    values = table.values[joined["row"].to_numpy()].astype(np.float32)
    return genes.hstack([pl.Series(name, values[:, n]) for n, name in enumerate(table.columns)])


def _track_means(
    config: TargetsConfig, geometry: Geometry, tracks: Tracks, windows: pl.DataFrame
) -> tuple[float, ...]:
    """Return the mean of each column over the bins of training windows, strands together."""
    sums: Float64[np.ndarray, "tracks"] = np.zeros(len(tracks.names))
    n_bins = 0
    for chrom, start, _ in windows.filter(pl.col("split") == "train").rows():
        first = (start + geometry.margin) // geometry.resolution
        bins = tracks.contig(chrom)[first : first + geometry.n_rows]
        sums += (bins.astype(np.float64) ** config.power).sum(axis=0)
        n_bins += len(bins)
    partner: Int64[np.ndarray, "tracks"] = np.asarray(tracks.partner)
    means = (sums + sums[partner]) / (2 * n_bins)
    for name, mean in zip(tracks.names, means, strict=True):
        if not mean > 0:
            raise DataError(f"track {name} is 0 in all training windows; leave it out.")
    return tuple(means.tolist())


def _moments(genes: pl.DataFrame) -> tuple[tuple[float, float], ...]:
    """Return mean and standard deviation of each gene target over training genes."""
    training = genes.filter(pl.col("split") == "train").drop(GENE_COLUMNS)
    found: list[tuple[float, float]] = []
    for target in training:
        values = target.to_numpy().astype(np.float64)
        known = values[~np.isnan(values)]
        if known.size < 2 or not known.std() > 0:
            raise DataError(
                f"gene target {target.name} does not vary over training genes; leave it out."
            )
        found.append((float(known.mean()), float(known.std())))
    return tuple(found)
