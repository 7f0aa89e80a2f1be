"""Expression tables: BED of phenotypes, GCT, TSV and parquet, as genes by people."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float64

from cisgram.core.checks import ConfigError, DataError, check_file, check_unique, few
from cisgram.data.numeric_table import (
    MISSING,
    NumericTable,
    TextLines,
    read_numeric_table,
    to_numbers,
)
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.genes import Annotation

_SPELLINGS = {
    "gene": {"gene", "gene_id", "geneid", "id", "pid", "phenotype_id", "target_id", "name", ""},
    "name": {"gene_name", "gene_symbol", "genename", "symbol", "description", "name"},
    "chrom": {"chrom", "chr", "#chr", "#chrom", "chromosome"},
    "start": {"start"},
    "end": {"end", "stop"},
    "tss": {"tss"},
    "coord": {"coord"},
    "strand": {"strand"},
}
_IGNORED = {"length", "biotype", "gene_type", "gid", "group", "group_id", "score"}
_LEADING = _IGNORED.union(*_SPELLINGS.values())
_POSITIONS = _SPELLINGS["chrom"].union(
    *(_SPELLINGS[name] for name in ("start", "end", "tss", "coord", "strand"))
)
_PERHAPS_PEOPLE = {"id", "name", "score"}
"""Where such a column holds numbers it is read as a person: nobody else knows that person,
and so no harm is done where it is none."""
_PARQUET_INDEX = "__index_level_0__"
_OUTSIDE = 10_000
"""A table's TSS further from the annotated gene is of another build, or of another gene."""


@dataclass(frozen=True, eq=False)
class ExpressionTable:
    """Expression of genes in people, as measured."""

    genes: pl.DataFrame
    """A row a gene: gene, name, chrom, start, end, tss, strand; positions 0-based
    half-open, null where neither the file nor the annotation knows the gene."""
    people: tuple[str, ...]
    values: Float64[np.ndarray, "genes people"]
    """NaN where missing."""

    def __post_init__(self) -> None:
        check_unique(self.people, "person", "the expression table")
        check_unique(self.genes["gene"].to_list(), "gene", "the expression table")
        if self.values.shape != (self.genes.height, len(self.people)):
            raise DataError(
                f"expression must be {self.genes.height} genes by {len(self.people)} people; "
                f"got {self.values.shape}."
            )


def read_expression(path: Path | str, *, annotation: Annotation | None = None) -> ExpressionTable:
    """Read an expression table, in the format that its name ends with.

    `.bed` is a BED of phenotypes as FastQTL, tensorQTL (4 leading columns) and
    QTLtools (6) write it; `.gct` is GCT 1.2 or 1.3; `.tsv`, `.txt` and
    `.parquet` have a row a gene and, before the people, the gene and perhaps
    its name and position. All but parquet may be gzipped.

    The TSS is the first transcribed base, 0-based. These BED files hold just
    that base, so it is `start` on both strands: of the 575 genes of QTLtools'
    Geuvadis example found in an hg19 annotation, 524 have exactly `start + 1`
    as their 1-based TSS (287 of 316 on the plus strand, 237 of 259 on the
    minus), the rest being other transcripts. Where a row spans more than one
    base it is taken for the gene, whose TSS is its last base on the minus strand.
    A text table may give the TSS as `tss`, 0-based, or as Geuvadis does, `Coord`, 1-based.

    An annotation gives names and positions to the genes it knows, with or without
    the version of their identifiers; other genes keep what the file says.

    Raises:
        DataError: what the file holds is not such a table, or the annotation puts most
            of its genes elsewhere.
        ConfigError: an unknown format, or genes without positions.
    """
    path = check_file(path, "expression table")
    readers: dict[str, Callable[[Path], ExpressionTable]] = {
        ".bed": _read_bed,
        ".gct": _read_gct,
        ".tsv": _read_tsv,
        ".txt": _read_tsv,
        ".parquet": _read_parquet,
    }
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix not in readers:
        raise ConfigError(
            f"expression table {path} must end in {', '.join(readers)} (or .gz); rename it."
        )
    table = readers[suffix](path)
    if annotation is not None:
        table = _annotate(path, table, annotation)
    if table.genes["chrom"].is_null().all():
        raise ConfigError(
            f"{path} has no gene positions, or none the annotation knows; "
            "give a GTF or GFF3 annotation of the same genes."
        )
    return table


def _read_bed(path: Path) -> ExpressionTable:
    lines = TextLines(path, "expression table")
    line = lines.take()
    while line.startswith("##"):
        line = lines.take()
    header = line.split("\t")
    if len(header) < 5 or header[1].isdigit():
        raise DataError(
            f"{path} must name its columns, separated by tabs, in a first line (#chr start end "
            f"gene, then people); it begins with {few(header, 4)}."
        )
    table = read_numeric_table(lines, header, n_leading=_n_leading_of_bed)
    chrom, start, end, gene, *beside = table.text.columns
    strand = next((c for c in beside if _is_strand(table.text[c])), None)
    name = next((c for c in beside if c.lower() in _SPELLINGS["name"]), gene)
    columns = {"gene": gene, "name": name, "chrom": chrom, "start": start, "end": end}
    return _expression(path, table, columns | ({"strand": strand} if strand else {}))


