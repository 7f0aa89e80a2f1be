"""Effects of variants as files: tables, and the VCF again."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import polars as pl
import polars.testing
import pytest
from cyvcf2 import VCF

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import decode
from cisgram.prediction import variant_files
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.session import Session
from cisgram.prediction.variant_files import VariantAccount, score_file
from cisgram.prediction.variants import VariantConfig, VariantEffects, score_variants
from limits import small_files
from prediction.toy_session import gene_model, language_model, session, write_genome

HEADER = """##fileformat=VCFv4.2
##contig=<ID=c0,length=2000>
##INFO=<ID=AF,Number=A,Type=Float,Description="frequency">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("variants")
    write_genome(place)
    return place


@pytest.fixture(scope="module")
def toy(place: Path) -> Session:
    return session(gene_model(), place)


def other(base: str) -> str:
    return "A" if base != "A" else "C"


@pytest.fixture
def vcf(toy: Session, tmp_path: Path) -> Path:
    bases = decode(toy.reference.contig("c0"))
    two = [base for base in "ACGT" if base != bases[589]][:2]
    rows = [
        ("c0", 590, "snp", bases[589], ",".join(two), ".", "PASS", "AF=0.1,0.2"),
        ("c0", 646, "del", bases[645:648], bases[645], ".", "PASS", "."),
        ("c0", 650, "sv", bases[649], "<DEL>", ".", "PASS", "."),
        ("c0", 1900, "far", bases[1899], other(bases[1899]), ".", "PASS", "."),
    ]
    (tmp_path / "some.vcf").write_text(HEADER + "".join("\t".join(map(str, row)) + "\n"
                                                        for row in rows))  # fmt: skip
    return tmp_path / "some.vcf"


def test_a_vcf_becomes_a_table_and_the_same_vcf_with_effects(
    toy: Session, vcf: Path, tmp_path: Path
) -> None:
    found = score_variants(toy, vcf, config=VariantConfig(reach=40))
    assert (found.variants.height, len(found.pairs), found.n_far, found.n_symbolic) == (4, 3, 1, 1)
    found.write(tmp_path / "effects.parquet")
    assert pl.read_parquet(tmp_path / "effects.parquet").equals(found.table)
    for name in ("annotated.vcf", "annotated.vcf.gz", "annotated.bcf"):
        found.write(tmp_path / name)
        records = {record.ID: record for record in VCF(str(tmp_path / name))}
        assert list(records) == ["snp", "del", "sv", "far"]
        entries = [text.split("|") for text in records["snp"].INFO["CISGRAM"].split(",")]
        assert [entry[:3] for entry in entries] == [
            [alt, "left", output] for alt in records["snp"].ALT for output in found.outputs
        ]
        effects = [float(entry[3]) for entry in entries]
        np.testing.assert_allclose(effects, found.effects[:2].ravel(), atol=1e-5)
        assert records["snp"].INFO["AF"] == pytest.approx((0.1, 0.2))
        assert records["far"].INFO.get("CISGRAM") is None


