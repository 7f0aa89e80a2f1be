"""A reference genome as a memory-mapped file of tokens."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import polars as pl
from jaxtyping import UInt8

from cisgram.core import artifact
from cisgram.core.artifact import create_artifact, damage_errors, open_artifact
from cisgram.core.checks import ConfigError, DataError, check_file, check_unique
from cisgram.core.places import hold
from cisgram.genome.alphabet import IUPAC, N, reverse_complement, translation
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.interval import Interval
from cisgram.genome.packaged_genomes import check_path_or_name, packaged_genome
from cisgram.genome.streams import read_lines

KIND, VERSION = "reference", 1
_TOKENS, _CONTIGS = "tokens.u8", "contigs.parquet"
_NUCLEOTIDES = translation(IUPAC)
_BLANKS = b" \t\r\n"
_INVALID = b"\xff"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Reference:
    """All contigs of a genome, one byte a base; nothing is read before it is asked for."""

    def __init__(
        self, path: Path, contigs: dict[str, int], tokens: UInt8[np.ndarray, "bases"]
    ) -> None:
        """Join contig lengths with the tokens that hold the contigs one after the other."""
        self.path = path
        self.name = str(path)
        """What messages call it: the FASTA where one was given."""
        self.contigs = contigs
        self.names = ChromosomeNames(contigs)
        self._tokens = tokens
        ends = np.cumsum(list(contigs.values())).tolist()
        self._bounds = {
            name: (end - length, end)
            for (name, length), end in zip(contigs.items(), ends, strict=True)
        }

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """Travel to other processes as a path, not as three thousand million bytes."""
        return type(self).open, (self.path,)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a reference made by `from_fasta`."""
        path = Path(path)
        open_artifact(path, kind=KIND, version=VERSION)
        with damage_errors(path / _CONTIGS):
            table = pl.read_parquet(path / _CONTIGS, glob=False)
            contigs = dict(zip(table["name"], table["length"], strict=True))
        # A plain view: slicing a memmap object costs more than reading a short window.
        tokens = np.memmap(path / _TOKENS, dtype=np.uint8, mode="r").view(np.ndarray)
        return cls(path, contigs, tokens)

    @classmethod
    def from_fasta(cls, fasta: Path | str, out: Path | str, *, overwrite: bool = False) -> Self:
        """Read a FASTA, plain or compressed with gzip or bgzip, into the artifact `out`.

        A record's name is its header up to the first blank. Case is dropped, and
        letters for partly known bases become N.

        Raises:
            DataError: the file is damaged, not FASTA, not DNA, or has empty or
                repeated records, or `out` exists already.
        """
        fasta = Path(fasta)
        metadata = {"source": fasta.name}
        with create_artifact(
            out, kind=KIND, version=VERSION, metadata=metadata, overwrite=overwrite
        ) as building:
            with (building / _TOKENS).open("wb") as stream:
                records = _Records(fasta, stream)
                records.read()
            check_unique(records.names, "record", str(fasta))
            lengths = np.array(records.lengths, dtype=np.int64)
            offsets = np.cumsum(lengths) - lengths
            pl.DataFrame(
                {"name": records.names, "length": lengths, "offset": offsets}
            ).write_parquet(building / _CONTIGS)
        return cls.open(out)

    def contig(self, chrom: str) -> UInt8[np.ndarray, "length"]:
        """Return a whole contig, read-only and mapped, under any usual spelling of its name."""
        start, end = self._bounds[self.names.require(chrom, f"reference {self.name}")]
        return self._tokens[start:end]

    def digest(self, chrom: str) -> str:
        """Return 128 bits, in hexadecimal, that tell a contig's bases from others.

        Compression, line width, case and name of the contig make no difference.
        """
        return hashlib.blake2b(self.contig(chrom).data, digest_size=16).hexdigest()

    def facts(self, splits: Mapping[str, str]) -> dict[str, tuple[str, int, str]]:
        """Return split, length and digest of contigs by name, as a model's card has them."""
        return {
            name: (split, self.contigs[name], self.digest(name)) for name, split in splits.items()
        }

    def holds(self, interval: Interval) -> bool:
        """Say whether an interval lies within its contig, which the reference must have."""
        return 0 <= interval.start < interval.end <= self.contig(interval.chrom).size

    def check_inside(self, interval: Interval) -> None:
        """Refuse an interval that reaches past the ends of its contig."""
        if not self.holds(interval):
            size = self.contig(interval.chrom).size
            raise ConfigError(
                f"{interval} reaches past the {size:,} bases of {interval.chrom}; "
                "name a region within them."
            )

    def fetch(self, interval: Interval) -> UInt8[np.ndarray, "length"]:
        """Return the tokens of an interval, N past the ends of its contig.

        On strand `-` they are reverse complemented.
        """
        contig = self.contig(interval.chrom)
        if interval.start >= 0 and interval.end <= contig.size:
            tokens = contig[interval.start : interval.end].copy()
        else:
            tokens = np.full(interval.length, N, dtype=np.uint8)
            first, last = max(interval.start, 0), min(interval.end, contig.size)
            if first < last:
                tokens[first - interval.start : last - interval.start] = contig[first:last]
        return reverse_complement(tokens) if interval.strand == "-" else tokens


