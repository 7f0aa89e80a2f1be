import re
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cisgram.core.checks import ConfigError
from cisgram.explain.gradients import Attribution, gradient_times_input, integrated_gradients
from cisgram.explain.saturation import saturation_mutagenesis
from cisgram.genome.alphabet import N, one_hot, reverse_complement
from cisgram.models.base import MASK, Model, mask_bases
from cisgram.models.cnn import DilatedCNN
from cisgram.models.wrapped import wrap_network
from explain.networks import first, network, sequence
from models.tiny import tiny, tiny_cnn, tiny_tracks

LANGUAGE = ["dilated", "causal", "shorkie-lm"]
SINGLE = pytest.mark.parametrize("name", ["pooled", "per base", "tracks", "enformer", *LANGUAGE])
LENGTH = 40


class Additive(nn.Module):
    """A number that every base adds to by itself, so that everything can be worked out."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.shares = nn.Parameter(torch.randn(LENGTH, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.shares).sum(dim=(1, 2))[:, None]


def additive() -> tuple[Any, np.ndarray]:
    """A model, and what every base adds."""
    own = Additive()
    model = wrap_network(own, outputs=["sum"], window=LENGTH, layout="channels-last")
    return model, own.shares.detach().numpy()


def number(model: Model, weights: np.ndarray, **others: Any) -> float:
    with torch.no_grad():
        return first(model(torch.from_numpy(weights[None]), **others)).item()


def weights_of(tokens: np.ndarray) -> np.ndarray:
    return one_hot(np.minimum(tokens, N), np.float64)


@SINGLE
def test_gradients_are_finite_differences(name: str) -> None:
    model, tokens = deepcopy(network(name)).double(), sequence()
    species = torch.tensor([1])
    found = gradient_times_input(model, tokens, reduce=first, species=1)
    weights, step = weights_of(tokens), 1e-6
    for place in (0, 5, 19, 21, LENGTH - 1):
        slopes = []
        for base in range(4):
            up, down = weights.copy(), weights.copy()
            up[place, base] += step
            down[place, base] -= step
            rise = number(model, up, species=species) - number(model, down, species=species)
            slopes.append(rise / (2 * step))
        expected = np.array(slopes) - np.mean(slopes)
        np.testing.assert_allclose(found.hypothetical[place], expected, rtol=1e-4, atol=1e-6)
    assert found.reference == pytest.approx(number(model, weights, species=species))


def test_gradients_are_those_of_a_plain_network_channels_first() -> None:
    model, tokens = tiny_cnn(pooled=True), sequence()
    x = torch.from_numpy(one_hot(tokens, np.float32).T[None].copy()).requires_grad_()
    hidden = None
    for layer, gap in zip(model.convolutions, (1, 2, 4), strict=True):
        conv = layer.conv
        new = F.conv1d(
            x if hidden is None else hidden, conv.weight, conv.bias, padding="same", dilation=gap
        ).relu()
        hidden = new if hidden is None else hidden + new
    tracks = hidden.mean(dim=2) @ model.head.conv.weight[..., 0].T + model.head.conv.bias
    tracks[0, 1].backward()
    expected = (x.grad - x.grad.mean(dim=1, keepdim=True)).numpy()
    found = gradient_times_input(model, tokens, reduce=lambda output: output[:, 1])
    known = tokens < N
    assert found.to_tangermeme().shape == expected.shape == (1, 4, LENGTH)
    largest = np.abs(expected).max()
    difference = found.to_tangermeme()[..., known] - expected[..., known]
    assert np.abs(difference).max() < 1e-5 * largest
    projected = (x.detach().numpy() * expected).sum(axis=1)[0]
    np.testing.assert_allclose(found.contributions[known], projected[known], atol=1e-5 * largest)
    assert found.reference == pytest.approx(tracks[0, 1].item(), rel=1e-5)


def test_additive_models_have_closed_forms() -> None:
    (model, shares), tokens = additive(), sequence()
    known = tokens < N
    own = shares[known, tokens[known]]
    plain = gradient_times_input(model, tokens, reduce=lambda output: output[:, 0])
    centred = shares - shares.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(plain.hypothetical[known], centred[known], atol=1e-6)
    assert plain.completeness_gap is None
    baseline = np.array([0.4, 0.3, 0.2, 0.1])
    found = integrated_gradients(
        model, tokens, reduce=lambda output: output[:, 0], n_steps=1, baseline=baseline
    )
    expected = own - shares[known] @ baseline
    np.testing.assert_allclose(found.contributions[known], expected, atol=1e-6)
    assert found.completeness_gap == pytest.approx(0, abs=1e-5)
    assert found.reference == pytest.approx(own.sum(), rel=1e-5)


def test_both_agree_with_mutagenesis_where_bases_add_up() -> None:
    (model, _), tokens = additive(), sequence()
    mutated = saturation_mutagenesis(model, tokens).to_tangermeme()
    for explain in (gradient_times_input, integrated_gradients):
        found = explain(model, tokens, reduce=lambda output: output[:, 0]).to_tangermeme()
        np.testing.assert_allclose(found, mutated, atol=1e-5)  # NaN in the same places too


@SINGLE
def test_integrated_gradients_add_up(name: str) -> None:
    model, tokens = deepcopy(network(name)).double(), sequence()
    found = integrated_gradients(model, tokens, reduce=first, n_steps=200, batch=67)
    weights = weights_of(tokens)
    baseline = np.full((LENGTH, 4), 0.25) * (tokens < N)[:, None]
    rise = number(model, weights) - number(model, baseline)
    added = np.nansum(found.contributions, dtype=np.float64)
    assert abs(added - rise) < 0.01 * abs(rise)
    assert found.completeness_gap == pytest.approx(added - rise, abs=1e-5 * abs(rise))
    few = integrated_gradients(model, tokens, reduce=first, n_steps=1)
    assert abs(few.completeness_gap or 0) > 2 * abs(found.completeness_gap or 0)


@pytest.mark.parametrize("batch", [1, 7])
def test_steps_at_once_change_nothing(batch: int) -> None:
    model, tokens = network("tracks"), sequence()
    expected = integrated_gradients(model, tokens, reduce=first, n_steps=9, batch=9)
    found = integrated_gradients(model, tokens, reduce=first, n_steps=9, batch=batch)
    largest = np.nanmax(np.abs(expected.hypothetical))
    np.testing.assert_allclose(found.hypothetical, expected.hypothetical, atol=1e-5 * largest)


def test_another_sequence_can_be_the_baseline() -> None:
    model, tokens = deepcopy(network("tracks")).double(), sequence()
    other = tokens.copy()
    other[10:14] = (tokens[10:14] + 1) % 4
    found = integrated_gradients(
        model, tokens, reduce=first, n_steps=400, baseline=one_hot(other, np.float64), batch=100
    )
    assert not found.contributions[(other == tokens) & (tokens < N)].any()
    rise = number(model, weights_of(tokens)) - number(model, weights_of(other))
    assert np.nansum(found.contributions) == pytest.approx(rise, rel=0.02)


def test_nothing_known_can_be_the_baseline() -> None:
    model, tokens = deepcopy(network("dilated")).double(), sequence()
    found = integrated_gradients(
        model, tokens, reduce=first, n_steps=200, baseline=np.zeros(4), batch=100
    )
    rise = number(model, weights_of(tokens)) - number(model, np.zeros((LENGTH, 4)))
    assert np.nansum(found.contributions) == pytest.approx(rise, rel=0.01)


@pytest.mark.parametrize("explain", [gradient_times_input, integrated_gradients])
def test_a_model_of_the_other_strand_explains_it_alike(explain: Any) -> None:
    model, tokens = tiny_cnn(pooled=True), sequence()
    turned = turned_round(model)
    expected = explain(model, tokens, reduce=first)
    found = explain(turned, reverse_complement(tokens), reduce=first)
    assert found.reference == pytest.approx(expected.reference, rel=1e-5)
    largest = np.nanmax(np.abs(expected.hypothetical))
    assert largest > 0
    np.testing.assert_allclose(
        found.hypothetical, expected.hypothetical[::-1, ::-1], atol=1e-5 * largest
    )
    np.testing.assert_allclose(
        found.contributions, expected.contributions[::-1], atol=1e-5 * largest
    )


def turned_round(model: DilatedCNN) -> DilatedCNN:
    """The network that says of a sequence what `model` says of its reverse complement."""
    other = deepcopy(model)
    with torch.no_grad():
        for number, layer in enumerate(other.convolutions):
            weight = layer.conv.weight.flip(2)
            layer.conv.weight.copy_(weight if number else weight.flip(1))
    return other


@pytest.mark.parametrize("name", LANGUAGE)
def test_masked_bases_are_not_looked_at(name: str) -> None:
    """Of a masked base nothing is known, and the model is told so."""
    model, tokens = network(name), sequence()
    place = 12
    hidden = tokens.copy()
    hidden[place] = MASK

    def says(output: torch.Tensor) -> torch.Tensor:
        return output[:, place].log_softmax(dim=-1)[:, 2]

    found = gradient_times_input(model, hidden, reduce=says)
    mask = torch.from_numpy(hidden == MASK)[None]
    with torch.no_grad():
        expected = says(model(mask_bases(torch.from_numpy(tokens)[None], mask))).item()
    assert found.reference == pytest.approx(expected, rel=1e-5)
    assert np.isnan(found.hypothetical[place]).all()
    assert np.isnan(found.contributions[place])
    assert np.isfinite(found.contributions[[place - 1, place + 1]]).all()
    assert found.contributions[place - 1]
    whole = integrated_gradients(model, hidden, reduce=says)
    assert whole.reference == pytest.approx(expected, rel=1e-5)
    assert abs(whole.completeness_gap or 0) < 1e-2 * np.nansum(np.abs(whole.contributions))


def test_causal_models_owe_nothing_to_what_comes_later() -> None:
    model, tokens = network("causal"), sequence()
    found = gradient_times_input(model, tokens, reduce=lambda output: output[:, 15, 0])
    later = found.hypothetical[15:][tokens[15:] < N]
    assert not later.any()
    assert found.hypothetical[14].any()


def test_unknown_bases_have_no_contribution() -> None:
    tokens = sequence()
    for explain in (gradient_times_input, integrated_gradients):
        found = explain(network("tracks"), tokens, reduce=first)
        unknown = np.isnan(found.contributions)
        np.testing.assert_array_equal(unknown, tokens == N)
        np.testing.assert_array_equal(np.isnan(found.hypothetical).all(axis=1), unknown)
        np.testing.assert_array_equal(found.tokens, tokens)


def test_contributions_are_those_of_the_bases_that_are_there() -> None:
    hypothetical = np.arange(12, dtype=np.float32).reshape(3, 4)
    hypothetical[2] = np.nan
    found = Attribution(
        hypothetical=hypothetical, tokens=np.array([3, 0, N], np.uint8), reference=0.0
    )
    np.testing.assert_array_equal(found.contributions, [3, 4, np.nan])
    assert found.to_tangermeme()[0, 3, 0] == 3


def test_models_and_callers_are_left_as_they_were() -> None:
    model, tokens = tiny_tracks(), sequence()
    expected = gradient_times_input(model, tokens, reduce=first)
    model.train()
    tokens.flags.writeable = False
    with torch.inference_mode():
        found = gradient_times_input(model, tokens, reduce=first)
        assert not torch.is_grad_enabled()
    assert model.training
    assert all(value.grad is None for value in model.parameters())
    np.testing.assert_array_equal(found.hypothetical, expected.hypothetical)


def in_one_step(model: Model, tokens: np.ndarray, *, reduce: Any) -> Attribution:
    return integrated_gradients(model, tokens, reduce=reduce, n_steps=1)


def whole(output: torch.Tensor) -> torch.Tensor:
    return output


def without_gradient(output: torch.Tensor) -> torch.Tensor:
    return first(output).detach()


@pytest.mark.parametrize("explain", [gradient_times_input, in_one_step])
@pytest.mark.parametrize(
    ("length", "reduce", "message"),
    [
        (30, first, "a multiple of 4 bases; got 30"),
        (32, whole, "number a window, (1,), of an output of (1, 10, 5); got (1, 10, 5)"),
        (32, torch.mean, "number a window, (1,), of an output of (1, 10, 5); got ()"),
        (32, without_gradient, "operations of torch that have gradients"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    explain: Any, length: int, reduce: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        explain(network("tracks"), np.zeros(length, np.uint8), reduce=reduce)


@pytest.mark.parametrize("shape", [(1, 40, 1), (1, 4, 40), (40, 4)])
@pytest.mark.unchecked
def test_weights_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    message = f"must be (batch, length, 4), columns A C G T; got {shape}"
    with pytest.raises(ConfigError, match=re.escape(message)):
        network("per base")(torch.zeros(shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 0}, "n_steps must be at least 1; got 0"),
        ({"batch": 0}, "batch must be at least 1; got 0"),
        ({"baseline": np.zeros(3)}, r"a shape of \(4,\) or \(40, 4\), as the window; got \(3,\)"),
        ({"baseline": np.full(4, 0.3)}, "probabilities, none below 0"),
        ({"baseline": np.array([1.2, -0.2, 0, 0])}, "probabilities, none below 0"),
        ({"baseline": np.full(4, np.nan)}, "probabilities, none below 0"),
    ],
)
def test_ways_that_cannot_be_integrated_over_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        integrated_gradients(network("tracks"), sequence(), reduce=first, **options)


def test_tokens_of_several_bases_have_no_gradients() -> None:
    model = tiny("bert")
    with pytest.raises(ConfigError, match=f"reads single bases, and {model.kind} does not"):
        gradient_times_input(model, np.zeros(24, np.uint8), reduce=first)


def test_masked_bases_are_for_models_that_know_them() -> None:
    with pytest.raises(ConfigError, match="dilated-cnn has no masked bases"):
        gradient_times_input(network("pooled"), np.full(32, MASK, np.uint8), reduce=first)
