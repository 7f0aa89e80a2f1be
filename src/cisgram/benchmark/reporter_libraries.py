"""Reporter libraries of yeast promoters of Vaishnav et al. 2022 (Nature 603:455)."""

import gzip
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64, UInt8

from cisgram.benchmark.base import Context
from cisgram.genome.alphabet import decode, encode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

WIDTH, FIRST, CORE = 110, 17, 80
"""Bases of an insert, before its variable part, and of that; the rest is the same in all."""
FEWEST_CELLS = 100
"""Sorted cells that a mutant's level rests on; with fewer, it is mostly noise."""
MOST_CHANGED = 5
"""Bases in which a fragment may differ from the genome it is from."""
_CHANGE = re.compile(r"(\d+)([ACGT])")


@dataclass(frozen=True, kw_only=True, eq=False)
class Library:
    """Inserts of 110 bases with what was measured of them, along the reporter's strand."""

    inserts: UInt8[np.ndarray, "inserts 110"]
    measured: Float64[np.ndarray, "inserts"]
    """Mean level of fluorescence in sorted bins, 0 to 17, in YPD."""
    group: Int64[np.ndarray, "inserts"]
    """What is drawn together, such as fragments of one place."""
    base: Int64[np.ndarray, "_mutants"] = field(default_factory=lambda: np.empty(0, np.int64))
    """Of mutants, the row of the insert that they come from, -1 of these; else empty."""

    def take(self, rows: Int64[np.ndarray, "rows"]) -> "Library":
        """Return some of the inserts; of mutants, bases must be among them and first."""
        base = self.base[rows] if self.base.size else self.base
        return Library(
            inserts=self.inserts[rows], measured=self.measured[rows], group=self.group[rows],
            base=base,
        )  # fmt: skip


def native_library(context: Context, reference: Reference) -> tuple[Library, list[str]]:
    """Return fragments of yeast promoters, mutated a little, and the contig each is from.

    Fragments of one place are drawn together; the contig is empty where none is found.
    """
    found = _plain(context.file("mpra", "vaishnav_Native_complex.csv.gz"))
    places = _origins(found, reference)
    numbers: dict[object, int] = {}
    group = [numbers.setdefault(place or n, len(numbers)) for n, place in enumerate(places)]
    library = Library(
        inserts=found.inserts, measured=found.measured, group=np.array(group, dtype=np.int64)
    )
    return library, [place.partition(":")[0] for place in places]


def random_library(context: Context) -> Library:
    """Return the deeply measured test set of random sequence."""
    return _plain(context.file("mpra", "vaishnav_Random_complex.csv.gz"))


def training_library(context: Context) -> Library:
    """Return random sequence of the DREAM challenge of 2022, which heads are trained on."""
    with gzip.open(context.file("mpra", "dream2022_demo_train.txt.gz"), "rt") as stream:
        rows = [line.split() for line in stream]
    usable = [row for row in rows if re.fullmatch(f"[ACGT]{{{WIDTH}}}", row[0])]
    return _of([row[0] for row in usable], [float(row[1]) for row in usable])


def designed_library(context: Context) -> tuple[Library, Bool[np.ndarray, "inserts"]]:
    """Return sequences that others' model designed, and which of them for high levels."""
    table = _read(context.file("mpra", "vaishnav_GA_complex.csv.gz"))
    found = _of(table["seq110"].to_list(), table["meanEL"].to_list())
    return found, (table["designedDir"] == "high").to_numpy()


def mutant_library(context: Context) -> Library:
    """Return random sequences, and after them mutants of theirs with one to three changes.

    The file has mutants alone. A base is put together from its mutants, each read where it was not
    changed; those of which a position is not known are left out.
    """
    table = _read(context.file("mpra", "vaishnav_Drift_complex.csv.gz"))
    table = table.filter(pl.col("proTotal") >= FEWEST_CELLS)
    bases, base_levels = list[str](), list[float]()
    mutants, levels, of = list[str](), list[float](), list[int]()
    for _, own in table.group_by("baseSeq", maintain_order=True):
        changes = [_changed(text) for text in own["mutDesc"]]
        if (sequence := _base(own["seq110"].to_list(), changes)) is not None:
            mutants += own["seq110"].to_list()
            levels += own["meanEL.mut"].to_list()
            of += [len(bases)] * own.height
            bases.append(sequence)
            base_levels.append(own["meanEL.base"][0])
    found = _of(bases + mutants, base_levels + levels)
    return Library(
        inserts=found.inserts,
        measured=found.measured,
        group=np.array([*range(len(bases)), *of], dtype=np.int64),
        base=np.array([-1] * len(bases) + of, dtype=np.int64),
    )


