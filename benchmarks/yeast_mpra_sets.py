"""Reporter libraries of yeast promoters, for benchmarks/yeast_mpra.py."""

import gzip
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from cisgram.genome.alphabet import decode, encode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

FIRST, CORE = 17, 80
"""Bases before the variable part of an insert, and of it; the rest is the same in all."""
FEWEST_CELLS = 100
"""Sorted cells that a measurement rests on; with fewer, the mean level is mostly noise."""
MOST_CHANGED = 5
"""Bases in which a fragment may differ from the genome it is from."""
_CHANGE = re.compile(r"(\d+)([ACGT])")


@dataclass(frozen=True, kw_only=True)
class Library:
    """Inserts of 110 bases with what was measured of them."""

    inserts: list[str]
    """Along the reporter's strand."""
    measured: np.ndarray
    """Mean level of fluorescence in sorted bins, 0 to 17, in YPD."""
    group: np.ndarray
    """What is drawn together."""
    base: np.ndarray | None = None
    """Of mutants, which insert they come from."""

    def take(self, rows: np.ndarray) -> "Library":
        """Return some of the inserts; they must have no base."""
        return Library(
            inserts=[self.inserts[row] for row in rows],
            measured=self.measured[rows],
            group=self.group[rows],
        )


@dataclass(frozen=True)
class Host:
    """A gene in front of which inserts are put."""

    name: str
    body: Interval
    site: Interval
    """What an insert takes the place of, on the gene's strand."""


def of_sequences(inserts: list[str], measured: np.ndarray) -> Library:
    """Return inserts that stand for themselves."""
    return Library(inserts=inserts, measured=measured, group=np.arange(len(inserts)))


def native(data: Path, reference: Reference) -> tuple[Library, list[str | None]]:
    """Return fragments of yeast promoters, mutated a little, and where each is from.

    Those from one place are drawn together.
    """
    found = _plain(data / "mpra" / "vaishnav_Native_complex.csv.gz")
    places = origins(found, reference)
    numbers: dict[object, int] = {}
    group = [numbers.setdefault(place or n, len(numbers)) for n, place in enumerate(places)]
    return replace(found, group=np.array(group)), places


def random(data: Path) -> Library:
    """Return the measured test set of random sequence."""
    return _plain(data / "mpra" / "vaishnav_Random_complex.csv.gz")


def training(data: Path) -> Library:
    """Return random sequences that heads are trained on."""
    with gzip.open(data / "mpra" / "dream2022_demo_train.txt.gz", "rt") as stream:
        rows = [line.split() for line in stream]
    usable = [row for row in rows if re.fullmatch("[ACGT]{110}", row[0])]
    return of_sequences([row[0] for row in usable], np.array([float(row[1]) for row in usable]))


def designs(data: Path) -> tuple[Library, np.ndarray]:
    """Return sequences designed by others' model for high or low levels, and which are high."""
    table = _read(data / "mpra" / "vaishnav_GA_complex.csv.gz")
    found = of_sequences(table["seq110"].to_list(), table["meanEL"].to_numpy())
    return found, (table["designedDir"] == "high").to_numpy()


def mutants(data: Path) -> Library:
    """Return random sequences first, then mutants of theirs with one to three changes.

    The file has mutants alone. A base is put together from its mutants, each read where it was not
    changed; those of which a position is not known are left out.
    """
    table = _read(data / "mpra" / "vaishnav_Drift_complex.csv.gz")
    table = table.filter(pl.col("proTotal") >= FEWEST_CELLS)
    bases: list[tuple[str, float]] = []
    rows: list[tuple[str, float, int]] = []
    for _, own in table.group_by("baseSeq", maintain_order=True):
        changes = [_changed(text) for text in own["mutDesc"]]
        sequence = _base(own["seq110"].to_list(), changes)
        if sequence is not None:
            rows += [
                (mutant, level, len(bases))
                for mutant, level in own.select("seq110", "meanEL.mut").iter_rows()
            ]
            bases.append((sequence, own["meanEL.base"][0]))
    return Library(
        inserts=[base for base, _ in bases] + [mutant for mutant, _, _ in rows],
        measured=np.array([level for _, level in bases] + [level for _, level, _ in rows]),
        group=np.array([*range(len(bases)), *(number for _, _, number in rows)]),
        base=np.array([-1] * len(bases) + [number for _, _, number in rows]),
    )


