"""What a data set lacks is named before a sequence is read."""

import sys
from pathlib import Path

import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.core.config import from_plain
from cisgram.data.base import data_kind
from cisgram.data.outputs import Geometry
from cisgram.genome.reference import Reference
from training.small_targets import write_sources

GEOMETRY = {
    "tracks": Geometry(window=128, resolution=4, margin=16),
    "corpus": Geometry(window=128, resolution=1, margin=0),
}


@pytest.mark.parametrize(
    ("kind", "missing", "message"),
    [
        ("tracks", "mappy", "this needs mappy"),
        ("tracks", "toy.fa", "FASTA .* does not exist"),
        ("tracks", "genes.tsv", "gene table .* does not exist"),
        ("tracks", "toy.gff3", "annotation .* does not exist"),
        ("tracks", "plus.bw", "bigWig .* does not exist"),
        ("corpus", "mappy", "this needs mappy"),
        ("corpus", "toy.fa", "FASTA .* does not exist"),
        ("corpus", "toy.gff3", "annotation .* does not exist"),
    ],
)
def test_what_is_missing_is_named_before_a_sequence_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, missing: str, message: str
) -> None:
    plain = write_sources(tmp_path)
    del plain["homology"]
    if kind == "corpus":
        genome = {"name": "toy", "fasta": "toy.fa", "annotation": "toy.gff3"}
        plain = {"genomes": [genome], "valid": {"genome": "toy", "contigs": ["c2"]}}
    found = data_kind(kind, "[data]")
    config = from_plain(found.config, plain, "[data]")
    monkeypatch.setattr(Reference, "from_fasta", lambda *_: pytest.fail("a FASTA is read"))
    if missing == "mappy":
        monkeypatch.setitem(sys.modules, missing, None)
    else:
        (tmp_path / missing).unlink()
    with pytest.raises((ConfigError, DataError), match=message):
        found.build(config, tmp_path / "data", geometry=GEOMETRY[kind], directory=tmp_path)
