import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cisgram.cli.app import main
from cisgram.personal.evaluate import evaluate_fits
from cisgram.personal.fit import Fit
from report.synthetic import write_fit


@pytest.fixture
def fits(make_fits: Callable[..., list[Fit]]) -> list[Fit]:
    return make_fits(n_genes=20, n_people=80, models=("lasso", "top-snp"))


def test_writes_a_report_of_fits_on_disk(
    fits: list[Fit], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(write_fit(fit, tmp_path / fit.config.model)) for fit in fits]
    rows = json.loads(json.dumps(evaluate_fits(fits).as_dict()))["models"]
    null = {**rows[0], "task": rows[0]["task"] + ", genotypes permuted", "n_accepted": 1}
    (tmp_path / "null.json").write_text(json.dumps({"models": [null]}))
    out = tmp_path / "page.html"
    options = ["--out", str(out), "--title", "Two models", "--note", "Made up."]
    assert main(["report", *paths, *options, "--evaluation", str(tmp_path / "null.json")]) == 0
    assert str(out) in capsys.readouterr().out
    page = out.read_text(encoding="utf-8")
    assert "<title>Two models</title>" in page
    assert "Made up." in page
    assert "chance alone accepts 5.0%" in page
    assert str(tmp_path) not in page


def test_says_what_is_wrong_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    assert main(["report", "--out", str(out)]) == 2
    assert main(["report", str(tmp_path / "nothing"), "--out", str(out)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "needs at least one fit" in lines[0]
    assert not out.exists()
