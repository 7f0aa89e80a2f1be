"""Map a function over many items: here, on local processes, or on a Ray cluster.

A worker that is killed midway costs only its own item, which is tried again on a
new worker; every other item is unaffected and each index is yielded once.
"""

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from cisgram.core.checks import CisgramError, check_choice, check_range
from cisgram.core.schedule import MAX_DEATHS, ONE_THREAD, Schedule, environment

Item = TypeVar("Item")
Result = TypeVar("Result")

EXECUTORS = ("serial", "processes", "ray")
_PATIENCE = 5.0  # seconds a worker has to leave before it is killed


def map_work(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    executor: str = "processes",
    workers: int | None = None,
) -> Iterator[tuple[int, Result]]:
    """Yield `(index, function(items[index]))` as each is finished, in any order.

    Work starts when the first result is asked for and stops when the iterator is
    closed. An exception of `function` is raised here as it is. What a killed worker had
    begun is begun again, so `function` should leave nothing behind that minds that.

    Args:
        function: Called with one item; importable by name, as are its results' types.
        items: Read one at a time, each only when a worker is free for it.
        executor: `serial` (this process), `processes` (spawned on this machine, one BLAS
            and numba thread each) or `ray` (the running cluster, or one of this machine).
        workers: How many at once; all CPUs when None.

    Raises:
        CisgramError: an item lost its worker three times, or no worker could start.

    >>> dict(map_work(abs, [-1, 2, -3], executor="serial"))
    {0: 1, 1: 2, 2: 3}
    """
    check_choice(executor, EXECUTORS, "executor")
    if workers is not None:
        check_range(workers, "workers", low=1)
    if executor == "serial":
        return ((index, function(items[index])) for index in range(len(items)))
    if executor == "ray":
        from cisgram.core.ray_executor import map_ray

        return map_ray(function, items, workers=workers)
    return _map_processes(function, items, workers or count_cpus())


def count_cpus() -> int:
    """Return the number of CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class _Worker:
    """A process, this end of its pipe, and the item it has."""

    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    index: int | None = None

    def give(self, index: int | None, items: Sequence[Any]) -> None:
        """Send the item; a worker already dead is found when its pipe is read."""
        self.index = index
        if index is not None:
            with suppress(BrokenPipeError, ConnectionResetError):
                self.pipe.send(items[index])

    def cause_of_death(self) -> str:
        self.process.join(_PATIENCE)
        code = self.process.exitcode
        if code == -signal.SIGKILL:
            return "SIGKILL, most likely because memory ran out"
        return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"


def _map_processes(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[tuple[int, Result]]:
    schedule, crew, left, failed_starts = Schedule(len(items)), list[_Worker](), len(items), 0
    try:
        while left:
            while len(crew) < min(workers, left):
                crew.append(_start(function))
            for worker in crew:
                if worker.ready and worker.index is None:  # another's item may have come back
                    worker.give(schedule.next(), items)
            for pipe in wait([worker.pipe for worker in crew]):
                worker = next(worker for worker in crew if worker.pipe is pipe)
                try:
                    reply = worker.pipe.recv_bytes()
                except (EOFError, OSError):
                    crew.remove(worker)
                    failed_starts += not worker.ready
                    _bury(worker, schedule, failed_starts)
                    continue
                kind, value = pickle.loads(reply)
                if kind == "failed":
                    raise value
                done, worker.ready = worker.index, True
                worker.give(schedule.next(), items)
                if done is not None:
                    left -= 1
                    yield done, value
    finally:
        _dismiss(crew)


def _start(function: Callable[[Any], Any]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, function), daemon=True)
    try:
        with environment(ONE_THREAD):
            process.start()
    finally:
        theirs.close()  # so that the worker's death ends the pipe
    return _Worker(process, ours)


def _bury(worker: _Worker, schedule: Schedule, failed_starts: int) -> None:
    """Return the item of a dead worker to the schedule."""
    cause = worker.cause_of_death()
    worker.pipe.close()
    if worker.index is not None:
        schedule.lost(worker.index, cause)
    elif not worker.ready and (failed_starts >= MAX_DEATHS or cause.startswith("exit code")):
        raise CisgramError(
            f"a worker process ended with {cause} before it could start; a script that uses "
            "several processes must do its work under `if __name__ == '__main__':`."
        )


def _dismiss(crew: list[_Worker]) -> None:
    """Let idle workers leave and end busy ones."""
    for worker in crew:
        if worker.index is not None or not worker.ready:
            worker.process.terminate()
        worker.pipe.close()
    for worker in crew:
        worker.process.join(_PATIENCE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _work(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """Serve items in a worker until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides, and ends us
    leave_with_parent()
    reply = pickle.dumps(("ready", None))
    with suppress(EOFError, OSError):  # the caller has gone
        while True:
            pipe.send_bytes(reply)
            item = pipe.recv_bytes()
            try:
                reply = pickle.dumps(("done", function(pickle.loads(item))), protocol=5)
            except Exception as error:
                reply = _failure(error)


def leave_with_parent() -> None:
    """End this worker as soon as its parent dies, whatever it is at."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def leave() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def _failure(error: Exception) -> bytes:
    """Pickle an exception with its traceback as a note, or its text if it cannot travel."""
    text = "".join(traceback.format_exception(error))
    error.add_note(f"In a worker process:\n{text}")
    try:
        reply = pickle.dumps(("failed", error))
        pickle.loads(reply)
    except Exception:
        reply = pickle.dumps(("failed", RuntimeError(text)))
    return reply
