"""Networks of others: their layers, and that every verb leaves them as they were."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cisgram
from cisgram.core.checks import ConfigError
from cisgram.explain.insertion_sites import InsertConfig
from models.foreign import DNA, LENGTH, Network, wrapped
from models.tiny import random_windows


def test_layers_are_those_that_are_called_in_their_order() -> None:
    model = wrapped(Network())
    names = ("conv", "norm", "act.0", "act.1", "act", "head")
    assert model.layer_names == tuple(f"module.{name}" for name in names)
    assert model.embedding_layer == "module.act.1"
    for name in names:
        values, spans = model.embed(random_windows(2, LENGTH), layer=f"module.{name}")
        assert values.shape == (2, LENGTH, 2 if name == "head" else 6)
        assert spans[0].tolist() == [[base, base + 1] for base in range(LENGTH)]


class Turning(nn.Module):
    """Takes channels last and convolves channels first, so that its axes turn twice."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = Transposed()
        self.conv = nn.Conv1d(4, LENGTH // 2, 3, padding=1)  # channels that divide the window
        self.relu = nn.ReLU()
        self.back = Transposed()
        self.mix = nn.TransformerEncoderLayer(LENGTH // 2, 2, 8, batch_first=True)
        self.gelu = nn.GELU()
        self.out = nn.Linear(LENGTH // 2, 3)
        self.unused = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.gelu(self.mix(self.back(self.relu(self.conv(self.turn(x)))))))


class Transposed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2)


def test_every_layers_positions_are_told_from_its_channels() -> None:
    model = wrapped(Turning(), outputs=["a", "b", "c"], layout="channels-last")
    tokens = random_windows(1, LENGTH)
    both = torch.cat([tokens, tokens])
    both[1, 40] = (both[1, 40] + 1) % 4
    for name in ("turn", "conv", "relu", "back", "gelu"):
        values, spans = model.embed(both, layer=f"module.{name}")
        assert values.shape == (2, LENGTH, 4 if name == "turn" else LENGTH // 2), name
        assert spans[0, 40].tolist() == [40, 41]
    values, _ = model.embed(both, layer="module.conv")
    assert (values[0] != values[1]).any(dim=1).nonzero()[:, 0].tolist() == [39, 40, 41]
    assert model.embedding_layer == "module.gelu"
    assert "module.unused" not in model.layer_names


def test_layers_of_fewer_positions_lie_in_the_middle_of_the_window() -> None:
    network = nn.Sequential(
        nn.Conv1d(4, 3, 7), nn.ReLU(), nn.MaxPool1d(5), nn.Flatten(), nn.Linear(33, 2)
    )
    model = wrapped(network, window=61)
    values, spans = model.embed(random_windows(2, 61), layer="module.0")
    assert values.shape == (2, 55, 3)
    assert spans[1].tolist() == [[base, base + 1] for base in range(3, 58)]
    with pytest.raises(
        ConfigError, match=r"module\.2 has 11 positions for 61 bases, which does no"
    ):
        model.embed(random_windows(2, 61), layer="module.2")


def test_the_layer_before_the_selected_head_is_embedded() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, 8), nn.ReLU())
            self.human = nn.Sequential(nn.Linear(8, 2), nn.Softplus())
            self.mouse = nn.Sequential(nn.Linear(8, 5), nn.Softplus())

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            x = self.trunk(x)
            return {"human": self.human(x), "mouse": self.mouse(x)}

    for select, names in (("human", "ab"), ("mouse", "abcde")):
        model = wrapped(Heads(), outputs=[*names], select=select)
        assert model.embedding_layer == "module.trunk.2"
        assert model.embed(random_windows(2, LENGTH)).values.shape == (2, 1, 8)


