"""What a pretraining corpus is made of: genomes, windows, filters and held-out contigs."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from cisgram.core.artifact import sha256
from cisgram.core.checks import ConfigError, check_choice, check_range, few
from cisgram.data.homology import HomologyConfig
from cisgram.data.outputs import Geometry, Outputs

_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True, kw_only=True)
class GenomeSource:
    """One genome of a corpus."""

    name: str
    """What tables call it: letters, digits, `_`, `.` and `-`."""
    fasta: str
    """FASTA, plain or compressed; a relative path starts where the recipe is."""
    annotation: str | None = None
    """GTF or GFF3; without one no cap applies and no base counts as exon."""
    exclude: tuple[str, ...] = ()
    """Contigs to leave out, such as the mitochondrion."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                "a genome's name must consist of letters, digits, '_', '.' and '-'; "
                f"got {self.name!r}."
            )


@dataclass(frozen=True, kw_only=True)
class HoldOut:
    """Contigs of one genome that are no training data."""

    genome: str
    """Name of the genome."""
    contigs: tuple[str, ...] = ()
    """Names of the contigs; none stands for the whole genome."""


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """How a corpus is made; the defaults are those published for Shorkie."""

    genomes: tuple[GenomeSource, ...]
    """The genomes, in the order of their species numbers."""
    window: int = 16_384
    """Bases of a window; in a recipe that of the model."""
    stride: int | None = None
    """Bases from one training window to the next; a quarter of `window` by default."""
    held_out_stride: int | None = None
    """The same for validation and test windows; `window` by default, so that none overlap."""
    margin: int = 512
    """Bases left out at each end of a contig."""
    min_contig: int | None = None
    """Shorter contigs are skipped; twice `window` by default."""
    max_unknown: float = 0.001
    """Largest share of N in a training window."""
    max_exon: float = 0.925
    """Largest share of exons in a training window, where there is an annotation."""
    max_protein_coding: float = 0.875
    """The same of exons of protein-coding genes."""
    max_rrna: float = 0.03125
    """The same of rRNA."""
    max_trna: float = 0.03125
    """The same of tRNA."""
    max_repeat: float = 0.07
    """Largest share of repeats and N in a window of any split."""
    soft_mask: bool = True
    """Count lower case as repeats, unless a FASTA has nothing else."""
    dust: bool = True
    """Count low-complexity DNA, as DUST finds it, as repeats."""
    valid: HoldOut | None = None
    """Contigs for validation."""
    test: HoldOut | None = None
    """Contigs for the test."""
    homology: HomologyConfig = field(default_factory=HomologyConfig)
    """Filter between training windows and held-out contigs."""
    copies: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each pass over the corpus shows every window of these genomes; once by default."""
    max_validation: int | None = None
    """Validation windows used, spread evenly; all by default."""

    def __post_init__(self) -> None:
        check_range(self.window, "window", low=1)
        check_range(self.training_stride, "stride", low=1)
        check_range(self.evaluation_stride, "held_out_stride", low=1)
        check_range(self.margin, "margin", low=0)
        check_range(self.shortest_contig, "min_contig", low=1)
        for cap in ("unknown", "exon", "protein_coding", "rrna", "trna", "repeat"):
            check_range(getattr(self, f"max_{cap}"), f"max_{cap}", low=0, high=1)
        names = [genome.name for genome in self.genomes]
        if not names:
            raise ConfigError("genomes must name at least one genome; add one.")
        if twice := {name for name in names if names.count(name) > 1}:
            raise ConfigError(
                f"genomes names {few(sorted(twice))} more than once; give each its own name."
            )
        for split, held_out in self.held_out.items():
            if held_out.genome not in names:
                raise ConfigError(
                    f"genome of {split} must be one of {few(names, 20)}; got {held_out.genome!r}."
                )
        for name, n in self.copies.items():
            check_choice(name, names, "a genome of copies")
            check_range(n, f"copies of {name}", low=0)
        if self.max_validation is not None:
            check_range(self.max_validation, "max_validation", low=1)

    @property
    def training_stride(self) -> int:
        """Bases from one training window to the next."""
        return max(self.window // 4, 1) if self.stride is None else self.stride

    @property
    def evaluation_stride(self) -> int:
        """Bases from one validation or test window to the next."""
        return self.window if self.held_out_stride is None else self.held_out_stride

    @property
    def shortest_contig(self) -> int:
        """Bases of the shortest contig that is used: one window and its margins at least."""
        wanted = 2 * self.window if self.min_contig is None else self.min_contig
        return max(wanted, self.window + 2 * self.margin)

    @property
    def held_out(self) -> dict[str, HoldOut]:
        """What is held out, by split."""
        splits = {"valid": self.valid, "test": self.test}
        return {name: held_out for name, held_out in splits.items() if held_out is not None}

    @property
    def n_species(self) -> int:
        """Genomes that batches name by number."""
        return len(self.genomes)

    def expected_outputs(self, geometry: Geometry) -> Outputs:
        """Return log-probabilities of bases."""
        del geometry
        return Outputs.of_bases()

    def for_geometry(self, geometry: Geometry) -> Self:
        """Return the same for windows of that length.

        Raises:
            ConfigError: the network has no row for each base or another window than the config, or
                no validation contigs are named.
        """
        if self.window not in (geometry.window, type(self).window):
            raise ConfigError(
                f"window in [data] is {self.window:,} and in [model] {geometry.window:,}; leave it "
                "out of [data]."
            )
        if geometry.resolution != 1 or geometry.margin:
            raise ConfigError(
                "a language model needs an output row for every base of its window, and [model] "
                f"has one for every {geometry.resolution} with {geometry.margin:,} cropped; "
                "change [model]."
            )
        if self.valid is None:
            raise ConfigError(
                "[data] lacks valid, the contigs that choose which weights are kept; add it."
            )
        return replace(self, window=geometry.window)

    def sources(self, directory: Path) -> dict[str, Any]:
        """Return SHA-256 of each genome's FASTA, and what is held out."""
        genomes = {genome.name: sha256(directory / genome.fasta) for genome in self.genomes}
        held_out = {split: asdict(part) for split, part in self.held_out.items()}
        return {"genomes": genomes, "held_out": held_out}
