"""Signal along a genome and gene targets that a network is trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cisgram.core.artifact import sha256
from cisgram.core.checks import ConfigError, check_range
from cisgram.data.homology import HomologyConfig
from cisgram.data.outputs import Geometry, Outputs, Scale
from cisgram.genome.tracks import TrackSource


def _homology() -> HomologyConfig:
    # A short match of high identity, such as a domain, does not give a window's signal away.
    return HomologyConfig(preset="map-ont", min_identity=1.0)


@dataclass(frozen=True, kw_only=True)
class TargetsConfig:
    """A genome, its signal, targets of its genes, and what is held out."""

    fasta: Path
    """The genome."""
    tracks: tuple[TrackSource, ...]
    """Signal along it, from bigWig files."""
    annotation: Path | None = None
    """GTF or GFF3 that says where the genes are."""
    genes: Path | None = None
    """Tab-separated table: `gene`, then a column for each gene target, empty where unknown."""
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    """Unit and source of tracks (without strand) and gene targets, kept on the model's card."""
    valid: tuple[str, ...]
    """Contigs that choose which weights are kept."""
    test: tuple[str, ...] = ()
    """Contigs that no weight is fitted to."""
    exclude: tuple[str, ...] = ()
    """Contigs that are not used at all."""
    power: float = 1.0
    """Counts of a bin are raised to this first; below 1, the few bins with most of the
    signal weigh less."""
    homology: HomologyConfig = field(default_factory=_homology)
    """Which training windows resemble held-out contigs too much; by default those that share more
    than a tenth of their bases with them."""

    def __post_init__(self) -> None:
        if not self.tracks:
            raise ConfigError("[data] must name at least one of tracks; got none.")
        names = [source.name for source in self.tracks]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"[data] names track {name!r} twice; rename one.")
        if (self.genes is None) != (self.annotation is None):
            raise ConfigError("genes and annotation in [data] go together; give both or none.")
        if not self.valid:
            raise ConfigError("valid in [data] must name at least one contig; got none.")
        used: dict[str, str] = {}
        for split in ("valid", "test", "exclude"):
            for contig in getattr(self, split):
                if contig in used:
                    raise ConfigError(
                        f"contig {contig} is for both {used[contig]} and {split}; give it to one."
                    )
                used[contig] = split
        check_range(self.power, "power", low=0.1, high=1)

    @property
    def n_species(self) -> int:
        """Genomes that batches name by number: none."""
        return 0

    def expected_outputs(
        self,
        geometry: Geometry,
        *,
        gene_targets: tuple[str, ...] = (),
        scale: Scale | None = None,
    ) -> Outputs:
        """Return the tracks, and the gene targets once their table is read."""
        columns = [(name, source) for source in self.tracks for name in source.columns]
        known = {name: self.units.get(source.name) for name, source in columns}
        known |= {name: self.units.get(name) for name in gene_targets}
        return Outputs(
            row="base" if geometry.resolution == 1 else "bin",
            names=tuple(name for name, _ in columns),
            gene_targets=gene_targets,
            upstream=tuple(source.upstream for _, source in columns),
            resolution=geometry.resolution,
            margin=geometry.margin,
            activation="softplus",
            scale=scale,
            units={name: unit for name, unit in known.items() if unit is not None},
            both_strands=True,
        )

    def for_geometry(self, geometry: Geometry) -> Self:
        """Return itself: any network with rows of bins will do."""
        del geometry
        return self

    def sources(self, directory: Path) -> dict[str, Any]:
        """Return SHA-256 of every file by what it is, and what is held out."""
        files = {what: sha256(directory / file) for what, file in self.files.items()}
        return {"files": files, "held_out": {"valid": list(self.valid), "test": list(self.test)}}

    @property
    def files(self) -> dict[str, Path]:
        """Every file by what it is."""
        found: dict[str, Path | str | None] = {
            "fasta": self.fasta,
            "annotation": self.annotation,
            "genes": self.genes,
        }
        for source in self.tracks:
            found |= dict(zip(source.columns, source.files, strict=True))
        return {what: Path(file) for what, file in found.items() if file is not None}
