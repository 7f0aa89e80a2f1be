"""Imports of VCF, BCF and PGEN: what is kept, what is counted, what is refused."""

import gzip
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import DataError
from cisgram.genome import calls as call_bytes
from cisgram.genome.genotypes import (
    Genotypes,
    ImportCounts,
    allele_frequency,
    genotype_people,
    import_genotypes,
    missing_rate,
)
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from toy import ToyGenome

FORMATS = (
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Call">\n'
    '##FORMAT=<ID=DS,Number=A,Type=Float,Description="Dosage">\n'
)
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def vcf_text(*rows: str, people: str = "ann bob eve", formats: str = FORMATS) -> str:
    """Write rows of `chrom pos ref alt format call ...`, blank separated."""
    header = f"##fileformat=VCFv4.2\n##contig=<ID=1>\n##contig=<ID=2>\n{formats}{COLUMNS}"
    lines = [header + ("\tFORMAT\t" + "\t".join(people.split()) if people else "")]
    for row in rows:
        chrom, position, ref, alt, *calls = row.split()
        lines.append("\t".join((chrom, position, f"rs{position}", ref, alt, ".", ".", ".", *calls)))
    return "\n".join(lines) + "\n"


def write_vcf(place: Path, *rows: str, **options: str) -> Path:
    path = place / "calls.vcf"
    path.write_text(vcf_text(*rows, **options))
    return path


def load(source: Path, place: Path, **options: object) -> tuple[Genotypes, ImportCounts]:
    people, counts = import_genotypes(source, place / "store", **options)
    return Genotypes.open(place / "store", people), counts


MIXED = (
    "1 5 A G,T,* GT:DS 0|1:1,0,0 2|.:0.1,1,0 1:1,0,0",
    "1 6 A . GT 0/0 0/0 ./.",
    "1 7 ac a GT 0/1 1/0 ./1",
    "1 7 A <DEL> GT 0|0 0|1 0|0",
    "1 9 C G GT 1 . 0",
    "2 2 C T GT ./. .|. .",
    "2 2 C T GT 0|1 0|1 0|1",
)


def test_every_kind_of_call_and_allele(tmp_path: Path) -> None:
    genotypes, counts = load(write_vcf(tmp_path, *MIXED), tmp_path)
    assert genotypes.people == ("ann", "bob", "eve")
    columns = ("chrom", "start", "end", "id", "ref", "alt")
    assert genotypes.variants.rows() == [
        ("1", 4, 5, "rs5", "A", "G"),
        ("1", 4, 5, "rs5", "A", "T"),
        ("1", 6, 8, "rs7", "AC", "A"),
        ("1", 8, 9, "rs9", "C", "G"),
        ("2", 1, 2, "rs2", "C", "T"),
    ]
    assert tuple(genotypes.variants.columns) == columns
    assert genotypes.alleles(slice(0, 5)).transpose(2, 0, 1).tolist() == [
        [[0, 1], [0, -1], [1, -2]],
        [[0, 0], [1, -1], [0, -2]],
        [[0, 1], [1, 0], [-1, 1]],
        [[1, -2], [-1, -2], [0, -2]],
        [[-1, -1], [-1, -1], [-1, -2]],
    ]
    dosages = genotypes.dosages(slice(0, 5))
    nan = np.nan
    expected = [[1, 0, 1, 2, nan], [nan, nan, 1, nan, nan], [2, 0, nan, 0, nan]]
    np.testing.assert_array_equal(dosages, expected)
    assert dosages.flags.f_contiguous
    np.testing.assert_array_equal(genotypes.dosages(np.array([3, 0]), np.array([2])), [[0, 2]])
    np.testing.assert_array_equal(allele_frequency(dosages), [0.75, 0, 0.5, 0.5, nan])
    np.testing.assert_allclose(missing_rate(dosages), np.array([1, 1, 1, 1, 3]) / 3)
    assert not genotypes.phased
    assert counts == ImportCounts(
        n_read=7,
        n_kept=5,
        n_multiallelic_split=1,
        n_symbolic_skipped=2,
        n_no_alternate=1,
        n_duplicate=1,
        n_monomorphic=1,
        n_all_missing=1,
        n_unphased=2,
        n_missing_calls=2 + 1 + 1 + 3,
        n_haploid=2 + 3 + 1,
    )


def test_dosages_of_the_file(tmp_path: Path) -> None:
    genotypes, _ = load(write_vcf(tmp_path, *MIXED), tmp_path, dosage_field=True)
    found = genotypes.dosages(slice(0, 3))
    expected = [[1, 0, 1], [0.1, 1, 1], [1, 0, np.nan]]
    np.testing.assert_allclose(found, expected, atol=0.5 / 16384)


