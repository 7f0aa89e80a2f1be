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
from cisgram.genome.calls import ABSENT, ALTERNATE, MISSING, PHASED
from cisgram.genome.genotypes import (
    Genotypes,
    ImportCounts,
    allele_frequency,
    genotype_people,
    import_genotypes,
    missing_rate,
)
from cisgram.genome.reference import Reference
from genotype_files import load, vcf_text, write_vcf
from toy import ToyGenome

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


def test_people_are_kept_in_the_order_asked_for(tmp_path: Path) -> None:
    source = write_vcf(tmp_path, *MIXED)
    everyone, _ = load(source, tmp_path)
    some, _ = load(source, tmp_path / "some", people=["eve", "ann"])
    assert some.people == ("eve", "ann")
    assert (some.calls == everyone.calls[:, [2, 0]]).all()


def test_a_haploid_call_is_one_byte_however_it_is_written(tmp_path: Path) -> None:
    genotypes, _ = load(write_vcf(tmp_path, "X 5 A G GT 1 0 .", "X 6 A G GT 1 0/1 ."), tmp_path)
    (alone, _, missing), (beside, *_) = genotypes.calls
    assert alone == beside == ALTERNATE | ABSENT << 2 | PHASED
    assert missing == MISSING | ABSENT << 2 | PHASED


def test_rows_are_found_by_place(tmp_path: Path) -> None:
    genotypes, _ = load(write_vcf(tmp_path, *MIXED), tmp_path)
    assert genotypes.rows("chr1", 4, 7) == slice(0, 3)
    assert genotypes.rows("1", 5, 6) == slice(2, 2)
    assert genotypes.rows("chr2", 0, 100) == slice(4, 5)
    assert genotypes.rows("3", 0, 100) == slice(0, 0)
    assert genotypes.rows("1", 9, 2) == slice(4, 4)


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


def test_files_of_a_chromosome_each_are_one(tmp_path: Path) -> None:
    rows = ["1 5 A G GT 0|1 0|0 1|1", "1 7 C T GT 0|0 0|1 1|1", "2 5 A G GT 1|1 0|0 0|1"]
    whole, counts = load(write_vcf(tmp_path, *rows), tmp_path)
    own = "2 5 A G GT 0|1 1|1 0|0"
    one, two, again = (tmp_path / name for name in ("one.vcf", "two.vcf", "again.vcf"))
    one.write_text(vcf_text(*rows[:2]))
    two.write_text(vcf_text(own, people="eve ann bob"))
    again.write_text(vcf_text(*rows[1:]))
    found, both = load([one, two], tmp_path)
    assert (found.people, both) == (whole.people, counts)
    assert found.variants.equals(whole.variants)
    np.testing.assert_array_equal(found.calls, whole.calls)
    with pytest.raises(DataError, match=r"chromosome 1 is both in .*one\.vcf and in .*again\.vcf"):
        load([one, again], tmp_path)
    two.write_text(vcf_text(own, people="eve ann joe"))
    with pytest.raises(DataError, match=r"not of the same people: 2 are in one only \(bob, joe\)"):
        load([one, two], tmp_path)
    two.write_text(vcf_text("2 5 A G DS 0.5 1 2"))
    with pytest.raises(DataError, match=r"two\.vcf has dosages \(DS\) only and .*one\.vcf calls"):
        load([one, two], tmp_path)


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


@pytest.mark.whole
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


def test_a_call_byte_that_is_none_is_an_error(tmp_path: Path) -> None:
    genotypes, _ = load(write_vcf(tmp_path, *MIXED), tmp_path)
    (path,) = (tmp_path / "store").glob("calls.*")
    path.write_bytes(b"\xff" * path.stat().st_size)
    damaged = Genotypes.open(tmp_path / "store", genotypes.people)
    for read in (damaged.dosages, damaged.alleles):
        with pytest.raises(DataError, match="is damaged; import the genotypes again"):
            read(slice(0, 1))
