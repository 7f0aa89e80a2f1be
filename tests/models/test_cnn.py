import pytest
import torch
from torch import nn

from cisgram.core.checks import ConfigError
from cisgram.core.device import shapes_only
from cisgram.models.cnn import DilatedCNN, DilatedCNNConfig
from models.tiny import random_windows, tiny_cnn


class Plain(nn.Module):
    """The network in torch's own layers, channels first."""

    def __init__(self, model: DilatedCNN) -> None:
        super().__init__()
        config = model.config
        self.pooled = model.outputs.row == "window"
        self.first = nn.Conv1d(4, config.channels, config.first_width, padding="same")
        self.rest = nn.ModuleList(
            nn.Conv1d(config.channels, config.channels, 3, padding="same", dilation=gap)
            for gap in config.dilations
        )
        self.head = nn.Linear(config.channels, model.outputs.n_columns)
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
    config = DilatedCNNConfig()
    with shapes_only():
        model = DilatedCNN(config, config.default_outputs)
    assert model.n_parameters == 4 * 21 * 64 + 64 + 8 * (64 * 3 * 64 + 64) + 64 + 1
    assert model.halo == 10 + 510
    assert f"{model.n_parameters:,} parameters" in (DilatedCNN.__doc__ or "")


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("length", [1, 9, 64, 101])
def test_it_is_the_network_of_plain_layers(pooled: bool, length: int) -> None:
    model, tokens = tiny_cnn(pooled=pooled), random_windows(3, length)
    tokens[0, length // 2] = 4
    one_hot = nn.functional.pad(torch.eye(4), (0, 0, 0, 1))[tokens.int()].transpose(1, 2)
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), Plain(model)(one_hot))


def test_bases_depend_on_exactly_the_halo() -> None:
    model, tokens = tiny_cnn(pooled=False), random_windows(1, 61)
    assert model.halo == 2 + 2 + 4
    changed = tokens.clone()
    changed[0, 30] = (tokens[0, 30] + 1) % 4
    with torch.no_grad():
        differ = (model(tokens) != model(changed)).any(dim=-1)[0].nonzero()[:, 0]
    assert abs(differ - 30).max() == model.halo


def test_the_mean_may_stand_for_a_window() -> None:
    model, tokens = tiny_cnn(pooled=True), random_windows(2, 40)
    assert model.averages
    assert not tiny_cnn(pooled=False).averages
    with torch.no_grad():
        (features,) = model.local(tokens)
        mean = features.mean(dim=1, keepdim=True)
        torch.testing.assert_close(model.mix((mean,)), model(tokens))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"first_width": 4}, "first_width must be odd; got 4"),
        ({"width": 2}, "width must be odd; got 2"),
        ({"dilations": (2, 0)}, "dilations must be at least 1; got 0"),
        ({"crop": -1}, "crop must be at least 0; got -1"),
        ({"window": 64, "resolution": 4, "crop": 8}, "longer than the 64 that are cropped; got 64"),
        ({"window": 65, "resolution": 4}, "window must be a multiple of 4 bases"),
    ],
)
def test_sizes_that_make_no_network_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DilatedCNNConfig(**sizes)
