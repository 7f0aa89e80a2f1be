"""Places that results are written to: held by one process, and never what others have made.

While a place is written, a directory `.NAME.cisgram` lies beside it. Its file `cisgram.lock` says
that it is ours, and is locked by the operating system until its process ends, however it ends. What
is not whole yet lies in there.
"""

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from cisgram.core.checks import ConfigError, DataError

LOCK, OLD = "cisgram.lock", "old"
CUT_SHORT = -1
"""In place of a number: the system took less than it was given, and nobody says why."""
_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and run it again",
    errno.EDQUOT: "the disk quota is used up; free some space and run it again",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.EACCES: "permission is denied; choose another place",
    errno.EPERM: "permission is denied; choose another place",
    errno.ENOTDIR: "a part of the path is a file; choose another place",
    errno.EEXIST: "a part of the path is a file; choose another place",
    errno.EISDIR: "it is a directory; name a file",
    errno.EFBIG: "the file may not grow (ulimit -f); raise the limit and run it again",
    errno.EIO: "the disk fails; choose another place",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    CUT_SHORT: "the disk is full or the file may not grow (ulimit -f); "
    "free some space and run it again",
}
_CUT_SHORT_WORDS = ("requested and", "Invalid thrift: transport error")
"""Of numpy, and of polars writing parquet."""
_NONE: frozenset[Path] = frozenset()
_held: ContextVar[frozenset[Path]] = ContextVar("held", default=_NONE)
"""What this thread holds: what it calls may write there."""


class DiskError(DataError):
    """A place that cannot be written, and why: the system's number, or `CUT_SHORT`."""

    def __init__(self, place: Path, code: int) -> None:
        super().__init__(place, code)
        self.code = code

    def __str__(self) -> str:
        return f"cannot write {self.args[0]}: {_REASONS[self.code]}."


@contextmanager
def disk_errors(path: Path) -> Generator[None]:
    """Turn a full or read-only disk into one sentence.

    Of places inside each other, the outermost is named: it is the one that was asked for.
    """
    try:
        yield
    except DiskError as error:
        raise DiskError(path, error.code) from error
    except Exception as error:
        code = _system_code(error)
        if code is None or not _concerns(error, path):
            raise
        raise DiskError(path, code) from error


def _system_code(error: Exception) -> int | None:
    """Return the operating system's number, which numpy leaves out and others put into words."""
    code = error.errno if isinstance(error, OSError) else None
    if code is None and (said := re.search(r"\(os error (\d+)\)", str(error))):
        code = int(said[1])
    elif code is None and any(words in str(error) for words in _CUT_SHORT_WORDS):
        code = CUT_SHORT
    return code if code in _REASONS else None


def _concerns(error: Exception, path: Path) -> bool:
    """Say whether an error is about `path`, what is made beside it, or no file in particular."""
    if not isinstance(error, OSError) or not error.filename:
        return True
    named = Path(os.fsdecode(error.filename)).absolute()
    place = path.absolute()
    return named.is_relative_to(place.parent) or place.is_relative_to(named)


def real_place(path: Path | str) -> Path:
    """Return where `path` is written: the file or directory that it is, or that its link names.

    Raises:
        ConfigError: it stands for a stream or a device.
    """
    path = Path(path)
    with disk_errors(path):
        is_stream = path.exists() and not (path.is_file() or path.is_dir())
    named = os.path.normpath(path.absolute())
    if path.name == "-" or is_stream or named.startswith(("/dev/std", "/dev/fd/", "/proc/")):
        raise ConfigError(f"{path} is a stream or a device, and results are files; name a file.")
    return Path(os.path.realpath(path)) if path.is_symlink() or not path.name else path


def check_new(path: Path, *, overwrite: bool) -> Path:
    """Return `path` where nothing is there, or it may be replaced; raise DataError otherwise."""
    if not overwrite and (any(path.iterdir()) if path.is_dir() else path.exists()):
        what = "holds files" if path.is_dir() else "exists"
        raise DataError(
            f"{path} {what} already; add --overwrite to replace, or choose another place."
        )
    return path


@contextmanager
def hold(path: Path | str, *, wait: bool = False) -> Generator[Path]:
    """Hold a place for this process, and yield the directory beside it for what is not whole yet.

    What a killed process left there goes. Directories are made as needed, and go again where they
    stay empty.

    Args:
        path: the place; nothing need be there.
        wait: until others let go, in place of an error.

    Raises:
        DataError: another process or thread holds it, or it cannot be written.
        ConfigError: it stands for a stream or a device.
    """
    place = real_place(path)
    key = Path(os.path.realpath(place))
    home = place.parent / f".{place.name}.cisgram"
    if key in _held.get():
        yield home
        return
    with disk_errors(Path(path)):
        made = [parent for parent in place.parents if not parent.exists()]
        lock = _take(home, Path(path), wait=wait)
        _clear(home, place)
    _held.set(_held.get() | {key})
    try:
        yield home
    finally:
        _held.set(_held.get() - {key})
        _clear(home, place)
        with suppress(OSError):  # the mark goes last: what is killed here leaves nothing unmarked
            (home / LOCK).unlink()
            home.rmdir()
        os.close(lock)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


def sweep(directory: Path) -> None:
    """Remove what killed processes left of the places in a directory."""
    for home in directory.glob(".*.cisgram"):
        if not (home / LOCK).exists() and any(home.iterdir()):
            continue
        name = home.name.removeprefix(".").removesuffix(".cisgram")
        with suppress(DataError), hold(directory / name):
            pass


def _take(home: Path, path: Path, *, wait: bool) -> int:
    """Lock the directory beside a place, and return the file that is to be closed."""
    while True:
        home.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # whoever held it has just removed it
            if not (home / LOCK).exists() and any(home.iterdir()):
                raise DataError(f"{home} is not of cisgram and in the way; move it.")
            lock = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                if os.path.samestat(os.fstat(lock), (home / LOCK).stat()):
                    return lock
            except BlockingIOError as error:
                os.close(lock)
                raise DataError(
                    f"another process is writing {path}; wait for it, or choose another place."
                ) from error
            except FileNotFoundError:
                pass
            except OSError:
                return lock  # a file system without locks
            os.close(lock)


def _clear(home: Path, place: Path) -> None:
    """Remove what a killed process left, and put back what it was about to replace."""
    for old in home.glob(f"*/{OLD}"):
        if not place.exists():
            old.replace(place)
    for left in home.iterdir():
        if left.name != LOCK:
            shutil.rmtree(left, ignore_errors=True)
