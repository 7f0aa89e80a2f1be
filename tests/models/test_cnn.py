import numpy as np
import pytest
import torch
from torch import nn

from cisgram.core.checks import ConfigError
from cisgram.models.checkpoint import load_model, save_model
from cisgram.models.cnn import DilatedCNN, DilatedCNNConfig
from cisgram.models.registry import build_model
from models.tiny import random_windows, tiny_cnn


class Plain(nn.Module):
    """The network in torch's own layers, channels first."""

    def __init__(self, model: DilatedCNN) -> None:
        super().__init__()
        config = model.config
        self.pooled = config.pooled
        self.first = nn.Conv1d(4, config.channels, config.first_width, padding="same")
        self.rest = nn.ModuleList(
            nn.Conv1d(config.channels, config.channels, 3, padding="same", dilation=gap)
            for gap in config.dilations
        )
        self.head = nn.Linear(config.channels, config.n_tracks)
        ours = [layer.conv for layer in (*model.convolutions, model.head)]
        with torch.no_grad():
            for own, theirs in zip(ours, (self.first, *self.rest, self.head), strict=True):
                theirs.weight.copy_(own.weight.view_as(theirs.weight))
                theirs.bias.copy_(own.bias)

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        x = self.first(one_hot).relu()
        for convolution in self.rest:
            x = x + convolution(x).relu()
        return self.head(x.mean(dim=2) if self.pooled else x.transpose(1, 2))


def test_default_sizes() -> None:
    with torch.device("meta"):
        model = DilatedCNN(DilatedCNNConfig())
    assert model.n_parameters == 4 * 21 * 64 + 64 + 8 * (64 * 3 * 64 + 64) + 64 + 1
    assert model.receptive_field == 1 + 20 + 2 * 510
    assert f"{model.n_parameters:,} numbers" in (DilatedCNN.__doc__ or "")


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("length", [1, 9, 64, 101])
def test_it_is_the_network_of_plain_layers(pooled: bool, length: int) -> None:
    model, tokens = tiny_cnn(pooled=pooled), random_windows(3, length)
    tokens[0, length // 2] = 4
    one_hot = nn.functional.pad(torch.eye(4), (0, 0, 0, 1))[tokens.int()].transpose(1, 2)
    with torch.inference_mode():
        torch.testing.assert_close(model(tokens), Plain(model)(one_hot))


def test_bases_depend_on_exactly_the_receptive_field() -> None:
    model, tokens = tiny_cnn(pooled=False), random_windows(1, 61)
    assert model.receptive_field == 1 + 2 * model.halo == 1 + 4 + 2 * (2 + 4)
    changed = tokens.clone()
    changed[0, 30] = (tokens[0, 30] + 1) % 4
    with torch.inference_mode():
        differ = (model(tokens) != model(changed)).any(dim=-1)[0].nonzero()[:, 0]
    assert abs(differ - 30).max() == model.halo


def test_the_mean_may_stand_for_a_window() -> None:
    model, tokens = tiny_cnn(pooled=True), random_windows(2, 40)
    assert model.averages
    assert not tiny_cnn(pooled=False).averages
    with torch.inference_mode():
        (features,) = model.local(tokens)
        mean = features.mean(dim=1, keepdim=True)
        torch.testing.assert_close(model.mix((mean,)), model(tokens))


def test_weights_come_back_from_a_file(tmp_path) -> None:
    model, tokens = tiny_cnn(pooled=True), random_windows(2, 40)
    save_model(tmp_path / "cnn", model, card={})
    again, _ = load_model(tmp_path / "cnn")
    assert again.config == model.config
    with torch.inference_mode():
        assert torch.equal(again.eval()(tokens), model(tokens))


def test_it_is_built_by_name() -> None:
    model = build_model("dilated-cnn", {"channels": 8, "dilations": [1, 3]}, "recipe")
    assert isinstance(model, DilatedCNN)
    assert model.config.dilations == (1, 3)
    np.testing.assert_array_equal(model.letters[4], 0)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"first_width": 4}, "first_width must be odd; got 4"),
        ({"width": 2}, "width must be odd; got 2"),
        ({"dilations": (2, 0)}, "dilations must be at least 1; got 0"),
        ({"n_tracks": 0}, "n_tracks must be at least 1; got 0"),
    ],
)
def test_sizes_that_make_no_network_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DilatedCNNConfig(**sizes)
