"""Genes, transcripts, exons and all other lines of a GTF or GFF3 file."""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

from cisgram.core import checks
from cisgram.core.checks import ConfigError, DataError, check_unique, few
from cisgram.genome.attributes import gff3_says, gtf_says, plain_quotes
from cisgram.genome.interval import Interval
from cisgram.genome.packaged_genomes import check_path_or_name, packaged_genome
from cisgram.genome.reference import Reference
from cisgram.genome.streams import read_lines

_COLUMNS = ["chrom", "source", "feature", "start", "end", "score", "strand", "phase", "attributes"]
_GTF_GENE = "^gene$"
_GFF3_GENE = r"^(?:.+_)?gene$|^pseudogene$"
_TRANSCRIPT = r"RNA$|transcript$|_segment$|^transposable_element$"
_EXON = r"^(?:.+_)?exon$"
_PREFIX = r"^(?:gene|transcript|rna)[:-]"


@dataclass(frozen=True)
class Annotation:
    """What an annotation file says, in its order, 0-based and half-open.

    `tss` is the position of the first transcribed base: `start` on strand `+`
    and `.`, `end - 1` on strand `-`. A gene's is that of its most 5' transcript.
    """

    genes: pl.DataFrame
    """gene (with version where given), name (the gene where it has none), biotype (null where
    not given), chrom, start, end, strand, tss; each gene once."""
    transcripts: pl.DataFrame
    """transcript, gene, biotype, chrom, start, end, strand, tss."""
    exons: pl.DataFrame
    """transcript, gene, chrom, start, end, strand; once for each transcript that has it."""


def read_genes(path: Path | str) -> Annotation:
    """Read a GTF or GFF3, plain or compressed, in the styles of Ensembl, GENCODE, RefSeq and SGD.

    The name of a packaged genome such as `yeast-r64` stands for its annotation.

    Raises:
        DataError: the file is damaged, has no gene lines, names a gene twice, or
            has a line of a gene, transcript or exon that cannot be read.
    """
    lines = _read(path)
    is_gff3 = _is_gff3(lines)
    if not lines["feature"].str.contains(_GFF3_GENE if is_gff3 else _GTF_GENE).any():
        raise DataError(
            f"annotation {path} has no gene lines; give a GTF or GFF3 whose third column says gene."
        )
    table = _positions(lines, path)
    annotation = _read_gff3(table) if is_gff3 else _read_gtf(plain_quotes(table))
    genes = annotation.genes
    if (unnamed := genes.filter(pl.col("gene").is_null())).height:
        chrom, start = unnamed.select("chrom", "start").row(0)
        raise DataError(
            f"annotation {path} has a gene without a name at {chrom}:{start + 1:,}; "
            "give every gene a gene_id (GTF) or ID (GFF3)."
        )
    check_unique(genes["gene"].to_list(), "gene", f"annotation {path}")
    return annotation


def read_features(path: Path | str) -> pl.DataFrame:
    """Read every line of a GTF or GFF3, whatever it stands for.

    Positions written `12.0`, and those in falling order on strand `-`, are put right.

    Returns:
        chrom, feature (its third column), start and end (0-based, half-open), strand,
        id (GFF3 only), parents (their `Parent`, or the transcript's id in a GTF, else the
        gene's) and biotype (null where not given), in the order of the file.

    Raises:
        DataError: the file is damaged, holds no line, or has one that cannot be read.
    """
    lines = _read(path, every=True)
    if not lines.height:
        raise DataError(f"annotation {path} holds no line; give a GTF or GFF3.")
    first, second = (
        pl.col(name).str.replace(r"^(\d+)\.0*$", "${1}").cast(pl.Int64, strict=False)
        for name in ("start", "end")
    )
    backwards = (first > second) & (pl.col("strand") == "-")
    text = pl.col("attributes")
    quoted = text.str.starts_with('"') & text.str.contains('""', literal=True)
    lines = lines.with_columns(
        start=pl.when(backwards).then(second).otherwise(first).cast(pl.String),
        end=pl.when(backwards).then(first).otherwise(second).cast(pl.String),
        attributes=pl.when(quoted)
        .then(text.str.strip_chars('"').str.replace_all('""', '"', literal=True))
        .otherwise(text),
    )
    table = _positions(lines, path)
    if _is_gff3(lines):
        id, parents = gff3_says("ID"), gff3_says("Parent")
        biotype = gff3_says("biotype", "gene_biotype", "gene_type")
    else:
        table = plain_quotes(table)
        id, parents = pl.lit(None, dtype=pl.String), gtf_says("transcript_id", "gene_id")
        biotype = gtf_says("gene_biotype", "gene_type", "transcript_biotype", "transcript_type")
    return table.select(
        "chrom", "feature", "start", "end", "strand",
        id=id, parents=parents.str.split(","), biotype=biotype,
    )  # fmt: skip


