"""Which words are put before which genes, and how; imports no torch, so that `--help` is quick."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cisgram.core.checks import ConfigError, DataError, check_range
from cisgram.genome.interval import Interval
from cisgram.predict.gene_places import ALL

if TYPE_CHECKING:
    from cisgram.explain.motifs import Motif

_FEW = 20
"""Genes that are drawn of `all`, unless it is said how many."""


@dataclass(frozen=True, kw_only=True)
class WordOptions:
    """Which words, and where."""

    motifs: Path | None = None
    """JASPAR or MEME file; of each motif the likeliest word is put in, before other genes."""
    word: tuple[str, ...] = ()
    """Such as Reb1=TTACCCK, in letters of IUPAC; the first base of a set is put in, and N leaves
    the base that is there. Several --word may be given."""
    distances: str = "50,100,150,200"
    """Bases from the middle of a word to the gene's first base."""

    @property
    def named(self) -> bool:
        """Whether there are any."""
        return self.motifs is not None or bool(self.word)

    def read_motifs(self) -> "tuple[Motif, ...]":
        """Return the words that are named, those of the file first.

        Raises:
            ConfigError: none is named, or one looks otherwise.
            DataError: the file cannot be used, or a word has letters that are none.
        """
        from cisgram.explain.motif_files import read_motifs
        from cisgram.explain.motifs import Motif

        if not self.named:
            raise ConfigError("there are no words to put in; add --motifs, --word or both.")
        found = () if self.motifs is None else read_motifs(self.motifs)
        for text in self.word:
            name, equals, letters = text.partition("=")
            if not (name and equals and letters):
                raise ConfigError(f"a word must look like Reb1=TTACCCK; got {text!r}.")
            found += (Motif.from_consensus(name, letters),)
        return found

    def read_distances(self) -> tuple[int, ...]:
        """Return the distances as numbers, in their order.

        Raises:
            ConfigError: one is none.
        """
        try:
            return tuple(int(text) for text in self.distances.split(","))
        except ValueError as error:
            raise ConfigError(
                f"distances must be whole numbers between commas, such as 50,100; "
                f"got {self.distances!r}."
            ) from error


@dataclass(frozen=True, kw_only=True)
class GeneSample:
    """Which genes words are put before."""

    genes: str = ALL
    """`all`, or a file with the name of a gene a line."""
    n_genes: int | None = None
    """Draw so many of them; 20 of `all`, and all of a file, by default."""

    def __post_init__(self) -> None:
        """Check every field."""
        if self.n_genes is not None:
            check_range(self.n_genes, "n_genes", low=2)

    def draw(self, genes: Mapping[str, Interval], *, seed: int) -> dict[str, Interval]:
        """Return the genes that are drawn, in their order; all where there are no more.

        Raises:
            DataError: there are fewer than two, over which there is no interval.
        """
        if len(genes) < 2:
            raise DataError(
                f"an interval over genes needs two with their promoters in the model's window; "
                f"got {len(genes)}."
            )
        n = self.n_genes or (_FEW if self.genes == ALL else len(genes))
        drawn = np.random.default_rng(seed).choice(len(genes), min(n, len(genes)), replace=False)
        names = list(genes)
        return {names[number]: genes[names[number]] for number in np.sort(drawn).tolist()}


@dataclass(frozen=True, kw_only=True)
class WordConfig:
    """How words are put before genes."""

    n_backgrounds: int = 5
    """Shuffled promoters of each gene that a word is put into."""
    n_nulls: int = 10
    """Times that the letters of a word are shuffled for each gene; each is put into one of the
    promoters, in turn."""
    promoter: int = 500
    """Bases before a gene that are shuffled, their dinucleotides kept."""
    both_strands: bool = True
    """Put words in as they read and reverse complemented, and average."""
    seed: int = 0
    """Of everything that is drawn."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_range(self.n_backgrounds, "n_backgrounds", low=1)
        check_range(self.n_nulls, "n_nulls", low=1)
        check_range(self.promoter, "promoter", low=1)
        check_range(self.seed, "seed", low=0)
