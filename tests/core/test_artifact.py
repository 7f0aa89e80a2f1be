import errno
import json
import os
import subprocess
import sys
import textwrap
import time
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from cisgram import __version__
from cisgram.core import artifact
from cisgram.core.artifact import (
    atomic_file,
    create_artifact,
    is_artifact,
    open_artifact,
    sealed,
    sha256,
    verify_artifact,
    write_arrays,
    write_json,
)
from cisgram.core.checks import DataError
from cisgram.core.verify import verify
from limits import small_files


def _building(
    path: Path, *, overwrite: bool = False, **metadata: str
) -> AbstractContextManager[Path]:
    return create_artifact(path, kind="fit", version=1, metadata=metadata, overwrite=overwrite)


def _make(path: Path, *, content: bytes = b"weights", overwrite: bool = False) -> Path:
    with create_artifact(
        path, kind="fit", version=1, metadata={"n": 3}, overwrite=overwrite
    ) as building:
        (building / "genes").mkdir()
        (building / "genes/weights.bin").write_bytes(content)
    return path


@pytest.fixture
def made(tmp_path) -> Path:
    return _make(tmp_path / "fit")


def test_artifact_describes_itself_and_its_files(made):
    manifest = open_artifact(made, kind="fit", version=1)
    assert manifest.cisgram == __version__
    assert manifest.metadata == {"n": 3}
    assert manifest.files == {
        "genes/weights.bin": {"bytes": 7, "sha256": sha256(made / "genes/weights.bin")}
    }
    verify_artifact(made, manifest)
    assert is_artifact(made, "fit")
    assert not is_artifact(made, "cohort")
    assert list(made.parent.iterdir()) == [made]
    assert made.stat().st_mode & 0o777 == 0o755


def test_sha256_equals_the_systems(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(np.random.default_rng(0).bytes(3_000_001))
    theirs = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
    assert sha256(path) == theirs.stdout.split()[0]


def test_metadata_is_read_when_the_block_ends_and_made_plain(tmp_path):
    metadata = {"source": Path("a/b"), "r": np.float64("nan"), "n": np.arange(2), 1: (None, True)}
    with create_artifact(tmp_path / "fit", kind="fit", version=1, metadata=metadata):
        metadata["late"] = np.float32(0.5)
    assert open_artifact(tmp_path / "fit", kind="fit", version=1).metadata == {
        "source": "a/b",
        "r": None,
        "n": [0, 1],
        "1": [None, True],
        "late": 0.5,
    }


def test_nothing_appears_when_the_block_fails(tmp_path):
    failed = pytest.raises(ZeroDivisionError)
    with failed, _building(tmp_path / "fit") as building:
        (building / "file").write_text("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_replaced_unless_told(made):
    with pytest.raises(DataError, match="fit exists already; remove it or choose another place"):
        _make(made, content=b"new")
    assert (made / "genes/weights.bin").read_bytes() == b"weights"
    _make(made, content=b"new", overwrite=True)
    assert (made / "genes/weights.bin").read_bytes() == b"new"
    assert list(made.parent.iterdir()) == [made]


def test_only_an_artifact_of_the_same_kind_is_overwritten(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("years")
    with pytest.raises(DataError, match="home exists already; it is no fit"):
        _make(tmp_path / "home", overwrite=True)
    (tmp_path / "file").write_text("text")
    with pytest.raises(DataError, match="file exists already; it is no fit"):
        _make(tmp_path / "file", overwrite=True)
    assert (tmp_path / "home/thesis.txt").read_text() == "years"


def test_older_artifact_survives_a_failed_replacement(made):
    with pytest.raises(ZeroDivisionError), _building(made, overwrite=True):
        raise ZeroDivisionError
    verify_artifact(made, open_artifact(made, kind="fit", version=1))


def test_older_artifact_survives_a_replacement_that_cannot_be_published(made, monkeypatch):
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if Path(target) == made and self.name == made.name:
            raise OSError(errno.EIO, "the disk fails now")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(DataError, match=r"cannot write .*fit: the disk fails"):
        _make(made, content=b"new", overwrite=True)
    monkeypatch.undo()
    assert (made / "genes/weights.bin").read_bytes() == b"weights"


def test_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    refused = pytest.raises(DataError, match=r"^cannot write .*fit: the file may not grow")
    with refused, small_files(4000):
        _make(tmp_path / "fit", content=bytes(5000))
    with pytest.raises(DataError, match=r"^cannot write .*table\.json: "), small_files(4000):
        write_json(tmp_path / "table.json", list(range(5000)))
    assert list(tmp_path.iterdir()) == []


def test_disk_that_fills_up_at_the_manifest_leaves_nothing(tmp_path):
    full = pytest.raises(DataError, match=r"^cannot write .*fit: ")
    with full, small_files(4000), _building(tmp_path / "fit", long="x" * 5000) as building:
        (building / "file").write_text("short")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; free some space and run it again"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the disk is read-only; choose another place"),
        (errno.EACCES, "permission is denied; choose another place"),
    ],
)
def test_errors_of_the_disk_name_the_destination(tmp_path, number, sentence):
    refused = pytest.raises(DataError, match=f"^cannot write .*fit: {sentence}")
    with refused, _building(tmp_path / "fit"):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_other_errors_of_the_system_are_not_blamed_on_the_destination(tmp_path):
    with pytest.raises(FileNotFoundError), _building(tmp_path / "fit"):
        (tmp_path / "input.vcf").read_bytes()
    unreadable = OSError(errno.EACCES, "Permission denied", str(tmp_path / "input.vcf"))
    with pytest.raises(PermissionError), _building(tmp_path / "out" / "fit"):
        raise unreadable


