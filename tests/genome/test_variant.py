import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import encode
from cisgram.genome.reference import Reference
from cisgram.genome.variant import (
    Variant,
    check_reference,
    normalize,
    normalize_all,
)

Row = tuple[str, int, str, str]

needs_bcftools = pytest.mark.skipif(shutil.which("bcftools") is None, reason="needs bcftools")


def genome(**contigs: str) -> Reference:
    lengths = {name: len(bases) for name, bases in contigs.items()}
    return Reference(Path("toy.fa"), lengths, encode("".join(contigs.values())))


def table(rows: Sequence[Row]) -> pl.DataFrame:
    schema = {"chrom": pl.String, "start": pl.Int64, "ref": pl.String, "alt": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def bcftools_norm(fasta: Path, rows: Sequence[Row], directory: Path) -> list[Row]:
    """The rows as bcftools normalises them, in their old order."""
    chroms = dict.fromkeys(row[0] for row in rows)
    header = ["##fileformat=VCFv4.2", *(f"##contig=<ID={chrom}>" for chrom in chroms)]
    body = [
        f"{chrom}\t{start + 1}\tv{n}\t{ref}\t{alt}\t.\t.\t."
        for n, (chrom, start, ref, alt) in enumerate(rows)
    ]
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    source = directory / "rows.vcf"
    source.write_text("\n".join([*header, columns, *sorted(body, key=_position)]) + "\n")
    command = ["bcftools", "norm", "--no-version", "-c", "e", "-f", str(fasta), str(source)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    normal: dict[str, Row] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            chrom, position, name, ref, alt = line.split("\t")[:5]
            normal[name] = (chrom, int(position) - 1, ref, alt)
    return [normal[f"v{n}"] for n in range(len(rows))]


def _position(line: str) -> int:
    return int(line.split("\t")[1])


def test_parse_reads_the_usual_spellings() -> None:
    expected = ("chr1", 12344, "A", "G")
    for text in ("chr1:12345:A:G", "chr1_12345_A_G_b37", "chr1-12,345-a-g", "chr1:12345_A/G"):
        variant = Variant.parse(text)
        assert (variant.chrom, variant.start, variant.ref, variant.alt) == expected
        assert variant.id == text
    odd = Variant.parse("chrUn_KI270302v1_7_AT_A_b38")
    assert (odd.chrom, odd.start, odd.end) == ("chrUn_KI270302v1", 6, 8)
    assert Variant.parse("HLA-A*01:01:5:C:T").chrom == "HLA-A*01:01"


@pytest.mark.parametrize("text", ["rs123", "chr1:A:G", "chr1:0:A:G", "chr1:5:A:A", "1:5:A:<DEL>"])
def test_parse_refuses_what_is_no_variant(text: str) -> None:
    with pytest.raises(DataError, match=r"\.$"):
        Variant.parse(text)


@pytest.mark.parametrize(
    ("start", "ref", "alt", "message"),
    [
        (-1, "A", "G", "position of 1 or more"),
        (5, "", "G", "letters A C G T N"),
        (5, "a", "G", "letters A C G T N"),
        (5, "A", "*", "letters A C G T N"),
        (5, "A", "A", "two different alleles"),
    ],
)
def test_a_wrong_variant_cannot_be_made(start: int, ref: str, alt: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Variant("1", start, ref, alt)


def test_positions_must_be_whole() -> None:
    assert Variant("1", np.int64(4), "A", "G") == Variant("1", 4, "A", "G")
    with pytest.raises(ConfigError, match=r"whole number; got 4\.5"):
        Variant("1", 4.5, "A", "G")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        # Tan et al. 2015, figure 1: one CA of a CA repeat deleted
        ("1:8:CAC:C", "1:3:GCA:G"),
        ("1:6:CAC:C", "1:3:GCA:G"),
        ("1:2:GGCACA:GGCA", "1:3:GCA:G"),
        ("1:3:GCA:G", "1:3:GCA:G"),
        ("1:9:A:ACA", "1:3:G:GCA"),
        ("1:3:GC:GT", "1:4:C:T"),
        ("1:3:GC:AT", "1:3:GC:AT"),
    ],
)
def test_normalize_known_cases(text: str, normal: str) -> None:
    reference = genome(chr1="GGGCACACACAGGG")
    assert str(normalize(Variant.parse(text), reference)) == normal


def test_normalize_stops_at_the_start_of_the_contig() -> None:
    reference = genome(one="AC", two="TTTTTC")
    assert str(normalize(Variant("two", 3, "TT", "T"), reference)) == "two:1:TT:T"
    assert str(normalize(Variant("two", 3, "T", "TT"), reference)) == "two:1:T:TT"


def test_normalize_slides_through_long_repeats() -> None:
    reference = genome(one="G" + "CA" * 30_000 + "T")
    assert str(normalize(Variant("one", 59_998, "ACA", "A"), reference)) == "one:1:GCA:G"


def test_normalize_keeps_the_id_and_refuses_another_reference() -> None:
    reference = genome(one="GAAAAT")
    assert normalize(Variant("one", 3, "AA", "A", "rs1"), reference).id == "rs1"
    for wrong in (Variant("one", 2, "C", "G"), Variant("one", 4, "AT" * 5, "A")):
        with pytest.raises(DataError, match="does not have the reference's bases"):
            normalize(wrong, reference)
    with pytest.raises(DataError, match="chromosome two is not in"):
        normalize(Variant("two", 2, "C", "G"), reference)


def test_normalize_all_is_normalize_of_every_row_that_fits() -> None:
    reference = genome(chr1="GGGCACACACAGGG", chr2="TTTTTC")
    rows = [
        ("1", 7, "CAC", "C"),
        ("2", 3, "TT", "T"),
        ("1", 0, "G", "T"),
        ("1", 5, "GG", "G"),  # does not fit
        ("3", 5, "GG", "G"),  # unknown chromosome
        ("1", 12, "GG", "GC"),
    ]
    before = table(rows).with_columns(end=pl.col("start") + 2, id=pl.lit("x"))
    normal = normalize_all(before, reference)
    assert normal.schema == before.schema
    assert normal.select("chrom", "start", "ref", "alt").rows() == [
        ("1", 2, "GCA", "G"),
        ("2", 0, "TT", "T"),
        *rows[2:5],
        ("1", 13, "G", "C"),
    ]
    assert normal["end"].to_list() == [5, 2, 1, 7, 7, 14]
    odd = table([("1", 2, "GCR", "G"), ("1", 3, "CA", "CA")])
    assert normalize_all(odd, reference).equals(odd), "no variants at all"
    single = table([("1", 0, "G", "T")])
    assert normalize_all(single, reference).equals(single)
    assert normalize_all(single.clear(), reference).equals(single.clear())


def _tan(bases: str, start: int, alleles: tuple[str, str]) -> tuple[int, str, str]:
    """The algorithm of Tan et al. 2015, letter by letter."""
    ref, alt = alleles
    while True:
        if ref[-1] == alt[-1] and (min(len(ref), len(alt)) > 1 or start > 0):
            ref, alt = ref[:-1], alt[:-1]
            if not ref or not alt:
                start -= 1
                ref, alt = bases[start] + ref, bases[start] + alt
        elif ref[0] == alt[0] and min(len(ref), len(alt)) > 1:
            start, ref, alt = start + 1, ref[1:], alt[1:]
        else:
            return start, ref, alt


repeats = st.lists(
    st.tuples(st.text("ACGT", min_size=1, max_size=3), st.integers(1, 12)), min_size=1, max_size=5
).map(lambda parts: "".join(motif * times for motif, times in parts))


@st.composite
def changed_repeats(draw: st.DrawFn, n: int = 1) -> tuple[str, list[Row]]:
    """A repetitive contig, and variants of it with context on either side."""
    bases = draw(repeats.filter(lambda text: len(text) > 2))
    rows: list[Row] = []
    while len(rows) < n:
        start = draw(st.integers(0, len(bases) - 1))
        end = draw(st.integers(start + 1, min(start + 12, len(bases))))
        ref = bases[start:end]
        near = st.sampled_from([ref * 2, ref[:1], ref + ref[-1:], ref[1:] or ref, ref + ref[:1]])
        alt = draw(near | st.text("ACGT", min_size=1, max_size=6))
        if alt != ref:
            rows.append(("1", start, ref, alt))
    return bases, rows


@given(changed_repeats())
def test_normalize_agrees_with_the_published_algorithm(made: tuple[str, list[Row]]) -> None:
    bases, [(chrom, start, ref, alt)] = made
    reference = genome(**{chrom: bases})
    normal = normalize(Variant(chrom, start, ref, alt), reference)
    assert (normal.start, normal.ref, normal.alt) == _tan(bases, start, (ref, alt))
    assert normalize(normal, reference) == normal
    haplotype = bases[:start] + alt + bases[start + len(ref) :]
    assert bases[: normal.start] + normal.alt + bases[normal.end :] == haplotype
    assert bases[normal.start : normal.end] == normal.ref


@needs_bcftools
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changed_repeats(n=20))
def test_normalize_agrees_with_bcftools_on_repeats(
    tmp_path: Path, made: tuple[str, list[Row]]
) -> None:
    bases, rows = made
    fasta = tmp_path / "repeats.fa"
    fasta.write_text(f">1\n{bases}\n")
    (tmp_path / "repeats.fa.fai").unlink(missing_ok=True)
    normal = normalize_all(table(rows), genome(**{"1": bases}))
    assert normal.rows() == bcftools_norm(fasta, rows, tmp_path)


