"""Pictures inside a page."""

import re

_LEFT_OUT = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
_NAMESPACE = re.compile(r'\sxmlns(?::\w+)?="[^"]*"')


def inline_svg(text: str, name: str) -> str:
    """Return the svg element of a file as it can stand in a page beside others.

    Its identifiers begin with `name`, so that they are not those of another figure. What says
    where it comes from is left out, as are styles, which would hold for the whole page.
    """
    text = _NAMESPACE.sub("", _LEFT_OUT.sub("", text[text.index("<svg") :]))
    text = text.replace(' id="', f' id="{name}-')
    text = text.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    width = re.search(r'viewBox="0 0 ([\d.]+) ', text)
    own = f' style="--wide: {width[1]}"' if width else ""
    return text.replace("<svg", f"<svg{own}", 1)