class Genes:
    """The genes of an annotation that lie on a reference, parsed once.

    An identifier is the annotation's own, `YNL243W`; a name is what people say, `SLA2`.
    """

    places: dict[str, Interval]
    """Body of each gene on its strand, by identifier; contigs are spelt as in the reference,
    and genes on other contigs are left out."""

    def __init__(self, annotation: Path | str, reference: Reference) -> None:
        """Read a GTF, a GFF3 or the annotation of a packaged genome, named `yeast-r64`."""
        self.annotation, self.reference = annotation, reference
        rows = read_genes(annotation).genes.iter_rows(named=True)
        self._rows: dict[str, dict[str, Any]] = {row["gene"]: row for row in rows}
        self._named: dict[str, list[str]] = {}
        self.places = {}
        for gene, row in self._rows.items():
            self._named.setdefault(row["name"], []).append(gene)
            chrom = reference.names.resolve(row["chrom"])
            if chrom is not None:
                self.places[gene] = Interval(chrom, row["start"], row["end"], row["strand"])
        if not self.places:
            raise DataError(
                f"no gene of {annotation} lies on a contig of {reference.name}; "
                "give the annotation of this genome."
            )

    def find(self, names: Sequence[str]) -> dict[str, Interval]:
        """Return the bodies of genes, or of one, by identifier or name; identifiers win.

        Raises:
            DataError: a gene is not in the annotation, or its contig not in the reference, or
                several genes have the name.
        """
        names = [names] if isinstance(names, str) else names
        missing = [name for name in names if name not in self._rows and name not in self._named]
        if missing:
            raise DataError(
                f"annotation {self.annotation} has no gene {few(missing)}; use its names."
            )
        return {gene: self.places[gene] for gene in map(self._identifier, names)}

    def read_names(self, genes: str) -> list[str]:
        """Return genes as `read_gene_list` reads them, for `find`."""
        where = f"annotation {self.annotation}"
        return read_gene_list(genes, tuple(self.places), where, aliases=self._rows | self._named)

    def name(self, identifier: str) -> str:
        """Return the name of a gene, its identifier where it has none."""
        if identifier not in self._rows:
            raise DataError(
                f"annotation {self.annotation} has no gene {identifier}; use its identifiers."
            )
        return self._rows[identifier]["name"]

    @property
    def names(self) -> dict[str, str]:
        """Name of each gene by identifier."""
        return {gene: row["name"] for gene, row in self._rows.items()}

    @property
    def by_name(self) -> dict[str, Interval]:
        """Body of each gene by name; by identifier where another gene has the name already."""
        found: dict[str, Interval] = {}
        for gene, place in self.places.items():
            name = self._rows[gene]["name"]
            found[gene if name in found or name in self._rows else name] = place
        return found

    def nearest(self, region: Interval) -> str:
        """Return the identifier of the gene whose body starts nearest to a region's middle."""
        chrom = self.reference.names.resolve(region.chrom)
        middle = (region.start + region.end) // 2
        near = [gene for gene, place in self.places.items() if place.chrom == chrom]
        if not near:
            raise ConfigError(
                f"no gene of the annotation lies on {region.chrom}; name a region near one."
            )
        return min(near, key=lambda gene: abs(self.places[gene].position(0) - middle))

    def _identifier(self, name: str) -> str:
        """Return the one gene on the reference that is meant by an identifier or a name."""
        genes = [name] if name in self._rows else self._named[name]
        placed = [gene for gene in genes if gene in self.places]
        if not placed:
            raise DataError(
                f"gene {name} lies on {self._rows[genes[0]]['chrom']}, which "
                f"{self.reference.name} lacks; give the annotation of this genome."
            )
        if len(placed) > 1:
            raise DataError(
                f"annotation {self.annotation} has {len(placed)} genes named {name} "
                f"({few(placed, 5)}); give the identifier of one."
            )
        return placed[0]


