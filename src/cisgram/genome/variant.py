"""Small variants: their text, their one normal form, and their fit to a reference."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64, UInt8

from cisgram.core.checks import DataError, check_range
from cisgram.genome.alphabet import N, decode, encode
from cisgram.genome.interval import whole_number
from cisgram.genome.reference import Reference

Contig = UInt8[np.ndarray, "bases"]

_ALLELE = re.compile("[ACGTN]+")
_TEXT = re.compile(
    r"(\S+)[:_-](\d[\d,]*)[:_-]([A-Za-z]+)[:_>/-]([A-Za-z]+)(?:[_:](?:b|hg|GRCh)\d+)?"
)
_FIRST_REACH = 64
_SHOWN = 12


@dataclass(frozen=True)
class Variant:
    """A replacement of reference bases from `start` on, counted from 0, as one biallelic VCF row.

    >>> variant = Variant.parse("chr1:12,345:AT:A")
    >>> variant.start, variant.end, str(variant)
    (12344, 12346, 'chr1:12345:AT:A')
    """

    chrom: str
    start: int
    ref: str
    """The replaced bases: A C G T N, at least one."""
    alt: str
    """What stands there instead: at least one base."""
    id: str = "."
    """Name in the file at hand, `.` where it has none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", whole_number(self.start, "start"))
        where = f"variant {self.chrom}:{self.start + 1}:{self.ref}:{self.alt}"
        if not self.chrom or self.start < 0:
            raise DataError(f"{where} needs a chromosome and a position of 1 or more; correct it.")
        if not (_ALLELE.fullmatch(self.ref) and _ALLELE.fullmatch(self.alt)):
            raise DataError(f"{where} must have alleles of the letters A C G T N; leave it out.")
        if self.ref == self.alt:
            raise DataError(f"{where} must have two different alleles; leave it out.")

    def __str__(self) -> str:
        """Write it 1-based: `chr1:12345:AT:A`."""
        return f"{self.chrom}:{self.start + 1}:{self.ref}:{self.alt}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `chr1:12345:A:G`, `chr1_12345_A_G_b37`, `1-12345-A-G` or `1:12345_A/G`.

        >>> Variant.parse("chr1_12345_A_G_b37")
        Variant(chrom='chr1', start=12344, ref='A', alt='G', id='chr1_12345_A_G_b37')
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise DataError(f"a variant must look like chr1:12345:A:G; got {text!r}.")
        chrom, position, ref, alt = match.groups()
        start = int(position.replace(",", "")) - 1
        return cls(chrom, start, ref.upper(), alt.upper(), match[0])

    @property
    def end(self) -> int:
        """One past the last base of `ref`."""
        return self.start + len(self.ref)


def trimmed(ref: str, alt: str) -> tuple[int, str, str]:
    """Return alleles without the bases that both end, then begin with; and how many these begin.

    >>> trimmed("CATT", "CAT"), trimmed("AT", "A")
    ((2, 'T', ''), (1, 'T', ''))
    """
    right = n_shared(ref[::-1], alt[::-1])
    ref, alt = ref[: len(ref) - right], alt[: len(alt) - right]
    left = n_shared(ref, alt)
    return left, ref[left:], alt[left:]