@pytest.fixture(scope="module")
def chr20(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    fasta = shared / "human" / "reference" / "b37.chr20.fa.gz"
    return Reference.from_fasta(fasta, tmp_path_factory.mktemp("chr20") / "reference")


def real_variants(vcf: Path, chrom: str) -> list[Row]:
    columns = pl.read_csv(
        vcf, separator="\t", comment_prefix="#", has_header=False, columns=[1, 3, 4]
    )
    return [(chrom, position - 1, ref, alt) for position, ref, alt in columns.iter_rows()]


@needs_bcftools
def test_normalize_agrees_with_bcftools_on_1000_genomes(
    shared: Path, chr20: Reference, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Real indels, moved right as far as chance has it and given needless context."""
    place = shared / "human"
    rows = real_variants(place / "variants_mpra" / "1000G_EUR300.chr20.1-4Mb.vcf.gz", "20")
    longer = [row for row in rows if len(row[2]) + len(row[3]) > 2]
    assert len(longer) > 1000
    fasta = tmp_path / "chr20.fa.gz"
    fasta.symlink_to(place / "reference" / "b37.chr20.fa.gz")
    disguised = [_disguise(row, chr20, rng) for row in longer]
    assert sum(a != b for a, b in zip(disguised, longer, strict=True)) > 900
    expected = bcftools_norm(fasta, disguised, tmp_path)
    assert normalize_all(table(disguised), chr20).rows() == expected
    assert bcftools_norm(fasta, longer, tmp_path) == normalize_all(table(longer), chr20).rows()


def _disguise(row: Row, reference: Reference, rng: np.random.Generator) -> Row:
    chrom, start, ref, alt = row
    contig = reference.contig(chrom)
    letters = "ACGTN"
    for _ in range(int(rng.integers(0, 20))):
        following = letters[contig[start + len(ref)]]
        if ref[0] != alt[0] or (ref + following)[1] != (alt + following)[1]:
            break
        start, ref, alt = start + 1, (ref + following)[1:], (alt + following)[1:]
    left, right = (int(n) for n in rng.integers(0, 4, 2))
    before = "".join(letters[token] for token in contig[start - left : start])
    end = start + len(ref)
    after = "".join(letters[token] for token in contig[end : end + right])
    return chrom, start - left, before + ref + after, before + alt + after


def test_check_reference_counts_the_four_cases() -> None:
    reference = genome(chr1="ACGTNACGT")
    rows = [
        ("1", 0, "A", "C"),
        ("1", 1, "CGT", "C"),
        ("1", 3, "TC", "T"),  # the reference says N
        ("1", 1, "T", "C"),
        ("1", 1, "T", "CGT"),
        ("1", 2, "A", "C"),
        ("1", 1, "CGA", "C"),
        ("1", 7, "GTA", "G"),
        ("1", 100, "G", "A"),
        ("chrX", 1, "G", "A"),
    ]
    check = check_reference(table(rows), reference, max_mismatch=1)
    assert (check.n_checked, check.n_match, check.n_mismatch) == (10, 3, 1)
    # A one-base ALT that is equal to the reference counts as exchanged.
    assert (check.n_swapped, check.n_outside) == (3, 3)
    nothing = check_reference(table([]), reference)
    assert nothing.n_checked == nothing.n_outside == 0


def test_check_reference_names_the_worst_chromosome() -> None:
    reference = genome(chr1="A" * 50, chr2="C" * 50)
    good = [("1", n, "A", "G") for n in range(50)]
    wrong = [("2", n, "T", "G") for n in range(30)]
    message = r"30 of 80 variants do not fit toy.fa, on chromosome 2 30 of 30 \(2:1 T>G, "
    message += r"where it has C\); wrong build\?"
    with pytest.raises(DataError, match=message):
        check_reference(table(good + wrong), reference)
    assert check_reference(table(good + wrong), reference, max_mismatch=0.4).n_mismatch == 30
    with pytest.raises(DataError, match=r"has no chromosome 7 \(2 variants\)"):
        check_reference(table([("7", 1, "A", "C")] * 2), reference)
    with pytest.raises(DataError, match="50 of 50 variants have REF and ALT exchanged"):
        check_reference(table([("1", n, "G", "A") for n in range(50)]), reference)
    with pytest.raises(ConfigError, match="max_mismatch must be between 0 and 1"):
        check_reference(table(good), reference, max_mismatch=2)


def test_real_variants_fit_their_build_and_no_other(shared: Path, chr20: Reference) -> None:
    vcf = shared / "human" / "variants_mpra" / "1000G_EUR300.chr20.1-4Mb.vcf.gz"
    variants = table(real_variants(vcf, "chr20"))
    check = check_reference(variants, chr20)
    assert (check.n_checked, check.n_match) == (24_990, 24_990)
    moved = variants.with_columns(start=pl.col("start") + 100_000)
    with pytest.raises(DataError, match=r"on chromosome chr20 .* wrong build\?"):
        check_reference(moved, chr20)


def test_many_exchanges_fit_and_stay(rng: np.random.Generator) -> None:
    n = 85_485
    tokens = rng.integers(0, 4, 1_000_000, dtype=np.uint8)
    reference = Reference(Path("toy.fa"), {"22": tokens.size}, tokens)
    starts = np.sort(rng.choice(tokens.size, n, replace=False))
    letters = np.array(list("ACGT"))
    refs, alts = letters[tokens[starts]], letters[(tokens[starts] + 1) % 4]
    variants = pl.DataFrame({"chrom": "22", "start": starts, "ref": refs, "alt": alts})
    assert check_reference(variants, reference).n_match == n
    assert normalize_all(variants, reference).equals(variants)


def test_the_table_and_the_single_variant_agree(any_table: Callable[[], pl.DataFrame]) -> None:
    reference = genome(**{"1": "GGGCACACACAGGG"})
    before = any_table()
    one_by_one = [normalize(Variant(*row), reference) for row in before.iter_rows()]
    assert normalize_all(before, reference).rows() == [
        (v.chrom, v.start, v.ref, v.alt) for v in one_by_one
    ]


@pytest.fixture
def any_table() -> Callable[[], pl.DataFrame]:
    bases = "GGGCACACACAGGG"
    rows = [
        ("1", start, bases[start:end], alt)
        for start in range(len(bases))
        for end in range(start + 1, min(start + 4, len(bases)))
        for alt in ("G", "CAC", "GG")
        if alt != bases[start:end]
    ]
    return lambda: table(rows)
