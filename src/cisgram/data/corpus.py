"""A pretraining corpus: windows of genomes and what their bases lie in, mapped from disk."""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl
from jaxtyping import Bool, Int, Int64, UInt8

from cisgram.core.artifact import damage_errors, open_artifact
from cisgram.core.checks import check_choice
from cisgram.data.corpus_config import CorpusConfig
from cisgram.data.corpus_marks import MARKS, Marks
from cisgram.genome.reference import Reference

KIND, VERSION = "corpus", 1
WINDOWS, ACCOUNT = "windows.parquet", "account.parquet"
SPLITS = ("train", "valid", "test")


class CorpusBatch(NamedTuple):
    """Some windows of a corpus."""

    tokens: UInt8[np.ndarray, "batch length"]
    """A C G T N as 0 to 4."""
    exon: Bool[np.ndarray, "batch length"]
    """Which bases lie in exons."""
    repeat: Bool[np.ndarray, "batch length"]
    """Which bases lie in repeats."""
    species: Int64[np.ndarray, "batch"]
    """Number of the genome."""


class Corpus:
    """The windows that passed all filters; no base is read before it is asked for."""

    def __init__(
        self, path: Path, config: CorpusConfig, windows: pl.DataFrame, *, account: pl.DataFrame
    ) -> None:
        """Join the tables with the genomes under `path`."""
        self.path = path
        self.config = config
        self.windows = windows
        """genome (its number), chrom, start, split, n_unknown, exon_share and repeat_share."""
        self.account = account
        """A row a genome: windows that each filter took, windows left, and their cover."""
        self.genomes = tuple(genome.name for genome in config.genomes)
        """Names of the genomes, in the order of their numbers."""
        self._references = [Reference.open(sequence_path(path, name)) for name in self.genomes]
        self._marks = [
            Marks(marks_path(path, name), reference)
            for name, reference in zip(self.genomes, self._references, strict=True)
        ]
        contigs = windows.select("genome", "chrom").unique(maintain_order=True)
        self._contigs = [
            (self._references[genome].contig(chrom), self._marks[genome].contig(chrom))
            for genome, chrom in contigs.iter_rows()
        ]
        places = windows.join(
            contigs.with_row_index("contig"),
            on=["genome", "chrom"],
            how="left",
            maintain_order="left",
        )
        self._places = np.column_stack([places["contig"], places["start"]])
        self._species = windows["genome"].to_numpy()

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """Travel to other processes as a path."""
        return type(self).open, (self.path,)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a corpus made by `build_corpus`.

        Raises:
            DataError: it is none, or not whole.
        """
        path = Path(path)
        manifest = open_artifact(path, kind=KIND, version=VERSION)
        with damage_errors(path):
            return cls(
                path,
                CorpusConfig.from_plain(manifest.metadata["config"]),
                pl.read_parquet(path / WINDOWS),
                account=pl.read_parquet(path / ACCOUNT),
            )

    def split(self, name: str) -> Int64[np.ndarray, "windows"]:
        """Return the row numbers of the windows of `train`, `valid` or `test`.

        Raises:
            ConfigError: there is no such split.
        """
        check_choice(name, SPLITS, "split")
        return np.flatnonzero(self.windows["split"] == name)

    def batch(self, rows: Int[np.ndarray, "batch"]) -> CorpusBatch:
        """Return the windows of these row numbers."""
        length = self.config.window
        tokens = np.empty((rows.size, length), dtype=np.uint8)
        marks = np.empty_like(tokens)
        for i, (contig, start) in enumerate(self._places[rows].tolist()):
            bases, bits = self._contigs[contig]
            tokens[i] = bases[start : start + length]
            marks[i] = bits[start : start + length]
        exon, repeat = ((marks & MARKS[kind]) != 0 for kind in ("exon", "repeat"))
        return CorpusBatch(tokens, exon, repeat, self._species[rows])

    def reference(self, genome: int) -> Reference:
        """Return the sequence of a genome, with all its contigs."""
        return self._references[genome]

    def marks(self, genome: int) -> Marks:
        """Return what the bases of a genome lie in, of all its contigs."""
        return self._marks[genome]


def sequence_path(corpus: Path, genome: str) -> Path:
    """Return where a corpus keeps the sequence of a genome."""
    return corpus / "genomes" / genome


def marks_path(corpus: Path, genome: str) -> Path:
    """Return where a corpus keeps the marks of a genome."""
    return corpus / "genomes" / f"{genome}.marks.u8"
