"""The packaged slice is the one its manifest, its script and its provenance describe."""

import gzip
import hashlib
import json
from pathlib import Path
from types import ModuleType

import pytest

from cisgram.genome.alphabet import decode
from cisgram.genome.bed import read_bed
from cisgram.genome.reference import open_reference
from conftest import CohortFiles

DEMO = Path(__file__).parents[2] / "src" / "cisgram" / "demo"
MANIFEST = json.loads((DEMO / "manifest.json").read_text())
MOST_BYTES = 4_000_000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_files_are_those_of_the_manifest() -> None:
    for name, facts in MANIFEST["files"].items():
        content = (DEMO / name).read_bytes()
        text = gzip.decompress(content) if name.endswith(".gz") else content
        assert (len(content), sha256(content)) == (facts["bytes"], facts["sha256"])
        assert sha256(text) == facts["sha256_unpacked"]


def test_the_slice_is_small_and_says_where_it_is_from() -> None:
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < MOST_BYTES
    provenance = (DEMO / "PROVENANCE.md").read_text()
    assert MANIFEST["command"] in provenance
    assert "qtltools-example" in provenance
    assert f"{MANIFEST['n_variants']:,} biallelic SNVs" in provenance
    assert f"{MANIFEST['n_genes']} genes" in provenance
    assert "GNU GENERAL PUBLIC LICENSE" in (DEMO / "COPYING").read_text()


def test_the_promoters_sites_are_where_they_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CISGRAM_CACHE", str(tmp_path))
    reference = open_reference("yeast-r64")
    names, places = read_bed(DEMO / "promoter" / "sites.bed", reference)
    read = {name: decode(reference.fetch(p)) for name, p in zip(names, places, strict=True)}
    assert (read["SUI1 ATG"], read["SLA2 ATG"]) == ("ATG", "ATG")
    assert (read["Reb1"], read["TATA box"]) == ("GTTACCCGA", "TATATAAA")


def test_every_cis_window_is_whole() -> None:
    rows = gzip.decompress((DEMO / "genotypes.vcf.gz").read_bytes()).decode().splitlines()
    positions = [int(row.split("\t", 2)[1]) for row in rows if not row.startswith("#")]
    bed = gzip.decompress((DEMO / "expression.bed.gz").read_bytes()).decode().splitlines()
    starts = [int(row.split("\t", 2)[1]) for row in bed[1:]]
    low, high = 29_000_000, 33_000_000
    assert low <= min(starts) - MANIFEST["window"]
    assert max(starts) + MANIFEST["window"] <= high
    assert low < min(positions) < low + 1_000
    assert high - 1_000 < max(positions) <= high


def test_the_script_cuts_the_same_slice_again(
    geuvadis: CohortFiles, demo_script: ModuleType
) -> None:
    def text(path: Path) -> str:
        return gzip.decompress(path.read_bytes()).decode()

    expression = demo_script.cut_expression(text(geuvadis.expression))
    cut = {
        "genotypes.vcf.gz": demo_script.cut_genotypes(text(geuvadis.genotypes)),
        "expression.bed.gz": expression,
        "covariates.txt.gz": demo_script.name_covariates(text(geuvadis.covariates)),
        "populations.tsv": demo_script.populations(
            geuvadis.populations.read_text(), expression.split("\n", 1)[0].split("\t")[6:]
        ),
    }
    for name, content in cut.items():
        assert sha256(content.encode()) == MANIFEST["files"][name]["sha256_unpacked"], name


def test_bgzip_is_read_back_by_gzip(demo_script: ModuleType) -> None:
    text = bytes(range(256)) * 1_000
    assert gzip.decompress(demo_script.bgzip(text)) == text