def read_gene_list(
    genes: str, known: Sequence[str], where: str, *, aliases: Container[str] = ()
) -> list[str]:
    """Return genes named between commas or in a file, or a number of the first genes.

    Of each line of a file the first word counts; lines that begin with `#` are comments.

    Args:
        genes: names, a file or a number, as people type it.
        known: every gene, in order.
        where: what has these genes, for messages.
        aliases: other names of them.

    Raises:
        DataError: a name is neither a gene nor a file, or the file names no gene.
        ConfigError: the number is below 1.
    """
    every = frozenset(known)
    names = [name.strip() for name in genes.split(",")]
    unknown = [name for name in names if name not in every and name not in aliases]
    if not unknown:
        return names
    if genes.isdecimal():
        return list(known[: int(checks.check_range(int(genes), "--genes", low=1))])
    if len(names) > 1 or not Path(genes).exists():
        raise DataError(
            f"--genes: {few(unknown)} is neither a gene of {where} nor a file; give names "
            "between commas, a file with a gene on each line, or a number of genes."
        )
    lines = (line.split() for line in checks.read_text(genes, "the list of genes").splitlines())
    names = [words[0] for words in lines if words and not words[0].startswith("#")]
    if not names:
        raise DataError(f"{genes} names no gene; write one a line.")
    return names


def _read(path: Path | str, *, every: bool = False) -> pl.DataFrame:
    """Return the lines of genes, transcripts and exons, or all, as nine columns of text."""
    packaged = packaged_genome(path)
    file = packaged.annotation if packaged else check_path_or_name(path, "annotation")
    tables: list[pl.DataFrame] = []
    for text in read_lines(file, "annotation"):
        lines, fasta, _ = text.partition(b"##FASTA")
        try:
            table = pl.read_csv(
                lines,
                separator="\t",
                has_header=False,
                schema=dict.fromkeys(_COLUMNS, pl.String),
                comment_prefix="#",
                quote_char=None,
                truncate_ragged_lines=True,
                raise_if_empty=False,
                encoding="utf8-lossy",
            )
        except pl.exceptions.PolarsError:
            raise DataError(
                f"annotation {path} is not a table of nine columns between tabs; "
                "give a GTF or GFF3."
            ) from None
        wanted = pl.col("feature").str.contains(f"{_GFF3_GENE}|{_TRANSCRIPT}|{_EXON}")
        tables.append(table if every else table.filter(wanted))
        if fasta:
            break
    return pl.concat(tables)


def _positions(lines: pl.DataFrame, path: Path | str) -> pl.DataFrame:
    """Turn positions into 0-based numbers and add the TSS; refuse lines without them."""
    start, end = (pl.col(name).cast(pl.Int64, strict=False) for name in ("start", "end"))
    strand = pl.col("strand")
    table = lines.with_columns(
        start=start - 1,
        end=end,
        strand=pl.when(strand.is_in(["+", "-"])).then(strand).otherwise(pl.lit(".")),
        tss=pl.when(strand == "-").then(end).otherwise(start) - 1,
    )
    good = (pl.col("start") >= 0) & (pl.col("end") > pl.col("start"))
    wrong = ~(good & pl.col("attributes").is_not_null()).fill_null(value=False)
    if (found := lines.filter(table.select(wrong).to_series())).height:
        line = " ".join(str(found[name][0]) for name in ("chrom", "feature", "start", "end"))
        raise DataError(
            f"annotation {path} has a line without proper positions or attributes ({line}); "
            "download it again."
        )
    return table


def _is_gff3(lines: pl.DataFrame) -> bool:
    """Say whether attributes are written `key=value` and not `key "value"`."""
    return bool(lines.height) and re.match(r"\s*[^\s;=]+=", lines["attributes"][0]) is not None


