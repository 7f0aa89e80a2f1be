import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError
from cisgram.data.outputs import Geometry, Outputs
from cisgram.genome.alphabet import N, decode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.base import Model
from cisgram.prediction.masked import (
    MaskingConfig,
    RegionMap,
    masked_probabilities,
    read_region,
)
from cisgram.prediction.perplexity import information, relative_information, surprise
from models.tiny import tiny_lm


@dataclass(frozen=True)
class Eight:
    """Sizes of a model of eight bases."""

    geometry: Geometry = field(default_factory=lambda: Geometry(window=8))


class Copier(Model):
    """Predicts that a masked base is the one before it, with a probability of 0.85."""

    kind, reads_masks = "copier", True

    def __init__(self) -> None:
        super().__init__(Eight(), Outputs.of_bases())
        self.sure = torch.nn.Parameter(torch.tensor(math.log(0.85 / 0.05)))

    def forward(self, tokens, species=None):
        shown = tokens.long()
        before = torch.cat([torch.full_like(shown[:, :1], N), shown[:, :-1]], dim=1)
        known = torch.nn.functional.one_hot(before.clamp(max=N), 5)[..., :4]
        return self.sure * known


def test_each_base_is_predicted_while_it_is_masked():
    contig = np.array([2, 1, 3, 3, 0, 2, 1, 0], dtype=np.uint8)
    config = MaskingConfig(n_passes=8, strands="forward")
    p = masked_probabilities(Copier(), {"c": contig}, config=config)["c"]
    np.testing.assert_allclose(p[0], 0.25)
    for i in range(1, 8):
        assert p[i].argmax() == contig[i - 1]
        assert p[i].max() == pytest.approx(0.85)


def test_both_strands_are_read_unless_told_otherwise():
    contig = np.array([2, 1, 3, 3, 0, 2, 1, 0], dtype=np.uint8)
    both = masked_probabilities(Copier(), {"c": contig})["c"]
    turned = masked_probabilities(Copier(), {"c": reverse_complement(contig)})["c"]
    # With other masks, a neighbour is sometimes masked too; without, nothing depends on the strand.
    one = MaskingConfig(n_passes=8, strands="both")
    exact = masked_probabilities(Copier(), {"c": contig}, config=one)["c"]
    back = masked_probabilities(Copier(), {"c": reverse_complement(contig)}, config=one)["c"]
    np.testing.assert_allclose(exact, back[::-1, ::-1], atol=1e-6)
    assert both.shape == turned.shape == (8, 4)
    # Between two bases that differ, both are as likely.
    assert exact[1].argsort()[-2:].tolist() in ([2, 3], [3, 2])
    assert exact[1, 2] == pytest.approx(exact[1, 3])


@pytest.mark.parametrize("length", [5, 32, 75])
def test_probabilities_agree_with_surprise(length: int):
    model, rng = tiny_lm(), np.random.default_rng(length)
    contigs = {"a": rng.integers(0, 4, length, dtype=np.uint8)}
    contigs["a"][2] = N
    config = MaskingConfig(strands="both")
    p = masked_probabilities(model, contigs, species=1, config=config)["a"]
    nats = surprise(model, contigs, species=1, config=config)["a"]
    known = contigs["a"] != N
    assert p.dtype == np.float32
    np.testing.assert_allclose(p[known].sum(axis=1), 1, rtol=1e-5)
    own = p[np.flatnonzero(known), contigs["a"][known]]
    np.testing.assert_allclose(-np.log(own), nats[known], atol=1e-5)
    assert np.isnan(p[~known]).all()


def test_information_is_two_bits_less_entropy():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 50)
    entropy = -(p * np.log2(p)).sum(axis=1)
    np.testing.assert_allclose(information(p), 2 - entropy)


def test_relative_information_of_the_background_is_none():
    background = np.array([0.4, 0.1, 0.2, 0.3])
    p = np.stack([background, np.eye(4)[1]])
    np.testing.assert_allclose(relative_information(p, background), [0, math.log2(10)], atol=1e-12)


def region_of(contig: np.ndarray, start: int, end: int, strand: str, path) -> RegionMap:
    (path / "g.fa").write_text(f">c\n{decode(contig)}\n")
    reference = Reference.from_fasta(path / "g.fa", path / f"r{start}{end}{strand}")
    config = MaskingConfig(n_passes=8, strands="both")
    return read_region(tiny_lm(), reference, Interval("c", start, end, strand), config=config)


@pytest.mark.parametrize(("start", "end"), [(60, 75), (3, 90), (0, 8), (110, 120)])
def test_a_region_is_read_with_the_dna_around_it(start, end, tmp_path):
    contig = np.random.default_rng(1).integers(0, 4, 120, dtype=np.uint8)
    found = region_of(contig, start, end, "+", tmp_path)
    np.testing.assert_array_equal(found.tokens, contig[start:end])
    assert found.p.shape == (end - start, 4)
    np.testing.assert_allclose(found.p.sum(axis=1), 1, rtol=1e-5)
    # A window of 32 has half of it, or the shorter region, in its middle; the first piece is that
    # of the number 0, so that its masks are those of a window read alone.
    size = min(end - start, 16)
    first = start - (32 - size) // 2
    padded = np.pad(contig, 32, constant_values=N)[first + 32 : first + 64]
    config = MaskingConfig(n_passes=8, strands="both")
    whole = masked_probabilities(tiny_lm(), {"": padded}, config=config)[""]
    own = slice(start - first, start - first + size)
    np.testing.assert_allclose(found.p[:size], whole[own], rtol=1e-5)


def test_a_region_on_the_other_strand_has_the_same_window(tmp_path):
    contig = np.random.default_rng(1).integers(0, 4, 120, dtype=np.uint8)
    backward = region_of(contig, 60, 75, "-", tmp_path)
    np.testing.assert_array_equal(backward.tokens, reverse_complement(contig[60:75]))


def test_a_region_past_its_contig_is_refused(tmp_path):
    contig = np.zeros(50, dtype=np.uint8)
    with pytest.raises(ConfigError, match="past the 50 bases of c"):
        region_of(contig, 40, 51, "+", tmp_path)
