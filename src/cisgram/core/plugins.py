"""Python files of others that register architectures, data sets and tasks."""

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from cisgram.core.checks import ConfigError, check_file


def import_plugins(paths: Iterable[Path | str]) -> None:
    """Import Python files in order, as `import_plugin` does."""
    for path in paths:
        import_plugin(path)


def import_plugin(path: Path | str) -> ModuleType:
    """Import a Python file once, as a module of its own name.

    Its directory is added to the end of `sys.path`, where other processes find it too.

    Raises:
        DataError: there is no such file.
        ConfigError: it is no Python file, has the name of another module, or cannot be imported.
    """
    path = check_file(path, "plugin").resolve()
    name = path.stem
    if path.suffix != ".py" or not name.isidentifier():
        raise ConfigError(f"plugin {path} must be a Python file such as my_model.py; rename it.")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        module = import_module(name)
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(
            f"plugin {path} cannot be imported ({type(error).__name__}: {reason}); correct it."
        ) from error
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != path:
        raise ConfigError(f"plugin {path} has the name of another module, {name}; rename it.")
    return module
