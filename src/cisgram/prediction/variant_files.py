"""Score the variants of a file: block by block, so that memory stays bounded and work is kept."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from cisgram.core.artifact import sha256
from cisgram.core.journal import Journal, Record, resumable
from cisgram.core.progress import progress
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.vcf import read_site_blocks
from cisgram.prediction.identity import genome_identity, session_identity
from cisgram.prediction.readouts import Readout
from cisgram.prediction.session import Session
from cisgram.prediction.variant_checks import PairRemarks, remarks_on, usable_variants
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
    n_unknown: int = 0
    n_bad: int = 0
    """Alternate alleles left out, as `VariantEffects` counts them."""
    remarks: PairRemarks = field(default_factory=PairRemarks)

    def add(self, found: VariantEffects) -> None:
        """Count the variants of a block."""
        self.n_variants += found.variants.height
        self.n_pairs += len(found.pairs)
        self.n_far += found.n_far
        self.n_missing += int(np.isnan(found.effects).all(axis=1).sum())
        self.n_symbolic += found.n_symbolic
        self.n_unknown += found.n_unknown
        self.n_bad += found.n_bad
        self.remarks.add(found.remarks)


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

    def n_pairs(variants: pl.DataFrame) -> int:
        if not readout.of_genes:
            return variants.height
        return len(near_pairs(session.reference, variants, bodies, reach=config.reach))

    sizes = [n_pairs(variants) for variants, _ in _usable_blocks(vcf, session.reference, config)]
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


def _usable_blocks(
    vcf: Path, reference: Reference, config: VariantConfig
) -> Iterator[tuple[pl.DataFrame, dict[str, int]]]:
    """Yield the variants of each block that can be scored, and how many others there are."""
    for block in read_site_blocks(vcf, _RECORDS):
        yield usable_variants(block, reference, skip_bad=config.skip_bad)


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
        reference = self.session.reference
        for number, (variants, counts) in enumerate(
            _usable_blocks(self.vcf, reference, self.config)
        ):
            kept = self.journal.keep(number, lambda part=variants: self._score(part)).arrays
            yield VariantEffects(
                variants=variants,
                genes=tuple(self.bodies),
                names=self.names,
                outputs=self.readout.outputs,
                pairs=kept["pairs"],
                effects=kept["effects"],
                source=self.vcf,
                remarks=remarks_on(reference, variants, genes=self.bodies, pairs=kept["pairs"]),
                **counts,
            )

    def _score(self, variants: pl.DataFrame) -> Record:
        genes = self.bodies if self.readout.of_genes else None
        found = score_variants(
            self.session, variants, self.readout, genes=genes, config=self.config
        )
        return Record({}, {"pairs": found.pairs, "effects": found.effects})

    def tables(self, count: Callable[[VariantEffects], None]) -> Iterator[pl.DataFrame]:
        """Yield the table of each block, which is counted."""
        for found in self.blocks():
            count(found)
            yield found.table
