"""Networks of other projects as models, whatever their layout and output."""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, check_choice, check_range, few
from cisgram.core.device import evaluating
from cisgram.data.outputs import Geometry, Outputs, Row
from cisgram.models.base import Bases, Model, rows_of

Layout = Literal["channels-first", "channels-last", "tokens"]
_LAYOUTS = get_args(Layout)


@dataclass(frozen=True, kw_only=True)
class WrapConfig:
    """How a network takes DNA and gives its output."""

    geometry: Geometry
    """Bases that it takes, and which of them the rows of its output stand for."""
    layout: Layout = "channels-first"
    """One-hot windows as (batch, 4, length) or (batch, length, 4), or (batch, length) of tokens."""
    select: int | str | None = None
    """Which member of an output that is a tuple, list or mapping."""


class Wrapped(Model):
    """A network of another project."""

    kind = "wrapped"
    row_kinds = ("base", "bin", "token", "window")

    def __init__(
        self,
        module: nn.Module,
        config: WrapConfig,
        outputs: Outputs,
        *,
        layers: Mapping[str, bool] | None = None,
        embedding_layer: str = "",
    ) -> None:
        """Wrap a network.

        `layers` are submodules with positions, in the order of computation, and whether their
        output has channels first; `embedding_layer` is the one that `embed` reads by default.
        """
        super().__init__(config, outputs)
        self.module = module
        self.reads_weights = config.layout != "tokens"
        self.letters = torch.cat([torch.eye(4), torch.zeros(1, 4)])
        self.training = module.training
        self._channels_first = dict(layers or {})
        # A network that is one function has no layer but itself.
        self.stages = tuple(self._channels_first) or ("module",)
        self.embedding_layer = embedding_layer

    def rows_of_layer(
        self, output: Float[Tensor, "batch ..."], layer: str
    ) -> Float[Tensor, "batch positions channels"]:
        """Return a layer's output with channels last; one position where it has none."""
        if output.ndim == 3 and self._channels_first.get(layer):
            output = output.transpose(1, 2)
        return super().rows_of_layer(output, layer)

    def window_for(self, length: int) -> int:
        """Return the one length of window that it takes, whatever it is to hold."""
        del length
        return self.window

    def check_length(self, length: int) -> None:
        """Refuse windows of another length than the network was wrapped for."""
        if length != self.window:
            raise ConfigError(
                f"the network was wrapped for windows of {self.window:,} bases; got {length:,}."
            )

    def forward(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch ..."]:
        """Return the network's output, columns last; `species` is not looked at."""
        del species
        seen = tokens.long()
        if self.config.layout != "tokens":
            seen = rows_of(tokens, self.letters.to(tokens.device)).to(self.dtype)
        if self.config.layout == "channels-first":
            seen = seen.transpose(1, 2)
        output = _selected(self.module(seen), self.config.select)
        rows = as_rows(output, self.outputs.n_columns, self.config.layout)
        if len(rows) != len(tokens):
            raise ConfigError(
                f"the network returns {len(rows)} rows for {len(tokens)} windows; its output must "
                "have the windows of the batch first."
            )
        return rows


def wrap_network(
    module: nn.Module,
    *,
    outputs: Sequence[str] | Outputs,
    window: int,
    layout: Layout = "channels-first",
    select: int | str | None = None,
    both_strands: bool = False,
) -> Wrapped:
    """Return a network of another project as a model; `cisgram.wrap` says how.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4 * 200, 2))
    >>> wrap_network(network, outputs=["a", "b"], window=200).outputs.names
    ('a', 'b')
    """
    if not hasattr(module, "training"):
        raise ConfigError(f"network must be a torch.nn.Module; got {module!r}.")
    check_range(window, "window", low=1)
    check_choice(layout, _LAYOUTS, "layout")
    names = outputs.names if isinstance(outputs, Outputs) else tuple(outputs)
    if isinstance(outputs, str):
        raise ConfigError(f"outputs must be a list of names; got {outputs!r}.")
    config = WrapConfig(geometry=Geometry(window=window), layout=layout, select=select)
    known = outputs if isinstance(outputs, Outputs) else Outputs(row="token", names=names)
    seen = _probe(Wrapped(module, config, replace(known, row="token")))
    if isinstance(outputs, Outputs):
        geometry = Geometry(window=window, resolution=outputs.resolution, margin=outputs.margin)
        _check_shape(seen.shape, outputs, geometry)
    else:
        geometry = _geometry(seen.shape, window)
        row: Row = "window" if len(seen.shape) == 2 else "base"
        known = Outputs(
            row="bin" if geometry.resolution > 1 else row,
            names=names,
            resolution=geometry.resolution,
            margin=geometry.margin,
            both_strands=both_strands,
        )
    config = replace(config, geometry=geometry)
    return Wrapped(module, config, known, layers=seen.layers, embedding_layer=seen.embedding_layer)


class _Seen(NamedTuple):
    """What one run of a network shows."""

    shape: tuple[int, ...]
    """Of the output for one window, columns last."""
    layers: dict[str, bool]
    embedding_layer: str


class _Called(NamedTuple):
    """A submodule that was called."""

    name: str
    is_leaf: bool
    channels: int
    channels_first: bool
    output: "weakref.ref[Tensor]"
    source: str
    """Leaf whose output it was given as it is; empty where none was."""

    def is_in(self, inputs: tuple[Any, ...]) -> bool:
        """Say whether a layer with these inputs is given this one's output as it is."""
        return bool(inputs) and self.output() is inputs[0]


_CHANNELS_FIRST = (
    nn.Conv1d,
    nn.ConvTranspose1d,
    nn.BatchNorm1d,
    nn.InstanceNorm1d,
    nn.GroupNorm,
    nn.MaxPool1d,
    nn.AvgPool1d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveMaxPool1d,
)
_CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.Embedding, nn.MultiheadAttention)


