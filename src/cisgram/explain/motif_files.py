"""Collections of motifs: JASPAR and MEME files, the JASPAR database, and likeness of motifs.

memelite and pyjaspar are used nowhere else.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64

from cisgram.core.checks import DataError, missing_extra
from cisgram.explain.motifs import Motif
from cisgram.genome.streams import read_lines

_PSEUDOCOUNT = 1.0
"""Sites added to each motif, bases alike."""
_SITES = 20
"""Sites behind a MEME motif that does not say (MEME's own assumption)."""
_NUMBERS = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")


class Likeness(NamedTuple):
    """How alike each query is to each target."""

    p_value: Float64[np.ndarray, "queries targets"]
    offset: Int64[np.ndarray, "queries targets"]
    """First position of the query on the target, in the better orientation."""
    reverse: Int64[np.ndarray, "queries targets"]
    """1 where the target fits reversed."""


def read_motifs(path: Path | str) -> tuple[Motif, ...]:
    """Read a JASPAR or MEME file, plain or compressed.

    JASPAR's counts, and MEME's probabilities times their number of sites, get one site more,
    a quarter of each base.

    Raises:
        DataError: the file is missing, neither of the two, or has a matrix that cannot be read.
    """
    text = b"".join(read_lines(path, "motif file")).decode("utf-8", "replace")
    if text.lstrip().startswith(">"):
        motifs = [_from_jaspar(record, path) for record in re.split(r"^>", text, flags=re.M)[1:]]
    elif re.search(r"^MEME version", text, re.M):
        motifs = [_from_meme(part, path) for part in re.split(r"^MOTIF\s", text, flags=re.M)[1:]]
    else:
        raise DataError(f"motif file {path} is neither JASPAR nor MEME; give one of these.")
    if not motifs:
        raise DataError(f"motif file {path} holds no motif; check the path.")
    return tuple(motifs)


def jaspar_motifs(taxon: str = "fungi", *, release: str = "JASPAR2026") -> tuple[Motif, ...]:
    """Return the CORE motifs of a taxonomic group from the database that pyjaspar carries."""
    try:
        from pyjaspar import jaspardb
    except ImportError:
        missing_extra("pyjaspar", "motifs")
    found = jaspardb(release=release).fetch_motifs(collection="CORE", tax_group=[taxon])
    if not found:
        raise DataError(f"JASPAR has no motif of {taxon!r}; name a group such as fungi or plants.")
    return tuple(
        Motif(
            str(motif.name),
            str(motif.matrix_id),
            _with_pseudocount(np.array([motif.counts[base] for base in "ACGT"]).T),
        )
        for motif in found
    )


def compare_motifs(
    queries: Sequence[Float[np.ndarray, "..."]], targets: Sequence[Motif]
) -> Likeness:
    """Compare tables of probabilities, (width, 4), with motifs by Tomtom (Gupta et al. 2007).

    The p-values come from the targets, of which there must be 25 or more.
    """
    try:
        from memelite import tomtom
    except ImportError:
        missing_extra("memelite", "motifs")
    p, _, offset, _, strand = tomtom(
        [np.ascontiguousarray(np.asarray(query, dtype=np.float64).T) for query in queries],
        [np.ascontiguousarray(target.probabilities.T) for target in targets],
        n_jobs=1,
    )
    return Likeness(
        np.asarray(p, dtype=np.float64),
        np.asarray(offset, dtype=np.int64),
        np.asarray(strand, dtype=np.int64),
    )


def _from_jaspar(record: str, path: Path | str) -> Motif:
    head, _, body = record.partition("\n")
    words = head.split()
    accession = words[0] if words else ""
    rows = [
        [float(number) for number in _NUMBERS.findall(line)]
        for line in body.splitlines()
        if line.strip()
    ]
    if not accession or len(rows) != 4 or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise _unreadable(accession, path)
    counts = np.array(rows).T
    return _motif(words[1] if len(words) > 1 else accession, accession, counts, path)


def _from_meme(part: str, path: Path | str) -> Motif:
    words = part.partition("\n")[0].split()
    accession = words[0] if words else ""
    head = re.search(r"^letter-probability matrix:(.*)$", part, re.M)
    if not accession or head is None:
        raise _unreadable(accession, path)
    said = {name: float(value) for name, value in re.findall(r"(\w+)=\s*([\d.eE+-]+)", head[1])}
    rows: list[list[float]] = []
    for line in part[head.end() :].strip().splitlines():
        numbers = line.split()
        if len(numbers) != 4 or not all(_NUMBERS.fullmatch(number) for number in numbers):
            break
        rows.append([float(number) for number in numbers])
    if not rows or len(rows) != said.get("w", len(rows)):
        raise _unreadable(accession, path)
    table = np.array(rows)
    table /= np.where(table.sum(axis=1, keepdims=True) > 0, table.sum(axis=1, keepdims=True), 1)
    name = words[1] if len(words) > 1 and words[1] != "NA" else accession
    return _motif(name, accession, table * said.get("nsites", _SITES), path)


def _motif(
    name: str, accession: str, counts: Float64[np.ndarray, "width 4"], path: Path | str
) -> Motif:
    if np.any(counts < 0) or np.any(counts.sum(axis=1) <= 0):
        raise _unreadable(accession, path)
    return Motif(name, accession, _with_pseudocount(counts))


def _with_pseudocount(counts: Float[np.ndarray, "width 4"]) -> Float64[np.ndarray, "width 4"]:
    added = np.asarray(counts, dtype=np.float64) + _PSEUDOCOUNT / 4
    return added / added.sum(axis=1, keepdims=True)


def _unreadable(accession: str, path: Path | str) -> DataError:
    return DataError(
        f"motif file {path} has a matrix that cannot be read ({accession or 'without a name'}); "
        "download it again."
    )
