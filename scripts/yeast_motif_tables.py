"""Tables of what explanations of yeast models hold for the docs."""

from collections.abc import Callable
from typing import Any

from markdown_tables import Result, Table, listed, markdown

BACKGROUNDS = ("same distance", "same sequence")


def areas(what: str) -> Callable[[Result], str]:
    """A row a kind of site and source: how often sites are above their backgrounds."""

    def write(result: Result) -> str:
        rows = [
            [
                element["name"],
                source,
                str(cells[what]["n"]),
                *(_maybe(cells[what]["auroc"][name]) for name in BACKGROUNDS),
            ]
            for element in result["elements"]
            for source, cells in element["sources"].items()
        ]
        head = ["site", "model", "sites", *(f"above {name}" for name in BACKGROUNDS)]
        return markdown(head, rows, text=2)

    return write


def differences(result: Result) -> str:
    """A row a kind of site: how much larger the first model's areas are."""
    others = list(result["elements"][0]["model_minus"])
    rows = [
        [element["name"], other]
        + [
            _maybe(element["model_minus"][other][what][name], sign="+")
            for what in ("importance", "match")
            for name in BACKGROUNDS
        ]
        for element in result["elements"]
        for other in others
    ]
    head = ["site", "less the area of"] + [
        f"{what}, {name}" for what in ("importance", "match") for name in BACKGROUNDS
    ]
    return markdown(head, rows, text=2)


def words(output: str) -> Callable[[Result], str]:
    """A row a word: what each model makes of it beyond its shuffled letters."""

    def write(result: Result) -> str:
        by_word = result["words"]["by_word"][output]
        models = list(next(iter(by_word.values()))["beyond_null"])
        rows = [
            [
                name,
                f"`{cells['sequence']}`",
                *(listed(cells["beyond_null"][model], sign="+") for model in models),
            ]
            for name, cells in by_word.items()
        ]
        return markdown(["word", "put in", *models], rows, text=2)

    return write


def _maybe(cell: list[Any] | None, *, sign: str = "") -> str:
    return "" if cell is None else listed(cell, sign=sign)


TABLES = {
    "yeast_explanations": {
        "importance": Table(areas("importance"), ("elements",)),
        "match": Table(areas("match"), ("elements",)),
        "differences": Table(differences, ("elements",)),
        "words": Table(words("segregants"), ("words",)),
        "words_tss": Table(words("tss_ypd+"), ("words",)),
    }
}
