"""Pages: templates, and what they are filled with."""

import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from cisgram import __version__
from cisgram.core.artifact import atomic_file
from cisgram.core.results import cells_of
from cisgram.explain.gene import GeneExplanation
from cisgram.report import words

_ASSETS = files("cisgram.report") / "assets"
_LEFT_OUT = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
_NAMESPACE = re.compile(r'\sxmlns(?::\w+)?="[^"]*"')


def fill(template: str, values: dict[str, object], *, gene: GeneExplanation | None = None) -> str:
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
    pictures = {
        section.name: Markup(inline_svg(section.svg, section.name))
        for section in (() if gene is None else gene.sections)
    }
    return environment.get_template(template).render(
        values,
        gene=gene,
        pictures=pictures,
        date=today(),
        style=Markup(asset("style.css")),
        version=__version__,
    )


def write_page(page: str, out: Path) -> None:
    """Write a page whole or not at all."""
    with atomic_file(out) as building:
        building.write_text(page, encoding="utf-8")


def today() -> str:
    """Return the date, as pages show it."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def inline_svg(text: str, name: str) -> str:
    """Return the svg element of a file as it can stand in a page beside others.

    Its identifiers begin with `name`, so that they are not those of another figure. Metadata are
    left out, and styles, which would hold for the whole page.
    """
    text = _NAMESPACE.sub("", _LEFT_OUT.sub("", text[text.index("<svg") :]))
    text = text.replace(' id="', f' id="{name}-')
    text = text.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    width = re.search(r'viewBox="0 0 ([\d.]+) ', text)
    style = f' style="--wide: {width[1]}"' if width else ""
    return text.replace("<svg", f"<svg{style}", 1)


def _text_columns(table: pl.DataFrame) -> list[bool]:
    """Say of each column whether it holds no numbers."""
    return [not dtype.is_numeric() for dtype in table.dtypes]


def asset(name: str) -> str:
    """Return the text of a file that pages are made of."""
    return (_ASSETS / name).read_text(encoding="utf-8")
