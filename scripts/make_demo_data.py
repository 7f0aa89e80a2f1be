"""Cut the demo's data out of Debian's qtltools-example package.

    python scripts/make_demo_data.py                      # apt-get download, then cut
    python scripts/make_demo_data.py --deb FILE.deb       # the package, fetched by other means
    python scripts/make_demo_data.py --panel FILE.panel   # also write populations.tsv anew

The region is two round megabases of chromosome 22 and every gene that starts in
them; it was chosen by gene density and file size, before any model was fitted.
Needs only the standard library. The same input gives the same text; the same
zlib gives the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import json
import lzma
import struct
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

CHROMOSOME = "chr22"
GENES_BETWEEN = (30_000_000, 32_000_000)
WINDOW = 1_000_000
PACKAGE = "qtltools-example"
PANEL = "integrated_call_samples_v3.20130502.ALL.panel"
SOURCES = {  # file of the package -> SHA-256
    "genotypes.chr22.vcf.gz": "28ec28eede71d3bfe3ed06a5da1c818924459380ddd1ee16201f334361e345c0",
    "genes.50percent.chr22.bed.gz": "fc50a0750194971d18ba28ac69f787ba10c26bd03eb204ef1cd88b3d22b28d7d",  # noqa: E501
    "genes.covariates.pc50.txt.gz": "a8936c43d74c657ecfbb18169c9ffc553e3d6254b48334b75580c6f142555c02",  # noqa: E501
}
OUT = Path(__file__).parents[1] / "src" / "cisgram" / "demo"
_BGZF_BLOCK = 65_280
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def main() -> None:
    """Read the package, check it, write the slice and its manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deb", type=Path, help="the .deb; fetched by apt-get when not given")
    parser.add_argument("--panel", type=Path, help="sample list of 1000 Genomes phase 3 (IGSR)")
    arguments = parser.parse_args()

    sources = read_sources(arguments.deb or download())
    genotypes = cut_genotypes(gzip.decompress(sources["genotypes.chr22.vcf.gz"]).decode())
    expression = cut_expression(gzip.decompress(sources["genes.50percent.chr22.bed.gz"]).decode())
    covariates = name_covariates(gzip.decompress(sources["genes.covariates.pc50.txt.gz"]).decode())
    people = expression.split("\n", 1)[0].split("\t")[6:]
    if arguments.panel:
        (OUT / "populations.tsv").write_text(populations(arguments.panel.read_text(), people))

    (OUT / "genotypes.vcf.gz").write_bytes(bgzip(genotypes.encode()))
    (OUT / "expression.bed.gz").write_bytes(bgzip(expression.encode()))
    (OUT / "covariates.txt.gz").write_bytes(bgzip(covariates.encode()))
    write_manifest(
        n_people=len(people),
        n_genes=expression.count("\n") - 1,
        n_variants=sum(not line.startswith("#") for line in genotypes.splitlines()),
        n_covariates=covariates.count("\n") - 1,
    )


def download() -> Path:
    """Fetch the package with apt-get."""
    place = Path(tempfile.mkdtemp(prefix="qtltools-example-"))
    subprocess.run(["apt-get", "download", PACKAGE], cwd=place, check=True)
    return next(place.glob("*.deb"))


def read_sources(deb: Path) -> dict[str, bytes]:
    """Return the three files of the package, each checked against its SHA-256."""
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(ar_member(deb, "data.tar.xz")))) as data:
        inner = data.extractfile("./usr/share/doc/qtltools/examples/examples.tar.xz")
        if inner is None:
            raise SystemExit(f"{deb} holds no examples.tar.xz; is it {PACKAGE}?")
        with tarfile.open(fileobj=io.BytesIO(lzma.decompress(inner.read()))) as examples:
            found = {Path(m.name).name: examples.extractfile(m) for m in examples if m.isfile()}
            content = {name: found[name].read() for name in SOURCES}
    for name, expected in SOURCES.items():
        if hashlib.sha256(content[name]).hexdigest() != expected:
            raise SystemExit(f"{name} in {deb} is not the file this slice was cut from.")
    return content


