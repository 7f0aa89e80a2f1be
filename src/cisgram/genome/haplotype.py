"""DNA of people's haplotypes, made of a reference and phased genotypes when asked for.

**Which alleles.** A haplotype gets the alternate allele of every variant whose
call gives it one, in order of position, by the rule of `bcftools consensus -H 1`
and `-H 2` (Danecek et al. 2021, GigaScience 10:giab008), to which
`HaplotypeWindows.consensus` is identical:

- A variant that starts before the window is left out, even when it reaches in.
- A variant that overlaps one already put in is left out. An insertion or
  deletion whose first base is shared by ref and alt touches only what follows
  that base, so it may begin on the last base of the one before, unless that was
  an insertion.
- A missing allele, and the absent second allele of a haploid call, is reference.
- Unphased heterozygotes are taken in the order they are written, with one warning.
- At the end of a consensus an insertion on the last base is put in whole; an
  allele whose ref reaches beyond the end is cut to the bases that are left.

**Windows** have exactly the length of their interval, so that they stack. They
begin where the interval begins and are cut from the haplotype that goes on past
its end, so that deletions pull in further DNA and insertions push some out. With
an `anchor`, such as a TSS, that base keeps the place it has in the reference
window, and insertions and deletions shift the flanks on either side of it; a
deleted anchor is stood for by the base that comes next. Such a window is cut from
the haplotype of the whole chromosome, so variants that start before it count.
Past the ends of the contig there is N. On strand `-` the window is reverse complemented as a whole.
"""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from jaxtyping import Int, Int64, Shaped, UInt8

from cisgram.core.checks import CisgramWarning, ConfigError, check_choice
from cisgram.genome.alphabet import decode, one_hot, reverse_complement
from cisgram.genome.genotypes import Genotypes
from cisgram.genome.haplotype_variants import (
    APPLIED,
    MISSING_ALLELES,
    N_TALLIES,
    OVERLAPPING,
    UNPHASED,
    HaplotypeVariants,
)
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

NO_BASE = -1
ONE_HOT_TYPES = ("uint8", "float16", "bfloat16", "float32")

_BFLOAT16_ONE = 0x3F80
_BYTES_WORTH_A_THREAD = 1 << 20
_TOKENS = np.arange(5, dtype=np.uint8)
_CARRIERS = {1: np.uint8, 4: np.uint32, 8: np.uint64, 16: np.complex128}
"""Bytes a base -> a type of that size, as which the bases are moved and never computed with."""


@dataclass(kw_only=True)
class HaplotypeTally:
    """What was met in the windows made so far, one count for each haplotype it was met in."""

    n_windows: int = 0
    n_applied: int = 0
    """Alternate alleles put in."""
    n_overlapping: int = 0
    """Alternate alleles left out because they overlap the one before."""
    n_missing: int = 0
    """Missing alleles, taken as reference."""
    n_unphased: int = 0
    """Alleles of unphased heterozygotes, taken in the order they are written."""


@dataclass(frozen=True, eq=False)
class CoordinateMap:
    """Which base of a window is which base of the reference."""

    positions: Int64[np.ndarray, "length"]
    """Reference position of each base of the window, -1 for an inserted or unknown one."""

    def to_reference(self, indices: Int[np.ndarray, "queries"]) -> Int64[np.ndarray, "queries"]:
        """Return the reference positions of bases of the window.

        Inserted bases, those past the end of the contig and those outside the window give -1.
        """
        inside = (indices >= 0) & (indices < self.positions.size)
        return np.where(inside, self.positions[np.where(inside, indices, 0)], NO_BASE)

    def to_haplotype(self, positions: Int[np.ndarray, "queries"]) -> Int64[np.ndarray, "queries"]:
        """Return where reference positions lie in the window; deleted and outside ones give -1."""
        indices = np.flatnonzero(self.positions != NO_BASE)
        if not indices.size:
            return np.full(positions.shape, NO_BASE)
        known = self.positions[indices]
        if known[0] > known[-1]:
            indices, known = indices[::-1], known[::-1]
        found = np.minimum(np.searchsorted(known, positions), known.size - 1)
        return np.where(known[found] == positions, indices[found], NO_BASE)


