"""Templates of pages, and what they are filled with."""

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from cisgram import __version__
from cisgram.report import words
from cisgram.report.gene_section import GeneSection

_ASSETS = files("cisgram.report") / "assets"


def fill(template: str, values: dict[str, object], *, gene: GeneSection | None) -> str:
    """Return a page: a template with values, the style, the version and a gene's pictures."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(asset),
    )
    environment.filters.update(
        label=words.model_label,
        number=words.number,
        signed=words.signed,
        percent=words.percent,
        interval=words.interval,
        commas=words.commas,
        ranges=words.ranges,
    )
    pictures = {} if gene is None else gene.pictures
    return environment.get_template(template).render(
        values,
        gene=gene,
        pictures={part: Markup(picture) for part, picture in pictures.items()},
        style=Markup(asset("style.css")),
        version=__version__,
    )


def asset(name: str) -> str:
    """Return the text of a file that pages are made of."""
    return (_ASSETS / name).read_text(encoding="utf-8")