def test_dosages_stand_in_for_calls(tmp_path: Path) -> None:
    only = FORMATS.splitlines(keepends=True)[1]
    rows = ("1 5 A G,T DS 0.05,1.95 1,0.5 .,.", "1 6 A C DS 2 0 1.08")
    genotypes, _ = load(write_vcf(tmp_path, *rows, formats=only), tmp_path)
    found = genotypes.alleles(slice(0, 3)).sum(axis=1)
    assert found.tolist() == [[0, 2, 2], [1, -2, 0], [-2, -2, 1]]
    np.testing.assert_allclose(genotypes.dosages(slice(1, 2))[:2, 0], [1.95, 0.5], atol=1e-4)


def test_people_are_kept_in_the_order_asked_for(tmp_path: Path) -> None:
    source = write_vcf(tmp_path, *MIXED)
    everyone, _ = load(source, tmp_path)
    some, _ = load(source, tmp_path / "some", people=["eve", "ann"])
    assert some.people == ("eve", "ann")
    assert (some.calls == everyone.calls[:, [2, 0]]).all()


def test_rows_are_found_by_place(tmp_path: Path) -> None:
    genotypes, _ = load(write_vcf(tmp_path, *MIXED), tmp_path)
    assert genotypes.rows("chr1", 4, 7) == slice(0, 3)
    assert genotypes.rows("1", 5, 6) == slice(2, 2)
    assert genotypes.rows("chr2", 0, 100) == slice(4, 5)
    assert genotypes.rows("3", 0, 100) == slice(0, 0)
    assert genotypes.rows("1", 9, 2) == slice(4, 4)


@pytest.mark.parametrize("indexed", [False, True])
def test_a_region_with_and_without_index(toy: ToyGenome, tmp_path: Path, indexed: bool) -> None:
    source = tmp_path / "toy.vcf.gz"
    shutil.copyfile(toy.vcf, source)
    if indexed:
        if shutil.which("tabix") is None:
            pytest.skip("needs tabix")
        subprocess.run(["tabix", "-p", "vcf", str(source)], check=True)
    everything, _ = load(toy.vcf, tmp_path / "all")
    part, counts = load(source, tmp_path, region=Interval("2", 5_000, 9_000))
    rows = everything.rows("chr2", 5_000, 9_000)
    assert part.variants.equals(everything.variants[rows])
    assert (part.calls == everything.calls[rows]).all()
    assert counts.n_kept == rows.stop - rows.start > 10


def test_contigs_missing_from_the_header_are_read_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write_vcf(tmp_path, "chr22 5 A G GT 0|1 0|0 1|1")
    genotypes, _ = load(source, tmp_path)
    assert genotypes.rows("22", 0, 10) == slice(0, 1)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(shutil.which("bcftools") is None, reason="needs bcftools")
def test_normal_form_is_that_of_bcftools(tmp_path: Path, rng: np.random.Generator) -> None:
    """Repeats make deletions and insertions move, and duplicates appear."""
    sequence = "".join(
        "ACGT"[i] * n for i, n in zip(rng.integers(0, 4, 200), rng.integers(1, 7, 200), strict=True)
    )
    rows = []
    for start in sorted(rng.integers(1, len(sequence) - 8, 300).tolist()):
        ref = sequence[start : start + rng.integers(1, 7)]
        alts = {ref[0], ref + ref[-1], ref[:-1] or "AC", "G" + ref[1:]} - {ref}
        chosen = rng.permutation(sorted(alts))[: rng.integers(1, 3)]
        call = "|".join(rng.integers(0, len(chosen) + 1, 2).astype(str))
        rows.append(f"1 {start + 1} {ref} {','.join(chosen)} GT {call} 0|1 1|1")
    source = write_vcf(tmp_path, *rows)
    fasta = tmp_path / "reference.fa"
    fasta.write_text(f">1\n{sequence}\n")
    genotypes, counts = load(
        source, tmp_path, reference=Reference.from_fasta(fasta, tmp_path / "reference")
    )
    command = ["bcftools", "norm", "-m-", "-f", str(fasta), str(source)]
    normal = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.split("\t") for line in normal.splitlines() if not line.startswith("#")]
    expected = {(int(line[1]) - 1, line[3], line[4]) for line in lines}
    found = genotypes.variants.select("start", "ref", "alt").rows()
    assert len(set(found)) == len(found)
    assert set(found) == expected
    assert genotypes.variants["start"].is_sorted()
    assert counts.n_left_aligned > 50
    assert counts.n_duplicate == len(lines) - len(expected)


