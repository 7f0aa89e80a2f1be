"""Layers that compute the effect of a change of their input on their output.

A change is what is added to a layer's input, (width, bases, positions, channels): around each of
some neighbouring positions, `width` rows that differ, for each of some bases put there. The output
differs in `reach` more rows on either side and nowhere else, so nothing else is computed. As a
convolution is linear, it has to see the rows that changed alone, not their surroundings.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cisgram.nn.conv import Conv


@runtime_checkable
class Change(Protocol):
    """What a change of its input does to the output of a layer, for one sequence."""

    def __call__(
        self,
        delta: Float[Tensor, "width bases positions in"],
        first: int,
        *,
        out: Float[Tensor, "wider bases positions out"],
    ) -> None:
        """Write the change of the output; that of rows past the sequence's ends is zero.

        Args:
            delta: change of the input, zero past the sequence's ends.
            first: the first of the neighbouring positions.
            out: where to, `reach` more rows on either side.
        """
        ...


class ChangeLayer(nn.Module, ABC):
    """A layer along a sequence that keeps the length and can follow changes."""

    reach: int
    """Rows of the input on either side that a row of the output depends on."""
    n_out: int
    """Channels of the output."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "batch length in"]) -> Float[Tensor, "batch length out"]:
        """Return the output; past the ends of the input are zeros."""

    @abstractmethod
    def remember(
        self, x: Float[Tensor, "length in"], *, reach: int
    ) -> tuple[Change, Float[Tensor, "length out"]]:
        """Return what changes of one sequence do, and the output for it as it is.

        Args:
            x: the sequence.
            reach: rows of the output on either side of a position that a change there reaches,
                through the layers before and this one.
        """


class ReluConv(ChangeLayer):
    """A convolution and a ReLU, added to the input if `residual`."""

    def __init__(
        self, n_in: int, n_out: int, *, width: int, dilation: int = 1, residual: bool = False
    ) -> None:
        super().__init__()
        self.conv = Conv(n_in, n_out, width=width, dilation=dilation)
        self.reach, self.n_out, self.residual = width // 2 * dilation, n_out, residual

    def forward(self, x: Float[Tensor, "batch length in"]) -> Float[Tensor, "batch length out"]:
        """Convolve, cut off what is negative, and add the input."""
        return self._finish(x, self.conv(x))

    def remember(
        self, x: Float[Tensor, "length in"], *, reach: int
    ) -> tuple[Change, Float[Tensor, "length out"]]:
        """Return what changes of one sequence do, and the output for it as it is."""
        before = self.conv(x[None])[0]
        change = _ReluChange(
            taps=self.conv.weight.permute(2, 1, 0).contiguous(),
            dilation=self.conv.dilation,
            residual=self.residual,
            # No change lifts a row past the ends over minus infinity: its own stays zero.
            low=F.pad(before.clamp(max=0), (0, 0, reach, reach), value=-torch.inf),
            floor=F.pad(-before.relu(), (0, 0, reach, reach)),
        )
        return change, self._finish(x, before)

    def _finish(
        self, x: Float[Tensor, "*batch length in"], before: Float[Tensor, "*batch length out"]
    ) -> Float[Tensor, "*batch length out"]:
        return x + before.relu() if self.residual else before.relu()


@dataclass(frozen=True, kw_only=True, eq=False)
class _ReluChange:
    """With c before the ReLU, a change d of it becomes max(d + min(c, 0), -max(c, 0))."""

    taps: Float[Tensor, "taps in out"]
    dilation: int
    residual: bool
    low: Float[Tensor, "rows out"]
    floor: Float[Tensor, "rows out"]

    def __call__(
        self,
        delta: Float[Tensor, "width bases positions in"],
        first: int,
        *,
        out: Float[Tensor, "wider bases positions out"],
    ) -> None:
        n_rows = len(delta)
        out.copy_(_rows_around(self.low, first, out))
        changed, flat = delta.flatten(0, 2), out.flatten(0, 2)
        each = len(changed) // n_rows
        for tap, weight in enumerate(self.taps):
            # A row changes the ones that it is this tap of: the last tap of rows before it.
            shift = (len(self.taps) - 1 - tap) * self.dilation * each
            flat[shift : shift + len(changed)].addmm_(changed, weight)
        torch.maximum(out, _rows_around(self.floor, first, out), out=out)
        if self.residual:
            margin = (len(out) - n_rows) // 2
            out[margin : margin + n_rows] += delta


class Dense(ChangeLayer):
    """A linear map of every row by itself."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = Conv(n_in, n_out)
        self.reach, self.n_out = 0, n_out

    def forward(self, x: Float[Tensor, "batch length in"]) -> Float[Tensor, "batch length out"]:
        """Map each row."""
        return self.conv(x)

    def remember(
        self, x: Float[Tensor, "length in"], *, reach: int
    ) -> tuple[Change, Float[Tensor, "length out"]]:
        """Return what changes of one sequence do, and the output for it as it is."""
        del reach
        weight = self.conv.weight.squeeze(-1).t()

        def change(
            delta: Float[Tensor, "width bases positions in"],
            first: int,
            *,
            out: Float[Tensor, "width bases positions out"],
        ) -> None:
            del first
            torch.mm(delta.flatten(0, 2), weight, out=out.flatten(0, 2))

        return change, self.conv(x[None])[0]


def _rows_around(
    rows: Float[Tensor, "padded channels"],
    first: int,
    like: Float[Tensor, "width bases positions channels"],
) -> Float[Tensor, "width 1 positions channels"]:
    """Look at the rows around each of neighbouring positions, without a copy."""
    width, _, n_positions, _ = like.shape
    near = rows[first : first + n_positions + width - 1].unfold(0, width, 1)
    return near.permute(2, 0, 1).unsqueeze(1)
