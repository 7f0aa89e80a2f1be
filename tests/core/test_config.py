import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from cisgram.core.checks import ConfigError
from cisgram.core.config import from_plain, read_toml, to_plain


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    size: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Whole:
    parts: tuple[Part, ...]
    n: int = 3
    mode: Literal["a", "b"] = "a"
    at: Path | None = None
    on: bool = False
    part: Part = field(default_factory=lambda: Part(name="p"))
    counts: Mapping[str, int] = field(default_factory=dict)
    free: Mapping[str, Any] = field(default_factory=dict)
    pairs: tuple[tuple[float, ...], ...] = ()


def test_nested_tables_round_trip():
    plain = {"parts": [{"name": "x", "size": 2}], "at": "somewhere", "part": {"name": "y"}}
    plain["counts"] = {"a": 2}
    whole = from_plain(Whole, plain, "[whole]")
    assert whole == Whole(
        parts=(Part(name="x", size=2.0),),
        at=Path("somewhere"),
        part=Part(name="y"),
        counts={"a": 2},
    )
    assert from_plain(Whole, to_plain(whole), "[whole]") == whole


def test_what_may_be_anything_is_left_as_it_is():
    free = {"a": [1, {"b": None}], "c": True}
    whole = from_plain(Whole, {"parts": [], "free": free}, "[whole]")
    assert whole.free == free
    assert from_plain(Whole, to_plain(whole), "[whole]") == whole


def test_lists_within_lists_become_tuples_of_their_type():
    whole = from_plain(Whole, {"parts": [], "pairs": [[1, 2.5], []]}, "[whole]")
    assert whole.pairs == ((1.0, 2.5), ())
    assert isinstance(whole.pairs[0][0], float)
    assert from_plain(Whole, json.loads(json.dumps(to_plain(whole))), "[whole]") == whole


def test_a_dataclass_stands_for_what_it_is_written_as():
    assert from_plain(Whole, {"parts": [], "part": {"name": "z"}}, "[w]").part == Part(name="z")
    with pytest.raises(ConfigError, match=r"free in \[whole\] must be a table; got 3"):
        from_plain(Whole, {"parts": [], "free": 3}, "[whole]")


@pytest.mark.parametrize(
    ("plain", "sentence"),
    [
        ({}, r"\[whole\] lacks the field 'parts'; add it\."),
        ({"parts": [], "counts": {"a": "x"}}, r"a of counts in \[whole\] must be a whole number"),
        ({"parts": [], "counts": 3}, r"counts in \[whole\] must be a table; got 3"),
        ({"parts": [], "m": 1}, r"\[whole\] has no field 'm'; it knows parts, n, mode"),
        ({"parts": 3}, r"parts in \[whole\] must be a list; got 3\."),
        ({"parts": [1]}, r"parts in \[whole\] must be a table; got 1\."),
        ({"parts": [{}]}, r"parts in \[whole\] lacks the field 'name'"),
        ({"parts": [], "n": 1.5}, r"n in \[whole\] must be a whole number; got 1\.5\."),
        ({"parts": [], "n": True}, r"n in \[whole\] must be a whole number; got True\."),
        ({"parts": [], "mode": "c"}, r"mode in \[whole\] must be one of a, b; got 'c'\."),
        ({"parts": [], "on": 1}, r"on in \[whole\] must be true or false; got 1\."),
    ],
)
def test_what_does_not_fit_is_named(plain, sentence):
    with pytest.raises(ConfigError, match=sentence):
        from_plain(Whole, plain, "[whole]")


def test_broken_toml_is_one_sentence(tmp_path):
    (tmp_path / "r.toml").write_text("a = ")
    with pytest.raises(ConfigError, match=r"r\.toml is no TOML: .*; correct it\."):
        read_toml(tmp_path / "r.toml")
