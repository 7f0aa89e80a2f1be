"""The two errors people meet, and the checks that raise them.

A message is one sentence: what must hold, what was found and where, and what
to do about it. The command line prints it and leaves with exit code 2.
"""

import json
from collections.abc import Collection
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Never
from urllib.parse import unquote, urlsplit


class CisgramError(Exception):
    """Base of every error that is the input's fault and not a defect."""


class ConfigError(CisgramError):
    """An option, argument or configuration value cannot be used."""


class DataError(CisgramError):
    """A file or table does not hold what it must."""


class CisgramWarning(UserWarning):
    """What must be known of a result, a sentence; the command line prints it."""


def check_file(path: Path | str, what: str) -> Path:
    """Return `path` when it is a readable, non-empty file.

    Pipes are refused: most files are read more than once, or from several places.

    Raises:
        DataError: it is missing, a directory, a pipe, or empty.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{what} {path} is a directory; name a file.")
    if not path.exists():
        raise DataError(f"{what} {path} does not exist; check the path.")
    if not path.is_file():
        raise DataError(f"{what} {path} is a pipe or a device; write it to a file and name that.")
    if path.stat().st_size == 0:
        raise DataError(f"{what} {path} is empty; make it again.")
    return path


def check_directory(path: Path) -> Path:
    """Return `path` when it is a directory or nothing yet; raise DataError otherwise."""
    if path.exists() and not path.is_dir():
        raise DataError(f"{path} is a file; name a directory to write to.")
    return path


def read_text(path: Path | str, what: str) -> str:
    """Return what a text file holds; raise DataError where there is none."""
    path = check_file(path, what)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{what} {path} is not a text file; check the path.") from error


def check_suffix(path: Path, *suffixes: str) -> Path:
    """Return `path` when its name ends in a suffix, in any case; raise ConfigError otherwise."""
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"{path} must end in {', '.join(suffixes)}; rename it.")
    return path


def check_choice(value: str, choices: Collection[str], name: str) -> str:
    """Return `value` when it is one of `choices`; raise ConfigError otherwise."""
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
    return value


def check_range(
    value: float, name: str, *, low: float = float("-inf"), high: float = float("inf")
) -> float:
    """Return `value` when low <= value <= high; raise ConfigError otherwise."""
    if not low <= value <= high:
        at_least, at_most = low > float("-inf"), high < float("inf")
        bounds = f"between {_number(low)} and {_number(high)}"
        if not (at_least and at_most):
            bounds = f"at least {_number(low)}" if at_least else f"at most {_number(high)}"
        raise ConfigError(f"{name} must be {bounds}; got {_number(value)}.")
    return value


def check_fields(
    config: object, *names: str, low: float = float("-inf"), high: float = float("inf")
) -> None:
    """Check numbers of a dataclass as `check_range` does; each of a tuple, and none of None.

    Raises:
        ConfigError: one is outside, with the field's name.
    """
    for name in names:
        held = getattr(config, name)
        for value in held if isinstance(held, tuple) else () if held is None else (held,):
            check_range(value, name, low=low, high=high)


def check_odd(config: object, *names: str) -> None:
    """Check that numbers of a dataclass are odd.

    Raises:
        ConfigError: one is even, with the field's name.
    """
    for name in names:
        if getattr(config, name) % 2 == 0:
            raise ConfigError(f"{name} must be odd; got {getattr(config, name)}.")


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def check_unique(names: Collection[str], what: str, where: str) -> None:
    """Raise DataError where a list names something twice."""
    seen: set[str] = set()
    twice = {name for name in names if name in seen or seen.add(name)}
    if twice:
        raise DataError(
            f"{where} names {few(sorted(twice))} more than once; every {what} must appear once."
        )


def few(names: Collection[str], most: int = 3) -> str:
    """Write the first names and how many more there are, for a message."""
    shown = [str(name) for name in list(names)[:most]]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest > 0 else "")


def missing_extra(package: str, extra: str | None = None) -> Never:
    """Say how to install an optional dependency: an extra of ours, or the package itself."""
    command = f"pip install {package}"
    if extra is not None:
        command = f"pip install '{_own_source() or '.'}[{extra}]'"
        command += "" if _own_source() else ", in a checkout of cisgram"
    raise ConfigError(f"this needs {package}; install it with: {command}")


def check_extra(package: str, extra: str) -> None:
    """Raise ConfigError where a package is not installed; it is not imported."""
    if find_spec(package) is None:
        missing_extra(package, extra)


def _own_source() -> str:
    """Return the checkout or wheel that this was installed from; empty where it is gone."""
    from importlib.metadata import PackageNotFoundError, distribution

    checkout = Path(__file__).parents[3]
    if (checkout / "pyproject.toml").exists():
        return str(checkout)
    with suppress(PackageNotFoundError, KeyError):
        source = json.loads(distribution("cisgram").read_text("direct_url.json") or "{}")["url"]
        path = unquote(urlsplit(source).path)
        return path if source.startswith("file:") and Path(path).exists() else ""
    return ""