def test_destination_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(DataError, match=r"cannot write .*: a part of the path is a file"):
        _make(tmp_path / "file" / "fit")
    with pytest.raises(DataError, match=r"cannot write .*: a part of the path is a file"):
        write_json(tmp_path / "file" / "x.json", 1)


@pytest.mark.parametrize("moment", ["filling", "publishing"])
def test_killed_writer_leaves_nothing_at_the_destination(tmp_path, moment):
    script = tmp_path / "writer.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, sys, time
            from pathlib import Path
            from cisgram.core import artifact
            place, mark, moment = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
            def pause(*_, **__):
                mark.touch()
                time.sleep(60)
            if moment == "publishing":
                artifact._publish = pause
            with artifact.create_artifact(place, kind="fit", version=1, metadata={}) as building:
                (building / "half").write_bytes(bytes(100_000))
                if moment == "filling":
                    pause()
            """
        )
    )
    place, mark = tmp_path / "out" / "fit", tmp_path / "mark"
    writer = subprocess.Popen([sys.executable, script, place, mark, moment])
    deadline = time.monotonic() + 30
    while not mark.exists():
        assert writer.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    writer.kill()
    writer.wait()
    assert not place.exists()
    assert not is_artifact(place, "fit")
    _make(place)
    verify_artifact(place, open_artifact(place, kind="fit", version=1))


def test_what_is_no_artifact_is_refused(tmp_path, made):
    with pytest.raises(DataError, match=r"nowhere.*; check the path"):
        open_artifact(tmp_path / "nowhere", kind="fit", version=1)
    with pytest.raises(DataError, match=r"is no cisgram fit \(it has no manifest\.json\)"):
        open_artifact(tmp_path, kind="fit", version=1)
    with pytest.raises(DataError, match="is a fit, not a cohort; check the path"):
        open_artifact(made, kind="cohort", version=1)
    with pytest.raises(DataError, match="has format 1 of fit and this cisgram reads 2; make it"):
        open_artifact(made, kind="fit", version=2)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"kind": "fit"}', "null", '"fit"', "\xff"])
def test_manifest_that_cannot_be_read_is_one_sentence(made, text):
    (made / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"cannot be read \(.*\); make it again"):
        open_artifact(made, kind="fit", version=1)
    assert not is_artifact(made, "cohort")


def test_missing_cut_and_changed_files_are_noticed(made):
    file = made / "genes/weights.bin"
    manifest = open_artifact(made, kind="fit", version=1)
    file.write_bytes(b"WEIGHTS")
    for check in (lambda: open_artifact(made, kind="fit", version=1), lambda: verify(made)):
        with pytest.raises(DataError, match=r"weights\.bin has changed since it was written"):
            check()
    file.write_bytes(b"weigh")
    with pytest.raises(DataError, match=r"weights\.bin is missing or cut short; make .*fit again"):
        open_artifact(made, kind="fit", version=1)
    file.unlink()
    with pytest.raises(DataError, match=r"weights\.bin is missing or cut short"):
        open_artifact(made, kind="fit", version=1)
    with pytest.raises(DataError, match=r"weights\.bin"):
        verify_artifact(made, manifest)


def test_settings_that_are_edited_are_noticed(made):
    manifest = made / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"n": 3', '"n": 4'))
    for check in (lambda: open_artifact(made, kind="fit", version=1), lambda: verify(made)):
        with pytest.raises(DataError, match=r"manifest\.json has changed since it was written"):
            check()
    facts = json.loads(text)
    del facts["seal"]  # as of before there were seals
    manifest.write_text(json.dumps(facts))
    assert open_artifact(made, kind="fit", version=1).metadata == {"n": 3}


def test_large_files_are_checked_in_spots_and_verified_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(artifact, "SMALL", 1_000)
    content = bytearray(os.urandom(2**22))
    made = _make(tmp_path / "fit", content=bytes(content))
    assert "spots" in open_artifact(made, kind="fit", version=1).files["genes/weights.bin"]
    assert verify(tmp_path) == [f"{made}: fit of 4.2 MB, 1 file is as it was written."]
    content[2**17] ^= 1  # between two spots
    (made / "genes/weights.bin").write_bytes(content)
    open_artifact(made, kind="fit", version=1)
    with pytest.raises(DataError, match=r"weights\.bin has changed since it was written"):
        verify(made)
    content[-1] ^= 1
    (made / "genes/weights.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"weights\.bin has changed since it was written"):
        open_artifact(made, kind="fit", version=1)


def test_what_cannot_be_verified_is_said(tmp_path):
    write_arrays(tmp_path / "a.npz", {"a": np.arange(9)})
    write_json(tmp_path / "facts.json", sealed({"a": 1}))
    assert len(verify(tmp_path)) == 2
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[60] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz (has changed since|cannot be read)"):
        verify(tmp_path)
    write_json(tmp_path / "facts.json", {**sealed({"a": 1}), "a": 2})
    with pytest.raises(DataError, match=r"facts\.json has changed since it was written"):
        verify(tmp_path / "facts.json")
    (tmp_path / "notes.txt").write_text("years")
    with pytest.raises(DataError, match=r"notes\.txt has nothing that can be verified"):
        verify(tmp_path / "notes.txt")


def test_atomic_file_replaces_at_the_end_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "table.tsv"
    with atomic_file(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()
        assert temporary.suffix == ".tsv"
    assert path.stat().st_mode & 0o777 == 0o644
    failed = pytest.raises(ZeroDivisionError)
    with failed, atomic_file(path) as temporary:
        temporary.write_text("two")
        raise ZeroDivisionError
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_json_has_null_for_what_is_no_number_and_stays_standard(tmp_path):
    content = {"r": [np.nan, 1.5, float("nan")], "n": np.int64(3), "where": tmp_path}
    write_json(tmp_path / "x.json", content)
    assert json.loads((tmp_path / "x.json").read_text()) == {
        "r": [None, 1.5, None],
        "n": 3,
        "where": str(tmp_path),
    }


@pytest.mark.parametrize("infinite", [float("inf"), np.array([1.0, -np.inf])])
def test_json_has_null_for_infinity(tmp_path, infinite):
    write_json(tmp_path / "x.json", infinite)
    assert "null" in (tmp_path / "x.json").read_text()


def test_two_writers_of_one_place_do_not_mix(tmp_path):
    place = tmp_path / "fit"
    refused = pytest.raises(DataError, match="fit exists already")
    with refused, _building(place) as building:
        (building / "a").write_text("a")
        _make(place)
    assert list(open_artifact(place, kind="fit", version=1).files) == ["genes/weights.bin"]
    assert list(tmp_path.iterdir()) == [place]


def test_a_write_that_numpy_could_not_finish_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="the disk is full"), atomic_file(tmp_path / "a.npy"):
        raise OSError("358 requested and 0 written")
    with pytest.raises(OSError, match="something else"), atomic_file(tmp_path / "a.npy"):
        raise OSError("something else")


def test_arrays_are_written_whole_or_not_at_all(tmp_path):
    write_arrays(tmp_path / "x.npz", {"a": np.arange(3), "name": np.array("toy")})
    with np.load(tmp_path / "x.npz") as found:
        assert (found["a"].tolist(), str(found["name"])) == ([0, 1, 2], "toy")
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "y.npz", {"a": np.array([object()])})
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