@dataclass(frozen=True, eq=False)
class _Span:
    """A stretch of reference with its variants, and where in it a window lies."""

    start: int
    end: int
    rows: slice
    variants: HaplotypeVariants
    anchor: int


class HaplotypeWindows:
    """Makes windows of the haplotypes of a cohort; the module says by what policy."""

    def __init__(
        self, genotypes: Genotypes, reference: Reference, *, n_threads: int | None = None
    ) -> None:
        """Join genotypes with the reference they were called on.

        `n_threads` is how many people are worked on at once, by default as many
        as there are processors.
        """
        self.genotypes, self.reference = genotypes, reference
        self.n_threads = n_threads or len(os.sched_getaffinity(0))
        self.tally = HaplotypeTally()
        self._variants = HaplotypeVariants.of(genotypes.variants)
        self._reach: dict[str, Int64[np.ndarray, "rows"]] = {}
        self._pool = ThreadPoolExecutor(self.n_threads)

    def __reduce__(self) -> tuple[object, tuple[Genotypes, Reference]]:
        """Travel to other processes without threads and with an empty tally."""
        return partial(type(self), n_threads=self.n_threads), (self.genotypes, self.reference)

    def tokens(
        self,
        interval: Interval,
        people: Int[np.ndarray, "people"] | None = None,
        *,
        anchor: int | None = None,
        out: UInt8[np.ndarray, "people haplotypes length"] | None = None,
    ) -> UInt8[np.ndarray, "people haplotypes length"]:
        """Return both haplotypes of people (indices; everyone by default) as tokens.

        `anchor` is a position in the interval that keeps its place. `out` is
        filled and returned when given, which spares the time to fetch fresh memory.
        """
        chosen = self._chosen(people)
        out = _output(out, (chosen.size, 2, interval.length), np.dtype(np.uint8))
        self._fill(out, interval, self._span(interval, anchor), people=chosen, table=_TOKENS)
        return out

    def one_hot(
        self,
        interval: Interval,
        people: Int[np.ndarray, "people"] | None = None,
        *,
        dtype: str = "uint8",
        anchor: int | None = None,
        out: Shaped[np.ndarray, "people haplotypes length 4"] | None = None,
    ) -> Shaped[np.ndarray, "people haplotypes length 4"]:
        """Return both haplotypes as one-hot rows, columns A C G T; N is a row of zeros.

        `dtype` is uint8, float16, bfloat16 or float32. numpy has no bfloat16: its
        bits come as uint16, for `torch.from_numpy(x).view(torch.bfloat16)`. The
        other arguments are those of `tokens`.

        Raises:
            DataError: the reference has no such chromosome.
            ConfigError: `dtype`, `anchor`, `people` or `out` does not fit.
        """
        chosen = self._chosen(people)
        table = _one_hot_table(dtype)
        out = _output(out, (chosen.size, 2, interval.length, 4), table.dtype)
        self._fill(out, interval, self._span(interval, anchor), people=chosen, table=table)
        return out

    def consensus(self, interval: Interval, person: int, haplotype: int) -> str:
        """Return the whole haplotype of an interval, as long as its alleles make it.

        It is what `samtools faidx REF chrom:from-to | bcftools consensus -s NAME
        -H 1` writes for haplotype 0, and `-H 2` for haplotype 1, in capitals;
        reverse complemented on strand `-`.
        """
        from cisgram.genome.haplotype_kernels import choose

        chosen = self._chosen(np.array([person]))
        _check_haplotype(haplotype)
        rows = self.genotypes.rows(interval.chrom, interval.start, interval.end)
        variants = self._variants.take(rows).cut_at(interval.end)
        edits = variants.edits(interval.start, interval.end)
        applied = np.empty(edits.size, dtype=np.int64)
        tallies = np.zeros((2, N_TALLIES), dtype=np.int64)
        n = choose(applied, tallies, haplotype, self.genotypes.calls[rows], person, edits)
        longer = int((variants.alt_length - variants.ref_length)[applied[:n]].sum())
        out = np.empty((1, 2, interval.length + longer), dtype=np.uint8)
        span = _Span(interval.start, interval.end, rows, variants, interval.start)
        self._fill(out, interval, span, people=chosen, table=_TOKENS)
        return decode(out[0, haplotype])

    def coordinate_map(
        self, interval: Interval, person: int, haplotype: int, *, anchor: int | None = None
    ) -> CoordinateMap:
        """Return where the bases of a window, as `tokens` makes it, come from."""
        chosen = self._chosen(np.array([person]))
        _check_haplotype(haplotype)
        span = self._span(interval, anchor)
        size = self.reference.contig(interval.chrom).size
        positions = np.arange(span.start, span.end)
        positions[(positions < 0) | (positions >= size)] = NO_BASE
        variants = span.variants
        # An alternate base stands for the reference base at its place, as far as there are any.
        nth = np.arange(variants.alternates.size) - np.repeat(
            variants.alt_end - variants.alt_length, variants.alt_length
        )
        replaces = nth < np.repeat(variants.ref_length, variants.alt_length)
        sources = np.where(replaces, np.repeat(variants.start, variants.alt_length) + nth, NO_BASE)
        bases = np.concatenate([positions, sources])
        if interval.strand == "-":
            bases = bases[::-1].copy()
        out = np.empty((1, 2, interval.length), dtype=np.int64)
        self._write(out, interval, span, people=chosen, bases=bases)
        return CoordinateMap(out[0, haplotype])

    def _span(self, interval: Interval, anchor: int | None) -> _Span:
        """Return enough of the surroundings to fill the window whatever is deleted."""
        if anchor is not None and not interval.start <= anchor < interval.end:
            raise ConfigError(f"anchor must lie in {interval}; got {anchor + 1:,} (from 1).")
        start, end = interval.start, interval.end
        if anchor is not None:
            start = self._left_end(interval, anchor)
        while True:
            variants = self._variants.take(rows := self.genotypes.rows(interval.chrom, start, end))
            deleted = np.maximum(variants.ref_length - variants.alt_length, 0).sum()
            if interval.end + int(deleted) <= end:
                return _Span(start, end, rows, variants, start if anchor is None else anchor)
            end = interval.end + int(deleted)

    def _left_end(self, interval: Interval, anchor: int) -> int:
        """Return a start from which the flank before `anchor` is filled whatever is deleted.

        No variant reaches over it, so that none that matters is left out.
        """
        start = interval.start
        everything = self.genotypes.rows(interval.chrom, 0, np.iinfo(np.int64).max)
        contig = self._variants.take(everything)
        if interval.chrom not in self._reach:
            self._reach[interval.chrom] = np.maximum.accumulate(contig.start + contig.ref_length)
        reach = self._reach[interval.chrom]
        while True:
            first = int(np.searchsorted(reach, start, side="right"))
            last = int(np.searchsorted(contig.start, anchor))
            shorter = contig.ref_length[first:last] - contig.alt_length[first:last]
            needed = interval.start - int(np.maximum(shorter, 0).sum())
            if first < last:
                needed = min(needed, int(contig.start[first]))
            if needed >= start:
                return start
            start = needed

    def _fill(
        self,
        out: Shaped[np.ndarray, "people haplotypes *window"],
        interval: Interval,
        span: _Span,
        *,
        people: Int64[np.ndarray, "people"],
        table: Shaped[np.ndarray, "5 *row"],
    ) -> None:
        """Write the rows of `table` that the bases of the haplotypes stand for."""
        reference = self.reference.fetch(Interval(interval.chrom, span.start, span.end))
        tokens = np.concatenate([reference, span.variants.alternates])
        if interval.strand == "-":
            tokens = reverse_complement(tokens)
        carrier = _CARRIERS[table[0].nbytes]
        table = table.reshape(5, -1).view(carrier).ravel()
        windows = out.view(carrier).reshape(out.shape[:3])
        self._write(windows, interval, span, people=people, bases=np.take(table, tokens))

    def _write(
        self,
        out: Shaped[np.ndarray, "people haplotypes length"],
        interval: Interval,
        span: _Span,
        *,
        people: Int64[np.ndarray, "people"],
        bases: Shaped[np.ndarray, "bases"],
    ) -> None:
        """Share the people out over the threads, and keep the tally."""
        from cisgram.genome.haplotype_kernels import write_windows

        strand = -1 if interval.strand == "-" else 1
        layout = span.anchor - span.start, span.anchor - interval.start, strand
        calls, edits = self.genotypes.calls[span.rows], span.variants.edits(span.start, span.end)
        windows = out.reshape(people.size * 2, out.shape[2])
        tallies = np.zeros((people.size * 2, N_TALLIES), dtype=np.int64)

        def write(part: slice) -> None:
            lines = slice(2 * part.start, 2 * part.stop)
            write_windows(windows[lines], tallies[lines], calls, people[part], edits, bases, layout)

        n_parts = min(self.n_threads, people.size, out.nbytes // _BYTES_WORTH_A_THREAD)
        bounds = np.linspace(0, people.size, max(1, n_parts) + 1).astype(int).tolist()
        parts = [slice(*pair) for pair in pairwise(bounds)]
        waiting = [self._pool.submit(write, part) for part in parts[1:]]
        write(parts[0])
        for future in waiting:
            future.result()
        self._count(tallies)

    def _count(self, tallies: Int64[np.ndarray, "haplotypes tallies"]) -> None:
        total = tallies.sum(axis=0).tolist()
        unphased = total[UNPHASED] // 2
        if unphased and not self.tally.n_unphased:
            warnings.warn(
                f"{self.genotypes.directory} has unphased heterozygotes; their alleles are taken "
                "in the order they are written, so haplotypes mix the two parents.",
                CisgramWarning,
                stacklevel=4,
            )
        self.tally.n_windows += tallies.shape[0]
        self.tally.n_applied += total[APPLIED]
        self.tally.n_overlapping += total[OVERLAPPING]
        self.tally.n_missing += total[MISSING_ALLELES]
        self.tally.n_unphased += unphased

    def _chosen(self, people: Int[np.ndarray, "people"] | None) -> Int64[np.ndarray, "people"]:
        n_people = len(self.genotypes.people)
        if people is None:
            return np.arange(n_people)
        chosen = np.asarray(people, dtype=np.int64)
        if chosen.ndim != 1 or ((chosen < 0) | (chosen >= n_people)).any():
            raise ConfigError(
                f"people must be a list of indices from 0 to {n_people - 1:,}; got {people!r}."
            )
        return chosen


def _check_haplotype(haplotype: int) -> None:
    if haplotype not in (0, 1):
        raise ConfigError(f"haplotype must be 0 or 1; got {haplotype!r}.")


def _one_hot_table(dtype: str) -> Shaped[np.ndarray, "5 4"]:
    check_choice(dtype, ONE_HOT_TYPES, "dtype")
    if dtype == "bfloat16":
        return one_hot(np.arange(5, dtype=np.uint8), np.uint16) * np.uint16(_BFLOAT16_ONE)
    return one_hot(np.arange(5, dtype=np.uint8), np.dtype(dtype))


def _output(
    out: Shaped[np.ndarray, "..."] | None, shape: tuple[int, ...], dtype: np.dtype
) -> Shaped[np.ndarray, "..."]:
    """Return fresh memory, or `out` when it fits."""
    if out is None:
        return np.empty(shape, dtype=dtype)
    if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise ConfigError(
            f"out must be a contiguous {dtype} array of shape {shape}; got {out.dtype} of "
            f"{out.shape}."
        )
    return out