def ar_member(path: Path, name: str) -> bytes:
    """Return one member of a Unix archive, which is what a .deb is."""
    with path.open("rb") as stream:
        if stream.read(8) != b"!<arch>\n":
            raise SystemExit(f"{path} is no Debian package.")
        while header := stream.read(60):
            size = int(header[48:58])
            content = stream.read(size + size % 2)
            if header[:16].decode().strip().rstrip("/") == name:
                return content[:size]
    raise SystemExit(f"{path} holds no {name}.")


def cut_genotypes(vcf: str) -> str:
    """Keep the variants within `WINDOW` of the genes' region, and of each only its calls."""
    start, end = GENES_BETWEEN[0] - WINDOW, GENES_BETWEEN[1] + WINDOW

    def lines() -> Iterator[str]:
        yield "##fileformat=VCFv4.2"
        yield '##FILTER=<ID=PASS,Description="All filters passed">'
        yield f"##contig=<ID={CHROMOSOME},assembly=b37,length=51304566>"
        yield '##FORMAT=<ID=GT,Number=1,Type=String,Description="Phased genotype">'
        for line in vcf.splitlines():
            if line.startswith("##"):
                continue
            if line.startswith("#"):
                yield line
                continue
            fields = line.split("\t")
            if fields[0] == CHROMOSOME and start < int(fields[1]) <= end:
                calls = [call.partition(":")[0] for call in fields[9:]]
                yield "\t".join([*fields[:5], ".", "PASS", ".", "GT", *calls])

    return "\n".join(lines()) + "\n"


def cut_expression(bed: str) -> str:
    """Keep the genes that start in the region, every column of them."""
    header, *rows = bed.splitlines()
    kept = [row for row in rows if in_region(row)]
    return "\n".join([header, *kept]) + "\n"


def in_region(row: str) -> bool:
    """Say whether a row of the expression table starts in the region."""
    chromosome, start = row.split("\t", 2)[:2]
    return chromosome == CHROMOSOME and GENES_BETWEEN[0] <= int(start) < GENES_BETWEEN[1]


def name_covariates(table: str) -> str:
    """Write tabs for spaces and drop the author's directories from the names."""
    rows = [line.split() for line in table.splitlines()]
    for row in rows[1:]:
        kind, _, component = row[0].rpartition("/")[2].partition("_1_1_svd_")
        row[0] = f"{'genotype' if kind == 'genotypes' else 'expression'}_{component}"
    return "\n".join("\t".join(row) for row in rows) + "\n"


def populations(panel: str, people: list[str]) -> str:
    """Write person and population, in the order of the expression table."""
    rows = [line.split() for line in panel.splitlines()[1:]]
    code = {row[0]: row[1] for row in rows if row}
    return "person\tpopulation\n" + "".join(f"{person}\t{code[person]}\n" for person in people)


def bgzip(content: bytes) -> bytes:
    """Compress in the blocked gzip format of the SAM specification, section 4.1."""
    blocks = [
        bgzf_block(content[at : at + _BGZF_BLOCK]) for at in range(0, len(content), _BGZF_BLOCK)
    ]
    return b"".join(blocks) + _BGZF_END


def bgzf_block(content: bytes) -> bytes:
    """Compress one block."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    body = deflate.compress(content) + deflate.flush()
    head = struct.pack("<4BI2BH2B2H", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(body) + 25)
    return head + body + struct.pack("<2I", zlib.crc32(content), len(content))


def write_manifest(**counts: int) -> None:
    """Record what the slice is and the SHA-256 of every file, packed and unpacked."""
    files = {}
    for path in sorted(OUT.glob("*.*")):
        if path.suffix not in {".gz", ".tsv"}:
            continue
        packed = path.read_bytes()
        text = gzip.decompress(packed) if path.suffix == ".gz" else packed
        files[path.name] = {
            "bytes": len(packed),
            "sha256": hashlib.sha256(packed).hexdigest(),
            "sha256_unpacked": hashlib.sha256(text).hexdigest(),
        }
    manifest = {
        "source": {"package": f"Debian {PACKAGE} 1.3.1+dfsg-4", "sha256": SOURCES},
        "command": f"python scripts/make_demo_data.py --panel {PANEL}",
        "genes": f"{CHROMOSOME}:{GENES_BETWEEN[0] + 1}-{GENES_BETWEEN[1]}",
        "window": WINDOW,
        **counts,
        "files": files,
    }
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
