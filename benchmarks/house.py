"""Measure the house itself: lines, files, import cycles, and what its commands take.

    python benchmarks/house.py --before ../first-edition/main --json benchmarks/results/house.json

`--before` is a checkout of an earlier edition with its own .venv; commands are timed in both, one
after the other, with the environments in place. A result that the file has is kept where a part is
left out, such as the commands with `--static`.

Keys of the JSON: `lines_package`, `lines_code` (no docstring, comment or blank), `files_package`,
`lines_by_room`, `lines_scripts`, `lines_tests`; `import_cycles`; `seconds_demo`, `seconds_pytest`
(the default run, two workers), `seconds_test` (`make test`), `seconds_import`, `seconds_help`;
`before`, the same of the other checkout; and `sizes`, `rooms` and `waits`, the two side by side
with the goals.
"""

import argparse
import ast
import io
import os
import statistics
import subprocess
import sys
import time
import tokenize
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from cisgram.core.artifact import read_json, write_json

ROOT = Path(__file__).parents[1]
IMPORT = "import time; t = time.perf_counter(); import cisgram; print(time.perf_counter() - t)"
EDGES = """
import grimp
graph = grimp.build_graph("cisgram", exclude_type_checking_imports=True, cache_dir=None)
for name in graph.modules:
    for other in graph.find_modules_directly_imported_by(name):
        print(name, other)
"""
N_STARTS = 7
SIZES = {
    "lines_package": "lines of the package",
    "lines_code": "of them neither docstring, comment nor blank",
    "files_package": "files of the package",
    "lines_scripts": "lines of benchmarks and scripts",
    "lines_tests": "lines of tests",
    "import_cycles": "import cycles",
}
WAITS = {
    "seconds_test": "`make test`",
    "seconds_pytest": "`pytest -n 2`",
    "seconds_demo": "`cisgram demo`",
    "seconds_import": "`import cisgram`",
    "seconds_help": "`cisgram --help`",
}
GOALS = {"seconds_test": 240, "seconds_pytest": 90, "seconds_demo": 30, "seconds_import": 0.1}


def size(root: Path) -> dict[str, Any]:
    """Count the lines and files of a checkout."""
    package = root / "src" / "cisgram"
    rooms: Counter[str] = Counter()
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0]
        rooms[room.removesuffix(".py")] += n_lines(path)
    return {
        "lines_package": sum(rooms.values()),
        "lines_code": sum(n_code(path) for path in package.rglob("*.py")),
        "files_package": sum(1 for _ in package.rglob("*.py")),
        "lines_by_room": dict(sorted(rooms.items())),
        "lines_scripts": sum(
            n_lines(path)
            for name in ("benchmarks", "scripts")
            for path in (root / name).rglob("*.py")
        ),
        "import_cycles": import_cycles(root),
        "lines_tests": sum(n_lines(path) for path in (root / "tests").rglob("*.py")),
    }


def n_lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def n_code(path: Path) -> int:
    """Count the lines that are no docstring, comment or blank."""
    text = path.read_text()
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NAME, tokenize.NUMBER, tokenize.OP, tokenize.STRING):
            code.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            code.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(code)


def import_cycles(root: Path) -> int:
    """Count the groups of modules of a checkout that import each other in a circle."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    found = subprocess.run(
        [sys.executable, "-c", EDGES], env=environment, check=True, capture_output=True, text=True
    ).stdout
    pairs = [line.split() for line in found.splitlines()]
    number = {name: row for row, name in enumerate(sorted({name for two in pairs for name in two}))}
    edges = [[number[name] for name in two] for two in pairs]
    rows, columns = np.transpose(edges)
    links = csr_matrix((np.ones(len(edges)), (rows, columns)), shape=(len(number),) * 2)
    _, group = connected_components(links, connection="strong")
    return int((np.bincount(group) > 1).sum())


def starts(root: Path) -> dict[str, float]:
    """Time what a user waits for first; medians."""
    python, command = root / ".venv/bin/python", root / ".venv/bin/cisgram"
    imports = [float(output([python, "-c", IMPORT], root)) for _ in range(N_STARTS)]
    helps = [seconds([command, "--help"], root) for _ in range(N_STARTS)]
    return {
        "seconds_import": round(statistics.median(imports), 4),
        "seconds_help": round(statistics.median(helps), 3),
    }


def commands(root: Path, scratch: Path) -> dict[str, float]:
    """Time the commands of the house, environments in place."""
    demo = scratch / "demo"
    return {
        "seconds_demo": round(
            seconds([root / ".venv/bin/cisgram", "demo", "--out", demo], root), 1
        ),
        "seconds_pytest": round(
            seconds([root / ".venv/bin/python", "-m", "pytest", "-q", "-n", "2"], root), 1
        ),
        "seconds_test": round(seconds(["make", "test"], root), 1),
    }


def side_by_side(now: dict[str, Any], before: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Pair what both editions have."""

    def pairs(names: dict[str, str], keys: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"what": what, **keys.get(name, {}), "before": before[name], "now": now[name]}
            for name, what in names.items()
            if name in before and name in now
        ]

    rooms = [(own["lines_by_room"]) for own in (before, now)]
    names = sorted(rooms[0].keys() | rooms[1].keys())
    return {
        "sizes": pairs(SIZES, {}),
        "rooms": [
            {"room": name, "before": rooms[0].get(name, 0), "now": rooms[1].get(name, 0)}
            for name in names
            if not name.startswith("__")
        ],
        "waits": pairs(WAITS, {name: {"goal": goal} for name, goal in GOALS.items()}),
    }


def output(command: list[Any], cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def seconds(command: list[Any], cwd: Path) -> float:
    begun = time.perf_counter()
    output(command, cwd)
    return time.perf_counter() - begun


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path, help="checkout of an earlier edition")
    parser.add_argument("--static", action="store_true", help="time no commands")
    parser.add_argument("--scratch", type=Path, default=Path(".cache") / "house")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    result: dict[str, Any] = read_json(options.json) if options.json.exists() else {}
    result |= {"machine": machine(2), **size(ROOT)}
    before: dict[str, Any] = result.setdefault("before", {})
    if options.before is not None:
        before |= size(options.before)
    for root, found, name in ((options.before, before, "old"), (ROOT, result, "new")):
        if root is not None and not options.static:
            found |= starts(root) | commands(root, options.scratch / name)
    write_json(options.json, result | side_by_side(result, before))


if __name__ == "__main__":
    main()
