"""Limits of the system, set for a moment."""

import resource
import signal
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def small_files(n_bytes: int) -> Generator[None]:
    """Let no file grow beyond so many bytes, as a full disk would.

    No fixture: pytest reports a test while its fixtures last, to a log that may be longer.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
