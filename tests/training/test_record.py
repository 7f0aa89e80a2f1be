"""The course of a run, kept through whatever stops it."""

import json
from pathlib import Path

import pytest

from cisgram.core.checks import DataError
from cisgram.training.checkpoint import RunState
from cisgram.training.record import Record
from limits import small_files


def test_a_line_that_a_full_disk_cut_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "run" / "metrics.jsonl"
    record = Record(path)
    record.cut(0)
    record.write_validation(RunState(step=1), 0.5)
    limit = path.stat().st_size + 10
    refused = pytest.raises(DataError, match=r"^cannot write .*metrics\.jsonl: the file may not")
    with refused, small_files(limit):
        record.write_validation(RunState(step=2), 0.4)
    record.cut(2)
    record.write_validation(RunState(step=2), 0.3)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["step"], line["validation_loss"]) for line in lines] == [(1, 0.5), (2, 0.3)]
