"""Which windows of a corpus are kept, and how many each filter takes."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8

from cisgram.core.checks import DataError
from cisgram.data.corpus_config import CorpusConfig
from cisgram.data.homology import resembling
from cisgram.genome.reference import Reference

FILTERS = ("unknown", "exon", "protein_coding", "rRNA", "tRNA", "repeat", "homology")
"""In the order in which they are applied."""
HeldOut = Mapping[tuple[str, int, str], UInt8[np.ndarray, "_"]]
"""Tokens of each held-out contig, by split, genome and name."""


def drop_windows(config: CorpusConfig, windows: pl.DataFrame) -> pl.DataFrame:
    """Add the column `dropped`: the first filter but homology that a window fails, or null."""
    annotated = [i for i, genome in enumerate(config.genomes) if genome.annotation is not None]
    is_training = pl.col("split") == "train"
    is_capped = is_training & pl.col("genome").is_in(annotated)
    fails = {
        "unknown": is_training & (pl.col("n_unknown") > config.max_unknown * config.window),
        "repeat": pl.col("repeat") > config.max_repeat * config.window,
    }
    for kind in ("exon", "protein_coding", "rRNA", "tRNA"):
        most = getattr(config, f"max_{kind.lower()}") * config.window
        fails[kind] = is_capped & (pl.col(kind) > most)
    return windows.with_columns(
        dropped=pl.coalesce(
            pl.when(fails[name]).then(pl.lit(name)) for name in FILTERS if name in fails
        )
    )


def drop_homologues(
    config: CorpusConfig,
    windows: pl.DataFrame,
    references: Sequence[Reference],
    *,
    held_out: HeldOut,
    executor: str,
) -> pl.DataFrame:
    """Drop training windows that resemble held-out contigs.

    Adds the column `like_test`, true for validation windows that resemble test contigs;
    these are only counted.
    """

    def alike(split: str, targets: HeldOut) -> Int64[np.ndarray, "rows"]:
        is_asked = windows["dropped"].is_null() & (windows["split"] == split)
        if split == "train" and not config.homology.own_genome:
            is_asked &= ~windows["genome"].is_in({genome for _, genome, _ in targets})
        asked = np.flatnonzero(is_asked)
        queries = [
            references[genome].contig(chrom)[start : start + config.window]
            for genome, chrom, start in windows[asked].select("genome", "chrom", "start").rows()
        ]
        names = {f"{genome} {chrom}": tokens for (_, genome, chrom), tokens in targets.items()}
        return asked[resembling(queries, names, config.homology, executor=executor)]

    is_dropped, is_like_test = np.zeros((2, windows.height), dtype=np.bool_)
    if config.homology.enabled:
        is_dropped[alike("train", held_out)] = True
        of_test = {key: tokens for key, tokens in held_out.items() if key[0] == "test"}
        is_like_test[alike("valid", of_test)] = True
    return windows.with_columns(
        dropped=pl.when(pl.Series(is_dropped)).then(pl.lit("homology")).otherwise("dropped"),
        like_test=pl.Series(is_like_test),
    )


def check_splits(config: CorpusConfig, windows: pl.DataFrame) -> None:
    """Refuse a corpus one of whose splits is empty."""
    for split in ("train", *config.held_out):
        own = windows.filter(pl.col("split") == split)
        if own["dropped"].is_null().any():
            continue
        why = "every contig is too short or held out"
        if own.height:
            name, taken = own["dropped"].value_counts(sort=True).row(0)
            why = f"{name} took {taken:,} of {own.height:,}"
        raise DataError(f"no {split} window is left ({why}); relax that filter or add contigs.")


def account(
    config: CorpusConfig, windows: pl.DataFrame, references: Sequence[Reference]
) -> pl.DataFrame:
    """Count by genome the windows that each filter took and those that are left.

    Returns:
        One row a genome: genome (its name), contigs, short_contigs (skipped), bases, windows
        (candidates), `dropped_` and each filter's name, train, valid, test, valid_like_test
        (of the validation windows, those that resemble test contigs) and train_share (of all
        bases, those in training windows).
    """
    count = windows.group_by("genome").agg(
        pl.len().alias("windows"),
        *((pl.col("dropped") == name).sum().alias(f"dropped_{name.lower()}") for name in FILTERS),
        *(
            (pl.col("dropped").is_null() & (pl.col("split") == split)).sum().alias(split)
            for split in ("train", "valid", "test")
        ),
        pl.col("like_test").sum().alias("valid_like_test"),
    )
    until_next = pl.col("start").shift(-1).over("genome", "chrom") - pl.col("start")
    covered = (
        windows.filter(pl.col("dropped").is_null() & (pl.col("split") == "train"))
        .with_columns(covered=until_next.fill_null(config.window).clip(upper_bound=config.window))
        .group_by("genome")
        .agg(pl.col("covered").sum())
    )
    lengths = [list(reference.contigs.values()) for reference in references]
    genomes = pl.DataFrame(
        {
            "genome": range(len(lengths)),
            "contigs": [len(own) for own in lengths],
            "short_contigs": [sum(n < config.shortest_contig for n in own) for own in lengths],
            "bases": [sum(own) for own in lengths],
        },
    )
    return (
        genomes.join(count, on="genome", how="left", maintain_order="left")
        .join(covered, on="genome", how="left", maintain_order="left")
        .with_columns(pl.col(pl.UInt32).cast(pl.Int64))
        .fill_null(0)
        .with_columns(
            genome=pl.Series([genome.name for genome in config.genomes]),
            train_share=pl.col("covered") / pl.col("bases"),
        )
        .drop("covered")
    )
