"""Sequence logos as SVG: what a model expects at every base, under what is known there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from markupsafe import escape

from cisgram.genome.alphabet import decode
from cisgram.genome.interval import Interval
from cisgram.predict.maps import RegionMap, information
from cisgram.report.sites import Label, Site, label_sites

_OUTLINES = {  # of letters in a box of one by one, y downwards
    "A": "M0 1L.38 0H.62L1 1H.79L.71.77H.29L.21 1ZM.34.6H.66L.5.16Z",
    "C": "M.9.2A.5.5 0 1 0 .9.8L.75.7A.32.32 0 1 1 .75.3Z",
    "G": "M.9.2A.5.5 0 1 0 .9.8V.47H.54V.61H.72V.732A.32.32 0 1 1 .75.3Z",
    "T": "M0 0H1V.17H.6V1H.4V.17H0Z",
}
COLOURS = {"A": "#1b8a3d", "C": "#2257b8", "G": "#c77700", "T": "#c62f2f"}
_MOST_BITS = 2.0
_LEAST_HEIGHT = 0.4
"""Pixels under which a letter is left out."""
_LETTER = 8
"""Width of a letter of the title, in pixels."""
_LETTER_OF_SITE, _LABEL = 6.5, 18
"""Width of a letter of a site's name, and height of a name and its bar, in pixels."""


@dataclass(frozen=True, kw_only=True)
class LogoConfig:
    """Sizes of a logo, in pixels but for the first."""

    line: int = 100
    """Bases a line."""
    base: int = 10
    """Width of a base."""
    bits: int = 36
    """Height of one bit."""
    margin: int = 88
    """Left of the bases, for words and positions."""


def logo_svg(
    found: RegionMap,
    *,
    title: str,
    sites: Sequence[Site] = (),
    config: LogoConfig | None = None,
) -> str:
    """Return an SVG of a region: sites, predicted letters, and the DNA, line under line.

    A column's height is 2 - entropy in bits; letters share it by their probability. A base of
    the DNA is bold where the model finds no other likelier. Everything reads along the region's
    strand; positions count along the contig from 1.

    Args:
        found: the region and its predictions.
        title: stands above, and names the picture for those who do not see it.
        sites: drawn where they overlap the region.
        config: sizes.
    """
    config = config or LogoConfig()
    n = found.region.length
    parts = [slice(at, min(at + config.line, n)) for at in range(0, n, config.line)]
    letter = _LETTER_OF_SITE / config.base
    labels = [label_sites(sites, found.region, part, letter=letter) for part in parts]
    above = _LABEL * max((label.level for line in labels for label in line), default=0)
    height = int(_MOST_BITS * config.bits) + 58 + above
    bases = min(config.line, n) * config.base
    width = config.margin + max(bases, _LETTER * len(title)) + 12
    body = [
        "".join(_line(found, line, part, config, top=44 + above + row * height))
        for row, (part, line) in enumerate(zip(parts, labels, strict=True))
    ]
    total = 44 + height * len(parts)
    defs = "".join(
        f'<path id="{letter}" d="{outline}" fill="{COLOURS[letter]}" fill-rule="evenodd"/>'
        for letter, outline in _OUTLINES.items()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" '
        f'height="{total}" role="img" font-family="system-ui, sans-serif" font-size="11">'
        f"<title>{escape(title)}</title><defs>{defs}</defs>"
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{config.margin}" y="24" font-size="15" fill="#111">{escape(title)}</text>'
        f"{''.join(body)}</svg>\n"
    )


def _line(
    found: RegionMap, labels: Sequence[Label], part: slice, config: LogoConfig, *, top: int
) -> Iterator[str]:
    """Draw a line of bases."""
    floor = top + 18 + int(_MOST_BITS * config.bits)
    yield from _boxes(labels, part.start, config, top=top)
    yield from _axis(found.region, part, config, top=top + 18, floor=floor)
    yield from _columns(found.p[part], config, floor=floor)
    yield from _letters(found, part, config, baseline=floor + 14)


def _columns(p: Float[np.ndarray, "bases 4"], config: LogoConfig, *, floor: int) -> Iterator[str]:
    """Draw a stack of letters at each base, the likeliest on top."""
    heights = p * information(p)[:, None] * config.bits
    for at, column in enumerate(heights):
        y, x = float(floor), config.margin + at * config.base
        for row in np.argsort(column):
            size = float(column[row])
            if size > _LEAST_HEIGHT:  # NaN, where the base is unknown, is not
                y -= size
                yield (
                    f'<use href="#{"ACGT"[row]}" '
                    f'transform="translate({x + 0.4:.1f} {y:.2f})'
                    f'scale({config.base - 0.8:.1f} {size:.2f})"/>'
                )


def _letters(found: RegionMap, part: slice, config: LogoConfig, *, baseline: int) -> Iterator[str]:
    """Write the DNA itself."""
    right = (found.likeliest == found.tokens)[part]
    yield _word("DNA", config.margin - 8, baseline)
    for at, (letter, bold) in enumerate(zip(decode(found.tokens[part]), right, strict=True)):
        weight = ' font-weight="700"' if bold else ' opacity=".55"'
        yield (
            f'<text x="{config.margin + (at + 0.5) * config.base:.0f}" y="{baseline}" '
            f'text-anchor="middle" fill="{COLOURS.get(letter, "#555")}"{weight}>{letter}</text>'
        )


def _axis(
    region: Interval, part: slice, config: LogoConfig, *, top: int, floor: int
) -> Iterator[str]:
    """Draw the scale in bits, and the position of the line's first base."""
    position = region.position(part.start) + 1
    right = config.margin + (part.stop - part.start) * config.base
    for bits in range(int(_MOST_BITS) + 1):
        y = floor - bits * config.bits
        colour = "#999" if bits == 0 else "#ddd"
        yield f'<path d="M{config.margin} {y}H{right}" stroke="{colour}" stroke-width=".7"/>'
        yield _word(str(bits), config.margin - 8, y + 4)
    middle = (top + floor) / 2
    yield _word("bits", config.margin - 24, int(middle) + 4)
    yield _word(f"{position:,}", config.margin - 38, floor + 14)


def _word(text: str, x: int, y: int) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="end" fill="#555">{text}</text>'


def _boxes(labels: Sequence[Label], first: int, config: LogoConfig, *, top: int) -> Iterator[str]:
    """Draw sites as named bars, `top` being that of the lowest."""
    for label in labels:
        x = config.margin + (label.start - first) * config.base
        width, y = (label.end - label.start) * config.base, top - label.level * _LABEL
        yield (
            f'<rect x="{x}" y="{y + 13}" width="{width}" height="3" fill="#6b4fa0"/>'
            f'<text x="{x + width / 2:.0f}" y="{y + 9}" text-anchor="middle" fill="#6b4fa0">'
            f"{escape(label.text)}</text>"
        )
