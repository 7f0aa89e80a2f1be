"""Artifacts that were edited after they were written."""

from contracts.bad_files import Place
from contracts.spoilers import HANDLED, Case, Spoil, write

WEIGHTS, GENES = "lm/weights.safetensors", "fit/genes.parquet"
GENOME = "run/data/genomes/toy/tokens.u8"
EMBED = "embed --model lm --fasta dna.fa --out new.npz"


def flip(name: str) -> Spoil:
    """Change one bit in the middle of a file."""

    def spoil(place: Place) -> None:
        content = bytearray((place.path / name).read_bytes())
        content[len(content) // 2] ^= 1
        (place.path / name).write_bytes(content)

    return spoil


ARTIFACT_CASES = (
    Case(
        "call of a cohort edited",
        "personal fit cohort --out new",
        "calls.u8 has changed since",
        flip("cohort/genotypes/calls.u8"),
    ),
    Case("weights edited", EMBED, "weights.safetensors has changed", flip(WEIGHTS)),
    Case("genome of a run edited", "verify run", "tokens.u8 has changed", flip(GENOME)),
    Case("fit edited, verified", "verify fit", "genes.parquet has changed", flip(GENES)),
    Case("cohort verified", "verify cohort", "8 files are as they were written", code=HANDLED),
    Case("text verified", "verify gwas.tsv", "has nothing that can be verified"),
    Case("nothing verified", "verify none", "none does not exist"),
    Case("features damaged, verified", "verify a.sqlite", "cannot be read", write("a.sqlite", "?")),
)
