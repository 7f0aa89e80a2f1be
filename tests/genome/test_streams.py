import gzip
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from cisgram.core.checks import DataError
from cisgram.genome.streams import read_lines

LINES = b"".join(b"line %d of the file\n" % n for n in range(400_000))


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory, demo_script: ModuleType) -> dict[str, Path]:
    """The same text plain, gzipped, gzipped in two members, and bgzipped."""
    place = tmp_path_factory.mktemp("streams")
    members = gzip.compress(LINES[:1000], 1) + gzip.compress(LINES[1000:], 1)
    contents = {
        "plain.txt": LINES,
        "one.gz": gzip.compress(LINES, 1),
        "two.gz": members,
        "blocks.gz": demo_script.bgzip(LINES),
    }
    for name, content in contents.items():
        (place / name).write_bytes(content)
    return {name: place / name for name in contents}


@pytest.mark.parametrize("form", ["plain.txt", "one.gz", "two.gz", "blocks.gz"])
def test_every_form_holds_the_same_text(forms: dict[str, Path], form: str) -> None:
    pieces = list(read_lines(forms[form], "table"))
    assert len(pieces) > 1
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert b"".join(pieces) == LINES


def test_a_last_line_without_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"a\nb")
    assert b"".join(read_lines(path, "table")) == b"a\nb"


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _without_end_block(content: bytes) -> bytes:
    return content[:-28]


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


@pytest.mark.parametrize(
    ("form", "damage", "message"),
    [
        ("one.gz", _half, "cut short"),
        ("two.gz", _half, "cut short"),
        ("blocks.gz", _half, "cut short"),
        ("blocks.gz", _without_end_block, "cut short"),
        ("one.gz", _flipped, "damaged"),
    ],
)
def test_damage_is_one_sentence(
    forms: dict[str, Path],
    tmp_path: Path,
    form: str,
    damage: Callable[[bytes], bytes],
    message: str,
) -> None:
    path = tmp_path / form
    path.write_bytes(damage(forms[form].read_bytes()))
    with pytest.raises(DataError, match=message) as error:
        list(read_lines(path, "table"))
    assert str(error.value).startswith(f"table {path} is {message}")
    assert str(error.value).endswith("copy or download it again.")


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, message in (("absent", "does not exist"), ("empty", "is empty"), (".", "directory")):
        with pytest.raises(DataError, match=message):
            list(read_lines(tmp_path / name, "table"))
