"""Commands in forked children with limits of time, memory and file size, and how they end."""

import importlib
import os
import pkgutil
import resource
import shlex
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from faults_inputs import CALLS

SECONDS = 30.0
MEMORY = 3 << 30
"""Bytes of address space that a child may take beside what it starts with."""
REFUSED = 2


@dataclass(frozen=True, kw_only=True)
class Job:
    """One command in one directory."""

    number: int
    directory: Path
    command: str
    prepare: Callable[[], str]
    """Called in the child, in the directory; returns what it did."""
    file_size: int | None = None
    """Bytes that a file may have."""
    kill_after: float | None = None
    """Seconds after which it is killed."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a command ended."""

    job: Job
    outcome: str
    """right, refused, unclear (exit 2, but not one line), traceback, death, killed or hang."""
    prepared: str
    said: str
    seconds: float


def import_all() -> None:
    """Import every module, so that children need not; without computing, so without threads."""
    import cisgram

    for module in pkgutil.walk_packages(cisgram.__path__, "cisgram."):
        if not module.name.endswith(("__main__", "ray_executor")):
            importlib.import_module(module.name)
    for name in ("cyvcf2", "pgenlib", "pybigtools", "safetensors.torch", "scipy.stats", "mappy"):
        importlib.import_module(name)


def run_all(jobs: Iterable[Job], *, workers: int) -> Iterator[Ending]:
    """Yield how each job ended, as they end."""
    running: dict[int, tuple[Job, float]] = {}
    coming = iter(jobs)
    more = True
    while more or running:
        while more and len(running) < workers:
            job = next(coming, None)
            if job is None:
                more = False
            else:
                running[_fork(job)] = (job, time.monotonic())
        for pid, (job, started) in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            elapsed = time.monotonic() - started
            late = elapsed > (SECONDS if job.kill_after is None else job.kill_after)
            if not ended and late:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            if ended or late:
                del running[pid]
                yield _ending(job, os.waitstatus_to_exitcode(status) if ended else None, elapsed)
        time.sleep(0.001)


def _fork(job: Job) -> int:
    pid = os.fork()
    if pid:
        with suppress(OSError):  # the child may have done it, or be gone
            os.setpgid(pid, pid)
        return pid
    code = 1
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        os.chdir(job.directory)
        code = _child(job)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _child(job: Job) -> int:
    from cisgram.cli.app import main
    from cisgram.core.checks import CisgramError

    Path("..prepared").write_text(job.prepare())
    for number, name in ((1, "..out"), (2, "..err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if job.file_size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.file_size, job.file_size))
    try:
        if job.command not in CALLS:
            return main(shlex.split(job.command))
        CALLS[job.command]()
    except CisgramError as error:
        os.write(2, f"cisgram: {' '.join(str(error).split())}\n".encode())
        return REFUSED
    return 0


def _ending(job: Job, code: int | None, seconds: float) -> Ending:
    said = _text(job.directory / "..err")
    outcome = (
        "hang" if code is None else "death" if code < 0 else "right" if code == 0 else "traceback"
    )
    if code == REFUSED:
        is_line = said.startswith("cisgram: ") and said.count("\n") == 1
        outcome = "refused" if is_line else "unclear"
    if code is not None and code < 0:
        said += f"\n{signal.Signals(-code).name}"
    prepared = _text(job.directory / "..prepared")
    return Ending(job=job, outcome=outcome, prepared=prepared, said=said, seconds=seconds)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
