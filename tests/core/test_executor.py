import importlib.util
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cisgram.core.checks import ConfigError
from cisgram.core.executor import map_work
from cisgram.core.schedule import ONE_THREAD

_HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not _HAS_RAY, reason="ray is not installed")

# A worker finds the functions of this file by the module's name, so they live in a script that
# is run whole, as people run theirs.
PREAMBLE = """
import os, signal, sys, time
from pathlib import Path
from cisgram.core.checks import DataError
from cisgram.core.executor import map_work

def square(x):
    return x * x

def killed(item):
    "Die on the first tries of some items; leave a mark at every try."
    index, deaths, folder = item
    tries = len(list(Path(folder).glob(f"{index}.*")))
    Path(folder, f"{index}.{tries}").touch()
    if tries < deaths:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    return index

def fails(x):
    if x == 5:
        raise DataError("gene 5 has no people.")
    return x

class Odd(Exception):
    def __init__(self, first, second):
        super().__init__("one argument")

def fails_oddly(x):
    raise Odd(1, 2)

def exits(x):
    os._exit(3)

def sleeps(x):
    Path(x).touch()
    time.sleep(60)

def threads(x):
    import numpy
    return {name: os.environ.get(name) for name in x}
"""


def run(body: str, folder: Path, *arguments: object, flags: Sequence[str] = ("-W", "error")) -> str:
    """Run a script of the preamble and `body`; return what it prints."""
    script = folder / "script.py"
    script.write_text(
        PREAMBLE + "\nif __name__ == '__main__':\n" + textwrap.indent(textwrap.dedent(body), "    ")
    )
    words = [sys.executable, *flags, script, *map(str, arguments)]
    clean = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, env=clean)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_serial_work_is_lazy_and_in_order():
    seen: list[int] = []

    def note(x: int) -> int:
        seen.append(x)
        return -x

    results = map_work(note, [3, 1, 2], executor="serial")
    assert seen == []
    assert next(results) == (0, -3)
    assert seen == [3]
    assert list(results) == [(1, -1), (2, -2)]


def test_processes_give_every_result_once_and_leave_no_process(tmp_path):
    out = run(
        """
        import multiprocessing
        assert sorted(map_work(square, range(200), workers=3)) == [(i, i * i) for i in range(200)]
        assert list(map_work(square, [], workers=3)) == []
        assert multiprocessing.active_children() == []
        assert "OMP_NUM_THREADS" not in os.environ
        print("done")
        """,
        tmp_path,
    )
    assert out == "done\n"


def test_killed_worker_costs_only_its_item_which_is_tried_again(tmp_path):
    run(
        """
        items = [(i, {3: 1, 7: 2}.get(i, 0), sys.argv[1]) for i in range(20)]
        assert sorted(map_work(killed, items, workers=2)) == [(i, i) for i in range(20)]
        """,
        tmp_path,
        tmp_path,
    )
    tries = {i: len(list(tmp_path.glob(f"{i}.*"))) for i in range(20)}
    assert tries == {i: {3: 2, 7: 3}.get(i, 1) for i in range(20)}


def test_last_item_is_tried_again_by_a_worker_that_had_finished(tmp_path):
    run(
        """
        items = [(i, 2 * (i == 3), sys.argv[1]) for i in range(4)]
        assert sorted(map_work(killed, items, workers=4)) == [(i, i) for i in range(4)]
        """,
        tmp_path,
        tmp_path,
    )


def test_item_that_kills_every_worker_is_named(tmp_path):
    out = run(
        """
        try:
            list(map_work(killed, [(0, 0, sys.argv[1]), (1, 9, sys.argv[1])], workers=1))
        except Exception as error:
            print(type(error).__name__, error)
        try:
            list(map_work(exits, range(3), workers=1))
        except Exception as error:
            print(type(error).__name__, error)
        """,
        tmp_path,
        tmp_path,
    )
    assert out.splitlines() == [
        "CisgramError item 1 lost its worker 3 times, the last time to SIGKILL, most likely "
        "because memory ran out; give it more memory or fewer workers at once.",
        "CisgramError item 0 lost its worker 3 times, the last time to exit code 3; give it more "
        "memory or fewer workers at once.",
    ]
    assert len(list(tmp_path.glob("1.*"))) == 3


def test_exceptions_arrive_as_they_are_with_the_workers_traceback(tmp_path):
    out = run(
        """
        for function in (fails, fails_oddly):
            try:
                list(map_work(function, range(9), workers=2))
            except Exception as error:
                note = getattr(error, "__notes__", [""])[0]
                print(type(error).__name__, str(error).splitlines()[-1], "in fails" in note)
        """,
        tmp_path,
    )
    assert out.splitlines() == [
        "DataError gene 5 has no people. True",
        "RuntimeError __mp_main__.Odd: one argument False",
    ]


def test_workers_have_one_thread(tmp_path):
    run(
        f"""
        names = {list(ONE_THREAD)}
        [(_, seen)] = map_work(threads, [names])
        assert seen == dict.fromkeys(names, "1"), seen
        """,
        tmp_path,
    )


def test_items_are_read_only_when_a_worker_is_free(tmp_path):
    run(
        """
        class Items(list):
            read = 0
            def __getitem__(self, index):
                Items.read += 1
                return super().__getitem__(index)
        done = 0
        for _ in map_work(square, Items(range(500)), workers=2):
            done += 1
            assert Items.read <= done + 2, (Items.read, done)
        """,
        tmp_path,
    )


