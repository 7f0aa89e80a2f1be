"""The toy genome, and a model of its tracks and genes."""

from pathlib import Path

import pytest

from cisgram.genome.alphabet import decode, reverse_complement
from cisgram.genome.reference import Reference
from cisgram.prediction.session import Session
from explain.networks import mirror
from prediction.toy_session import GENES, bases, gene_model, session, write_genome


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the genome."""
    place = tmp_path_factory.mktemp("toy")
    write_genome(place)
    return place


@pytest.fixture(scope="module")
def toy(place: Path) -> Session:
    """A model of tracks and gene targets."""
    return session(gene_model(), place)


@pytest.fixture
def reference(toy: Session) -> Reference:
    return toy.reference


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The same model on the reverse complement of c0, with its genes."""
    place = tmp_path_factory.mktemp("mirrored")
    own = reverse_complement(bases()["c0"])
    (place / "toy.fa").write_text(f">c0\n{decode(own)}\n")
    genes = {name: mirror(gene) for name, gene in GENES.items() if gene.chrom == "c0"}
    rows = (
        f"c0\tx\tgene\t{gene.start + 1}\t{gene.end}\t.\t{gene.strand}\t.\tID={name}\n"
        for name, gene in genes.items()
    )
    (place / "genes.gff3").write_text("##gff-version 3\n" + "".join(rows))
    Reference.from_fasta(place / "toy.fa", place / "reference")
    return session(gene_model(), place)
