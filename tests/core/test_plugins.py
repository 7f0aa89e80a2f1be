"""Python files of others, imported by path."""

import sys
from pathlib import Path

import pytest

from cisgram.core.checks import CisgramError
from cisgram.core.plugins import import_plugin


@pytest.fixture(autouse=True)
def _path_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def test_a_file_is_imported_once_and_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "my_plugin.py").write_text("made = []\n")
    module = import_plugin(tmp_path / "my_plugin.py")
    module.made.append(1)
    assert import_plugin(str(tmp_path / "my_plugin.py")).made == [1]
    assert sys.modules["my_plugin"] is module
    # Other processes import it from the same path.
    assert sys.path[-1] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


def test_a_file_imported_otherwise_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_other_plugin.py").write_text("made = []\n")
    monkeypatch.syspath_prepend(tmp_path)
    import my_other_plugin  # type: ignore[import-not-found]

    assert import_plugin(tmp_path / "my_other_plugin.py") is my_other_plugin


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "my_model.txt",
            "a = 1",
            r"my_model.txt must be a Python file such as my_model.py; rename",
        ),
        ("my-model.py", "a = 1", r"my-model.py must be a Python file such as my_model.py; rename"),
        ("random.py", "a = 1", "random.py has the name of another module, random; rename it"),
        ("broken_one.py", "a = ", r"broken_one.py cannot be imported \(SyntaxError: .*; correct"),
        ("broken_two.py", "1 / 0", r"cannot be imported \(ZeroDivisionError: division by zero\)"),
        ("broken_three.py", "import nothing_of_that", r"\(ModuleNotFoundError: No module named"),
        ("empty_one.py", "", "plugin .*empty_one.py is empty"),
        (None, "", "plugin .*absent.py does not exist"),
    ],
)
def test_what_is_no_plugin_is_one_sentence(
    tmp_path: Path, name: str | None, text: str, sentence: str
) -> None:
    path = tmp_path / (name or "absent.py")
    if name is not None:
        path.write_text(text)
    with pytest.raises(CisgramError, match=sentence) as caught:
        import_plugin(path)
    assert "\n" not in str(caught.value)
