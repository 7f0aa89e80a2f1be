import json
import math
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from cisgram.core.checks import (
    CisgramError,
    ConfigError,
    DataError,
    check_choice,
    check_file,
    check_range,
    check_suffix,
    check_unique,
    few,
    missing_extra,
)


def test_both_errors_are_caught_as_one():
    assert issubclass(ConfigError, CisgramError)
    assert issubclass(DataError, CisgramError)
    assert not issubclass(DataError, ConfigError)


def test_file_must_be_there_and_hold_something(tmp_path):
    file = tmp_path / "genes.bed"
    with pytest.raises(DataError, match=r"^expression .*genes\.bed does not exist; check the path"):
        check_file(file, "expression")
    file.touch()
    with pytest.raises(DataError, match=r"^expression .*genes\.bed is empty; make it again"):
        check_file(file, "expression")
    with pytest.raises(DataError, match=r"^expression .* is a directory; name a file"):
        check_file(tmp_path, "expression")
    file.write_text("x")
    assert check_file(str(file), "expression") == file


def test_a_pipe_is_not_empty_and_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"^genotypes .*pipe is a pipe or a device; write it to a"):
        check_file(tmp_path / "pipe", "genotypes")


def test_link_to_nothing_does_not_exist(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match="does not exist"):
        check_file(tmp_path / "link", "genotypes")


def test_choice_must_be_among_the_choices():
    assert check_choice("ray", ("serial", "ray"), "executor") == "ray"
    with pytest.raises(ConfigError, match=r"^executor must be one of serial, ray; got 'Ray'\.$"):
        check_choice("Ray", ("serial", "ray"), "executor")


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_value_within_the_range_is_returned(value):
    assert check_range(value, "l1_ratio", low=0, high=1) == value


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_value_outside_the_range_is_refused(value):
    with pytest.raises(ConfigError, match=rf"^l1_ratio must be between 0 and 1; got {value:g}\.$"):
        check_range(value, "l1_ratio", low=0, high=1)


@pytest.mark.parametrize(
    ("bounds", "sentence"), [({"low": 2}, "at least 2"), ({"high": 3}, "at most 3")]
)
def test_open_range_names_its_only_bound(bounds, sentence):
    with pytest.raises(ConfigError, match=rf"^folds must be {sentence}; got nan\.$"):
        check_range(math.nan, "folds", **bounds)


def test_large_bounds_are_written_in_full():
    with pytest.raises(ConfigError, match=r"at least 1,000,000; got 999,999\.$"):
        check_range(999_999, "window", low=1_000_000)


def test_names_must_be_unique():
    check_unique(["a", "b"], "person", "x.vcf")
    with pytest.raises(DataError, match=r"^x\.vcf names a, b more than once; every person must"):
        check_unique(["b", "a", "b", "a", "b", "c"], "person", "x.vcf")
    with pytest.raises(DataError, match="names p0, p1, p2 and 7 more more than once"):
        check_unique([f"p{i}" for i in range(10)] * 2, "person", "x.vcf")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
        (range(2000), "0, 1, 2 and 1,997 more"),
    ],
)
def test_few_names_the_first_and_counts_the_rest(names, text):
    assert few(names) == text


def test_missing_extra_is_answered_with_its_install_command():
    with pytest.raises(ConfigError, match=r"needs pgenlib; .* pip install '.*\[pgen\]'"):
        missing_extra("pgenlib", "pgen")
    with pytest.raises(ConfigError, match=r"pip install pandas$"):
        missing_extra("pandas")


@pytest.mark.parametrize(
    ("kept", "command"),
    [(True, r"pip install '{}\[pgen\]'$"), (False, r"'\.\[pgen\]', in a checkout of cisgram$")],
)
def test_an_extra_is_installed_from_the_wheel_that_cisgram_is_from(
    tmp_path, monkeypatch, kept, command
):
    wheel = tmp_path / "my wheels" / "cisgram.whl"
    wheel.parent.mkdir()
    if kept:
        wheel.touch()
    own = SimpleNamespace(read_text=lambda _name: json.dumps({"url": wheel.as_uri()}))
    monkeypatch.setattr("cisgram.core.checks.__file__", str(tmp_path / "a/b/c/d.py"))
    monkeypatch.setattr("importlib.metadata.distribution", lambda _name: own)
    with pytest.raises(ConfigError, match=command.format(wheel)):
        missing_extra("pgenlib", "pgen")


def test_a_name_must_end_as_its_format_does():
    assert check_suffix(Path("a.NPZ"), ".npz") == Path("a.NPZ")
    with pytest.raises(ConfigError, match=r"^b/a\.jpg must end in \.png, \.pdf; rename it\.$"):
        check_suffix(Path("b/a.jpg"), ".png", ".pdf")
