"""Choices of a cohort import; light, because the command line describes them."""

from dataclasses import dataclass

from cisgram.core.checks import check_range


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Choices of an import that seldom change."""

    population_column: str = "pop"
    """Column of the population table that names the population."""
    dosage_field: bool = False
    """Keep imputed dosages (DS) beside the called genotypes (GT)."""
    counts: bool = False
    """The expression table holds read counts of all genes: make transcripts per million of them,
    with exon lengths from the annotation."""
    relatives: bool = True
    """Look for relatives, so that folds keep them together."""
    kinship_threshold: float = 0.177
    """KING kinship from which two people are kept together; 0.177 is first degree."""

    def __post_init__(self) -> None:
        check_range(self.kinship_threshold, "kinship_threshold", low=0.04, high=0.5)


DEFAULTS = ImportOptions()
