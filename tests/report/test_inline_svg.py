import re

from cisgram.report.templates import inline_svg

SVG = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" viewBox="0 0 86.4 20" \
xmlns="http://www.w3.org/2000/svg">
 <metadata><a href="https://matplotlib.org/"/></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style><path id="A" d="M0 0"/></defs>
 <!-- https://a.comment -->
 <use xlink:href="#A" clip-path="url(#B)"/><clipPath id="B"/><image xlink:href="data:x"/>
</svg>
"""


def test_a_picture_has_its_own_names_and_no_address():
    found = inline_svg(SVG, "one")
    assert found.startswith('<svg style="--wide: 86.4" width')
    assert re.findall(r' id="(.*?)"', found) == ["one-A", "one-B"]
    assert 'href="#one-A" clip-path="url(#one-B)"' in found
    assert "data:x" in found
    assert "http" not in found
    assert "<style" not in found
