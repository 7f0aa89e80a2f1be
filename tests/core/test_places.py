"""One writer a place, and nothing of others touched."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cisgram.core.artifact import atomic_directory, atomic_file, create_artifact, write_json
from cisgram.core.checks import ConfigError, DataError
from cisgram.core.places import LOCK, check_new, hold, sweep

HOLDER = """
import sys, time
from cisgram.core.places import hold
with hold(sys.argv[1]) as home:
    (home / "half").mkdir()
    print("held", flush=True)
    time.sleep(60)
"""


def held_by_another(place: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", HOLDER, str(place)]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_place_is_held_by_one_process_and_free_when_it_dies(tmp_path: Path) -> None:
    place = tmp_path / "run"
    holder = held_by_another(place)
    with pytest.raises(DataError, match=r"another process is writing .*run; wait for it"):
        write_json(place, 1)
    assert holder.poll() is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert (tmp_path / ".run.cisgram" / "half").exists()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with hold(place):
        write_json(place, 1)
    assert list(tmp_path.iterdir()) == [place]


def test_a_home_that_was_left_without_its_mark_goes(tmp_path: Path) -> None:
    home = tmp_path / ".a.cisgram"
    home.mkdir()
    (tmp_path / ".b.cisgram").mkdir()
    (tmp_path / ".b.cisgram" / "theirs").touch()
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".b.cisgram"]
    with hold(tmp_path / "a") as held:
        assert held == home
        assert (home / LOCK).exists()
    assert not home.exists()


def test_threads_do_not_share_a_place_and_those_that_wait_get_it(tmp_path: Path) -> None:
    def take(*, wait: bool) -> float:
        with hold(tmp_path / "a", wait=wait):
            return time.monotonic()

    with ThreadPoolExecutor(2) as others:
        with hold(tmp_path / "a"):
            with pytest.raises(DataError, match="another process is writing"):
                others.submit(take, wait=False).result()
            waiting = others.submit(take, wait=True)
            time.sleep(0.1)
            released = time.monotonic()
        assert waiting.result() >= released


def test_one_place_by_two_names_is_one_place(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a.json")
    with hold(tmp_path / "a.json"), ThreadPoolExecutor(1) as other:
        coming = other.submit(write_json, tmp_path / "link", 1)
        with pytest.raises(DataError, match="another process is writing"):
            coming.result()
    write_json(tmp_path / "link", 1)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.json").read_text() == "1\n"


def test_directories_of_others_are_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / ".a.cisgram" / "notes.txt"
    precious.parent.mkdir()
    precious.write_text("years")
    (tmp_path / ".a.settings").mkdir()
    with pytest.raises(DataError, match=r"\.a\.cisgram is not of cisgram and in the way; move it"):
        write_json(tmp_path / "a", 1)
    sweep(tmp_path)
    assert precious.read_text() == "years"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.cisgram", ".a.settings"]


def test_streams_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in (tmp_path / "fifo", tmp_path / "null", "/dev/stdout", "/dev/fd/1", "-"):
        with pytest.raises(ConfigError, match="is a stream or a device, and results are files"):
            write_json(name, 1)
    assert (tmp_path / "fifo").is_fifo()
    assert Path("/dev/null").is_char_device()
    assert not Path("-").exists()


def test_what_a_killed_writer_had_set_aside_comes_back(tmp_path: Path) -> None:
    with create_artifact(tmp_path / "a", kind="fit", version=1, metadata={}) as building:
        (building / "file").write_text("old")
    aside = tmp_path / ".a.cisgram" / "tmp1" / "old"
    aside.parent.mkdir(parents=True)
    (tmp_path / ".a.cisgram" / LOCK).touch()
    (tmp_path / "a").rename(aside)
    sweep(tmp_path)
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_directories_made_for_nothing_go_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "a" / "b" / "c.tsv"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_directory_appear_together_beside_what_is_there(tmp_path: Path) -> None:
    place = tmp_path / "page"
    failed = pytest.raises(ZeroDivisionError)
    with failed, atomic_directory(place) as building:
        (building / "a.txt").write_text("half")
        raise ZeroDivisionError
    assert not place.exists()
    place.mkdir()
    (place / "mine.txt").write_text("years")
    with atomic_directory(place) as building:
        (building / "deep").mkdir()
        (building / "deep" / "a.txt").write_text("whole")
    assert sorted(path.name for path in place.iterdir()) == ["deep", "mine.txt"]


def test_what_is_there_is_new_only_if_it_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(DataError, match=r"a exists already; add --overwrite to replace"):
        check_new(tmp_path / "a", overwrite=False)
    with pytest.raises(DataError, match=r"holds files already; add --overwrite to replace"):
        check_new(tmp_path, overwrite=False)
    assert check_new(tmp_path / "a", overwrite=True) == tmp_path / "a"
    (tmp_path / "a").unlink()
    assert check_new(tmp_path, overwrite=False) == tmp_path
