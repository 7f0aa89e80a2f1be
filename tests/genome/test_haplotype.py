"""Windows and coordinate maps against strings edited one variant at a time."""

import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError
from cisgram.genome.alphabet import decode, encode, one_hot
from cisgram.genome.genotypes import Genotypes, import_genotypes
from cisgram.genome.haplotype import ONE_HOT_TYPES, HaplotypeWindows
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from toy import ToyGenome

PEOPLE = ("ann", "bob")
COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


@dataclass(frozen=True)
class Case:
    sequence: str
    variants: tuple[tuple[int, str, str, tuple[str, ...]], ...]
    """0-based start, ref, alt and one call a person."""

    def windows(self, n_threads: int = 1) -> HaplotypeWindows:
        lines = [
            "##fileformat=VCFv4.2",
            "##contig=<ID=1>",
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="Call">',
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + "\t".join(PEOPLE),
        ]
        for start, ref, alt, calls in self.variants:
            lines.append(
                "\t".join(("1", str(start + 1), ".", ref, alt, ".", ".", ".", "GT", *calls))
            )
        with tempfile.TemporaryDirectory() as place:
            vcf = Path(place) / "calls.vcf"
            vcf.write_text("\n".join(lines) + "\n")
            people, _ = import_genotypes(vcf, Path(place) / "store")
            genotypes = Genotypes.open(Path(place) / "store", people)
        reference = Reference(Path("memory"), {"chr1": len(self.sequence)}, encode(self.sequence))
        return HaplotypeWindows(genotypes, reference, n_threads=n_threads)

    def bases(self, person: int, haplotype: int, first: int = 0) -> list[tuple[str, float]]:
        """Return the bases of a haplotype from `first` on, each with its reference position.

        An inserted base stands half a position after the last base it follows.
        """
        chosen: list[tuple[int, str, str, int]] = []
        for start, ref, alt, calls in self.variants:
            alleles = calls[person].replace("/", "|").split("|")
            if start < first or len(alleles) <= haplotype or alleles[haplotype] != "1":
                continue
            shared = int(_is_anchored_indel(ref, alt))
            if chosen:
                last_start, last_ref, last_alt, _ = chosen[-1]
                last = last_start + len(last_ref) - 1
                may_touch = shared and len(last_alt) <= len(last_ref)
                if start < last or (start == last and not may_touch):
                    continue
            chosen.append((start, ref, alt, shared))
        bases = [(base, float(position)) for position, base in enumerate(self.sequence)]
        for start, ref, alt, shared in reversed(chosen):
            last = start + len(ref) - 1
            new = [
                (base, float(start + i) if i < len(ref) else last + 0.5)
                for i, base in enumerate(alt)
            ]
            bases[start + shared : last + 1] = new[shared:]
        return [base for base in bases if base[1] >= first]

    def window(self, interval: Interval, person: int, haplotype: int, anchor: int | None) -> list:
        bases = self.bases(person, haplotype, interval.start if anchor is None else 0)
        if anchor is None:
            begin = min(interval.start, 0)
        else:
            place = next(
                (i for i, base in enumerate(bases) if base[1] >= anchor),
                len(bases) + max(anchor - len(self.sequence), 0),
            )
            begin = place - (anchor - interval.start)
        unknown = ("N", 0.5)
        shown = [
            bases[i] if 0 <= i < len(bases) else unknown
            for i in range(begin, begin + interval.length)
        ]
        if interval.strand == "-":
            shown = [(base.translate(COMPLEMENT), position) for base, position in shown[::-1]]
        return shown


