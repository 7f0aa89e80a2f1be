"""Networks of others: what they may take and return, and that they come back as they were."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cisgram
from cisgram.core.checks import ConfigError
from cisgram.data.outputs import Outputs
from cisgram.models.hub import save_model
from cisgram.prediction.reuse import predict_sequences
from models.foreign import DNA, LENGTH, Network, wrapped
from models.tiny import random_windows


def by_hand(network: Network, tokens: torch.Tensor) -> Any:
    """The network asked directly, one-hot as it takes it, columns last."""
    asked = F.one_hot(tokens.long(), 5)[..., :4].float()
    if network.layout == "channels-first":
        asked = asked.transpose(1, 2)
    flags = [module.training for module in network.modules()]
    with torch.no_grad():
        output = network.eval()(tokens.long() if network.layout == "tokens" else asked)
    for module, flag in zip(network.modules(), flags, strict=True):
        module.training = flag
    if isinstance(output, torch.Tensor) and output.ndim == 3:
        return output.transpose(1, 2) if network.layout == "channels-first" else output
    return output


@pytest.mark.parametrize("layout", ["channels-first", "channels-last", "tokens"])
@pytest.mark.parametrize(
    ("shape", "row", "resolution", "margin"),
    [
        ("window", "window", 1, 0),
        ("base", "base", 1, 0),
        ("binned", "bin", 4, 0),
        ("cropped", "base", 1, 7),
    ],
)
def test_every_layout_and_shape_is_read_as_the_network_is(
    layout: str, shape: str, row: str, resolution: int, margin: int
) -> None:
    network = Network(shape, layout=layout)
    model = wrapped(network, layout=layout)
    outputs = model.outputs
    assert (outputs.names, outputs.row) == (("a", "b"), row)
    assert (outputs.resolution, outputs.margin) == (resolution, margin)
    tokens = random_windows(3, LENGTH)
    tokens[0, 10] = 4
    found = predict_sequences(model, tokens.numpy()).values
    np.testing.assert_allclose(found, by_hand(network, tokens), rtol=1e-5, atol=1e-6)
    if row == "window":
        table = cisgram.predict(model, [DNA]).table
        expected = by_hand(network, random_windows(1, LENGTH))[0].tolist()
        assert table.row(0)[5:] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "select", "member"),
    [("both", "window", "window"), ("both", "base", "base"), ("tuple", 1, 1), ("tuple", 0, 0)],
)
def test_one_of_several_outputs_is_selected(shape: str, select: int | str, member: Any) -> None:
    network, tokens = Network(shape), random_windows(2, LENGTH)
    model = wrapped(network, select=select)
    expected = by_hand(network, tokens)[member]
    if expected.ndim == 3:
        expected = expected.transpose(1, 2)
    found = predict_sequences(model, tokens.numpy()).values
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_an_output_without_an_axis_is_one_column() -> None:
    """As of networks that end in `squeeze`, which takes a batch of one away too."""
    network = Network("scalar")
    model = wrapped(network, outputs=["a"])
    tokens = random_windows(3, LENGTH)
    assert predict_sequences(model, tokens[:1].numpy()).values.shape == (1, 1)
    found = predict_sequences(model, tokens.numpy()).values
    np.testing.assert_allclose(found[:, 0], by_hand(network, tokens), rtol=1e-5)


def test_a_network_without_parameters() -> None:
    class Content(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, 1:3].sum(dim=1).mean(dim=1)

    model = cisgram.wrap(Content(), outputs=["gc"], window=LENGTH)
    gc = (DNA.count("C") + DNA.count("G")) / LENGTH
    assert model.predict([DNA]).table["gc"].item() == pytest.approx(gc, rel=1e-5)
    effects = model.mutate(DNA).effects
    assert effects[DNA.index("A")].tolist() == pytest.approx([0, 1 / 60, 1 / 60, 0], abs=1e-6)
    assert model.attribute(DNA).contributions.shape == (LENGTH,)
    with pytest.raises(ConfigError, match="no positions with channels; choose another layer"):
        model.embed(DNA)


def test_all_that_is_known_of_outputs_can_be_given() -> None:
    outputs = Outputs(
        row="bin", names=("x+", "x-"), resolution=4, activation="softplus", both_strands=True
    )
    network, tokens = Network("binned"), random_windows(1, LENGTH)
    model = wrapped(network, outputs=outputs)
    assert model.outputs == outputs
    signal = cisgram.predict(model, [DNA]).signals[0].values
    forward = F.softplus(by_hand(network, tokens))[0]
    turned = F.softplus(by_hand(network, 3 - tokens.flip(1)))[0].flip(0, 1)
    np.testing.assert_allclose(signal, (forward + turned) / 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "changes", "sentence"),
    [
        ("window", {"outputs": ["a"]}, r"a shape of \(1, 2\), .* there are 1 names of outputs"),
        ("base", {"outputs": ["a", "b", "c"]}, r"a shape of \(1, 60, 2\), .* there are 3 names"),
        ("window", {"outputs": "ab"}, "outputs must be a list of names; got 'ab'"),
        ("window", {"outputs": ["a", "a"]}, "outputs names a more than once"),
        ("window", {"window": 0}, "window must be at least 1; got 0"),
        ("binned", {"window": 61}, r"does not take windows of shape \(1, 4, 61\) \(unflatten: "),
        ("window", {"layout": "rows"}, "layout must be one of channels-first, channels-last, tok"),
        ("window", {"layout": "channels-last"}, r"take windows of shape \(1, 60, 4\) \(.*; give"),
        ("window", {"layout": "tokens"}, r"does not take windows of shape \(1, 60\)"),
        ("both", {}, "returns a mapping; name its output by select, one of 'window', 'base'"),
        ("both", {"select": "track"}, "returns a mapping; name its output by select, one of"),
        ("tuple", {}, "returns 3 outputs; name one by select, 0 to 2"),
        ("tuple", {"select": 3}, "returns 3 outputs; name one by select, 0 to 2"),
        ("tuple", {"select": 2}, "returns a NoneType and no tensor"),
        (
            "window",
            {"outputs": Outputs(row="base", names=("a", "b"))},
            "returns no rows along a window and outputs have 60; correct row",
        ),
        (
            "base",
            {"outputs": Outputs(row="window", names=("a", "b"))},
            "returns 60 rows along a window and outputs have none; correct row",
        ),
        (
            "cropped",
            {"outputs": Outputs(row="base", names=("a", "b"), margin=6)},
            "returns 46 rows along a window and outputs have 48; correct row, resolution or margin",
        ),
    ],
)
def test_what_cannot_be_wrapped_is_one_sentence(
    shape: str, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(cisgram.core.checks.CisgramError, match=sentence) as caught:
        wrapped(Network(shape), **changes)
    assert "\n" not in str(caught.value)


def test_rows_that_are_no_share_of_the_window_are_refused() -> None:
    network = nn.Conv1d(4, 2, 4, stride=3)
    with pytest.raises(ConfigError, match=r"which of 61 bases 20 rows of the output stand for is"):
        wrapped(network, window=61)


def test_an_output_of_other_windows_is_refused() -> None:
    class Mixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum(dim=(0, 2))[None, :2]

    model = wrapped(Mixed())
    with pytest.raises(ConfigError, match="returns 1 rows for 2 windows; its output must have the"):
        predict_sequences(model, random_windows(2, LENGTH).numpy())


def test_other_windows_and_tokens_are_refused() -> None:
    model = wrapped(Network())
    with pytest.raises(ConfigError, match="was wrapped for windows of 60 bases; got 50"):
        predict_sequences(model, random_windows(1, 50).numpy())
    tokens = random_windows(1, LENGTH).numpy()
    tokens[0, 3] = 5
    with pytest.raises(ConfigError, match="tokens must be A C G T N = 0 1 2 3 4; got 5"):
        predict_sequences(model, tokens)


def test_a_wrapped_network_is_not_saved(tmp_path: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"kind wrapped cannot be saved, .* weights of its network"
    ):
        save_model(tmp_path / "model", wrapped(Network()), card={})
    assert not (tmp_path / "model").exists()


def test_a_language_model_without_masked_bases_sees_n_in_their_place() -> None:
    network = nn.Conv1d(4, 4, 9, padding=4)
    model = cisgram.wrap(network, outputs=Outputs.of_bases(), window=LENGTH)
    row = model.predict(DNA).table.row(0, named=True)
    assert -3 < row["log_likelihood"] < 0
    assert np.isfinite(model.mutate(DNA).effects).all()


def test_half_precision_is_asked_in_half_precision() -> None:
    network = Network().bfloat16()
    model = wrapped(network)
    values = predict_sequences(model, random_windows(1, LENGTH).numpy()).values
    assert values.dtype == np.float32
    assert {value.dtype for value in network.parameters()} == {torch.bfloat16}
