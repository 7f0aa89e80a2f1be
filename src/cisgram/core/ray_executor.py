"""Map a function over many items on a Ray cluster (optional extra `ray`)."""

import importlib
import os
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

from cisgram.core.checks import ConfigError, missing_extra
from cisgram.core.schedule import ONE_THREAD, Schedule, environment

Item = TypeVar("Item")
Result = TypeVar("Result")

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_WAITING = 2  # tasks in flight for each CPU, so that none of them waits for us
_served: dict[str, Callable[[Any], Any]] = {}  # in a worker: the function of the current call


def map_ray(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int | None
) -> Iterator[tuple[int, Result]]:
    """Yield `(index, function(items[index]))` as each is finished on the cluster.

    A cluster named by RAY_ADDRESS or running on this machine is used; otherwise one is
    started here with `workers` CPUs and stopped at the end. The function travels once.

    Raises:
        ConfigError: Ray is not installed, or no cluster answers at RAY_ADDRESS.
        CisgramError: an item lost its worker three times.
    """
    with environment(_QUIET):
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError:
            missing_extra("ray", "ray")
    return _map(ray, function, items, workers)


def _map(
    ray: Any,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int | None,
) -> Iterator[tuple[int, Result]]:
    schedule, flying = Schedule(len(items)), dict[Any, int]()
    with _cluster(ray, workers):
        # Ray retries silently and for out-of-memory without end; `schedule` counts instead.
        task = ray.remote(max_retries=0, runtime_env={"env_vars": ONE_THREAD})(_run)
        call, job = uuid4().hex, ray.put(function)
        most = workers or _WAITING * max(1, int(ray.cluster_resources().get("CPU", 1)))
        try:
            while True:
                while len(flying) < most and (index := schedule.next()) is not None:
                    flying[task.remote(call, [job], items[index])] = index
                if not flying:
                    return
                [done], _ = ray.wait(list(flying), num_returns=1)
                index = flying.pop(done)
                try:
                    result = ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause or error from None
                except ray.exceptions.RayError as error:
                    schedule.lost(index, _first_line(error))
                    continue
                yield index, result
        finally:
            for reference in flying:
                ray.cancel(reference, force=True)


def _run(call: str, job: list[Any], item: Any) -> Any:
    """Run one item in a worker, which fetches the function for its first."""
    if call not in _served:
        _served.clear()
        _served[call] = importlib.import_module("ray").get(job[0])
    return _served[call](item)


@contextmanager
def _cluster(ray: Any, workers: int | None) -> Generator[None]:
    """Connect to a running cluster or start one; leave a connection of the caller's alone."""
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    _check_address(os.environ.get("RAY_ADDRESS", ""))
    with environment(_QUIET):
        try:
            ray.init(address="auto", **options)
        except ConnectionError:
            ray.init(num_cpus=workers, include_dashboard=False, **options)
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Find out in seconds what Ray finds out in minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise ConfigError(
            f"no Ray cluster answers at RAY_ADDRESS={address}; start it or unset RAY_ADDRESS."
        ) from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
