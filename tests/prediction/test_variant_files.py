"""Effects of variants as files: tables, and the VCF again."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cyvcf2 import VCF

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import decode
from cisgram.prediction.session import Session
from cisgram.prediction.variants import VariantConfig, score_variants
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