def replacements(
    library: Library, reference: Reference, site: Interval
) -> tuple[pl.DataFrame, Int64[np.ndarray, "inserts"]]:
    """Return inserts as variants that put them at a site, along its strand, and the row of each.

    An insert that the genome has there already is no variant; its row is -1.
    """
    ref = decode(reference.fetch(Interval(site.chrom, site.start, site.end)))
    inserts = reverse_complement(library.inserts) if site.strand == "-" else library.inserts
    rows: dict[str, int] = {}
    alts = [decode(own) for own in inserts]
    numbers = [-1 if alt == ref else rows.setdefault(alt, len(rows)) for alt in alts]
    place = {"chrom": site.chrom, "start": site.start, "ref": ref}
    table = pl.DataFrame({"alt": list(rows)}).with_columns(
        pl.lit(value).alias(name) for name, value in place.items()
    )
    start = pl.col("start").cast(pl.Int64)
    return table.select("chrom", start, "ref", "alt"), np.array(numbers, dtype=np.int64)


def _of(inserts: list[str], measured: list[float]) -> Library:
    return Library(
        inserts=np.stack([encode(own) for own in inserts]),
        measured=np.array(measured, dtype=np.float64),
        group=np.arange(len(inserts)),
    )


def _plain(path: Path) -> Library:
    table = _read(path).filter(pl.col("sequence").str.contains(f"^[ACGT]{{{WIDTH}}}$"))
    return _of(table["sequence"].to_list(), table["Measured Expression"].to_list())


def _read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, glob=False, infer_schema_length=None)


def _origins(library: Library, reference: Reference) -> list[str]:
    """Return contig, position and strand that each variable part is from; empty where none.

    It may differ by mutation: one half stands in the genome as it is, the other nearly.
    """
    pieces = {
        (name, strand): own.tobytes()
        for name in reference.contigs
        for contig in [np.array(reference.contig(name))]
        for strand, own in (("+", contig), ("-", reverse_complement(contig)))
    }
    found, known = list[str](), dict[bytes, str]()
    for insert in library.inserts:
        core = insert[FIRST : FIRST + CORE].tobytes()
        halves = (core[: CORE // 2], core[CORE // 2 :])
        place = next((known[half] for half in halves if half in known), "")
        place = place or _origin(core, pieces)
        if place:
            known |= dict.fromkeys(halves, place)
        found.append(place)
    return found


def _origin(core: bytes, pieces: dict[tuple[str, str], bytes]) -> str:
    """Find a half of the core in the contigs, beside which the other half nearly fits."""
    for (name, strand), piece in pieces.items():
        for offset in (0, CORE // 2):
            at = piece.find(core[offset : offset + CORE // 2]) - offset
            if at + offset < 0 or at < 0:
                continue
            there = np.frombuffer(piece[at : at + CORE], np.uint8)
            own = np.frombuffer(core, np.uint8)
            if there.size == CORE and (there != own).sum() <= MOST_CHANGED:
                return f"{name}:{at}:{strand}"
    return ""


def _changed(text: str) -> dict[int, str]:
    """Return the changes of a mutant: place in the variable part, from 0, to base."""
    return {int(place): base for place, base in _CHANGE.findall(text)}


def _base(inserts: list[str], changes: list[dict[int, str]]) -> str | None:
    """Return what the inserts are mutants of; None where all are changed at one place."""
    letters = list(inserts[0])
    for place in {at for own in changes for at in own}:
        rows = zip(inserts, changes, strict=True)
        free = [insert[FIRST + place] for insert, own in rows if place not in own]
        if not free:
            return None
        letters[FIRST + place] = free[0]
    for insert, own in zip(inserts, changes, strict=True):
        made = list(letters)
        for place, letter in own.items():
            made[FIRST + place] = letter
        if "".join(made) != insert:
            return None
    return "".join(letters)