def origins(library: Library, reference: Reference) -> list[str | None]:
    """Return the chromosome and place that each variable part is from, either strand; None of none.

    It may differ by mutation: one half stands in the genome as it is, the other nearly.
    """
    pieces = {
        (name, strand): own.tobytes()
        for name in reference.contigs
        for contig in [np.array(reference.contig(name))]
        for strand, own in (("+", contig), ("-", reverse_complement(contig)))
    }
    found: list[str | None] = []
    known: dict[bytes, str] = {}
    for insert in library.inserts:
        core = encode(insert[FIRST : FIRST + CORE]).tobytes()
        halves = (core[: CORE // 2], core[CORE // 2 :])
        place = next((known[half] for half in halves if half in known), None)
        place = place or _origin(core, pieces)
        if place is not None:
            known |= dict.fromkeys(halves, place)
        found.append(place)
    return found


def _origin(core: bytes, pieces: dict[tuple[str, str], bytes]) -> str | None:
    """Find a half of the core in the chromosomes, beside which the other half nearly fits."""
    for (name, strand), piece in pieces.items():
        for offset in (0, CORE // 2):
            at = piece.find(core[offset : offset + CORE // 2]) - offset
            if at + offset < 0 or at < 0:
                continue
            there = np.frombuffer(piece[at : at + CORE], np.uint8)
            if (
                there.size == CORE
                and (there != np.frombuffer(core, np.uint8)).sum() <= MOST_CHANGED
            ):
                return f"{name}:{at}:{strand}"
    return None


def replacements(
    library: Library, reference: Reference, site: Interval
) -> tuple[pl.DataFrame, np.ndarray]:
    """Return inserts as variants that put them at a site, along its strand, and whose row is which.

    An insert that the genome has there already is no variant; its row is -1.
    """
    width = site.length
    place = Interval(site.chrom, site.start, site.end)
    ref = decode(reference.fetch(place))
    rows: dict[str, int] = {}
    numbers = []
    for insert in library.inserts:
        if len(insert) != width:
            raise ValueError(f"an insert has {len(insert)} bases and the site {width}")
        tokens = encode(insert)
        alt = decode(reverse_complement(tokens) if site.strand == "-" else tokens)
        numbers.append(-1 if alt == ref else rows.setdefault(alt, len(rows)))
    table = pl.DataFrame({"alt": list(rows)}).select(
        pl.lit(site.chrom).alias("chrom"),
        pl.lit(site.start).alias("start"),
        pl.lit(ref).alias("ref"),
        "alt",
    )
    return table, np.array(numbers)


def _plain(path: Path) -> Library:
    table = _read(path).filter(pl.col("sequence").str.contains("^[ACGT]{110}$"))
    return of_sequences(table["sequence"].to_list(), table["Measured Expression"].to_numpy())


def _read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema_length=None)


def _changed(text: str) -> dict[int, str]:
    """Return the changes of a mutant: place in the variable part, counted from 0, to base."""
    return {int(place): base for place, base in _CHANGE.findall(text)}


def _base(inserts: list[str], changes: list[dict[int, str]]) -> str | None:
    """Return what the inserts are mutants of; None where all are changed at one place."""
    letters = list(inserts[0])
    for place in {at for own in changes for at in own}:
        free = [
            insert[FIRST + place]
            for insert, own in zip(inserts, changes, strict=True)
            if place not in own
        ]
        if not free:
            return None
        letters[FIRST + place] = free[0]
    base = "".join(letters)
    for insert, own in zip(inserts, changes, strict=True):
        made = list(base)
        for place, letter in own.items():
            made[FIRST + place] = letter
        if "".join(made) != insert:
            return None
    return base
