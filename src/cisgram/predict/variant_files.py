"""Variant effects from a VCF to a table, or into the VCF itself."""

from collections import defaultdict
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from cisgram.core.artifact import atomic_file
from cisgram.genome.vcf import annotate_vcf, read_sites
from cisgram.predict.gene_places import ALL, gene_places
from cisgram.predict.model_genome import model_annotation, open_model_genome
from cisgram.predict.tracks import TrackReader
from cisgram.predict.variants import VariantConfig, VariantScores, score_variants

INFO = "CISGRAM"
_MODES: dict[str, Literal["w", "wz", "wb"]] = {".vcf": "w", ".vcf.gz": "wz", ".bcf": "wb"}
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
    genome: Path | str | None = None,
    annotation: Path | str | None = None,
    config: VariantConfig | None = None,
) -> ScoredFile:
    """Score the alternate alleles of a VCF for the genes near them.

    Args:
        model: packaged weights, a model's directory or a run of `cisgram train`.
        vcf: VCF or BCF, with people in it or without.
        out: .parquet, .vcf, .vcf.gz or .bcf (the input with INFO/CISGRAM), or else a tab-separated
            table: chrom, pos, ref, alt, gene, track, effect.
        genes: `all`, or a file with a gene a line.
        genome: FASTA or packaged genome; what the model learnt from by default.
        annotation: GTF, GFF3 or packaged genome; the packaged genome's own by default.
        config: which genes, and how.

    Raises:
        DataError: a file cannot be used, or an allele is not what the genome has.
        ConfigError: the model predicts no tracks, or no genome is known.
    """
    reader = TrackReader.open(model)
    reference = open_model_genome(reader.card, genome)
    source = model_annotation(reader.card, genome=genome, annotation=annotation)
    places = gene_places(source, reference, genes=genes)
    sites = read_sites(vcf)
    scores = score_variants(reader, reference, sites.variants, places, config=config)
    _write(scores, vcf, out)
    return ScoredFile(scores, sites.n_symbolic)


def _write(scores: VariantScores, vcf: Path, out: Path) -> None:
    table = scores.table()
    modes = [mode for suffix, mode in _MODES.items() if out.name.endswith(suffix)]
    with atomic_file(out) as building:
        if modes:
            info = (INFO, _INFO_TEXT)
            annotate_vcf(vcf, building, mode=modes[0], info=info, values=_by_allele(table))
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