class _Watch:
    """Notes which submodules are called, and which axis of their output is that of channels.

    That follows from layers of torch that know theirs. Others keep the axes of what came before,
    or exchange them where their output has the shape of the input exchanged.
    """

    def __init__(self, model: Wrapped) -> None:
        self.called: dict[str, _Called] = {}
        self._first = model.config.layout == "channels-first"
        self._handles = [
            own.register_forward_hook(self._note(name))
            for name, own in model.named_modules()
            if name.startswith("module.") or (own is model.module and not list(own.children()))
        ]

    def close(self) -> None:
        """Leave the network as it was."""
        for handle in self._handles:
            handle.remove()

    def _note(self, name: str) -> Any:
        def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            found = output[0] if isinstance(output, tuple) and output else output
            if not isinstance(found, Tensor) or found.ndim not in (2, 3) or len(found) != 1:
                return
            is_leaf = not list(module.children())
            if found.ndim == 3 and is_leaf:
                self._first = self._channels_first(module, inputs, found)
            channels = found.shape[1] if found.ndim == 3 and self._first else found.shape[-1]
            given = [own.name for own in self.called.values() if own.is_leaf and own.is_in(inputs)]
            source = given[0] if given else ""
            own = _Called(name, is_leaf, channels, self._first, weakref.ref(found), source)
            self.called.setdefault(name, own)

        return note

    def _channels_first(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> bool:
        """Return whether channels come first after a layer."""
        if isinstance(module, _CHANNELS_FIRST):
            return True
        if isinstance(module, _CHANNELS_LAST):
            return False
        given = inputs[0].shape[1:] if inputs and isinstance(inputs[0], Tensor) else ()
        length, channels = output.shape[1:]
        exchanged = tuple(given) == (channels, length) and length != channels
        return self._first != exchanged


def _probe(model: Wrapped) -> _Seen:
    """Run a network on one window of N."""
    window = model.window
    shown = {"channels-first": f"(1, 4, {window})", "channels-last": f"(1, {window}, 4)"}
    shape = shown.get(model.config.layout, f"(1, {window})")
    watch = _Watch(model)
    with evaluating(model) as device:
        tokens = torch.full((1, window), 4, dtype=torch.uint8, device=device)
        try:
            output = model(tokens)
        except ConfigError:
            raise
        except Exception as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise ConfigError(
                f"the network does not take windows of shape {shape} ({reason}); give window, or "
                f"layout, one of {', '.join(_LAYOUTS)}."
            ) from error
        finally:
            watch.close()
    called = list(watch.called.values())
    layers = {own.name: own.channels_first for own in called}
    return _Seen(tuple(output.shape), layers, _before_head(called, output))


def _before_head(called: Sequence[_Called], output: Tensor) -> str:
    """Return the last layer before those that have as many channels as there are outputs."""
    leaves = {own.name: own for own in called if own.is_leaf}
    names = list(leaves)
    place = output.untyped_storage().data_ptr()
    made = (own.output() for own in leaves.values())
    whose = [own is not None and own.untyped_storage().data_ptr() == place for own in made]
    number = whose.index(True) if any(whose) else len(names) - 1
    while number > 0 and leaves[names[number]].channels == output.shape[-1]:
        source = leaves[names[number]].source
        number = names.index(source) if source else number - 1
    return names[number] if names else ""


def _check_shape(shape: tuple[int, ...], outputs: Outputs, geometry: Geometry) -> None:
    """Refuse outputs that have another number of rows than the network's."""
    rows = shape[1] if len(shape) == 3 else 0
    wanted = geometry.n_rows if outputs.row in ("base", "bin") else rows
    if (outputs.row == "window") != (len(shape) == 2) or rows != wanted:
        raise ConfigError(
            f"the network returns {rows or 'no'} rows along a window and outputs have "
            f"{'none' if outputs.row == 'window' else f'{wanted:,}'}; correct row, resolution or "
            "margin of outputs."
        )


def _selected(output: Any, select: int | str | None) -> Tensor:
    """Return the selected output of a network."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, dict):
        members = cast("dict[str, Any]", output)
        if isinstance(select, str) and isinstance(members.get(select), Tensor):
            return members[select]
        raise ConfigError(
            f"the network returns a mapping; name its output by select, one of "
            f"{few([repr(key) for key in members], 20)}."
        )
    if isinstance(output, tuple | list):
        listed = list(cast("Sequence[Any]", output))
        if isinstance(select, int) and 0 <= select < len(listed):
            return _selected(listed[select], None)
        raise ConfigError(
            f"the network returns {len(listed)} outputs; name one by select, 0 to "
            f"{len(listed) - 1}."
        )
    raise ConfigError(f"the network returns a {type(output).__name__} and no tensor.")


def as_rows(
    output: Float[Tensor, "..."], n_names: int, layout: Layout
) -> Float[Tensor, "batch ..."]:
    """Return an output with columns last, as many as there are names."""
    if output.ndim < 2:
        output = output.reshape(-1, 1)
    if output.ndim == 3 and layout == "channels-first":
        output = output.transpose(1, 2)
    if output.ndim not in (2, 3) or output.shape[-1] != n_names:
        raise ConfigError(
            f"the network returns a shape of {tuple(output.shape)}, columns last, and there are "
            f"{n_names} names of outputs; name every output."
        )
    return output


def _geometry(shape: tuple[int, ...], window: int) -> Geometry:
    """Return which bases the rows of an output stand for: equal shares, or the middle ones."""
    if len(shape) == 2:
        return Geometry(window=window)
    n = shape[1]
    if window % n == 0:
        return Geometry(window=window, resolution=window // n)
    if n < window and (window - n) % 2 == 0:
        return Geometry(window=window, margin=(window - n) // 2)
    raise ConfigError(
        f"which of {window:,} bases {n:,} rows of the output stand for is not to be told; give "
        "outputs as cisgram.Outputs, with resolution and margin."
    )
