"""Score the variants of a file: block by block, so that memory stays bounded and work is kept."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from cisgram.core.artifact import sha256
from cisgram.core.journal import Journal, Record, resumable
from cisgram.core.progress import progress
from cisgram.genome.calls import VariantBlock
from cisgram.genome.interval import Interval
from cisgram.genome.variant import check_reference
from cisgram.genome.vcf import read_site_blocks
from cisgram.prediction.identity import genome_identity, session_identity
from cisgram.prediction.readouts import Readout
from cisgram.prediction.session import Session
from cisgram.prediction.variant_writing import check_target, write_effects
from cisgram.prediction.variants import VariantConfig, VariantEffects, near_pairs, score_variants

_RECORDS = 1_024
"""In a block: some minutes of work of a large model."""


@dataclass(kw_only=True)
class VariantAccount:
    """What became of the alternate alleles of a file."""

    n_variants: int = 0
    n_pairs: int = 0
    """Of a variant and a gene."""
    n_far: int = 0
    """Variants with no gene within reach."""
    n_missing: int = 0
    """Variants without any effect, such as indels for a masked log-ratio."""
    n_symbolic: int = 0
    """Alternate alleles without a sequence, which were left out."""

    def add(self, found: VariantEffects) -> None:
        """Count the variants of a block."""
        self.n_variants += found.variants.height
        self.n_pairs += len(found.pairs)
        self.n_far += found.n_far
        self.n_missing += int(np.isnan(found.effects).all(axis=1).sum())
        self.n_symbolic += found.n_symbolic


def score_file(
    session: Session,
    vcf: Path,
    out: Path,
    *,
    readout: Readout,
    genes: Sequence[str] | None = None,
    config: VariantConfig | None = None,
) -> VariantAccount:
    """Score a VCF or BCF as `score_variants` does, and write the effects to `out`.

    Interrupted, it leaves finished blocks in `<out>.partial`, and the same call goes on from there.
    Everything is checked before the first variant is scored.

    Raises:
        ConfigError, DataError: as `score_variants`, and `out` cannot be written.
    """
    config = config or VariantConfig()
    if out.name.endswith((".vcf", ".vcf.gz", ".bcf")):
        check_target(vcf, out)
    bodies: dict[str, Interval] = {}
    if readout.of_genes:
        bodies = session.genes.places if genes is None else session.genes.find(genes)
    listed = hashlib.sha256(str(list(bodies.items())).encode()).hexdigest()

    def n_pairs(block: VariantBlock) -> int:
        if not readout.of_genes:
            return block.variants.height
        return len(near_pairs(session.reference, block.variants, bodies, reach=config.reach))

    sizes: list[int] = []
    for block in read_site_blocks(vcf, _RECORDS):
        check_reference(block.variants, session.reference, max_mismatch=0)
        sizes.append(n_pairs(block))
    identity = session_identity(session) | genome_identity(session) | {
        "vcf": sha256(vcf), "readout": readout.name, "genes": listed, "reach": config.reach
    }  # fmt: skip
    with resumable(out, identity) as journal:
        scorer = _Scorer(session, vcf, readout, bodies, config, journal)
        finished = journal.finished()
        done = sum(sizes[number] for number in finished)
        with progress("scoring variants", sum(sizes), done=done) as ticker:
            for number, found in enumerate(scorer.blocks()):
                ticker.advance(0 if number in finished else len(found.pairs))
        account = VariantAccount()
        write_effects(scorer.tables(account.add), out, source=vcf)
    return account


@dataclass(frozen=True)
class _Scorer:
    """Scores blocks, each once."""

    session: Session
    vcf: Path
    readout: Readout
    bodies: Mapping[str, Interval]
    config: VariantConfig
    journal: Journal

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What people call the genes."""
        return tuple(self.session.gene_names(self.bodies))

    def blocks(self) -> Iterator[VariantEffects]:
        """Yield the effects of each block, computed or as they were kept."""
        for number, block in enumerate(read_site_blocks(self.vcf, _RECORDS)):
            kept = self.journal.keep(number, lambda block=block: self._score(block)).arrays
            yield VariantEffects(
                variants=block.variants,
                genes=tuple(self.bodies),
                names=self.names,
                outputs=self.readout.outputs,
                pairs=kept["pairs"],
                effects=kept["effects"],
                source=self.vcf,
                n_symbolic=block.counts["n_symbolic_skipped"],
            )

    def _score(self, block: VariantBlock) -> Record:
        genes = self.bodies if self.readout.of_genes else None
        found = score_variants(
            self.session, block.variants, self.readout, genes=genes, config=self.config
        )
        return Record({}, {"pairs": found.pairs, "effects": found.effects})

    def tables(self, count: Callable[[VariantEffects], None]) -> Iterator[pl.DataFrame]:
        """Yield the table of each block, which is counted."""
        for found in self.blocks():
            count(found)
            yield found.table
