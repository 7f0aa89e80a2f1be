"""Pictures inside a page."""

import re
from pathlib import Path

_LEFT_OUT = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
_NAMESPACE = re.compile(r'\sxmlns(?::\w+)?="[^"]*"')


def inline_svg(path: Path, name: str) -> str:
    """Return the svg element of a file as it can stand in a page beside others.

    Its identifiers begin with `name`, so that they are not those of another picture. What says
    where it comes from is left out, as are styles, which would hold for the whole page.
    """
    text = path.read_text(encoding="utf-8")
    text = _NAMESPACE.sub("", _LEFT_OUT.sub("", text[text.index("<svg") :]))
    text = text.replace(' id="', f' id="{name}-')
    text = text.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    width = re.search(r'viewBox="0 0 ([\d.]+) ', text)
    own = f' style="--wide: {width[1]}"' if width else ""
    return text.replace("<svg", f"<svg{own}", 1)