def open_reference(path: Path | str) -> Reference:
    """Open a reference artifact, a FASTA, or a packaged genome such as `yeast-r64` by its name.

    The first use of a FASTA builds its artifact in the user's cache, under the
    SHA-256 of the file; later uses find it there. `CISGRAM_CACHE` names another
    cache directory.

    Raises:
        DataError: the path is neither, or the FASTA cannot be used.
    """
    packaged = packaged_genome(path)
    fasta = packaged.fasta if packaged else check_path_or_name(path, "reference")
    if fasta.is_dir():
        return Reference.open(fasta)
    check_file(fasta, "reference")  # a device may never end
    cached = cache_directory() / "references" / artifact.sha256(fasta)
    try:
        reference = Reference.open(cached)
    except DataError:
        reference = _cache(fasta, cached)
    reference.name = str(path)
    return reference


def _cache(fasta: Path, cached: Path) -> Reference:
    """Make a reference in the cache, or wait for another process that makes it."""
    with hold(cached, wait=True):
        with suppress(DataError):
            return Reference.open(cached)
        if not artifact.is_artifact(cached, KIND):
            shutil.rmtree(cached, ignore_errors=True)
        return Reference.from_fasta(fasta, cached, overwrite=True)


def cache_directory() -> Path:
    """Return `CISGRAM_CACHE`, or `cisgram` in the user's cache directory."""
    if chosen := os.environ.get("CISGRAM_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cisgram"


class _Records:
    """Splits the lines of a FASTA into records, and writes their tokens."""

    def __init__(self, source: Path, stream: BinaryIO) -> None:
        self.source, self.stream = source, stream
        self.names: list[str] = []
        self.lengths: list[int] = []

    def read(self) -> None:
        for number, lines in enumerate(read_lines(self.source, "FASTA")):
            text = lines.removeprefix(_BYTE_ORDER_MARK) if number == 0 else lines
            more, *records = (b"\n" + text).split(b"\n>")
            self._add(more)
            for record in records:
                header, _, sequence = record.partition(b"\n")
                self._begin(header)
                self._add(sequence)
        self._check_last()
        if not self.names:
            raise DataError(f"{self.source} holds no FASTA record; check the path.")

    def _begin(self, header: bytes) -> None:
        self._check_last()
        words = header.decode("utf-8", "replace").split(maxsplit=1)
        if not words:
            raise DataError(
                f"{self.source} has a record without a name after "
                f"{self.names[-1] if self.names else 'its start'}; name every record."
            )
        self.names.append(words[0])
        self.lengths.append(0)

    def _add(self, text: bytes) -> None:
        tokens = text.translate(_NUCLEOTIDES, _BLANKS)
        if not tokens:
            return
        if not self.names:
            raise DataError(f"{self.source} must begin with '>'; it is no FASTA file.")
        if (wrong := tokens.find(_INVALID)) >= 0:
            letter = chr(text.translate(None, _BLANKS)[wrong])
            raise DataError(
                f"{self.source} holds {letter!r} in record {self.names[-1]} at position "
                f"{self.lengths[-1] + wrong + 1:,}, which stands for no nucleotide; give a DNA "
                "FASTA, not a protein or an alignment."
            )
        self.lengths[-1] += len(tokens)
        self.stream.write(tokens)

    def _check_last(self) -> None:
        if self.lengths and self.lengths[-1] == 0:
            raise DataError(
                f"{self.source} has no sequence for record {self.names[-1]}; "
                "remove it or download the file again."
            )