def test_another_build_is_noticed(toy: ToyGenome, tmp_path: Path) -> None:
    wrong = Reference(tmp_path, {"chr1": 20_000, "chr2": 20_000}, np.zeros(40_000, np.uint8))
    with pytest.raises(DataError, match="wrong build"):
        import_genotypes(toy.vcf, tmp_path / "store", reference=wrong)
    assert not list((tmp_path / "store").iterdir())


@pytest.mark.skipif(shutil.which("bcftools") is None, reason="needs bcftools")
def test_bcf_reads_as_its_vcf(toy: ToyGenome, tmp_path: Path) -> None:
    bcf = tmp_path / "toy.bcf"
    subprocess.run(["bcftools", "view", "-Ob", "-o", str(bcf), str(toy.vcf)], check=True)
    one, counts = load(toy.vcf, tmp_path / "vcf")
    other, other_counts = load(bcf, tmp_path / "bcf")
    assert one.variants.equals(other.variants)
    assert (one.calls == other.calls).all()
    assert counts == other_counts


def write_pgen(source: Genotypes, place: Path, suffix: str) -> Path:
    """Write a store as a PLINK 2 fileset."""
    pgenlib = pytest.importorskip("pgenlib")
    n_people, n_variants = len(source.people), source.variants.height
    path = place / "calls.pgen"
    writer = pgenlib.PgenWriter(
        str(path).encode(),
        n_people,
        variant_ct=n_variants,
        nonref_flags=False,
        hardcall_phase_present=True,
    )
    alleles = source.alleles(slice(0, n_variants)).astype(np.int32)
    phased = (source.calls & call_bytes.PHASED != 0).astype(np.uint8)
    for row in range(n_variants):
        pair = np.where(alleles[..., row] < 0, -9, alleles[..., row])
        pair[(pair < 0).any(axis=1)] = -9
        writer.append_partially_phased(np.ascontiguousarray(pair).ravel(), phased[row])
    writer.close()
    lines = ["##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tINFO"]
    for chrom, start, _, name, ref, alt in source.variants.iter_rows():
        lines.append(f"{chrom}\t{start + 1}\t{name}\t{ref}\t{alt}\t.")
    text = "\n".join(lines) + "\n"
    pvar = path.with_suffix(suffix)
    pvar.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
    people = "".join(f"{person}\tNA\n" for person in source.people)
    path.with_suffix(".psam").write_text("#IID\tSEX\n" + people)
    return path


@pytest.mark.parametrize("suffix", [".pvar", ".pvar.gz"])
def test_pgen_reads_as_the_vcf_it_was_made_of(toy: ToyGenome, tmp_path: Path, suffix: str) -> None:
    vcf, _ = load(toy.vcf, tmp_path / "vcf")
    source = write_pgen(vcf, tmp_path, suffix)
    pgen, _ = load(source, tmp_path / "pgen", dosage_field=True)
    everything = slice(0, vcf.variants.height)
    assert pgen.variants.equals(vcf.variants)
    assert (pgen.alleles(everything) == vcf.alleles(everything)).all()
    np.testing.assert_array_equal(pgen.dosages(everything), vcf.dosages(everything))
    assert pgen.phased == vcf.phased
    some = [vcf.people[4], vcf.people[1]]
    part, _ = load(source, tmp_path / "part", people=some, region=Interval("2", 500, 9_000))
    rows = vcf.rows("chr2", 500, 9_000)
    assert (part.alleles(slice(0, part.variants.height)) == vcf.alleles(rows)[[4, 1]]).all()


