"""Show the doctests that end a docstring as its example.

mkdocs.yml names this extension for the API reference. In the source a doctest follows the last
section without a title of its own; the parser of docstrings expects one.
"""

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"(?:\n\n|\A)(?=>>> )")


class DoctestSections(griffe.Extension):
    """Give every doctest that stands alone the title `Examples`."""

    def on_object(self, *, obj: griffe.Object, **_others: Any) -> None:
        """Change a docstring before it is parsed.

        Args:
            obj: a module, class, function or attribute that has just been loaded.
        """
        if obj.docstring is not None:
            obj.docstring.value = with_examples(obj.docstring.value)


def with_examples(docstring: str) -> str:
    """Return a docstring whose last part, from the first doctest on, is a section."""
    text, *examples = DOCTEST.split(docstring, maxsplit=1)
    if not examples:
        return docstring
    indented = examples[0].replace("\n", "\n    ")
    return f"{text}\n\nExamples:\n    {indented}".lstrip("\n")