def bcftools(*words: str | Path) -> str:
    """Run bcftools, which may not warn either."""
    done = subprocess.run(["bcftools", *map(str, words)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.skipif(shutil.which("bcftools") is None, reason="needs bcftools")
def test_bcftools_reads_the_effects_as_the_header_says(
    toy: Session, vcf: Path, tmp_path: Path
) -> None:
    found = score_variants(toy, vcf, config=VariantConfig(reach=40))
    for name in ("a.vcf.gz", "a.bcf"):
        found.write(tmp_path / name)
        bcftools("index", tmp_path / name)
        header = bcftools("view", "-h", tmp_path / name)
        start = '##INFO=<ID=CISGRAM,Number=.,Type=String,Description="'
        (line,) = [line for line in header.splitlines() if line.startswith(start)]
        assert line.endswith('Format: Allele|Gene|Output|Effect">')
        fields = line.rpartition("Format: ")[2].removesuffix('">').lower().split("|")
        text = bcftools("query", "-f", "%POS %INFO/CISGRAM\n", tmp_path / name)
        rows = [
            (position, dict(zip(fields, entry.split("|"), strict=True)))
            for position, entries in (row.split() for row in text.splitlines())
            for entry in entries.split(",")
            if entry != "."
        ]
        table = found.table.select("pos", "alt", "gene", "output").cast(pl.String)
        assert [(at, e["allele"], e["gene"], e["output"]) for at, e in rows] == table.rows()
        effects = [float(entry["effect"]) for _, entry in rows]
        np.testing.assert_allclose(effects, found.table["effect"].to_numpy(), atol=1e-5)
        assert bcftools("query", "-r", "c0:590", "-f", "%POS", tmp_path / name) == "590"


@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz", "a.bcf", "a.tsv", "a.parquet"])
@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_full_disk_is_seen_by_every_writer(
    toy: Session, vcf: Path, tmp_path: Path, name: str, share: float
) -> None:
    found, out = score_variants(toy, vcf), tmp_path / "out" / name
    found.write(tmp_path / name)
    limit = int(share * (tmp_path / name).stat().st_size)
    refused = pytest.raises(DataError, match=rf"^cannot write .*{name}: the (disk|file) .* again")
    with refused, small_files(limit):
        found.write(out)
    assert not out.parent.exists()


def test_effects_that_do_not_apply_are_a_dot_in_a_vcf(
    vcf: Path, place: Path, tmp_path: Path
) -> None:
    own = session(language_model(), place)
    score_variants(own, vcf).write(tmp_path / "annotated.vcf")
    text = {record.ID: record.INFO.get("CISGRAM") for record in VCF(tmp_path / "annotated.vcf")}
    assert text["del"].endswith("||log_ratio|.")
    assert text["far"].split("|")[1:3] == ["", "log_ratio"]


def test_a_vcf_is_not_written_over_itself(toy: Session, vcf: Path) -> None:
    before = vcf.read_bytes()
    with pytest.raises(ConfigError, match="is the VCF that is scored; name another file"):
        score_variants(toy, vcf).write(vcf)
    assert vcf.read_bytes() == before


def test_names_cannot_forge_records_fields_or_entries(
    toy: Session, vcf: Path, tmp_path: Path
) -> None:
    odd = "a\nc0\t999\tx;EVIL=1,A|b%2C"
    whole = score_variants(toy, vcf)
    found = replace(whole, genes=(odd, *whole.genes[1:]))
    found.write(tmp_path / "a.vcf")
    lines = [line for line in (tmp_path / "a.vcf").read_text().splitlines() if line[0] != "#"]
    assert [line.count("\t") for line in lines] == [7] * 4
    for record in VCF(tmp_path / "a.vcf"):
        assert set(dict(record.INFO)) <= {"CISGRAM", "AF"}
        entries = [text.split("|") for text in record.INFO.get("CISGRAM", "").split(",") if text]
        assert {len(entry) for entry in entries} <= {4}
        assert {unquote(gene) for _, gene, *_ in entries} <= set(found.genes)
    found.write(tmp_path / "a.tsv")
    rows = (tmp_path / "a.tsv").read_text().split("\n")
    assert len(rows) == found.table.height + 2
    assert {row.count("\t") for row in rows[:-1]} == {7}


def test_a_variant_in_two_records_has_its_entries_once(
    toy: Session, vcf: Path, tmp_path: Path
) -> None:
    lines = vcf.read_text().splitlines(keepends=True)
    vcf.write_text("".join([*lines[:4], lines[4], *lines[4:]]))
    score_variants(toy, vcf).write(tmp_path / "a.vcf")
    first, second, *_ = VCF(tmp_path / "a.vcf")
    assert first.INFO["CISGRAM"] == second.INFO["CISGRAM"]
    entries = first.INFO["CISGRAM"].split(",")
    assert len(set(entries)) == len(entries)


def score(toy: Session, vcf: Path, out: Path) -> VariantAccount:
    return score_file(toy, vcf, out, readout=choose_readout(toy), config=VariantConfig(reach=40))


@pytest.mark.parametrize("name", ["a.tsv", "a.parquet", "a.vcf"])
@pytest.mark.parametrize("size", [1, 2, 1_024])
def test_blocks_of_a_file_make_the_file_that_one_table_makes(
    toy: Session, vcf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, size: int
) -> None:
    lines = vcf.read_text().splitlines(keepends=True)
    vcf.write_text("".join([*lines[:4], lines[4], *lines[4:]]))  # a record twice, in two blocks
    monkeypatch.setattr(variant_files, "_RECORDS", size)
    account = score(toy, vcf, tmp_path / name)
    whole = score_variants(toy, vcf, config=VariantConfig(reach=40))
    whole.write(tmp_path / f"whole.{name}")
    if name == "a.vcf":
        ours, theirs = (
            [(r.ID, r.INFO.get("CISGRAM")) for r in VCF(str(tmp_path / file))]
            for file in (name, f"whole.{name}")
        )
        assert ours == theirs
        assert ours[0][1] == ours[1][1] is not None
    elif name == "a.parquet":
        pl.testing.assert_frame_equal(pl.read_parquet(tmp_path / name), whole.table, abs_tol=1e-5)
    else:
        ours, theirs = (
            pl.read_csv(tmp_path / file, separator="\t") for file in (name, f"whole.{name}")
        )
        pl.testing.assert_frame_equal(ours, theirs, abs_tol=2e-5)
    assert account == VariantAccount(n_variants=6, n_pairs=5, n_far=1, n_symbolic=1)
    assert not (tmp_path / f"{name}.partial").exists()


def test_an_interrupted_file_goes_on_where_it_was(
    toy: Session, vcf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variant_files, "_RECORDS", 1)
    score(toy, vcf, tmp_path / "whole.tsv")
    scored: list[int] = []

    def stops(*words: Any, **options: Any) -> VariantEffects:
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(words[1]["start"].to_list())
        return score_variants(*words, **options)

    monkeypatch.setattr(variant_files, "score_variants", stops)
    with pytest.raises(KeyboardInterrupt):
        score(toy, vcf, tmp_path / "a.tsv")
    assert [path.name for path in tmp_path.glob("a.*")] == ["a.tsv.partial"]
    scored.clear()
    score(toy, vcf, tmp_path / "a.tsv")
    assert scored == [[], [1899]]  # of four records, those without a sequence and far from genes
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_what_does_not_fit_is_found_before_anything_is_scored(
    toy: Session, vcf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variant_files, "_RECORDS", 1)
    monkeypatch.setattr(variant_files, "score_variants", None)
    *lines, last = vcf.read_text().splitlines()
    fields = last.split("\t")
    wrong = next(base for base in "ACGT" if base not in fields[3:5])
    vcf.write_text("\n".join([*lines, "\t".join([*fields[:3], wrong, *fields[4:]])]))
    with pytest.raises(DataError, match="1 of 1 variants"):
        score(toy, vcf, tmp_path / "a.tsv")
    assert list(tmp_path.iterdir()) == [vcf]
