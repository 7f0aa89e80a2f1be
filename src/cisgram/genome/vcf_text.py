"""The lines of a VCF that htslib does not survive, found in the text before they are used."""

import re
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Self

from cisgram.core.checks import DataError
from cisgram.genome.streams import read_lines

_RECORD = re.compile(
    rb"[0-9A-Za-z!$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*(?:\t[^\t\n]+){7}"
)
_SHOWN = 30


class VcfText:
    """The header and the records of a VCF as text, read on as far as they are asked for."""

    header: bytes
    """Whole lines; empty before the first record was asked for."""

    def __init__(self, source: Path) -> None:
        self.header = b""
        self._source = source
        self._lines = self._read()
        self._number, self._line = 0, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.close()

    def record(self, number: int) -> bytes:
        """Return the line of a record, counted from 1, which must not be before the last one.

        Raises:
            DataError: a line up to it is no record, or the file is damaged.
        """
        while self._number < number:
            self._number, self._line = next(self._lines)
        return self._line

    def _read(self) -> Generator[tuple[int, bytes]]:
        line, in_header, number = 1, True, 0
        with closing(read_lines(self._source, "genotype file", shown=False)) as pieces:
            for text in pieces:
                at = 0
                while in_header and at < len(text):
                    # As htslib has it, the header ends with the first line of a single #.
                    in_header = text[at : at + 1] in b"\r\n" or text.startswith(b"##", at)
                    at = text.find(b"\n", at) + 1 or len(text)
                    line += 1
                self.header += text[:at]
                while match := _RECORD.match(text, at):
                    end = text.find(b"\n", match.end()) + 1 or len(text)
                    number, line = number + 1, line + 1
                    yield number, text[at:end]
                    at = end
                if at < len(text):
                    begins = text[at : at + _SHOWN].splitlines()[0].decode(errors="replace")
                    raise DataError(
                        f"line {line:,} of {self._source} is no record, which has eight columns or "
                        f"more between tabs: it begins {begins!r}; take it out or write the file "
                        "anew."
                    )
