import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError
from cisgram.data.outputs import Geometry, Outputs
from cisgram.genome.alphabet import N
from cisgram.models.base import MASK, Model
from cisgram.prediction.masked import MaskingConfig
from cisgram.prediction.perplexity import perplexity, perplexity_interval, ratio_interval, surprise
from models.tiny import tiny_dilated, tiny_lm

FORWARD = MaskingConfig(n_passes=4, strands="forward")


@dataclass(frozen=True)
class Eight:
    """Sizes of a model of eight bases."""

    geometry: Geometry = field(default_factory=lambda: Geometry(window=8))


class Seer(Model):
    """Knows every base that it sees; of a masked one it predicts the base after it."""

    kind, reads_masks = "seer", True

    def __init__(self) -> None:
        super().__init__(Eight(), Outputs.of_bases())
        self.sure = torch.nn.Parameter(torch.tensor(20.0))
        self.seen: list[torch.Tensor] = []

    def forward(self, tokens, species=None):
        self.seen.append(tokens)
        following = torch.cat([tokens[:, 1:], tokens[:, :1]], dim=1)
        predicted = torch.where(tokens < N, tokens, following).long()
        known = torch.nn.functional.one_hot(predicted.clamp(max=N), 5)[..., :4]
        return self.sure * known


def random_contigs(*lengths: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"c{i}": rng.integers(0, 4, n, dtype=np.uint8) for i, n in enumerate(lengths)}


def test_every_base_is_masked_exactly_once_and_flagged():
    model = Seer()
    surprise(model, {"c": np.zeros(16, dtype=np.uint8)}, config=FORWARD)
    shown = torch.stack(model.seen)
    assert shown.shape == (4, 2, 8)
    assert ((shown == MASK).sum(0) == 1).all()


def test_zeroed_bases_carry_no_flag():
    model = Seer()
    config = MaskingConfig(n_passes=4, strands="forward", masking="zero")
    surprise(model, {"c": np.zeros(8, dtype=np.uint8)}, config=config)
    shown = torch.stack(model.seen)
    assert not (shown == MASK).any()
    assert ((shown == N).sum(0) == 1).all()


def test_a_masked_base_is_not_known():
    contig = np.array([0, 1, 2, 3, 3, 2, 1, 0], dtype=np.uint8)
    nats = surprise(Seer(), {"c": contig}, config=MaskingConfig(n_passes=8, strands="forward"))["c"]
    # Only where a base equals the one after it, round the window's end, does the seer guess it.
    assert (nats < 1).tolist() == [False, False, False, True, False, False, False, True]


def test_both_strands_mask_the_same_bases_and_turn_back():
    contig = np.array([0, 0, 1, 2, 3, 3, 2, 1], dtype=np.uint8)
    config = MaskingConfig(n_passes=8, strands="both")
    nats = surprise(Seer(), {"c": contig}, config=config)["c"]
    # Read backwards the seer guesses the base before; both agree on neither of 0 and 1.
    p_one_of_two = 1 / 2
    assert nats[0] == pytest.approx(-math.log(p_one_of_two), abs=0.01)
    assert nats[3] > 5


def test_contigs_of_any_length_are_covered():
    model = tiny_lm()
    for length in (5, 31, 32, 33, 64, 95):
        nats = surprise(model, random_contigs(length))["c0"]
        assert nats.shape == (length,)
        assert np.isfinite(nats).all()


def test_batches_do_not_change_the_answer_and_n_has_none():
    model, contigs = tiny_lm(), random_contigs(100, 64)
    contigs["c0"][10:20] = N
    one = surprise(model, contigs, config=MaskingConfig(batch=1))
    many = surprise(model, contigs, config=MaskingConfig(batch=8))
    for name in contigs:
        np.testing.assert_allclose(one[name], many[name], atol=1e-5)
    assert np.isnan(one["c0"]).nonzero()[0].tolist() == list(range(10, 20))


def test_causal_models_read_every_window_once_and_mask_nothing():
    model = tiny_dilated(causal=True)
    seen: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    contig = random_contigs(64)["c0"]
    nats = surprise(model, {"c": contig})["c"]
    assert [shown.shape for shown in seen] == [(2, 32)]
    assert not (seen[0] == MASK).any()
    with torch.no_grad():
        log_p = model(torch.from_numpy(contig[None, :32])).log_softmax(-1)[0].numpy()
    np.testing.assert_allclose(nats[:32], -log_p[np.arange(32), contig[:32]], atol=1e-5)


def test_species_reaches_the_model():
    model, contigs = tiny_lm(), random_contigs(64)
    first, second = (surprise(model, contigs, species=number)["c0"] for number in (0, 1))
    assert np.abs(first - second).max() > 1e-3


def test_perplexity_of_guessing_is_four():
    nats = np.full(30_000, math.log(4))
    nats[5] = np.nan
    assert perplexity(nats) == pytest.approx(4)
    interval = perplexity_interval({"c": nats}, draws=50)
    assert interval == pytest.approx((4, 4, 4))
    assert math.isnan(perplexity(np.array([np.nan])))


def test_interval_widens_with_dependence():
    rng = np.random.default_rng(0)
    level = np.repeat(rng.normal(1.2, 0.2, 100), 1000)
    by_base = perplexity_interval({"c": level}, block=100)
    by_block = perplexity_interval({"c": level}, block=10_000)
    assert by_block.high - by_block.low > 2 * (by_base.high - by_base.low)


def test_ratio_is_on_the_same_bases():
    rng = np.random.default_rng(0)
    base = {"c": rng.normal(1.3, 0.5, 50_000)}
    better = {"c": base["c"] + math.log(0.9)}
    assert ratio_interval(better, base, draws=50) == pytest.approx((0.9, 0.9, 0.9))


def test_sequence_without_known_bases_is_refused():
    with pytest.raises(ConfigError, match="needs known bases; the sequence holds none"):
        perplexity_interval({"c": np.array([np.nan])})