@pytest.mark.parametrize("ending", ["close", "interrupt"])
def test_workers_are_ended_at_once_when_the_caller_stops(tmp_path, ending):
    script = tmp_path / "script.py"
    script.write_text(
        PREAMBLE
        + textwrap.dedent(
            """
            if __name__ == "__main__":
                import multiprocessing, threading
                folder = Path(sys.argv[1])
                def interrupt():
                    while len(list(folder.glob("mark*"))) < 2:
                        time.sleep(0.01)
                    os.kill(os.getpid(), signal.SIGINT)
                started = time.monotonic()
                if sys.argv[2] == "close":
                    results = map_work(square, range(9), workers=2)
                    next(results)
                    results.close()
                else:
                    threading.Thread(target=interrupt, daemon=True).start()
                    try:
                        list(map_work(sleeps, [folder / "mark0", folder / "mark1"], workers=2))
                    except KeyboardInterrupt:
                        print("interrupted")
                assert multiprocessing.active_children() == []
                assert time.monotonic() - started < 40
            """
        )
    )
    done = subprocess.run(
        [sys.executable, script, tmp_path, ending],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("interrupted\n" if ending == "interrupt" else "")
    assert done.stderr == ""


def test_workers_leave_when_the_caller_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        PREAMBLE
        + textwrap.dedent(
            """
            def report(folder):
                Path(folder, f"worker.{os.getpid()}").touch()
                time.sleep(60)

            if __name__ == "__main__":
                list(map_work(report, [sys.argv[1]] * 1000, workers=2))
            """
        )
    )
    caller = subprocess.Popen([sys.executable, script, tmp_path])
    try:
        _wait(lambda: len(list(tmp_path.glob("worker.*"))) == 2)
    finally:
        caller.kill()
        caller.wait()
    pids = [int(mark.suffix[1:]) for mark in tmp_path.glob("worker.*")]
    _wait(lambda: not any(_alive(pid) for pid in pids))


def test_script_without_a_main_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PREAMBLE + "list(map_work(square, range(3), workers=1))\n")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 1
    assert "must do its work under `if __name__ == '__main__':`" in done.stderr


def test_options_are_checked_when_called():
    with pytest.raises(ConfigError, match="executor must be one of serial, processes, ray"):
        map_work(abs, [1], executor="threads")
    with pytest.raises(ConfigError, match="workers must be at least 1; got 0"):
        map_work(abs, [1], workers=0)


def test_missing_ray_is_answered_with_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install '.*\[ray\]'"):
        map_work(abs, [1], executor="ray")


@needs_ray
@pytest.mark.whole
def test_ray_address_where_nothing_listens_is_told_at_once(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        out = run(
            """
            os.environ["RAY_ADDRESS"] = sys.argv[1]
            try:
                list(map_work(square, [1], executor="ray"))
            except Exception as error:
                print(type(error).__name__, error)
            """,
            tmp_path,
            f"127.0.0.1:{taken.getsockname()[1]}",
            flags=(),
        )
    assert out.startswith("ConfigError no Ray cluster answers at RAY_ADDRESS=127.0.0.1:")


@needs_ray
@pytest.mark.whole
def test_ray_tries_again_initializes_and_passes_exceptions_on(tmp_path):
    out = run(
        """
        import ray
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
        items = [(i, int(i == 1), sys.argv[1]) for i in range(5)]
        assert sorted(map_work(killed, items, executor="ray")) == [(i, i) for i in range(5)]
        try:
            list(map_work(fails, range(9), executor="ray"))
        except DataError as error:
            print(error)
        assert ray.is_initialized()
        """,
        tmp_path,
        tmp_path,
        flags=(),
    )
    # Ray itself reports every dead worker on the standard output.
    assert [line for line in out.splitlines() if "(raylet)" not in line] == [
        "gene 5 has no people.",
    ]
    tries = {i: len(list(tmp_path.glob(f"{i}.*"))) for i in range(5)}
    assert tries == {0: 1, 1: 2, 2: 1, 3: 1, 4: 1}


@needs_ray
@pytest.mark.slow
def test_ray_cluster_of_two_nodes_loses_nothing_when_workers_are_killed(tmp_path):
    (tmp_path / "deadly").mkdir()
    out = run(
        """
        import ray
        from ray.cluster_utils import Cluster
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        cluster.add_node(num_cpus=1)
        os.environ["RAY_ADDRESS"] = cluster.address
        folder = sys.argv[1]
        items = [(i, {5: 1, 11: 2}.get(i, 0), folder) for i in range(30)]
        assert sorted(map_work(killed, items, executor="ray")) == [(i, i) for i in range(30)]
        assert not ray.is_initialized()
        try:
            list(map_work(killed, [(0, 9, folder + "/deadly")], executor="ray", workers=1))
        except Exception as error:
            print(type(error).__name__, str(error)[:30])
        cluster.shutdown()
        """,
        tmp_path,
        tmp_path,
        flags=(),
    )
    assert out.splitlines()[-1].startswith("CisgramError item 0 lost its worker 3 times")
    tries = {i: len(list(tmp_path.glob(f"{i}.*"))) for i in range(30)}
    assert tries == {i: {5: 2, 11: 3}.get(i, 1) for i in range(30)}
    assert len(list((tmp_path / "deadly").iterdir())) == 3


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
