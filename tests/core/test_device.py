"""Networks come back as they were found."""

import pytest
import torch
from torch import nn

from cisgram.core.device import device_of, evaluating, shapes_only


class Cached(nn.Module):
    """Makes a table in its first forward pass, as rotary positions do, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.table: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.table is None:
            self.table = torch.linspace(0, 1, 3)
        return (x * self.weight * self.table).sum()


def frozen() -> nn.Sequential:
    """A network in training but for a norm and what is inside a frozen part."""
    network = nn.Sequential(
        nn.Linear(3, 3),
        nn.BatchNorm1d(3),
        nn.Sequential(nn.Dropout(), nn.BatchNorm1d(3)),
    )
    network[1].eval()
    network[2][0].eval()
    return network


def test_every_submodule_keeps_its_own_flag() -> None:
    network = frozen()
    flags = [module.training for module in network.modules()]
    assert len(set(flags)) == 2
    with evaluating(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == flags
    error = RuntimeError("stop")
    with pytest.raises(RuntimeError, match="stop"), evaluating(network):
        raise error
    assert [module.training for module in network.modules()] == flags


@pytest.mark.parametrize("outside", [True, False])
def test_gradients_are_there_where_they_are_asked_for_and_set_back(outside: bool) -> None:
    network = frozen()
    with torch.set_grad_enabled(outside):
        for gradients in (True, False):
            with evaluating(network, gradients=gradients):
                assert torch.is_grad_enabled() == gradients
                assert not torch.is_inference_mode_enabled()
            assert torch.is_grad_enabled() == outside
            with pytest.raises(ZeroDivisionError), evaluating(network, gradients=gradients):
                _ = 1 / 0
            assert torch.is_grad_enabled() == outside


def test_what_a_network_caches_meanwhile_serves_a_later_backward_pass() -> None:
    network = Cached()
    with evaluating(network):
        network(torch.ones(3))
    assert network.table is not None
    assert not network.table.is_inference()
    network(torch.ones(3)).backward()
    assert network.weight.grad is not None
    torch.testing.assert_close(network.weight.grad, torch.tensor([0, 0.5, 1]))


def test_norms_do_not_learn_meanwhile() -> None:
    network = nn.BatchNorm1d(3).train()
    before = network.running_mean.clone()
    with evaluating(network):
        network(torch.randn(8, 3) + 5)
    assert torch.equal(network.running_mean, before)
    assert network.num_batches_tracked == 0


def test_a_network_without_parameters_is_where_its_buffers_are_or_on_the_cpu() -> None:
    assert device_of(nn.ReLU()) == torch.device("cpu")
    buffered = nn.Module()
    buffered.register_buffer("table", torch.ones(2, device="meta"))
    assert device_of(buffered) == torch.device("meta")
    assert device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")


def test_networks_of_shapes_only_have_the_shapes_of_whole_ones() -> None:
    def build() -> nn.Module:
        return nn.Sequential(
            nn.Embedding(5, 8), nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Conv1d(1, 2, 3)
        )

    with shapes_only():
        shapes = build()
    whole = build().state_dict()
    assert {name: value.shape for name, value in shapes.state_dict().items()} == {
        name: value.shape for name, value in whole.items()
    }
    assert shapes[1].weight.is_meta
    assert not nn.Linear(2, 2).weight.is_meta
