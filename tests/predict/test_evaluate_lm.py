import re
from pathlib import Path
from typing import Any

import pytest

from cisgram.core.artifact import sha256
from cisgram.genome.packaged_genomes import packaged_genome
from cisgram.predict.evaluate_lm import training_notes

PACKAGED = packaged_genome("yeast-r64")
assert PACKAGED is not None
HELD_OUT = {"test": {"genome": "R64", "contigs": ["chrXII"]}}
LEARNT = {"genomes": {"R64": sha256(PACKAGED.fasta)}, "held_out": HELD_OUT}
OTHER = {"genomes": {"R64": "0" * 64}, "held_out": HELD_OUT}


@pytest.mark.parametrize(
    ("card", "fasta", "contigs", "expected"),
    [
        ({}, PACKAGED.fasta, ["chrI"], "The model does not say what it learnt from"),
        (LEARNT, PACKAGED.fasta, ["chrI", "chrXII"], "Not held out .* no test of it: chrI[.]"),
        (LEARNT, Path("yeast-r64"), ["chrI", "chrXII"], "Not held out .* no test of it: chrI[.]"),
        (OTHER, Path("yeast-r64"), ["chrI"], "genomes yeast-r64 is cannot be told"),
        (LEARNT, Path("yeast-r64"), ["chrXII"], None),
        (OTHER, PACKAGED.fasta, ["chrI"], None),
    ],
)
def test_what_a_model_may_have_learnt_is_said(
    card: dict[str, Any], fasta: Path, contigs: list[str], expected: str | None
) -> None:
    notes = list(training_notes(card, fasta, contigs))
    if expected is None:
        assert notes == []
    else:
        (note,) = notes
        assert re.search(expected, note)