def _read_gct(path: Path) -> ExpressionTable:
    lines = TextLines(path, "expression table")
    version, sizes = lines.take().strip(), lines.take().split()
    n_sizes = {"#1.2": 2, "#1.3": 4}.get(version)
    if len(sizes) != n_sizes or not all(size.isdecimal() for size in sizes):
        raise DataError(
            f"{path} must begin with #1.2 and a line of 2 sizes, or #1.3 and one of 4; it begins "
            f"with {version[:20]!r} and {few(sizes, 4) or 'none'}."
        )
    n_genes, n_people, *meta = [int(size) for size in sizes]
    header = lines.take().split("\t")
    # GTEx numbers the rows of its tables of one tissue, before their names.
    n_ignored = int(not meta and [name.lower() for name in header[:2]] == ["id", "name"])
    for _ in range(meta[1] if meta else 0):
        lines.take()

    def n_leading(_header: list[str], _rows: pl.DataFrame) -> int:
        return 1 + meta[0] if meta else 2 + n_ignored

    table = read_numeric_table(lines, header, n_leading=n_leading)
    if table.values.shape != (n_genes, n_people):
        raise DataError(
            f"{path} says {n_genes:,} genes and {n_people:,} people and holds "
            f"{table.values.shape[0]:,} and {table.values.shape[1]:,}; it may be cut short."
        )
    return _expression(path, table, _by_name(table.text.columns[n_ignored:]))


def _read_tsv(path: Path) -> ExpressionTable:
    lines = TextLines(path, "expression table")
    header = lines.take().split("\t")
    table = read_numeric_table(lines, header, n_leading=_n_leading_by_name)
    return _expression(path, table, _by_name(table.text.columns))


def _read_parquet(path: Path) -> ExpressionTable:
    try:
        frame = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is no parquet file that can be read; make it again.") from error
    if (index := _parquet_index(frame)) is not None:
        frame = frame.select(pl.col(index).alias("gene"), pl.exclude(index))
    leading = _n_leading_by_name(frame.columns, frame)
    text = frame.select(pl.col(frame.columns[:leading]).cast(pl.String))
    people = frame.columns[leading:]
    values = to_numbers(frame.select(people), str(path), first_row=1)
    table = NumericTable(text, tuple(people), values)
    return _expression(path, table, _by_name(text.columns))


def _parquet_index(frame: pl.DataFrame) -> str | None:
    """Find the genes where pandas wrote them as an index: unnamed, or named and last."""
    if _PARQUET_INDEX in frame.columns:
        return _PARQUET_INDEX
    last = frame.columns[-1]
    named = [name for name in frame.columns if name.lower() in _SPELLINGS["gene"]]
    return last if named == [last] and not frame.schema[last].is_numeric() else None


def _n_leading_of_bed(header: list[str], rows: pl.DataFrame) -> int:
    """Count the columns before the people: four, and any that cannot be a person's.

    A fifth or sixth column is not a person when its name says so, when it holds
    text and no number, or when the sixth is a strand and the fifth no person.
    Missing values say nothing: a person without any value is a person.
    """
    if len(header) > 6 and _is_strand(rows.to_series(5)):
        fifth = rows.to_series(4)
        if header[4].lower() in _LEADING or not _is_number(fifth).any():
            return 6
    for leading in range(4, min(6, len(header) - 1)):
        column = rows.to_series(leading)
        is_number = _is_number(column)
        is_text = _is_strand(column) or (is_number.len() > 0 and not is_number.any())
        if not (is_text or _describes_genes(header[leading], column)):
            return leading
    return min(6, len(header) - 1)


def _n_leading_by_name(header: list[str], rows: pl.DataFrame) -> int:
    """Count the gene's own columns: the first, and those beside it with known names."""
    leading = 1
    while leading < len(header) - 1 and _describes_genes(header[leading], rows.to_series(leading)):
        leading += 1
    return leading


def _describes_genes(name: str, column: pl.Series) -> bool:
    """Say whether a column is the genes' own by its name, and not of a person so named."""
    is_person = name.lower() in _PERHAPS_PEOPLE and _is_number(column).any()
    return name.lower() in _LEADING and not is_person


def _is_number(column: pl.Series) -> pl.Series:
    """Say of each value that is not missing whether it is a number."""
    text = column.cast(pl.String).str.strip_chars().fill_null("")
    return text.filter(~text.is_in(MISSING)).cast(pl.Float64, strict=False).is_not_null()


def _is_strand(column: pl.Series) -> bool:
    values = column.fill_null("")
    return bool(values.is_in(["+", "-", "."]).all() and values.is_in(["+", "-"]).any())


