import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.alphabet import decode
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.checkpoint import save_model
from cisgram.predict.embed import embed_regions
from cisgram.predict.embed_files import embed_file
from models.tiny import tiny_lm


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, 300, dtype=np.uint8)


@pytest.fixture(scope="module")
def fasta(tokens, tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "toy.fa"
    path.write_text(f">chr1\n{decode(tokens)}\n>chr2\n{decode(tokens[:20])}\n")
    return path


@pytest.fixture(scope="module")
def reference(fasta) -> Reference:
    return Reference.from_fasta(fasta, fasta.parent / "reference")


def window_of(tokens: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(tokens.copy())[None]


def test_positions_are_those_of_the_window_around(reference, tokens):
    model = tiny_lm()
    found = embed_regions(model, reference, [Interval("chr1", 100, 110)], pool="none")
    # The window of 32 starts 11 bases before; positions of 4 bases from 99 on.
    values = model.embed(window_of(tokens[89:121])).values[0]
    np.testing.assert_allclose(found.values, values[2:6].detach().numpy(), atol=1e-5)
    assert found.spans.tolist() == [[100, 101], [101, 105], [105, 109], [109, 110]]


def test_mean_weighs_by_shared_bases(reference):
    model, region = tiny_lm(), Interval("chr1", 100, 110)
    each = embed_regions(model, reference, [region], pool="none")
    mean = embed_regions(model, reference, [region])
    expected = (each.values * np.array([[1], [4], [4], [1]])).sum(0) / 10
    np.testing.assert_allclose(mean.values[0], expected, atol=1e-5)
    assert mean.spans.tolist() == [[100, 110]]


def test_strand_turns_the_window(reference):
    model = tiny_lm()
    forward = embed_regions(model, reference, [Interval("chr1", 100, 132, "+")], pool="none")
    backward = embed_regions(model, reference, [Interval("chr1", 100, 132, "-")], pool="none")
    assert backward.spans.tolist() == forward.spans[::-1].tolist()
    assert np.abs(backward.values[::-1] - forward.values).max() > 1e-3


def test_long_regions_are_read_in_pieces_and_ends_padded(reference, tokens):
    model = tiny_lm()
    regions = [Interval("chr1", 0, 300), Interval("chr2", 0, 20)]
    found = embed_regions(model, reference, regions, pool="none", batch=3)
    assert (np.bincount(found.region) == [76, 5]).all()
    assert found.spans[0].tolist() == [0, 4]
    # A contig of 20 bases is a window of its own: no more N than the model needs.
    values = model.embed(window_of(tokens[:20])).values[0].detach().numpy()
    np.testing.assert_allclose(found.values[76:], values, atol=1e-5)


def test_files(reference, fasta, tmp_path):
    save_model(tmp_path / "m", tiny_lm(), card={})
    (tmp_path / "r.bed").write_text("#track\nchr1\t100\t110\tpromoter\t0\t-\n2\t0\t8\tx\t0\t+\n")
    shape = embed_file(str(tmp_path / "m"), fasta, tmp_path / "e.npz", bed=tmp_path / "r.bed")
    assert shape == (2, 12)
    with np.load(tmp_path / "e.npz") as stored:
        assert stored["names"].tolist() == ["promoter", "x"]
        assert stored["spans"].tolist() == [[100, 110], [0, 8]]
    assert embed_file(str(tmp_path / "m"), fasta, tmp_path / "all.npz", pool="none")[0] == 81


@pytest.mark.parametrize(
    ("bed", "sentence"),
    [
        ("chr1\t100\n", "is no table of contig, start and end"),
        ("chr1\tx\t3\n", "is no table of contig, start and end"),
        ("chr9\t1\t3\n", "chr9"),
        ("chr1\t7\t3\n", "chr1"),
    ],
)
def test_regions_that_cannot_be_are_one_sentence(fasta, tmp_path, bed, sentence):
    save_model(tmp_path / "m", tiny_lm(), card={})
    (tmp_path / "r.bed").write_text(bed)
    with pytest.raises((ConfigError, DataError), match=sentence):
        embed_file(str(tmp_path / "m"), fasta, tmp_path / "e.npz", bed=tmp_path / "r.bed")
    assert not (tmp_path / "e.npz").exists()


def test_output_is_npz(fasta, tmp_path):
    with pytest.raises(ConfigError, match=r"e\.csv must end in \.npz"):
        embed_file("m", fasta, tmp_path / "e.csv")
