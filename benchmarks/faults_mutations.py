"""Ways in which files get spoilt: their bytes, lines, fields, plain data, SQL and arrays."""

import gzip
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

HUGE = 1_000_000
"""Characters of a field that is made huge."""
WORDS = (
    "", " ", "-1", "0", "nan", "NaN", "inf", "-inf", "1e400", "1e-400", "1,5", "NA", ".", "-9",
    "9" * 30, "-9223372036854775809", "2147483648", "x" * HUGE, "\u00e9\u202e\u0301", "\x00",
    "\x1b[31m", "\x85", "[/b]", "$x_{", "{}", "'", '"', '"a', "\\", "../../x", "chr99", "ACGTN",
    "<DEL>", "*", "%0A", "true", "1979-05-27", "0x10",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 10**30, 1e300, float("nan"), float("-inf"), "", "x", "x" * HUGE,
    "\n\x1b[31m", [], [None], {}, {"x": 1}, [[[1]]], "../../x", 2**63,
)  # fmt: skip
TOML = (
    "-1", "0", "1e30", "1e-30", '"text"', '""', "[]", "[-1]", "[[1], [2]]", "{}", "nan", "inf",
    "999999999999", "true", "1979-05-27", "9223372036854775807", '"../../x"', "[{}]", "3", "100000",
)  # fmt: skip
ARRAYS: tuple[Callable[[], np.ndarray], ...] = (
    lambda: np.empty(0),
    lambda: np.array(1.0),
    lambda: np.full((3, 2), np.nan),
    lambda: np.array(["a", "\x00"]),
    lambda: np.full(4, -1),
    lambda: np.array([{}], dtype=object),
    lambda: np.zeros((2, 2, 2, 2), np.complex64),
)


_WHOLE: tuple[Callable[[bytes], bytes], ...] = (
    lambda text: text.replace(b"\n", b"\r\n"),
    lambda text: b"\xef\xbb\xbf" + text,
    lambda text: text.replace(b"\t", b","),
    lambda text: text.decode("latin-1").encode("utf-16"),
    lambda text: text + text,
    lambda text: text.upper(),
)