def _by_name(columns: list[str]) -> dict[str, str]:
    """Find the columns of the gene table among those of a file.

    The gene is the first, unless that is a position; then the first so named.
    """
    gene = columns[0]
    if gene.lower() in _POSITIONS:
        gene = next((name for name in columns if name.lower() in _SPELLINGS["gene"]), gene)
    found = {"gene": gene, "name": gene}
    for column in columns:
        for meaning, spellings in _SPELLINGS.items():
            if column != gene and meaning != "gene" and column.lower() in spellings:
                found[meaning] = column
    return found


def _expression(path: Path, table: NumericTable, columns: dict[str, str]) -> ExpressionTable:
    """Type the gene columns and find each gene's TSS."""
    text = table.text.select(pl.all().str.strip_chars())
    genes = text.select(
        *(pl.col(columns[c]).alias(c) for c in ("gene", "name")),
        _column(columns, "chrom", pl.String),
        *(_column(columns, c, pl.Int64) for c in ("start", "end", "tss")),
        _column(columns, "strand", pl.String).fill_null("."),
    )
    if "coord" in columns:
        genes = genes.with_columns(
            text.select(_column(columns, "coord", pl.Int64) - 1).to_series().alias("tss")
        )
    if genes["gene"].is_null().any():
        raise DataError(f"{path} has a row without the name of a gene; name it or remove the row.")
    if {"start", "end"} <= columns.keys():
        right = (pl.col("start") < pl.col("end")).fill_null(value=False)
        wrong = genes.filter(~right)
        if wrong.height:
            raise DataError(
                f"{path} gives gene {wrong['gene'][0]} no start below its end; "
                "positions are whole numbers, 0-based and half-open."
            )
        last = pl.when(pl.col("strand") == "-").then(pl.col("end") - 1).otherwise(pl.col("start"))
        genes = genes.with_columns(pl.col("tss").fill_null(last))
    elif {"tss", "coord"} & columns.keys():
        genes = genes.with_columns(start=pl.col("tss"), end=pl.col("tss") + 1)
    people = tuple(name.strip() for name in table.columns)
    return ExpressionTable(genes, people, table.values)


def _column(columns: dict[str, str], name: str, dtype: type[pl.DataType]) -> pl.Expr:
    source = pl.col(columns[name]) if name in columns else pl.lit(None)
    return source.cast(dtype, strict=False).alias(name)


def known_as(genes: pl.Series, annotation: Annotation) -> pl.Series:
    """Return what the annotation calls each gene, whatever the versions; null where unknown."""
    known = annotation.genes.select(known="gene")
    lookup = pl.concat(
        [known.with_columns(key="known"), known.with_columns(key=_without_version("known"))]
    ).unique("key", keep="first", maintain_order=True)
    exact = pl.col("gene").is_in(known["known"].to_list())
    keys = pl.DataFrame({"gene": genes}).select(
        key=pl.when(exact).then("gene").otherwise(_without_version("gene"))
    )
    return keys.join(lookup, on="key", how="left", maintain_order="left")["known"]


def _annotate(path: Path, table: ExpressionTable, annotation: Annotation) -> ExpressionTable:
    """Put the annotation's names and positions where it knows the gene."""
    joined = table.genes.with_columns(known=known_as(table.genes["gene"], annotation)).join(
        annotation.genes, left_on="known", right_on="gene", how="left", suffix="_known",
        maintain_order="left",
    )  # fmt: skip
    _check_build(path, joined, ChromosomeNames(annotation.genes["chrom"]))
    names = ("name", "chrom", "start", "end", "tss", "strand")
    placed = joined.select(
        "gene", *(pl.coalesce(f"{name}_known", name).alias(name) for name in names)
    )
    return ExpressionTable(placed, table.people, table.values)


def _check_build(path: Path, genes: pl.DataFrame, names: ChromosomeNames) -> None:
    """Refuse an annotation that puts most genes elsewhere than the table does."""
    both = genes.filter(pl.col("chrom").is_not_null() & pl.col("chrom_known").is_not_null())
    spelled = pl.Series([names.resolve(chrom) for chrom in both["chrom"]], dtype=pl.String)
    near = pl.col("tss").is_between(
        pl.col("start_known") - _OUTSIDE, pl.col("end_known") + _OUTSIDE
    )
    there = (spelled.eq_missing(both["chrom_known"])) & both.select(
        near.fill_null(value=True)
    ).to_series()
    elsewhere = both.filter(~there)
    if 2 * elsewhere.height > both.height:
        gene, chrom, tss, *known = elsewhere.select(
            "gene", "chrom", "tss", "chrom_known", "tss_known"
        ).row(0)
        raise DataError(
            f"the annotation is of another build, or names chromosomes otherwise: it has "
            f"{elsewhere.height:,} of {both.height:,} genes of {path} elsewhere, such as {gene} "
            f"at {_place(*known)} and not {_place(chrom, tss)}; give one of the same build."
        )


def _place(chrom: str, tss: int | None) -> str:
    return chrom if tss is None else f"{chrom}:{tss + 1:,}"


def _without_version(column: str) -> pl.Expr:
    """Drop the version of an Ensembl identifier: ENSG00000100003.2 and ENSG00000100003."""
    return pl.col(column).str.replace(r"^(ENS[A-Z]*\d+)\.\d+", "$1")
