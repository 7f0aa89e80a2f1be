"""Makes a corpus: reads genomes, marks their bases, and cuts and filters windows.

The protocol is that of Shorkie's corpora (Chao et al. 2025, bioRxiv 10.1101/2025.09.19.677475),
except for repeats: there RepeatMasker and DUST find them; here they are what the FASTA has in
lower case, what the annotation calls so, and what DUST finds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from cisgram.core.artifact import create_artifact, sha256
from cisgram.core.checks import ConfigError, DataError, check_file
from cisgram.core.config import to_plain
from cisgram.data.base import WINDOWS, dataset
from cisgram.data.corpus import ACCOUNT, KIND, VERSION, Corpus, marks_path, sequence_path
from cisgram.data.corpus_annotation import read_spans
from cisgram.data.corpus_config import CorpusConfig, GenomeSource
from cisgram.data.corpus_filters import account, check_splits, drop_homologues, drop_windows
from cisgram.data.corpus_marks import MARKS, Marks, mark_low_complexity, mark_spans, write_case
from cisgram.data.outputs import Geometry
from cisgram.genome.alphabet import N
from cisgram.genome.reference import Reference

_COUNTS = ("n_unknown", "repeat", *(kind for kind in MARKS if kind != "repeat"))


@dataclass(frozen=True)
class _Genome:
    """A genome of the corpus to be."""

    number: int
    source: GenomeSource
    reference: Reference
    marks: Marks
    splits: dict[str, str]
    """The split of each contig that is not left out."""


@dataset("corpus", CorpusConfig, opens=Corpus.open)
def build_corpus(
    config: CorpusConfig,
    out: Path | str,
    *,
    geometry: Geometry | None = None,
    directory: Path | str = ".",
    executor: str = "processes",
) -> Corpus:
    """Make the corpus `out`.

    Args:
        config: what it is made of.
        out: a directory that does not exist yet.
        geometry: of the network, whose window it takes; that of the config by default.
        directory: where relative paths of the config start.
        executor: what aligns windows, as of `core.executor.map_work`.

    Raises:
        ConfigError: a contig is named that its genome does not have, or for two splits.
        DataError: a file cannot be used, no window of a split is left, or `out` exists.
    """
    directory = Path(directory)
    if geometry is not None:
        config = config.for_geometry(geometry)
    _check_inputs(config, directory)
    metadata: dict[str, Any] = {"config": to_plain(config)}
    with create_artifact(out, kind=KIND, version=VERSION, metadata=metadata) as building:
        genomes = [
            _read(config, number, directory=directory, building=building)
            for number in range(len(config.genomes))
        ]
        _check_lengths(config, genomes)
        for genome in genomes:
            _mark(config, genome, directory)
        windows = pl.concat(_candidates(config, genome) for genome in genomes)
        windows = drop_windows(config, windows)
        references = [genome.reference for genome in genomes]
        held_out = {
            (split, genome.number, chrom): genome.reference.contig(chrom)
            for genome in genomes
            for chrom, split in genome.splits.items()
            if split != "train"
        }
        windows = drop_homologues(config, windows, references, held_out=held_out, executor=executor)
        check_splits(config, windows)
        account(config, windows, references).write_parquet(building / ACCOUNT)
        windows.filter(pl.col("dropped").is_null()).select(
            *("genome", "chrom", "start", "split", "n_unknown"),
            exon_share=pl.col("exon") / config.window,
            repeat_share=pl.col("repeat") / config.window,
        ).write_parquet(building / WINDOWS)
        metadata["sources"] = {
            genome.source.name: {
                file: sha256(directory / file)
                for file in (genome.source.fasta, genome.source.annotation)
                if file is not None
            }
            for genome in genomes
        }
    return Corpus.open(out)


def _check_inputs(config: CorpusConfig, directory: Path) -> None:
    """Refuse what is missing before the first sequence is read."""
    config.homology.check_installed()
    for genome in config.genomes:
        check_file(directory / genome.fasta, "FASTA")
        if genome.annotation is not None:
            check_file(directory / genome.annotation, "annotation")


def _read(config: CorpusConfig, number: int, *, directory: Path, building: Path) -> _Genome:
    """Copy a sequence into the corpus, and its case if that means something."""
    source = config.genomes[number]
    fasta, marks = directory / source.fasta, marks_path(building, source.name)
    reference = Reference.from_fasta(fasta, sequence_path(building, source.name))
    reference.name = f"genome {source.name}"
    write_case(fasta, marks, soft_mask=config.soft_mask)
    return _Genome(
        number,
        source,
        reference,
        Marks(marks, reference, writable=True),
        _splits(config, source, reference),
    )


def _splits(config: CorpusConfig, source: GenomeSource, reference: Reference) -> dict[str, str]:
    """Say which split each contig is for."""

    def contig(name: str, setting: str) -> str:
        if (found := reference.names.resolve(name)) is None:
            raise ConfigError(
                f"{setting} names contig {name}, which genome {source.name} does not have; "
                f"take a name from {source.fasta}."
            )
        return found

    splits = dict.fromkeys(reference.contigs, "train")
    for split, held_out in config.held_out.items():
        if held_out.genome != source.name:
            continue
        for name in held_out.contigs or reference.contigs:
            found = contig(name, split)
            if splits[found] not in ("train", split):
                raise ConfigError(
                    f"contig {found} of genome {source.name} is for both valid and test; "
                    "give it to one."
                )
            splits[found] = split
    for name in source.exclude:
        splits.pop(contig(name, "exclude"), None)
    return splits


def _check_lengths(config: CorpusConfig, genomes: list[_Genome]) -> None:
    """Refuse genomes none of which has a contig that is long enough."""
    length, chrom, name = max(
        (length, chrom, genome.source.name)
        for genome in genomes
        for chrom, length in genome.reference.contigs.items()
    )
    if length < config.shortest_contig:
        raise DataError(
            f"no contig has the {config.shortest_contig:,} bases that windows of "
            f"{config.window:,} need (the longest, {chrom} of {name}, has {length:,}); "
            "set a smaller window."
        )


def _mark(config: CorpusConfig, genome: _Genome, directory: Path) -> None:
    if genome.source.annotation is not None:
        annotation = directory / genome.source.annotation
        mark_spans(genome.marks, read_spans(annotation, genome.reference.names), annotation)
    if config.dust:
        mark_low_complexity(genome.marks, genome.reference)


def _candidates(config: CorpusConfig, genome: _Genome) -> pl.DataFrame:
    """Cut the contigs into windows and count in each the bases of every kind."""
    used = [
        (genome.number, chrom, split)
        for chrom, split in genome.splits.items()
        if genome.reference.contigs[chrom] >= config.shortest_contig
    ]
    counts = [np.zeros((1 + len(_COUNTS), 0), dtype=np.int64)]
    for _, chrom, split in used:
        tokens, marks = genome.reference.contig(chrom), genome.marks.contig(chrom)
        stride = config.training_stride if split == "train" else config.evaluation_stride
        last = tokens.size - config.margin - config.window
        starts = np.arange(config.margin, last + 1, stride, dtype=np.int64)
        masks = {kind: (marks & bit) != 0 for kind, bit in MARKS.items()}
        masks["n_unknown"] = tokens == N
        masks["repeat"] |= masks["n_unknown"]
        sums = (_sums(masks[kind], starts, config.window) for kind in _COUNTS)
        counts.append(np.stack([starts, *sums]))
    schema = {"genome": pl.Int64, "chrom": pl.String, "split": pl.String}
    contigs = pl.DataFrame(used, schema=schema, orient="row")
    n_windows = [table.shape[1] for table in counts[1:]]
    columns = dict(zip(("start", *_COUNTS), np.concatenate(counts, axis=1), strict=True))
    return contigs[np.repeat(np.arange(len(used)), n_windows)].hstack(pl.DataFrame(columns))


def _sums(
    mask: Bool[np.ndarray, "length"], starts: Int64[np.ndarray, "windows"], window: int
) -> Int64[np.ndarray, "windows"]:
    """Count the true values of each window."""
    sums = np.zeros(mask.size + 1, dtype=np.int64)
    np.cumsum(mask, out=sums[1:])
    return sums[starts + window] - sums[starts]
