"""DNA to predict: regions of a genome, records of a FASTA, or letters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8

from cisgram.core.checks import ConfigError, check_unique
from cisgram.genome.alphabet import LETTERS, encode
from cisgram.genome.bed import read_bed
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference, open_reference
from cisgram.models.base import Model

_PLACE = ("chrom", "start", "end", "strand")
_FASTA = {".fa", ".fasta", ".fna"}


@dataclass(frozen=True, eq=False)
class Sequences:
    """Named regions of DNA, of any length, each with the DNA around it.

    >>> sequences = Sequences.from_letters(["ACGT", "GATTACA"])
    >>> sequences.table.select("name", "start", "end").rows()
    [('sequence1', 0, 4), ('sequence2', 0, 7)]
    """

    names: tuple[str, ...]
    places: tuple[Interval, ...]
    """Where they lie; those on strand `-` are read reverse complemented."""
    reference: Reference
    """What they lie on."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def table(self) -> pl.DataFrame:
        """A row each: name, chrom, start (from 0), end and strand."""
        columns = {key: [getattr(place, key) for place in self.places] for key in _PLACE}
        return pl.DataFrame({"name": self.names, **columns})

    def tokens(self, number: int) -> UInt8[np.ndarray, "length"]:
        """Return the bases of one of them, A C G T N = 0 1 2 3 4."""
        return self.reference.fetch(self.places[number])

    @classmethod
    def from_bed(cls, path: Path | str, genome: Path | str | Reference) -> "Sequences":
        """Read the regions of a BED."""
        reference = genome if isinstance(genome, Reference) else open_reference(genome)
        names, places = read_bed(path, reference)
        return cls(tuple(names), tuple(places), reference)

    @classmethod
    def from_fasta(cls, path: Path | str) -> "Sequences":
        """Read every record of a FASTA, whole."""
        return cls.of_contigs(open_reference(path))

    @classmethod
    def of_contigs(cls, reference: Reference) -> "Sequences":
        """Return every contig, whole."""
        places = (Interval(name, 0, size, "+") for name, size in reference.contigs.items())
        return cls(tuple(reference.contigs), tuple(places), reference)

    @classmethod
    def from_letters(
        cls, letters: Sequence[str], names: Sequence[str] | None = None
    ) -> "Sequences":
        """Take sequences as they are written."""
        tokens = [encode(text) for text in letters]
        if not tokens or not all(bases.size for bases in tokens):
            raise ConfigError("every sequence must have a base; one has none.")
        names = names or [f"sequence{number}" for number in range(1, len(tokens) + 1)]
        check_unique(names, "sequence", "names")
        if len(names) != len(tokens):
            raise ConfigError(f"there are {len(tokens)} sequences and {len(names)} names.")
        sizes = {name: bases.size for name, bases in zip(names, tokens, strict=True)}
        reference = Reference(Path("sequences"), sizes, np.concatenate(tokens))
        return cls.of_contigs(reference)

    @classmethod
    def from_regions(cls, regions: Iterable[Interval | str], reference: Reference) -> "Sequences":
        """Take regions such as `chrXIV:187,851-188,050`."""
        places = [
            region if isinstance(region, Interval) else Interval.parse(region) for region in regions
        ]
        for place in places:
            reference.check_inside(place)
        return cls(tuple(str(place) for place in places), tuple(places), reference)


Asked = Sequences | Interval | Path | str | Sequence[str]
"""What verbs take for sequences: `Sequences`; a BED or FASTA; a region or several; DNA."""


def as_sequences(asked: Asked, reference: "Reference | None") -> Sequences:
    """Return the sequences of a file, a region or letters; regions lie on `reference`.

    Raises:
        ConfigError: it is none of these, or needs a genome.
        DataError: a file cannot be used.
    """
    if isinstance(asked, Sequences):
        return asked
    if not asked:
        raise ConfigError("give at least one sequence, region or file; got none.")
    if isinstance(asked, Path) or (isinstance(asked, str) and _is_file(asked)):
        path = Path(asked)
        if _FASTA & {suffix.lower() for suffix in path.suffixes}:
            return Sequences.from_fasta(path)
        return Sequences.from_bed(path, _known(reference, str(path)))
    listed = [asked] if isinstance(asked, Interval | str) else list(asked)
    if listed and all(isinstance(text, str) and _is_dna(text) for text in listed):
        return Sequences.from_letters([str(text) for text in listed])
    odd = [text for text in map(str, listed) if ":" not in text and not _is_dna(text)]
    if odd:
        raise ConfigError(
            "sequences must all be DNA of A C G T N, or all be regions such as chr2:1,001-2,000; "
            f"got {odd[0][:30]!r}."
        )
    return Sequences.from_regions(listed, _known(reference, str(listed[0])))


def _is_dna(text: str) -> bool:
    """Say whether a text is nothing but A C G T N."""
    return bool(text) and set(text.upper()) <= set(LETTERS)


def _is_file(text: str) -> bool:
    return not _is_dna(text) and ":" not in text and Path(text).suffix != ""


def _known(reference: Reference | None, asked: str) -> Reference:
    if reference is None:
        raise ConfigError(
            f"{asked} lies on a genome and none is known; add --genome, in Python genome=."
        )
    return reference


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one length as tokens, and what is read in each."""

    tokens: UInt8[np.ndarray, "windows length"]
    spans: Int64[np.ndarray, "windows 2"]
    """First base and the one after the last of what is read, such as a gene's body."""

    def __len__(self) -> int:
        return len(self.tokens)


def window_of(place: Interval, model: Model, reference: Reference, *, inside: bool) -> Interval:
    """Return the window that a model reads a region in, the region's middle in its middle.

    `inside` moves it to lie within the contig, as far as it does; otherwise N is read past the
    contig's ends.
    """
    length, size = model.window, reference.contig(place.chrom).size
    window = place.around(length)
    if not inside:
        return window
    start = max(min(window.start, size - length), 0)
    return Interval(place.chrom, start, start + length, place.strand)


def windows_of_places(
    places: Sequence[Interval], model: Model, reference: Reference, *, inside: bool
) -> Windows:
    """Return windows with regions in their middle, and where the regions lie in them."""
    around = [window_of(place, model, reference, inside=inside) for place in places]
    spans = [window.locate(place) for window, place in zip(around, places, strict=True)]
    return Windows(
        np.stack([reference.fetch(window) for window in around]),
        np.array(spans, dtype=np.int64).reshape(-1, 2),
    )
