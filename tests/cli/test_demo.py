"""The demo from nothing to a report, and again."""

import json
import time
from pathlib import Path

import pytest

from cisgram.cli.app import main


@pytest.mark.slow
def test_demo_makes_a_report_and_resumes(tmp_path: Path) -> None:
    out, result = tmp_path / "demo", tmp_path / "demo.json"
    assert main(["demo", "--out", str(out), "--json", str(result)]) == 0
    first = json.loads(result.read_text())
    assert "slice of Geuvadis" in first["data"]
    assert [row["model"] for row in first["models"]] == ["elastic-net", "lasso", "ridge", "top-snp"]
    assert all(row["n_people"] == 358 for row in first["models"])
    assert (out / "report.html").stat().st_size < 5_000_000
    gene = first["gene"]
    expected = gene["expected"]
    assert [site["name"] for site in expected["sites"]] == ["Abf1", "TATA box"]
    assert expected["accuracy"] > expected["majority_share"]
    assert (out / "gene" / "expected.svg").read_text().count("<use ") > 100
    assert len(gene["mutagenesis"]["strongest"]) == 5
    assert gene["attribution"]["sites"]["in_sites"] > gene["attribution"]["sites"]["elsewhere"]
    assert gene["attribution"]["agreement"]["bases"] > 0.5
    assert expected["model"] == "cisgram/yeast-lm"
    page = (out / "report.html").read_text()
    assert "SLA2, from its sequence" in page
    for part in ("signal", "mutagenesis", "attribution", "expected"):
        assert f'id="{part}-' in page
        assert (out / "gene" / f"{part}.svg").exists()
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page

    weights = out / "elastic-net" / "weights.parquet"
    written = weights.stat().st_mtime_ns
    start = time.perf_counter()
    assert main(["demo", "--out", str(out), "--json", str(result), "--overwrite"]) == 0
    assert time.perf_counter() - start < 90
    assert weights.stat().st_mtime_ns == written
    assert json.loads(result.read_text()) == first
