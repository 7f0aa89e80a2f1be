"""A pretraining corpus: windows of genomes and what their bases lie in, mapped from disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl
from jaxtyping import Bool, Int, Int64, UInt8

from cisgram.core.artifact import damage_errors, open_artifact
from cisgram.core.checks import few
from cisgram.core.config import from_plain
from cisgram.data.base import WINDOWS, WindowSet
from cisgram.data.corpus_config import CorpusConfig
from cisgram.data.corpus_marks import MARKS, Marks
from cisgram.data.outputs import Outputs
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

KIND, VERSION = "corpus", 1
ACCOUNT = "account.parquet"


class CorpusBatch(NamedTuple):
    """Some windows of a corpus."""

    tokens: UInt8[np.ndarray, "batch length"]
    """A C G T N as 0 to 4."""
    exon: Bool[np.ndarray, "batch length"]
    repeat: Bool[np.ndarray, "batch length"]
    species: Int64[np.ndarray, "batch"]


class Corpus(WindowSet):
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
        self.references = [Reference.open(sequence_path(path, name)) for name in self.genomes]
        self.marks = [
            Marks(marks_path(path, name), reference)
            for name, reference in zip(self.genomes, self.references, strict=True)
        ]
        """What the bases of each genome lie in."""
        contigs = windows.select("genome", "chrom").unique(maintain_order=True)
        self._contigs = [
            (self.references[genome].contig(chrom), self.marks[genome].contig(chrom))
            for genome, chrom in contigs.iter_rows()
        ]
        numbered = contigs.with_row_index("contig")
        places = windows.join(numbered, on=["genome", "chrom"], how="left", maintain_order="left")
        self._places = np.column_stack([places["contig"], places["start"]])
        self._species = windows["genome"].to_numpy()
        self.outputs = Outputs.of_bases()
        times = np.array([config.copies.get(name, 1) for name in self.genomes])
        self._train = np.repeat(self.split("train"), times[self._species[self.split("train")]])
        self._valid = _spread(self.split("valid"), config.max_validation)
        self.n_train = len(self._train)

    @property
    def named_references(self) -> list[tuple[str, Reference]]:
        """Name and sequence of each genome, in the order of species numbers."""
        return list(zip(self.genomes, self.references, strict=True))

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a corpus made by `build_corpus`."""
        path = Path(path)
        manifest = open_artifact(path, kind=KIND, version=VERSION)
        with damage_errors(path):
            return cls(
                path,
                from_plain(CorpusConfig, manifest.metadata["config"], str(path)),
                pl.read_parquet(path / WINDOWS, glob=False),
                account=pl.read_parquet(path / ACCOUNT, glob=False),
            )

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

    def train_batch(
        self, examples: Int[np.ndarray, "batch"], rng: np.random.Generator
    ) -> CorpusBatch:
        """Return windows, each reverse complemented with probability one half."""
        windows = self.batch(self._train[examples])
        return reversed_where(windows, rng.random(len(examples)) < 0.5)

    def valid_batches(self, size: int) -> Iterator[tuple[int, CorpusBatch]]:
        """Yield the validation windows as they are, and how many there are in each batch."""
        for first in range(0, len(self._valid), size):
            rows = self._valid[first : first + size]
            yield len(rows), self.batch(rows)

    def describe(self, examples: Int[np.ndarray, "batch"]) -> str:
        """Name training windows by genome, contig and position."""
        rows = self.windows[self._train[examples]].select("genome", "chrom", "start")
        places = [
            f"{self.genomes[genome]} {Interval(chrom, start, start + self.config.window)}"
            for genome, chrom, start in rows.iter_rows()
        ]
        return f"windows {few(places)}"


def reversed_where(windows: CorpusBatch, chosen: Bool[np.ndarray, "batch"]) -> CorpusBatch:
    """Reverse complement some windows, with what is known of each of their bases."""
    pick = chosen[:, None]
    return CorpusBatch(
        np.where(pick, reverse_complement(windows.tokens), windows.tokens),
        np.where(pick, windows.exon[:, ::-1], windows.exon),
        np.where(pick, windows.repeat[:, ::-1], windows.repeat),
        windows.species,
    )


def _spread(rows: Int64[np.ndarray, "windows"], most: int | None) -> Int64[np.ndarray, "chosen"]:
    """Return at most so many windows, from first to last as far apart as can be."""
    if most is None or len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]


def sequence_path(corpus: Path, genome: str) -> Path:
    """Return where a corpus keeps the sequence of a genome."""
    return corpus / "genomes" / genome


def marks_path(corpus: Path, genome: str) -> Path:
    """Return where a corpus keeps the marks of a genome."""
    return corpus / "genomes" / f"{genome}.marks.u8"
