"""The ninth column of GTF and GFF3: what it says of a line."""

import re

import polars as pl

_ODD_QUOTES = r"""^[^"]*(?:"[^";]*"[^"]*)*"[^";]*;|'"""
"""Attributes of a GTF with a semicolon between quotes, or an apostrophe."""
_ATTRIBUTE = re.compile(r"""\s*([^\s;"']+)\s+("[^"]*"|'[^']*'|[^;]*?)\s*(?:;|$)""")
_SEMICOLON = "\x1f"
"""What stands for a semicolon within a value, so that the others end attributes."""


def gtf_says(*names: str, pattern: str = r'(?:^|;)\s*{}\s+"?([^";]+)') -> pl.Expr:
    """Return the first attribute of these that a line of a GTF has."""
    found = (pl.col("attributes").str.extract(pattern.format(name)) for name in names)
    return pl.coalesce(found).str.replace_all(_SEMICOLON, ";", literal=True)


def plain_quotes(lines: pl.DataFrame) -> pl.DataFrame:
    """Write odd attributes of a GTF anew: double quotes, and no semicolon between them."""
    text = pl.col("attributes")
    anew = text.map_elements(_requoted, return_dtype=pl.String)
    return lines.with_columns(pl.when(text.str.contains(_ODD_QUOTES)).then(anew).otherwise(text))


def _requoted(attributes: str) -> str:
    """Write attributes of a GTF anew.

    >>> _requoted("gene_id 'A'; n 1")
    'gene_id "A"; n "1"'
    """
    found = (match.groups() for match in _ATTRIBUTE.finditer(attributes))
    values = ((key, text[1:-1] if text[:1] in "\"'" and text else text) for key, text in found)
    return "; ".join(f'{key} "{value.replace(";", _SEMICOLON)}"' for key, value in values)


def gff3_says(*names: str) -> pl.Expr:
    """Return the first attribute of these that a line of a GFF3 has."""
    return gtf_says(*names, pattern=r"(?:^|;)\s*{}=([^;]+)")
