"""Tables of the docs from declarations."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    ("genes", "model", "b", "r", 0.5, 0.4, 0.6),
    ("genes", "model", "a", "r", 0.25, 0.2, 0.3),
    ("genes", "k-mers", "b", "r", -0.125, None, None),
    ("genes", "model", "a", "n", 7, None, None),
    ("sites", "model", "a", "r", 0.9, 0.8, 1.0),
]
FIELDS = ("task", "predictor", "output", "metric", "value", "low", "high")
RESULT = {
    "rows": [dict(zip(FIELDS, row, strict=True)) for row in ROWS],
    "runs": {
        "x": {"f": {"r": [0.1, 0.05, 0.15]}},
        "y": {"f": {"r": [0.2, 0.1, 0.3]}, "bytes": 3e6},
    },
    "sizes": [10, 2_500],
    "value": 1,
}


@pytest.fixture
def render_docs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("render_docs")


@pytest.fixture
def shown(render_docs: ModuleType, tmp_path: Path) -> Any:
    """Declare a region, and return what is shown of RESULT."""

    def show(declaration: str) -> str:
        (tmp_path / "it.json").write_text(json.dumps(RESULT))
        (tmp_path / "tables.toml").write_text(f'labels = {{ model = "the model" }}\n{declaration}')
        page = "<!-- begin: it.t -->\nold\n<!-- end -->"
        text = render_docs.render(page, tmp_path, tmp_path / "tables.toml")
        return "\n".join(text.splitlines()[1:-1])

    return show


def test_pivot_of_flat_rows(shown: Any) -> None:
    """Rows are chosen, in the order of lists; a baseline without an interval has none."""
    assert shown("""
        [it.t]
        where.task = "genes"
        where.metric = "r"
        where.predictor = ["k-mers", "model"]
        where.output = ["a", "b"]
        rows = "predictor"
        columns = "output"
    """).splitlines() == [
        "| predictor | a | b |",
        "|---|---:|---:|",
        "| k-mers |  | −0.125 |",
        "| the model | 0.250 (0.200 to 0.300) | 0.500 (0.400 to 0.600) |",
    ]


def test_pivot_with_several_paths_to_a_line(shown: Any) -> None:
    assert shown("""
        [it.t]
        where = { metric = "r", predictor = "model" }
        rows = ["task", "`{output}`"]
        columns = "{predictor:label}, r"
        cell = "{value:0.0}"
        head = ["task", "output"]
    """).splitlines() == [
        "| task | output | the model, r |",
        "|---|---|---:|",
        "| genes | `b` | 0.5 |",
        "| genes | `a` | 0.2 |",
        "| sites | `a` | 0.9 |",
    ]


def test_pivot_refuses_two_numbers_for_a_cell(shown: Any) -> None:
    with pytest.raises(ValueError, match="has two numbers for a; narrow where"):
        shown('[it.t]\nrows = "predictor"\ncolumns = "output"')


def test_listed_columns_of_nested_dicts(shown: Any) -> None:
    assert shown("""
        [it.t]
        path = "runs.*run"
        sort = "-f.r.0"
        before = "Of {file.value}; first {f.r.0:0%}."
        after = "{sizes:,}"
        fixed = [["published", "0.3", ""]]
        [it.t.columns]
        run = "{run}"
        "r of {sizes.1:,}" = "{f.r:0.00 (ci)}"
        MB = "{bytes/1e6:0.0}"
    """).splitlines() == [
        "Of 1; first 20%.",
        "",
        "| run | r of 2,500 | MB |",
        "|---|---:|---:|",
        "| y | 0.20 (0.10 to 0.30) | 3.0 |",
        "| x | 0.10 (0.05 to 0.15) |  |",
        "| published | 0.3 |  |",
        "",
        "10, 2,500",
    ]


def test_lines_and_columns_change_places(shown: Any) -> None:
    assert shown("""
        [it.t]
        path = ["runs.x", "runs.y"]
        transpose = true
        columns = { "" = "run {f.r.0:0.0}", low = "{f.r.1:0.00}" }
    """).splitlines() == ["|  | run 0.1 | run 0.2 |", "|---|---:|---:|", "| low | 0.05 | 0.10 |"]


def test_lines_and_sentences(shown: Any) -> None:
    assert shown('[it.t]\npath = "sizes.*"\nline = "- {value:,}"') == "- 10\n- 2,500"
    assert shown('[it.t]\nsentence = "From {sizes:0 to}."') == "From 10 to 2500."
    assert shown('[it.t]\nsentence = "Up to {sizes.2}."') == "Not measured yet."
    assert shown('[it.t]\nwhere = { task = "none" }\nline = "-"') == "Not measured yet."


def test_a_table_like_another(shown: Any) -> None:
    assert (
        shown("""
        [it.t]
        like = "other"
        path = "sizes.*"
        [it.other]
        path = "runs.*"
        line = "{value}"
    """)
        == "10\n2500"
    )


def test_unknown_fields_and_formats_are_refused(shown: Any) -> None:
    with pytest.raises(ValueError, match=r"\[it\.t\] of tables\.toml has no field colums"):
        shown('[it.t]\ncolums = "output"')
    with pytest.raises(ValueError, match="'0,00' is no format"):
        shown('[it.t]\nsentence = "{value:0,00}"')


def test_results_that_wait_stay_as_they_are(shown: Any) -> None:
    assert shown('waiting = ["it"]') == "old"


@pytest.mark.parametrize(
    ("value", "picture", "written"),
    [
        (0.12345, "0.000", "0.123"),
        (-0.12345, "+0.000", "−0.123"),
        (0.12345, "+0.000", "+0.123"),
        (-0.0001, "+0.000", "0.000"),
        (12345.6, ",", "12,346"),
        (12345.6, ",0.0", "12,345.6"),
        (0.0712, "0.0%", "7.1%"),
        (0.471, "0%", "47%"),
        (3.4e-7, "0.0e", "3.4e-07"),
        (0, "0.0e", "0"),
        (1282.9, "short", "1,283"),
        (14.18, "short", "14.2"),
        (3.336, "short", "3.34"),
        (0.0657, "short", "0.066"),
        (0.0759, "seconds", "0.076"),
        (92.767, "seconds", "92.77"),
        (406.4, "seconds", "406"),
    ],
)
def test_formats(render_docs: ModuleType, value: float, picture: str, written: str) -> None:
    assert render_docs.number(value, picture) == written