def n_shared(one: str, other: str) -> int:
    """Return how many bases two alleles begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def normalize(variant: Variant, reference: Reference) -> Variant:
    """Trim shared bases and move the variant as far left as it goes.

    Two variants that make the same haplotype from the same single event get the
    same start, ref and alt (Tan, Abecasis and Kang 2015, Bioinformatics 31:2202).

    Raises:
        DataError: `ref` is not what the reference holds there.
    """
    contig = reference.contig(variant.chrom)
    inside, match, _ = _compare(contig, np.array([variant.start]), pl.Series([variant.ref]))
    if not (inside & match).all():
        raise DataError(
            f"variant {variant} does not have the reference's bases; "
            "use the reference it was called on."
        )
    start, ref, alt = _normal_form(contig, variant.start, (variant.ref, variant.alt))
    return replace(variant, start=start, ref=ref, alt=alt)


def normalize_all(variants: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """Normalise every row of a table with columns chrom, start, ref and alt.

    Rows keep their place and their other columns, but for `end`, which follows.
    A row that does not fit the reference stays as it is: `check_reference`
    counts those. So does one that is no `Variant`, with equal alleles or letters
    other than A C G T N. Single-base exchanges are normal already and cost nothing.
    """
    place = "place among variants"
    longer = (
        variants.lazy()
        .select("chrom", "start", "ref", "alt")
        .with_row_index(place)
        .filter((pl.col("ref").str.len_bytes() > 1) | (pl.col("alt").str.len_bytes() > 1))
        .collect()
    )
    changed = [
        _normal_rows(rows, contig).with_columns(rows[place])
        for _, contig, rows in _by_contig(longer, reference)
        if contig is not None
    ]
    if not changed:
        return variants
    table = variants.with_row_index(place).update(pl.concat(changed), on=place).drop(place)
    if "end" in table.columns:
        end = pl.col("start") + pl.col("ref").str.len_bytes()
        table = table.with_columns(end=end.cast(variants.schema["end"]))
    return table


@dataclass(frozen=True, kw_only=True)
class ReferenceCheck:
    """How the REF alleles of a table fit a reference; the last four add up to the first."""

    n_checked: int
    n_match: int
    """REF is what the reference holds; N fits everything."""
    n_swapped: int
    """REF is not, but ALT is."""
    n_mismatch: int
    """Neither is."""
    n_outside: int
    """The reference has no such chromosome, or it ends before."""


def check_reference(
    variants: pl.DataFrame, reference: Reference, *, max_mismatch: float = 0.01, remedy: str = ""
) -> ReferenceCheck:
    """Compare the alleles of a table with columns chrom, start, ref and alt with a reference.

    `max_mismatch` is the largest bearable fraction, 0 to 1, of variants that do
    not fit; `remedy` is what else a message may advise, from a comma on.

    Raises:
        DataError: more than that do not fit, or have REF and ALT exchanged.
    """
    check_range(max_mismatch, "max_mismatch", low=0, high=1)
    fits = reference_fit(variants, reference)
    own = {name: fits == code for code, name in enumerate(_COUNTS)}
    own["n_match"] |= fits == UNKNOWN
    counts = pl.DataFrame({"chrom": variants["chrom"], **own}).group_by("chrom").sum()
    totals = {name: int(found.sum()) for name, found in own.items()}
    check = ReferenceCheck(**totals, n_checked=variants.height)
    limit = max_mismatch * check.n_checked
    if check.n_mismatch + check.n_outside > limit:
        wrong = own["n_mismatch"] | own["n_outside"]
        first = _first(variants, wrong, reference)
        raise _wrong_build(check, counts, reference, first, remedy)
    if check.n_swapped > limit:
        raise DataError(
            f"{check.n_swapped:,} of {check.n_checked:,} variants have REF and ALT exchanged "
            f"against {reference.name} ({_first(variants, own['n_swapped'], reference)}); set REF "
            f"from the reference first (bcftools +fixref or plink2 --ref-from-fa){remedy}."
        )
    return check


MATCH, SWAPPED, MISMATCH, OUTSIDE, UNKNOWN = range(5)
"""How a REF fits: the four that `ReferenceCheck` counts, and one where the reference has N only."""
_COUNTS = ("n_match", "n_swapped", "n_mismatch", "n_outside")


def reference_fit(variants: pl.DataFrame, reference: Reference) -> UInt8[np.ndarray, "variants"]:
    """Return how each REF of a table with columns chrom, start, ref and alt fits a reference."""
    fits = np.full(variants.height, OUTSIDE, dtype=np.uint8)
    place = "place among variants"
    for _, contig, rows in _by_contig(variants.with_row_index(place), reference):
        if contig is None:
            continue
        starts = rows["start"].to_numpy()
        inside, match, known = _compare(contig, starts, rows["ref"])
        _, swapped, _ = _compare(contig, starts, rows["alt"])
        fit = np.select(
            [~inside, match & known, match, swapped], [OUTSIDE, MATCH, UNKNOWN, SWAPPED], MISMATCH
        )
        fits[rows[place].to_numpy()] = fit
    return fits


def _by_contig(
    variants: pl.DataFrame, reference: Reference
) -> Iterator[tuple[str, Contig | None, pl.DataFrame]]:
    """Yield the rows of each chromosome with its contig, None where the reference has none."""
    for (chrom,), rows in variants.group_by("chrom", maintain_order=True):
        known = reference.names.resolve(str(chrom)) is not None
        yield str(chrom), reference.contig(str(chrom)) if known else None, rows


def _normal_rows(rows: pl.DataFrame, contig: Contig) -> pl.DataFrame:
    """Return start, ref and alt of the rows of one chromosome, normal where they fit it."""
    inside, match, _ = _compare(contig, rows["start"].to_numpy(), rows["ref"])
    spelled = rows.select(pl.concat_str("ref", "alt").str.contains(f"^(?:{_ALLELE.pattern})$"))
    usable = inside & match & spelled.to_series().to_numpy()
    normal = [
        _normal_form(contig, start, (ref, alt)) if fits and ref != alt else (start, ref, alt)
        for (start, ref, alt), fits in zip(
            rows.select("start", "ref", "alt").iter_rows(), usable, strict=True
        )
    ]
    return pl.DataFrame(normal, schema=rows.select("start", "ref", "alt").schema, orient="row")


def _compare(
    contig: Contig, starts: Int64[np.ndarray, "variants"], alleles: pl.Series
) -> tuple[Bool[np.ndarray, "variants"], ...]:
    """Say which alleles lie within the contig, are equal to it, and have a base that it knows."""
    lengths = alleles.str.len_bytes().to_numpy().astype(np.int64)
    inside = (starts >= 0) & (starts + lengths <= contig.size)
    tokens = encode("".join(alleles.to_list()))
    firsts = np.cumsum(lengths) - lengths
    # Every letter's place: its allele's start, and how far into the allele it is.
    places = np.repeat(starts - firsts, lengths) + np.arange(tokens.size)
    held = contig[np.clip(places, 0, contig.size - 1)]
    equal = (held == tokens) | (held == N) | (tokens == N)
    return (
        inside,
        np.logical_and.reduceat(equal, firsts),
        np.logical_or.reduceat(held != N, firsts),
    )


def _first(
    variants: pl.DataFrame, chosen: Bool[np.ndarray, "variants"], reference: Reference
) -> str:
    """Name the first of some variants, and what the reference has there."""
    row = int(np.flatnonzero(chosen)[0])
    chrom, start, ref, alt = variants.select("chrom", "start", "ref", "alt").row(row)
    held = "nothing"
    if reference.names.resolve(chrom) is not None:
        held = decode(reference.contig(chrom)[max(start, 0) : start + len(ref)]) or held
    named = f"{chrom}:{start + 1:,} {_short(ref)}>{_short(alt)}"
    return f"{named}, where it has {_short(held)}"


def _short(allele: str) -> str:
    return allele if len(allele) <= _SHOWN else f"{allele[:_SHOWN]}..."


def _wrong_build(
    check: ReferenceCheck, counts: pl.DataFrame, reference: Reference, first: str, remedy: str
) -> DataError:
    """Word the error by the chromosome with most misfits."""
    misfits = counts.select(
        "chrom",
        (pl.col("n_mismatch") + pl.col("n_outside")).alias("wrong"),
        pl.sum_horizontal(_COUNTS).alias("total"),
        pl.col("n_outside"),
    )
    chrom, wrong, total, outside = misfits.sort("wrong", "total", descending=True).row(0)
    some = f"{check.n_mismatch + check.n_outside:,} of {check.n_checked:,} variants do not fit"
    if reference.names.resolve(chrom) is None:
        return DataError(
            f"{some} {reference.name}, which has no chromosome {chrom} ({wrong:,} variants); "
            f"give the reference these variants were called on{remedy}."
        )
    beyond = "; most lie past its end: wrong build, or a part of it" if 2 * outside > wrong else ""
    return DataError(
        f"{some} {reference.name}, on chromosome {chrom} {wrong:,} of {total:,} ({first})"
        f"{beyond or '; wrong build'}? Give the whole reference these variants were called on"
        f"{remedy}."
    )


def _normal_form(contig: Contig, start: int, alleles: tuple[str, str]) -> tuple[int, str, str]:
    """Return start, ref and alt of the normal form of alleles that fit the contig."""
    ref, alt = alleles
    shorter = min(len(ref), len(alt))
    if ref[-1] != alt[-1] and (shorter == 1 or ref[0] != alt[0]):
        return start, ref, alt
    left, ref, alt = trimmed(ref, alt)
    start += left
    return (start, ref, alt) if ref and alt else _left_aligned(contig, start, (ref, alt))


def _left_aligned(contig: Contig, start: int, alleles: tuple[str, str]) -> tuple[int, str, str]:
    """Move a pure insertion or deletion left and give it the base VCF wants beside it."""
    ref, alt = alleles
    moved = encode(ref or alt)
    shift = _shift(contig, start, moved)
    start -= shift
    # A step left takes the last of the moved bases to their front.
    bases = decode(np.roll(moved, shift))
    if start > 0:
        start, before, after = start - 1, decode(contig[start - 1 : start]), ""
    else:
        before, after = "", decode(contig[len(ref) : len(ref) + 1])
    return start, before + (bases if ref else "") + after, before + (bases if alt else "") + after


def _shift(contig: Contig, start: int, moved: UInt8[np.ndarray, "moved"]) -> int:
    """Return how far left bases inserted or deleted at `start` can slide.

    Each step needs the base before to equal the last one moved. Written one
    after the other, the bases before and those moved must so equal themselves
    `moved.size` further on.
    """
    reach = _FIRST_REACH
    while True:
        reach = min(reach, start)
        row = np.concatenate((contig[start - reach : start], moved))
        differs = np.flatnonzero(row[:reach] != row[moved.size : moved.size + reach])
        if differs.size:
            return reach - 1 - int(differs[-1])
        if reach == start:
            return start
        reach *= 16