def _is_anchored_indel(ref: str, alt: str) -> bool:
    """Say whether the longer allele, less a stretch after its first base, is the other."""
    short, long = sorted((ref, alt), key=len)
    extra = len(long) - len(short)
    return (
        extra > 0
        and ref[0] == alt[0]
        and any(long[:i] + long[i + extra :] == short for i in range(1, len(short) + 1))
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    sequence = draw(st.text("ACGT", min_size=24, max_size=60))
    call = st.sampled_from(("0|0", "0|1", "1|0", "1|1", ".|1", "1|.", ".", "1", "0"))
    variants = {}
    for _ in range(draw(st.integers(1, 14))):
        start = draw(st.integers(0, len(sequence) - 1))
        ref = sequence[start : start + draw(st.integers(1, 6))]
        anchored = st.text("ACGT", max_size=4).map(lambda text, first=ref[0]: first + text)
        alt = draw(st.one_of(anchored, st.just(ref[0]), st.text("ACGT", min_size=1, max_size=6)))
        if alt != ref:
            variants[start, ref, alt] = (start, ref, alt, (draw(call), draw(call)))
    ordered = sorted(variants.values(), key=lambda variant: variant[0])
    known = any(allele in call for *_, calls in ordered for call in calls for allele in "01")
    return Case(sequence, tuple(ordered) if known else ((0, sequence[0], "N", ("0|0", "0|0")),))


@st.composite
def cases_with_windows(draw: st.DrawFn) -> tuple[Case, Interval, int | None]:
    case = draw(cases())
    start = draw(st.integers(-8, len(case.sequence) - 1))
    end = draw(st.integers(start + 1, len(case.sequence) + 8))
    interval = Interval("1", start, end, draw(st.sampled_from("+-.")))
    anchor = draw(st.none() | st.integers(max(start, 0), max(end - 1, 0)))
    inside = anchor is None or interval.start <= anchor < min(interval.end, len(case.sequence))
    return case, interval, anchor if inside else None


@settings(max_examples=40, deadline=None)
@given(cases_with_windows())
def test_windows_and_maps_are_those_of_edited_strings(
    drawn: tuple[Case, Interval, int | None],
) -> None:
    case, interval, anchor = drawn
    windows = case.windows()
    tokens = windows.tokens(interval, anchor=anchor)
    for person in range(2):
        for haplotype in range(2):
            expected = case.window(interval, person, haplotype, anchor)
            assert decode(tokens[person, haplotype]) == "".join(base for base, _ in expected)
            made = windows.coordinate_map(interval, person, haplotype, anchor=anchor)
            whole = [int(p) if p == int(p) else -1 for _, p in expected]
            assert made.positions.tolist() == whole
            known = np.flatnonzero(made.positions >= 0)
            assert (made.to_haplotype(made.to_reference(known)) == known).all()
            gone = np.setdiff1d(np.arange(interval.start, interval.end), made.positions)
            assert (made.to_haplotype(gone) == -1).all()


@settings(max_examples=30, deadline=None)
@given(cases())
def test_consensus_of_a_whole_contig_is_the_edited_string(case: Case) -> None:
    windows = case.windows()
    whole = Interval("1", 0, len(case.sequence))
    for person in range(2):
        for haplotype in range(2):
            expected = "".join(base for base, _ in case.bases(person, haplotype))
            assert windows.consensus(whole, person, haplotype) == expected


@settings(max_examples=40, deadline=None)
@given(cases_with_windows())
def test_swapped_haplotypes_swap_the_windows(drawn: tuple[Case, Interval, int | None]) -> None:
    case, interval, anchor = drawn
    diploid = tuple(
        (start, ref, alt, tuple(call if "|" in call else f"{call}|{call}" for call in calls))
        for start, ref, alt, calls in case.variants
    )
    swapped = tuple((*variant[:3], tuple(call[::-1] for call in variant[3])) for variant in diploid)
    one = Case(case.sequence, diploid).windows().tokens(interval, anchor=anchor)
    other = Case(case.sequence, swapped).windows().tokens(interval, anchor=anchor)
    assert (one[:, ::-1] == other).all()


@pytest.fixture
def toy_windows(toy: ToyGenome, tmp_path: Path) -> HaplotypeWindows:
    people, _ = import_genotypes(toy.vcf, tmp_path / "store")
    reference = Reference.from_fasta(toy.fasta, tmp_path / "reference")
    return HaplotypeWindows(Genotypes.open(tmp_path / "store", people), reference, n_threads=2)


def test_whole_toy_chromosomes(toy: ToyGenome, toy_windows: HaplotypeWindows) -> None:
    for person in range(len(toy.people)):
        for haplotype in (0, 1):
            found = toy_windows.consensus(Interval("2", 0, 20_000), person, haplotype)
            assert found == toy.haplotype("chr2", person, haplotype)


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("dtype", ONE_HOT_TYPES)
def test_one_hot_is_the_one_hot_of_the_tokens(
    toy_windows: HaplotypeWindows, dtype: str, strand: str
) -> None:
    interval = Interval("chr1", -50, 3_000, strand)
    tokens = toy_windows.tokens(interval, anchor=1_000)
    encoded = toy_windows.one_hot(interval, dtype=dtype, anchor=1_000)
    if dtype == "bfloat16":
        encoded = (encoded.astype(np.uint32) << 16).view(np.float32)
    assert (encoded == one_hot(tokens)).all()


def test_people_threads_and_reused_memory_change_nothing(toy_windows: HaplotypeWindows) -> None:
    interval = Interval("1", 0, 15_000)
    everyone = toy_windows.tokens(interval)
    some = np.array([4, 0, 4])
    assert (toy_windows.tokens(interval, some) == everyone[some]).all()
    assert toy_windows.tokens(interval, some[:0]).shape == (0, 2, 15_000)
    many = np.resize(np.arange(len(everyone)), 200)
    shared_out = HaplotypeWindows(toy_windows.genotypes, toy_windows.reference, n_threads=3)
    assert (shared_out.tokens(interval, many) == everyone[many]).all()
    alone = HaplotypeWindows(toy_windows.genotypes, toy_windows.reference, n_threads=1)
    memory = np.full_like(everyone, 9)
    assert alone.tokens(interval, out=memory) is memory
    assert (memory == everyone).all()
    travelled = pickle.loads(pickle.dumps(toy_windows))
    assert (travelled.tokens(interval) == everyone).all()


def test_a_chromosome_without_variants_is_reference(toy_windows: HaplotypeWindows) -> None:
    reference = Reference(Path("memory"), {"chr3": 8}, encode("ACGTACGT"))
    windows = HaplotypeWindows(toy_windows.genotypes, reference)
    tokens = windows.tokens(Interval("3", 2, 10), anchor=4)
    assert {decode(row) for row in tokens.reshape(-1, 8)} == {"GTACGTNN"}


def test_unphased_calls_warn_once_and_are_counted() -> None:
    case = Case("ACGTACGT", ((1, "C", "A", ("0/1", "1|0")), (3, "T", "A", ("0/1", ".|1"))))
    windows = case.windows()
    assert not windows.genotypes.phased
    with pytest.warns(UserWarning, match="unphased heterozygotes"):
        windows.tokens(Interval("1", 0, 8))
    windows.tokens(Interval("1", 2, 8))
    assert (windows.tally.n_unphased, windows.tally.n_missing) == (3, 2)
    assert (windows.tally.n_windows, windows.tally.n_applied) == (8, 4 + 2)


def test_overlapping_alleles_are_counted() -> None:
    case = Case("ACGTACGT", ((1, "CGT", "C", ("1|1", "0|1")), (2, "G", "A", ("1|0", "0|1"))))
    windows = case.windows()
    tokens = windows.tokens(Interval("1", 0, 6))
    assert [decode(row) for row in tokens.reshape(4, 6)] == ["ACACGT"] * 2 + ["ACGTAC", "ACACGT"]
    assert windows.tally.n_overlapping == 2


def test_what_does_not_fit_is_refused(toy_windows: HaplotypeWindows) -> None:
    interval = Interval("1", 0, 10)
    with pytest.raises(ConfigError, match=r"anchor must lie in 1:1-10; got 11"):
        toy_windows.tokens(interval, anchor=10)
    with pytest.raises(ConfigError, match="indices from 0 to 5"):
        toy_windows.tokens(interval, np.array([6]))
    with pytest.raises(ConfigError, match="out must be a contiguous uint8 array"):
        toy_windows.tokens(interval, out=np.empty((6, 2, 9), dtype=np.uint8))
    with pytest.raises(ConfigError, match="dtype must be one of"):
        toy_windows.one_hot(interval, dtype="int8")
    with pytest.raises(ConfigError, match="haplotype must be 0 or 1"):
        toy_windows.consensus(interval, 0, 2)
