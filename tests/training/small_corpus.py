"""A corpus of a genome with something to learn: a repeated word in random DNA."""

from pathlib import Path

import numpy as np

from cisgram.core.config import from_plain
from cisgram.data.corpus import Corpus
from cisgram.data.corpus_build import build_corpus
from cisgram.data.corpus_config import CorpusConfig
from cisgram.genome.alphabet import decode, encode

WORD = "GATTACAGGCTCA"
WINDOW = 64


def write_genome(path: Path, *, n_contigs: int = 4, length: int = 4_000) -> Path:
    """Write contigs c0, c1 ... in which a word stands every 20 bases."""
    rng = np.random.default_rng(0)
    with path.open("w") as stream:
        for number in range(n_contigs):
            tokens = rng.integers(0, 4, length, dtype=np.uint8)
            for start in range(0, length - 20, 20):
                tokens[start : start + len(WORD)] = encode(WORD)
            stream.write(f">c{number}\n{decode(tokens)}\n")
    return path


def plain_corpus(fasta: Path, **changes: object) -> dict[str, object]:
    """The corpus as a recipe's table `data`."""
    return {
        "genomes": [{"name": "toy", "fasta": str(fasta)}],
        "window": WINDOW,
        "margin": 0,
        "min_contig": 100,
        "max_repeat": 1.0,
        "dust": False,
        "homology": {"enabled": False},
        "valid": {"genome": "toy", "contigs": ["c2"]},
        "test": {"genome": "toy", "contigs": ["c3"]},
        **changes,
    }


def small_corpus(directory: Path, **changes: object) -> Corpus:
    """Build the corpus in a directory."""
    directory.mkdir(exist_ok=True)
    fasta = write_genome(directory / "toy.fa")
    config = from_plain(CorpusConfig, plain_corpus(fasta, **changes), "[data]")
    return build_corpus(config, directory / "corpus", directory=directory)