class Stateful(nn.Module):
    """Keeps a table that it makes in its first forward pass, and has frozen parts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = Network("base")
        self.frozen = nn.Linear(2, 2).requires_grad_(requires_grad=False)
        self.positions: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.positions is None:
            self.positions = torch.linspace(0, 1, x.shape[2])[None, :, None]
        hidden = self.inner(x).transpose(1, 2) * self.positions
        return self.frozen(hidden).mean(dim=1)


VERBS: dict[str, Callable[[Any], Any]] = {
    "predict": lambda model: model.predict([DNA, DNA[::-1]]),
    "embed": lambda model: model.embed(DNA),
    "mutate": lambda model: model.mutate(DNA),
    "attribute": lambda model: model.attribute(DNA),
    "integrate": lambda model: model.attribute(DNA, n_steps=4),
    "insert": lambda model: model.insert(
        [cisgram.Motif.from_consensus("t", "TATAAA")],
        DNA,
        config=InsertConfig(distances=(0,), n_backgrounds=2, n_nulls=2),
    ),
}


@pytest.fixture
def stateful() -> Stateful:
    """In training, but for a norm and one activation in evaluation."""
    network = Stateful()
    network.inner.norm.eval()
    network.inner.act[0].eval()
    return network


def state_of(network: nn.Module) -> dict[str, Any]:
    return {
        "flags": [module.training for module in network.modules()],
        "grads": [value.requires_grad for value in network.parameters()],
        "hooks": [len(module._forward_hooks) for module in network.modules()],
        "values": {name: value.clone() for name, value in network.state_dict().items()},
        "gradients": [value.grad for value in network.parameters()],
        "mode": torch.is_grad_enabled(),
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    values = zip(one.pop("values").values(), other.pop("values").values(), strict=True)
    return all(torch.equal(*pair) for pair in values) and one == other


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_leaves_the_network_as_it_was(stateful: Stateful, verb: str) -> None:
    before = state_of(stateful)
    assert len(set(before["flags"])) == len(set(before["grads"])) == 2
    model = cisgram.wrap(stateful, outputs=["a", "b"], window=LENGTH)
    VERBS[verb](model)
    assert same(state_of(stateful), before)
    # What it cached meanwhile is part of its user's own backward pass.
    assert stateful.positions is not None
    one_hot = F.one_hot(random_windows(2, LENGTH).long(), 4).float().transpose(1, 2)
    stateful(one_hot).sum().backward()
    assert stateful.inner.conv.weight.grad is not None
    assert stateful.frozen.weight.grad is None


def test_an_error_leaves_the_network_as_it_was(stateful: Stateful) -> None:
    class Breaking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.left = stateful, 1

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("broken")
            return self.network(x)

    breaking = Breaking()
    before = state_of(breaking)
    model = cisgram.wrap(breaking, outputs=["a", "b"], window=LENGTH)
    for verb in VERBS.values():
        breaking.left = 0
        with pytest.raises(RuntimeError, match="broken"):
            verb(model)
        assert same(state_of(breaking), dict(before))
    breaking.left = 0
    with pytest.raises(
        ConfigError, match=r"does not take windows of shape \(1, 4, 60\) \(broken\)"
    ):
        cisgram.wrap(breaking, outputs=["a", "b"], window=LENGTH)
    assert same(state_of(breaking), dict(before))


def test_verbs_give_the_networks_own_numbers(stateful: Stateful) -> None:
    model = cisgram.wrap(stateful, outputs=["a", "b"], window=LENGTH)

    def ask(texts: list[str]) -> torch.Tensor:
        rows = [["ACGT".index(letter) for letter in text] for text in texts]
        return F.one_hot(torch.tensor(rows), 4).float().transpose(1, 2)

    stateful.eval()
    x = ask([DNA]).requires_grad_()
    output = stateful(x)
    gradient = torch.autograd.grad(output[0, 0], x)[0][0].T
    mutants = [DNA[:20] + base + DNA[21:] for base in "ACGT"]
    effects = (stateful(ask(mutants)) - output).detach()
    np.testing.assert_allclose(model.mutate(DNA).all_effects[20], effects, atol=1e-6)
    centred = gradient - gradient.mean(dim=1, keepdim=True)
    found = model.attribute(DNA).hypothetical
    np.testing.assert_allclose(found, centred, atol=1e-6)
