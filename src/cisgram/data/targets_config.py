"""What a model of tracks and genes learns from."""

from dataclasses import dataclass, field
from pathlib import Path

from cisgram.core.checks import ConfigError, check_range
from cisgram.data.corpus_config import HomologyConfig
from cisgram.genome.tracks import TrackSource


def _homology() -> HomologyConfig:
    # A short match of high identity, such as a domain, does not give a window's signal away.
    return HomologyConfig(preset="map-ont", min_identity=1.0)


@dataclass(frozen=True, kw_only=True)
class TargetsConfig:
    """A genome, its signal, numbers of its genes, and what is held out."""

    fasta: Path
    """The genome."""
    tracks: tuple[TrackSource, ...]
    """Signal along it, from bigWig files."""
    annotation: Path | None = None
    """GTF or GFF3 that says where the genes are."""
    genes: Path | None = None
    """Tab-separated table: `gene`, then a column a number, empty where unknown."""
    valid: tuple[str, ...]
    """Contigs that choose which weights are kept."""
    test: tuple[str, ...] = ()
    """Contigs that nothing is learnt from."""
    exclude: tuple[str, ...] = ()
    """Contigs that are not used at all."""
    power: float = 1.0
    """Counts of a bin are raised to this before they are learnt; below 1, the few bins with most
    of the signal count less."""
    homology: HomologyConfig = field(default_factory=_homology)
    """Which training windows resemble held-out contigs too much; by default those that share more
    than a tenth of their bases with them."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not self.tracks:
            raise ConfigError("[targets] must name at least one of tracks; got none.")
        names = [source.name for source in self.tracks]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"[targets] names track {name!r} twice; rename one.")
        if (self.genes is None) != (self.annotation is None):
            raise ConfigError("genes and annotation in [targets] go together; give both or none.")
        if not self.valid:
            raise ConfigError("valid in [targets] must name at least one contig; got none.")
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