def mutate(path: Path, form: str, rng: Random) -> str:
    """Spoil a file in place, and say how.

    `form` is text, bytes, gz, json, jsonl, toml, sqlite or arrays.
    """
    ways = [_bytes, _bytes]
    if form in _FORMS:
        ways += [_FORMS[form]] * 4
    before, said = path.read_bytes(), ""
    for _ in range(20):
        said = rng.choice(ways)(path, rng)
        if path.read_bytes() != before:
            return said
    path.write_bytes(before[: len(before) // 2])
    return "cut: half of it"


def _bytes(path: Path, rng: Random) -> str:
    content = bytearray(path.read_bytes())
    n = len(content)
    at = rng.randrange(n)
    to = min(n, at + rng.choice((1, 2, 8, 64, 512)))
    way = rng.choice(
        ("flip", "flip", "flip", "noise", "zeros", "cut", "cut", "drop", "double", "append", "head")
    )
    if way == "flip":
        for _ in range(rng.choice((1, 1, 3, 8))):
            content[rng.randrange(n)] ^= 1 << rng.randrange(8)
    elif way == "head":  # where sizes and versions stand
        content[rng.randrange(min(n, 64))] = rng.choice((0, 1, 127, 128, 255))
    elif way == "cut":  # something that says more than the end of the last line
        last = len(bytes(content).rstrip())
        end = rng.choice((0, at, at, n - 1, n - rng.randrange(1, 40)))
        del content[max(min(last - 1, end), 0) :]
    elif way == "append":
        content += rng.choice(
            (b"\0" * 9, b"garbage\n", rng.randbytes(40), b"\n\n", bytes(content[:50]))
        )
    else:
        new = {"noise": rng.randbytes(to - at), "zeros": bytes(to - at), "drop": b""}
        content[at:to] = new.get(way, bytes(content[at:to]) * 2)
    path.write_bytes(content)
    return f"{way}: {n:,} bytes became {len(content):,}"


def _text(path: Path, rng: Random) -> str:
    lines = path.read_bytes().decode("latin-1").split("\n")
    at, other = (rng.randrange(max(1, len(lines) - 1)) for _ in range(2))
    if rng.random() < 0.3:  # the first lines say how the others are read
        at = rng.randrange(min(6, len(lines)))
    ways = (
        "field",
        "field",
        "field",
        "field",
        "double",
        "remove",
        "swap",
        "blank",
        "comment",
        "whole",
        "add",
    )
    way = rng.choice(ways)
    if way == "field":
        separator = next((mark for mark in "\t,; =:" if mark in lines[at]), " ")
        fields = lines[at].split(separator)
        place = rng.randrange(len(fields))
        fields[place] = rng.choice(WORDS)
        lines[at] = separator.join(fields)
        way = f"field {place + 1} of line {at + 1} is {fields[place][:20]!r}"
    elif way == "double":
        lines.insert(other, lines[at])
    elif way == "remove":
        del lines[at]
    elif way == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    elif way == "blank":
        lines[at] = lines[at].replace("\t", " ")
    elif way == "add":
        lines[at] += rng.choice(("\tx", "\t", " ", "\r", ";", '"'))
    elif way == "comment":
        lines.insert(at, rng.choice(("# words", "track name=x", "", "##x", "\t\t", "\ufeff")))
    text = "\n".join(lines).encode("latin-1", errors="replace")
    if way == "whole":
        text = rng.choice(_WHOLE)(text)
    path.write_bytes(text)
    return f"{way}, line {at + 1}"


def _gz(path: Path, rng: Random) -> str:
    packed = path.read_bytes()
    path.write_bytes(gzip.decompress(packed))
    said = _text(path, rng)
    path.write_bytes(gzip.compress(path.read_bytes()))
    return f"packed: {said}"


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of plain data."""
    keys = (
        list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    )
    return [place for key in keys for place in ((node, key), *_places(node[key]))]


def _spoil_json(text: str, rng: Random) -> tuple[str, str]:
    content = json.loads(text)
    places = _places(content)
    way = rng.choice(("value", "value", "value", "remove", "rename", "deep", "whole"))
    if not places or way == "whole":
        value = rng.choice(VALUES)
        return json.dumps(value), f"whole: it is {str(value)[:20]!r}"
    if way == "deep":
        return "[" * 100_000, "deep: nested lists"
    node, key = rng.choice(places)
    if way == "value" or isinstance(node, list):
        node[key] = rng.choice(VALUES)
        return json.dumps(content), f"value: {key} is {str(node[key])[:20]!r}"
    value = node.pop(key)
    if way == "rename":
        node[rng.choice(("x", key.upper(), f"{key} "))] = value
    return json.dumps(content), f"{way}: {key}"


def _json(path: Path, rng: Random) -> str:
    text, said = _spoil_json(path.read_text(), rng)
    path.write_text(text)
    return said


def _jsonl(path: Path, rng: Random) -> str:
    lines = path.read_text().splitlines()
    at = rng.randrange(len(lines))
    lines[at], said = _spoil_json(lines[at], rng)
    path.write_text("\n".join(lines) + "\n")
    return said


def _toml(path: Path, rng: Random) -> str:
    lines = path.read_text().splitlines()
    at = rng.choice([i for i, line in enumerate(lines) if "=" in line])
    name, value = lines[at].partition("=")[0].strip(), rng.choice(TOML)
    lines[at] = f"{name} = {value}"
    path.write_text("\n".join(lines) + "\n")
    return f"value: {lines[at]}"


def _sqlite(path: Path, rng: Random) -> str:
    base = sqlite3.connect(path)
    try:
        tables = [
            name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        table = rng.choice(tables)
        column = rng.choice([row[1] for row in base.execute(f"PRAGMA table_info('{table}')")])
        value = rng.choice(
            (*VALUES[:1], *VALUES[2:5], *VALUES[6:13], b"\x00\xff", "1.5", -(2**62), 2**40)
        )
        cells = f'UPDATE "{table}" SET "{column}" = ?'
        statements = (cells, f"{cells} WHERE rowid = 1", f'DELETE FROM "{table}"')
        statements += (f'DROP TABLE "{table}"', f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
        statement = rng.choice((*statements, f'INSERT INTO "{table}" SELECT * FROM "{table}"'))
        with base:
            base.execute(statement, (value,) * statement.count("?"))
    except (sqlite3.Error, OverflowError):
        return "refused by SQLite"
    finally:
        base.close()
    return f"{statement} {str(value)[:20]!r}"


def _arrays(path: Path, rng: Random) -> str:
    with zipfile.ZipFile(path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    name = rng.choice(list(members))
    way = rng.choice(("remove", "array", "array", "array", "bytes"))
    if way == "array":
        stream = io.BytesIO()
        np.save(stream, rng.choice(ARRAYS)(), allow_pickle=True)
        members[name] = stream.getvalue()
    elif way == "bytes":
        content = bytearray(members[name])
        content[rng.randrange(min(len(content), 128))] ^= 1 << rng.randrange(8)
        members[name] = bytes(content)
    else:
        del members[name]
    with zipfile.ZipFile(path, "w") as packed:
        for member, content in members.items():
            packed.writestr(member, content)
    return f"{way}: {name}"


_FORMS: dict[str, Callable[[Path, Random], str]] = {
    "text": _text,
    "gz": _gz,
    "json": _json,
    "jsonl": _jsonl,
    "toml": _toml,
    "sqlite": _sqlite,
    "arrays": _arrays,
}