def _annotation(genes: pl.DataFrame, transcripts: pl.DataFrame, exons: pl.DataFrame) -> Annotation:
    place = ("chrom", "start", "end", "strand")
    return Annotation(
        genes.select("gene", "name", "biotype", *place, "tss"),
        transcripts.select("transcript", "gene", "biotype", *place, "tss"),
        exons.select("transcript", "gene", *place),
    )


def _read_gtf(lines: pl.DataFrame) -> Annotation:
    table = lines.with_columns(
        gene=_with_version(gtf_says("gene_id"), gtf_says("gene_version")),
        transcript=_with_version(gtf_says("transcript_id"), gtf_says("transcript_version")),
    )
    feature = pl.col("feature")
    genes = table.filter(feature.str.contains(_GTF_GENE)).with_columns(
        name=gtf_says("gene_name", "gene_id"), biotype=gtf_says("gene_biotype", "gene_type")
    )
    transcripts = table.filter(feature.is_in(["transcript", "mRNA"])).with_columns(
        biotype=gtf_says("transcript_biotype", "transcript_type")
    )
    exons = table.filter(feature == "exon")
    return _annotation(genes, transcripts, exons)


def _read_gff3(lines: pl.DataFrame) -> Annotation:
    """Follow `Parent` from exons to transcripts to genes."""
    # An ID of digits is the file's own bookkeeping; the name is what people know.
    label = (
        pl.when(gff3_says("ID").str.contains(r"^\d+$"))
        .then(gff3_says("Name"))
        .otherwise(gff3_says("ID"))
    ).str.replace(_PREFIX, "")
    table = lines.with_columns(
        id=gff3_says("ID"),
        parent=gff3_says("Parent").str.split(","),
        label=_with_version(label, gff3_says("version")),
        biotype=gff3_says("biotype", "gene_biotype", "gene_type"),
        name=pl.coalesce(gff3_says("gene_name", "gene", "Name"), label),
    )
    feature = pl.col("feature")
    genes = _whole(table.filter(feature.str.contains(_GFF3_GENE))).rename({"label": "gene"})
    genes = genes.with_columns(_decoded("gene"), _decoded("name"))

    def children(kind: str, *names: str, of: pl.DataFrame) -> pl.DataFrame:
        lines = table.filter(feature.str.contains(kind)).explode("parent")
        return lines.join(of.select(*names, parent="id"), on="parent", maintain_order="left")

    transcripts = children(_TRANSCRIPT, "gene", of=genes).rename({"label": "transcript"})
    biotype = pl.coalesce(gff3_says("transcript_type"), "biotype")
    transcripts = transcripts.with_columns(_decoded("transcript"), biotype=biotype)
    exons = children(_EXON, "transcript", "gene", of=transcripts)
    return _annotation(genes, transcripts, exons)


def _whole(genes: pl.DataFrame) -> pl.DataFrame:
    """Join the parts of a trans-spliced gene, which are lines of one ID on one chromosome.

    Where they lie on both strands, those on the strand of the first are kept.
    """
    place = ("id", "chrom")
    tss = pl.when(pl.col("strand") == "-").then(pl.col("end") - 1).otherwise("start")
    return (
        genes.filter(pl.col("strand") == pl.col("strand").first().over(place))
        .with_columns(start=pl.col("start").min().over(place), end=pl.col("end").max().over(place))
        .with_columns(tss=tss)
        .unique(place, keep="first", maintain_order=True)
    )


def _with_version(name: pl.Expr, version: pl.Expr) -> pl.Expr:
    """Join `ENSG00000012048` and `23`, as GENCODE writes them; a name without version stays."""
    joined = name + "." + version
    return (
        pl.when(version.is_null() | name.str.ends_with("." + version)).then(name).otherwise(joined)
    )


def _decoded(column: str) -> pl.Expr:
    """Undo GFF3's percent codes, which few names have."""
    plain = pl.col(column).map_elements(unquote, return_dtype=pl.String)
    return pl.when(pl.col(column).str.contains("%", literal=True)).then(plain).otherwise(column)
