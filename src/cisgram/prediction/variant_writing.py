"""Effects of variants as files: tables, and the VCF again; one part in memory at a time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from cisgram.core.artifact import atomic_file
from cisgram.core.checks import ConfigError
from cisgram.core.results import encoded, write_tsv
from cisgram.genome.vcf_writing import Entries, WriteMode, annotate_vcf

INFO = "CISGRAM"
_MODES: dict[str, WriteMode] = {".vcf": "w", ".vcf.gz": "wz", ".bcf": "wb"}
_RESERVED = "%:;=,| "
"""Characters that end a name in INFO: those that VCF reserves, blanks, and our own."""
_DIGITS = 5


def check_target(source: Path | None, out: Path) -> Path:
    """Return the VCF that `out` would annotate; refuse where there is none, or `out` is it."""
    if source is None:
        raise ConfigError(f"{out} needs a VCF to annotate; write .tsv or .parquet.")
    if out.resolve() == source.resolve():
        raise ConfigError(f"{out} is the VCF that is scored; name another file to write.")
    return source


def write_effects(
    tables: Iterable[pl.DataFrame], out: Path | str, *, source: Path | None = None
) -> None:
    """Write tables as `VariantEffects.table` has them, in the order of the file, to one file.

    That is tab-separated, .parquet, or the VCF `source` again with INFO/CISGRAM.
    """
    out = Path(out)
    mode: WriteMode | None = next(
        (mode for suffix, mode in _MODES.items() if out.name.endswith(suffix)), None
    )
    vcf = None if mode is None else check_target(source, out)
    with atomic_file(out) as building:
        if mode is not None and vcf is not None:
            text = "Effects by cisgram, names percent-encoded. Format: Allele|Gene|Output|Effect"
            annotate_vcf(vcf, building, mode=mode, info=(INFO, text), values=_entries(tables))
        elif out.suffix == ".parquet":
            parts: list[Path] = []
            for number, table in enumerate(tables):
                parts.append(building.with_name(f"{number}.parquet"))
                table.write_parquet(parts[-1])
            pl.scan_parquet(parts, glob=False).sink_parquet(building)
        else:
            with building.open("wb") as stream:
                for number, table in enumerate(tables):
                    write_tsv(table, stream, digits=_DIGITS, header=number == 0)


def _entries(tables: Iterable[pl.DataFrame]) -> Iterator[tuple[tuple[str, int], Entries]]:
    """Yield the entries of alternate alleles at each position, each once."""
    for (chrom, pos), rows in groupby(_rows(tables), key=lambda row: row[:2]):
        found: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        for _, _, ref, alt, gene, output, effect in rows:
            number = "." if effect != effect else f"{effect:.{_DIGITS}f}"
            names = f"{encoded(gene, _RESERVED)}|{encoded(output, _RESERVED)}"
            found[ref, alt][f"{alt}|{names}|{number}"] = None
        yield (chrom, pos), {allele: tuple(entries) for allele, entries in found.items()}


def _rows(tables: Iterable[pl.DataFrame]) -> Iterator[tuple[Any, ...]]:
    for table in tables:
        if "gene" not in table.columns:
            table = table.with_columns(gene=pl.lit(""))
        yield from table.select(
            "chrom", "pos", "ref", "alt", "gene", "output", "effect"
        ).iter_rows()
