import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cisgram.nn.changes import ChangeLayer, Dense, ReluConv

LAYERS: dict[str, tuple[type[ChangeLayer], dict]] = {
    "first": (ReluConv, {"width": 5}),
    "dilated": (ReluConv, {"width": 3, "dilation": 4, "residual": True}),
    "dense": (Dense, {}),
}


def layer_of(name: str) -> ChangeLayer:
    torch.manual_seed(0)
    kind, sizes = LAYERS[name]
    layer = kind(4, 4, **sizes).double()
    with torch.no_grad():
        for value in layer.parameters():
            value.normal_(std=0.5)
    return layer


def added(x: Tensor, delta: Tensor, first: int) -> Tensor:
    """Add the change around each position, one sequence a base and position."""
    width, bases, positions, _ = delta.shape
    reach = width // 2
    padded = nn.functional.pad(x, (0, 0, reach, reach)).repeat(bases, positions, 1, 1)
    for number in range(positions):
        start = first + number
        padded[:, number, start : start + width] += delta[:, :, number].transpose(0, 1)
    return padded[:, :, reach : reach + len(x)].flatten(0, 1)


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_change_of_the_output_is_the_difference_of_outputs(
    name: str, data: st.DataObject
) -> None:
    layer = layer_of(name)
    length = data.draw(st.integers(1, 40))
    first = data.draw(st.integers(0, length - 1))
    positions = data.draw(st.integers(1, min(5, length - first)))
    before = data.draw(st.integers(0, 6))  # rows on either side that have changed already
    torch.manual_seed(data.draw(st.integers(0, 1_000)))
    x = torch.randn(length, 4, dtype=torch.float64)
    delta = torch.randn(1 + 2 * before, 2, positions, 4, dtype=torch.float64)
    rows = torch.arange(-before, before + 1)[:, None] + first + torch.arange(positions)
    outside = (rows < 0) | (rows >= length)
    delta.permute(0, 2, 1, 3)[outside] = 0
    reach = before + layer.reach
    with torch.inference_mode():
        change, output = layer.remember(x, reach=reach)
        out = torch.full((1 + 2 * reach, 2, positions, 4), torch.nan, dtype=torch.float64)
        change(delta, first, out=out)
        torch.testing.assert_close(output, layer(x[None])[0])
        expected = layer(added(x, delta, first))
        torch.testing.assert_close(added(output, out, first), expected)
    rows = torch.arange(-reach, reach + 1)[:, None] + first + torch.arange(positions)
    assert not out.permute(0, 2, 1, 3)[(rows < 0) | (rows >= length)].any()


def test_a_change_reaches_as_far_as_a_layer_says() -> None:
    layer, x = layer_of("dilated"), torch.randn(1, 41, 4, dtype=torch.float64)
    with torch.inference_mode():
        other = x.clone()
        other[0, 20] += 3
        differ = (layer(x) != layer(other)).any(dim=-1)[0].nonzero()[:, 0].tolist()
    assert differ == [20 - layer.reach, 20, 20 + layer.reach]
