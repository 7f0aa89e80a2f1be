"""Finished genes survive; a journal of another run is refused."""

import subprocess
import sys

import numpy as np
import pytest

from cisgram.core.checks import DataError
from cisgram.personal.journal import GeneRecord, Journal

RUN = {"config": {"model": "lasso"}, "cohort": "abc"}


def test_records_come_back_in_order(tmp_path):
    journal = Journal(tmp_path / "run", RUN)
    for gene in (7, 2):
        journal.add(gene, GeneRecord({"gene": f"G{gene}"}, {"weights": np.full(3, gene)}))
    journal.close()
    again = Journal(tmp_path / "run", RUN)
    assert again.finished() == {2, 7}
    records = list(again.records())
    assert [gene for gene, _ in records] == [2, 7]
    assert records[1][1].row == {"gene": "G7"}
    np.testing.assert_array_equal(records[1][1].arrays["weights"], [7, 7, 7])
    again.close()


def test_another_run_is_refused_with_what_differs(tmp_path):
    journal = Journal(tmp_path / "run", RUN)
    journal.add(0, GeneRecord({}, {}))
    journal.close()
    with pytest.raises(DataError, match=r"cohort differs.*remove it or choose another"):
        Journal(tmp_path / "run", {**RUN, "cohort": "xyz"})


def test_a_journal_without_genes_leaves_nothing(tmp_path):
    Journal(tmp_path / "run", RUN).close()
    assert not (tmp_path / "run").exists()


def test_two_runs_do_not_write_one_journal(tmp_path):
    journal = Journal(tmp_path / "run", RUN)
    with pytest.raises(DataError, match="another run is writing"):
        Journal(tmp_path / "run", RUN)
    journal.close()


def test_a_damaged_journal_is_one_sentence(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "journal.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DataError, match=r"cannot be used .*remove it, and run again"):
        Journal(tmp_path / "run", RUN)


def test_a_killed_writer_loses_nothing_it_recorded(tmp_path):
    program = f"""
import os, signal
import numpy as np
from pathlib import Path
from cisgram.personal.journal import GeneRecord, Journal
journal = Journal(Path({str(tmp_path / "run")!r}), {RUN!r})
for gene in range(5):
    journal.add(gene, GeneRecord({{}}, {{"weights": np.ones(gene)}}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    journal = Journal(tmp_path / "run", RUN)
    assert journal.finished() == set(range(5))
    journal.close()
