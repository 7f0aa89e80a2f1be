"""Finished genes survive; a journal of another run is refused."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from cisgram.core.checks import DataError
from cisgram.core.journal import Journal, Record, discard, partial
from cisgram.core.verify import verify

RUN = {"config": {"model": "lasso"}, "cohort": "abc" * 12}


def test_records_come_back_in_order(tmp_path):
    journal = Journal(tmp_path / "run", RUN)
    for gene in (7, 2):
        journal.add(gene, Record({"gene": f"G{gene}"}, {"weights": np.full(3, gene)}))
    journal.close()
    again = Journal(tmp_path / "run", RUN)
    assert again.finished() == {2, 7}
    records = list(again.records())
    assert [gene for gene, _ in records] == [2, 7]
    assert records[1][1].row == {"gene": "G7"}
    np.testing.assert_array_equal(records[1][1].arrays["weights"], [7, 7, 7])
    again.close()


def test_a_part_that_is_edited_is_noticed(tmp_path):
    journal = Journal(tmp_path / "run", RUN)
    journal.add(7, Record({"r": 0.1}, {"weights": np.zeros(3)}))
    journal.close()
    place = tmp_path / "run" / "journal.sqlite"
    assert verify(tmp_path / "run") == [f"{place}: 1 entries are as they were written."]
    with closing(sqlite3.connect(place)) as base:
        base.execute("UPDATE parts SET row = '{\"r\": 0.9}'")
        base.commit()
    with pytest.raises(DataError, match=r"an entry of .*journal\.sqlite has changed since it was"):
        verify(tmp_path / "run")
    with closing(Journal(tmp_path / "run", RUN)) as again:
        for read in (lambda: list(again.records()), lambda: again.keep(7, lambda: Record({}, {}))):
            with pytest.raises(DataError, match=r"part 7 of the unfinished run .*run has changed"):
                read()


def test_another_run_is_refused_with_what_differs(tmp_path):
    journal = Journal(tmp_path / "run", RUN)
    journal.add(0, Record({}, {}))
    journal.close()
    with pytest.raises(DataError, match=r"cohort differs.*remove it or choose another"):
        Journal(tmp_path / "run", {**RUN, "cohort": "xyz"})


def test_a_journal_without_genes_leaves_nothing(tmp_path):
    Journal(tmp_path / "run", RUN).close()
    assert not (tmp_path / "run").exists()


def test_what_is_no_journal_is_left_alone(tmp_path):
    notes = tmp_path / "run" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("years")
    with pytest.raises(DataError, match=r"run is in the way and no unfinished run; move it"):
        Journal(tmp_path / "run", RUN)
    notes.unlink()
    with closing(sqlite3.connect(tmp_path / "run" / "journal.sqlite")) as base:
        base.execute("CREATE TABLE diary (day TEXT)")
        base.commit()
    with pytest.raises(DataError, match=r"run is in the way and no unfinished run; move it"):
        Journal(tmp_path / "run", RUN)
    assert (tmp_path / "run" / "journal.sqlite").exists()


def test_what_others_put_beside_a_journal_stays(tmp_path):
    journal = Journal(tmp_path / "run", RUN)
    (tmp_path / "run" / "notes.txt").write_text("years")
    journal.close()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


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
from cisgram.core.journal import Journal, Record, discard, partial
journal = Journal(Path({str(tmp_path / "run")!r}), {RUN!r})
for gene in range(5):
    journal.add(gene, Record({{}}, {{"weights": np.ones(gene)}}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    journal = Journal(tmp_path / "run", RUN)
    assert journal.finished() == set(range(5))
    journal.close()


def test_a_journal_left_at_the_very_end_is_discarded_but_no_other(tmp_path):
    for run, left in ((RUN, []), (RUN | {"cohort": "other"}, ["out.partial"])):
        journal = Journal(partial(tmp_path / "out"), run)
        journal.add(1, Record({}, {}))
        journal.close()
        discard(tmp_path / "out", RUN)
        assert [path.name for path in tmp_path.iterdir()] == left
