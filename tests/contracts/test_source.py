"""The house rules that can be read off the source."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
PYTHON = SOURCE + sorted(
    path for room in ("tests", "scripts", "benchmarks") for path in (ROOT / room).rglob("*.py")
)
TEXT = {".py", ".md", ".toml", ".txt", ".tsv", ".json", ".html", ".css", ".js", ".cfg"}
FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 8
POSITIONAL = 3
BANNED_NAMES = {"utils", "util", "helpers", "misc", "common", "legacy", "old", "new", "compat"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def text_of(path: Path) -> str:
    """Read a file once; several rules look at each."""
    return path.read_text()


@cache
def parsed(path: Path) -> ast.Module:
    """Parse a file once."""
    return ast.parse(text_of(path))


@cache
def functions(path: Path) -> list[tuple[str, Function, ast.AST | None]]:
    """Return every function as (place, node, the module or class that it stands in)."""
    nodes = list(ast.walk(parsed(path)))
    homes = {
        id(child): node
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef)
        for child in node.body
    }
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node, homes.get(id(node)))
        for node in nodes
        if isinstance(node, Function)
    ]


def public_functions() -> Iterator[tuple[str, Function, bool]]:
    """Yield the functions of modules and public classes: place, node, whether it is a method."""
    for path in SOURCE:
        for place, node, home in functions(path):
            name = node.name.removeprefix("__init__")
            hidden = home is None or (isinstance(home, ast.ClassDef) and home.name.startswith("_"))
            if not name.startswith("_") and not hidden:
                yield place, node, isinstance(home, ast.ClassDef)


def code_lines(path: Path) -> set[int]:
    """Number the lines that hold more than a comment."""
    skip = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    tokens = tokenize.generate_tokens(io.StringIO(text_of(path)).readline)
    return {
        line
        for token in tokens
        if token.type not in skip
        for line in range(token.start[0], token.end[0] + 1)
    }


def docstring_lines(node: Function) -> set[int]:
    if ast.get_docstring(node) is None:
        return set()
    return set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))


def test_imports_go_one_way() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_files_are_short() -> None:
    lengths = {path: len(text_of(path).splitlines()) for path in PYTHON}
    long = {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > FILE_LINES}
    assert not long, f"more than {FILE_LINES} lines"


def test_functions_are_short() -> None:
    long = {}
    for path in PYTHON:
        # Tokens tell code from comments; only files with a function that may be long need them.
        candidates = [
            (place, node)
            for place, node, _ in functions(path)
            if (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
        ]
        lines = code_lines(path) if candidates else set[int]()
        for place, node in candidates:
            body = set(range(node.lineno, (node.end_lineno or 0) + 1)) - docstring_lines(node)
            if len(body & lines) > FUNCTION_LINES:
                long[place] = len(body & lines)
    assert not long, f"more than {FUNCTION_LINES} lines of code"


def test_modules_have_telling_names() -> None:
    banned = [
        str(path.relative_to(ROOT))
        for path in PYTHON
        if BANNED_NAMES & set(re.split(r"[_/]", path.relative_to(ROOT).with_suffix("").as_posix()))
    ]
    assert not banned


def test_signatures_are_narrow() -> None:
    wide = []
    for place, node, method in public_functions():
        static = any(ast.unparse(d) == "staticmethod" for d in node.decorator_list)
        positional = node.args.posonlyargs + node.args.args
        n_positional = len(positional) - (method and not static)
        if "_kernels.py" not in place and (
            n_positional > POSITIONAL or n_positional + len(node.args.kwonlyargs) > PARAMETERS
        ):
            wide.append(place)
    assert not wide, f"more than {POSITIONAL} positional parameters or {PARAMETERS} in all"


def test_no_keyword_catch_all() -> None:
    assert not [place for place, node, _ in public_functions() if node.args.kwarg is not None]


def test_no_option_is_none_false_or_a_value() -> None:
    def triad(annotation: ast.expr | None) -> bool:
        members = set(ast.unparse(annotation).split(" | ")) if annotation else set()
        return {"None", "bool"} <= members

    assert not [
        f"{place}({argument.arg})"
        for place, node, _ in public_functions()
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if triad(argument.annotation)
    ]


def test_everything_public_is_documented() -> None:
    bare = [
        place
        for place, node, _ in public_functions()
        if node.name != "__init__" and ast.get_docstring(node) is None
    ]
    for path in SOURCE:
        tree = parsed(path)
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        bare += [
            f"{path.relative_to(ROOT)} {getattr(node, 'name', '')}"
            for node in (tree, *classes)
            if not getattr(node, "name", "").startswith("_") and ast.get_docstring(node) is None
        ]
    assert not bare


def test_paths_are_no_patterns() -> None:
    """Polars takes `[1]` in a path for a pattern unless told otherwise."""
    calls = [
        (f"{path.relative_to(ROOT)}:{node.lineno}", {keyword.arg for keyword in node.keywords})
        for path in SOURCE
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("read_parquet", "scan_parquet")
    ]
    assert calls
    assert not [place for place, named in calls if "glob" not in named]


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_for_later(word: str) -> None:
    pattern = re.compile(rf"\b{word}\b")
    assert not [str(path.relative_to(ROOT)) for path in SOURCE if pattern.search(text_of(path))]


def test_no_path_of_somebodys_machine() -> None:
    pattern = re.compile(r"/(?:home|Users|root|work|mnt|scratch)/\w")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("needs a git checkout to know which files belong to the project")
    files = [ROOT / name for name in listed.stdout.split("\0") if Path(name).suffix in TEXT]
    assert not [
        str(path.relative_to(ROOT))
        for path in files
        if path.is_file() and pattern.search(path.read_text())
    ]
