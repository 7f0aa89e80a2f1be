"""Variant effects from a VCF to a table, or into the VCF itself."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import polars as pl

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError
from cisgram.genome.vcf import WriteMode, annotate_vcf, read_sites
from cisgram.predict.gene_places import ALL, gene_places
from cisgram.predict.model_genome import (
    OWN,
    GenomeOptions,
    model_annotation,
    open_model_genome,
)
from cisgram.predict.tracks import TrackReader
from cisgram.predict.variants import VariantConfig, VariantScores, score_variants

INFO = "CISGRAM"
_MODES: dict[str, WriteMode] = {".vcf": "w", ".vcf.gz": "wz", ".bcf": "wb"}
_INFO_TEXT = (
    "Effects of alternate alleles predicted by cisgram: allele|gene|track|effect; differences of "
    "genes' numbers, logSED of tracks"
)


class ScoredFile(NamedTuple):
    """What became of a VCF."""

    scores: VariantScores
    n_symbolic: int
    """Alternate alleles without a sequence, which were left out."""

    @property
    def n_far(self) -> int:
        """Alternate alleles with no gene within reach."""
        return self.scores.variants.height - len(set(self.scores.pairs[:, 0].tolist()))


def score_variant_file(
    model: str,
    vcf: Path,
    out: Path,
    *,
    genes: str = ALL,
    genome: GenomeOptions = OWN,
    config: VariantConfig | None = None,
) -> ScoredFile:
    """Score the alternate alleles of a VCF for the genes near them.

    Args:
        model: packaged weights, a model's directory or a run of `cisgram train`.
        vcf: VCF or BCF, with people in it or without.
        out: .parquet, .vcf, .vcf.gz or .bcf (the input with INFO/CISGRAM), or else a tab-separated
            table: chrom, pos, ref, alt, gene, track, effect.
        genes: `all`, or a file with a gene a line.
        genome: what the variants were called on; what the model learnt from by default.
        config: which genes, and how.

    Raises:
        DataError: a file cannot be used, or an allele is not what the genome has.
        ConfigError: the model predicts no tracks, no genome is known, or `out` is the VCF itself.
    """
    if out.resolve() == vcf.resolve():
        raise ConfigError(f"{out} is the VCF that is scored; name another file to write.")
    reader = TrackReader.open(model)
    reference = open_model_genome(reader.card, genome)
    places = gene_places(model_annotation(reader.card, genome), reference, genes=genes)
    sites = read_sites(vcf)
    scores = score_variants(reader, reference, sites.variants, genes=places, config=config)
    _write(scores, vcf, out)
    return ScoredFile(scores, sites.n_symbolic)


def _write(scores: VariantScores, vcf: Path, out: Path) -> None:
    table = scores.table()
    mode: WriteMode | None = next(
        (mode for suffix, mode in _MODES.items() if out.name.endswith(suffix)), None
    )
    with atomic_file(out) as building:
        if mode is not None:
            info = (INFO, _INFO_TEXT)
            annotate_vcf(vcf, building, mode=mode, info=info, values=_by_allele(table))
        elif out.suffix == ".parquet":
            table.write_parquet(building)
        else:
            table.write_csv(building, separator="\t", float_precision=5)


def _by_allele(table: pl.DataFrame) -> dict[tuple[str, int, str, str], list[str]]:
    """Return the entries of each alternate allele."""
    found: defaultdict[tuple[str, int, str, str], list[str]] = defaultdict(list)
    for chrom, pos, ref, alt, gene, track, effect in table.iter_rows():
        found[chrom, pos, ref, alt].append(f"{alt}|{gene}|{track}|{effect:.5f}")
    return found