def test_multiallelic_and_missing_calls_of_a_pgen(tmp_path: Path) -> None:
    pgenlib = pytest.importorskip("pgenlib")
    path = tmp_path / "calls.pgen"
    writer = pgenlib.PgenWriter(
        str(path).encode(),
        3,
        variant_ct=1,
        nonref_flags=False,
        allele_ct_limit=3,
        hardcall_phase_present=True,
    )
    pairs = np.array([0, 2, 2, 1, -9, -9], dtype=np.int32)
    writer.append_partially_phased(pairs, np.array([1, 0, 0], dtype=np.uint8), allele_ct=3)
    writer.close()
    (tmp_path / "calls.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n1\t5\trs\tA\tG,T\n")
    (tmp_path / "calls.psam").write_text("#FID\tIID\n0 ann\n0 bob\n0 eve\n")
    genotypes, counts = load(path, tmp_path)
    assert genotypes.variants["alt"].to_list() == ["G", "T"]
    assert genotypes.alleles(slice(0, 2))[0].tolist() == [[0, 0], [0, 1]]
    np.testing.assert_array_equal(
        genotypes.dosages(slice(0, 2)).T, [[0, 1, np.nan], [1, 1, np.nan]]
    )
    assert (counts.n_multiallelic_split, counts.n_missing_calls) == (1, 2)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.vcf", vcf_text("1 9 A G GT 0|0 0|0 0|1", "1 7 A G GT 0|0 0|0 0|1"),
         r"not sorted: 1:7 \(record 2\) comes after 1:9"),
        ("a.vcf", vcf_text("1 9 A G GT 0|0 0|0 0|1", "2 9 A G GT 0|0 0|0 0|1",
                           "1 10 A G GT 0|0 0|0 0|1"), r"not sorted: 1:10 \(record 3\)"),
        ("a.vcf", vcf_text("1 9 A G", people=""), "has no genotypes"),
        ("a.vcf", vcf_text("1 9 A G GP 0 0 0", formats=""), "neither GT nor DS"),
        ("a.vcf", vcf_text("1 9 A G GT 0|0 0|0 0|1", people="ann bob ann"), "names a person twice"),
        ("a.vcf", vcf_text(), "gave no variant"),
        ("a.vcf", vcf_text("1 9 A G GT 0/0/1 0/0/0 0/0/1"), "calls of 3 alleles at 1:9"),
        ("a.vcf", vcf_text("1 9 A G GT 0|0 0|0 0|1") + "1\t12\t.\n",
         r"record 2 of .* cannot be read"),
        ("a.vcf", "hello\n", "is no VCF or BCF"),
        ("a.txt", "hello\n", "must end in .vcf"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_sentence(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        import_genotypes(tmp_path / name, tmp_path / "store")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "store").glob("*"))


def test_files_cut_short_are_refused(toy: ToyGenome, tmp_path: Path) -> None:
    whole = toy.vcf.read_bytes()
    (tmp_path / "blocks.vcf.gz").write_bytes(whole[:-28])
    (tmp_path / "gzip.vcf.gz").write_bytes(gzip.compress(gzip.decompress(whole))[:-3000])
    for name in ("blocks.vcf.gz", "gzip.vcf.gz"):
        with pytest.raises(DataError, match="cut short"):
            import_genotypes(tmp_path / name, tmp_path / "store")


def test_people_who_are_not_there_are_named(toy: ToyGenome, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 2 people to keep are not in .* \(nobody\)"):
        import_genotypes(toy.vcf, tmp_path, people=[toy.people[0], "nobody"])
    with pytest.raises(DataError, match="more than once"):
        import_genotypes(toy.vcf, tmp_path, people=[toy.people[0]] * 2)
    assert genotype_people(toy.vcf) == toy.people


def test_a_store_of_another_shape_is_refused(toy: ToyGenome, tmp_path: Path) -> None:
    genotypes, _ = load(toy.vcf, tmp_path)
    with pytest.raises(DataError, match="variants and 2 people"):
        Genotypes.open(genotypes.directory, ("a", "b"))
    with pytest.raises(DataError, match="holds no genotypes"):
        Genotypes.open(tmp_path, ("a", "b"))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """2,000 people by 4,000 SNPs are 8 million calls, 24 MB as htslib hands them out."""
    n_people, n_variants = 2_000, 4_000
    call = "\t".join(["0|0", "0|1", "1|1", "1|0"] * (n_people // 4))
    people = " ".join(f"p{i}" for i in range(n_people))
    source = write_vcf(tmp_path, people=people)
    with source.open("a") as stream:
        stream.writelines(
            f"1\t{position + 1}\t.\tA\tG\t.\t.\t.\tGT\t{call}\n" for position in range(n_variants)
        )
    tracemalloc.start()
    genotypes, counts = load(source, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts.n_kept == n_variants
    assert peak < 20e6
    np.testing.assert_array_equal(genotypes.dosages(slice(3_999, None))[:4, 0], [0, 1, 2, 1])


def test_geuvadis(geuvadis: object, tmp_path: Path) -> None:
    source = geuvadis.genotypes  # type: ignore[attr-defined]
    genotypes, counts = load(source, tmp_path)
    assert genotypes.calls.shape == (85_485, 358)
    assert counts == ImportCounts(n_read=85_485, n_kept=85_485)
    with gzip.open(source) as stream:
        first = pl.read_csv(
            stream, separator="\t", comment_prefix="##", n_rows=50, infer_schema=False
        )
    for row in range(50):
        texts = first.select(genotypes.people).row(row)
        expected = [text.count("1") for text in texts]
        assert genotypes.dosages(slice(row, row + 1))[:, 0].tolist() == expected
