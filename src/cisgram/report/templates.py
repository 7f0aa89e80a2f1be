"""Templates of pages, and what they are filled with."""

from importlib.resources import files
from typing import Any

import polars as pl
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from cisgram import __version__
from cisgram.core.results import cells_of
from cisgram.explain.gene import GeneExplanation
from cisgram.report import words
from cisgram.report.inline_svg import inline_svg

_ASSETS = files("cisgram.report") / "assets"


def fill(template: str, values: dict[str, object], *, gene: GeneExplanation | None) -> str:
    """Return a page: a template with values, the style, the version and a gene's pictures."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(asset),
    )
    filters: dict[str, Any] = {
        "label": words.model_label,
        "number": words.number,
        "signed": words.signed,
        "percent": words.percent,
        "interval": words.interval,
        "commas": words.commas,
        "ranges": words.ranges,
        "cell": words.cell,
        "cells": cells_of,
        "text_columns": _text_columns,
    }
    environment.filters.update(filters)
    sections = () if gene is None else gene.sections
    pictures = {own.name: inline_svg(own.svg, own.name) for own in sections}
    return environment.get_template(template).render(
        values,
        gene=gene,
        pictures={part: Markup(picture) for part, picture in pictures.items()},
        style=Markup(asset("style.css")),
        version=__version__,
    )


def _text_columns(table: pl.DataFrame) -> list[bool]:
    """Say of each column whether it holds no numbers."""
    return [not dtype.is_numeric() for dtype in table.dtypes]


def asset(name: str) -> str:
    """Return the text of a file that pages are made of."""
    return (_ASSETS / name).read_text(encoding="utf-8")
