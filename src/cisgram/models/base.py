"""The one kind of model: a network, its sizes, and what its output means."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, NoReturn, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, few
from cisgram.data.outputs import Geometry, Outputs, Row
from cisgram.genome.alphabet import N
from cisgram.nn.changes import ChangeLayer

MASK = 5
"""The token of a masked base, after A C G T N = 0 1 2 3 4."""

Bases = UInt8[Tensor, "batch length"] | Float[Tensor, "batch length _letters"]
"""Windows as tokens; or as weights of A, C, G and T at every base, which gradients flow to.

A row of a one and zeros is that base. What the weights lack of one is N's, so that a row of zeros
is N."""


class Embedding(NamedTuple):
    """Output of a layer for each window, and the bases that its positions stand for."""

    values: Float[Tensor, "batch positions channels"]
    spans: Int[Tensor, "batch positions 2"]
    """First base and the one after the last, 0-based, within the window."""


class ModelConfig(Protocol):
    """What the sizes of every architecture say."""

    @property
    def geometry(self) -> Geometry:
        """Window, and which of its bases the rows of the output stand for."""
        ...


class Model(nn.Module):
    """A network of DNA with its sizes and the meaning of its output.

    `forward` takes windows and returns (batch, rows, columns), or (batch, columns) where
    `outputs.row` is `window`; `outputs.in_units` says what the numbers are.
    """

    kind: ClassVar[str] = ""
    """Name of the architecture in recipes and files; `registry.architecture` sets it."""
    row_kinds: ClassVar[tuple[Row, ...]] = ("base", "bin")
    """What a row of its output may stand for."""
    reads_weights: bool = True
    """Whether windows may be weights of bases, as `Bases` says, in place of tokens."""
    reads_masks: bool = False
    """Whether the token `MASK` has a meaning."""
    causal: bool = False
    """Whether a base is predicted from those before it alone; then nothing need be masked."""
    forward_methods: ClassVar[tuple[str, ...]] = ()
    """Methods that training may call in place of `forward`."""
    stages: tuple[str, ...] = ()
    """Submodules in the order of computation; of `name.*` every member."""
    embedding_layer: str = ""
    """Submodule whose output `embed` returns by default."""
    multiple: int = 1
    """The length of a window must be a multiple of this."""

    def __init__(self, config: Any, outputs: Outputs) -> None:
        super().__init__()
        self.config, self.outputs = config, outputs
        geometry: Geometry = config.geometry
        self.window = geometry.window
        """Bases the network was made for."""
        if outputs.row not in self.row_kinds:
            raise ConfigError(
                f"{self.kind} has an output for each {' or '.join(self.row_kinds)}, and none for "
                f"each {outputs.row}; choose another kind in [model]."
            )
        if (outputs.row in ("base", "bin")) and (
            (outputs.resolution, outputs.margin) != (geometry.resolution, geometry.margin)
        ):
            raise ConfigError(
                f"{self.kind} of these sizes has a row for every {geometry.resolution} bases with "
                f"{geometry.margin:,} left out at each end, and the outputs have one for every "
                f"{outputs.resolution} with {outputs.margin:,} left out; change [model]."
            )

    @property
    def n_parameters(self) -> int:
        """Numbers the model holds, running moments of batch norms included."""
        moments = sum(
            value.numel()
            for name, value in self.named_buffers()
            if name.endswith(("_mean", "_var"))
        )
        return sum(value.numel() for value in self.parameters()) + moments

    @property
    def dtype(self) -> torch.dtype:
        """Type of its parameters; single precision where it has none."""
        for value in self.parameters():
            return value.dtype
        return torch.float32

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Submodules that `embed` can read, in the order of computation."""
        found: list[str] = []
        for name in self.stages:
            stem, star, _ = name.partition(".*")
            members = self.get_submodule(stem).named_children() if star else ()
            found += [f"{stem}.{own}" for own, _ in members] if star else [name]
        return tuple(found) or tuple(name for name, _ in self.named_modules() if name)

    def window_for(self, length: int) -> int:
        """Return the shortest window that holds so many bases, `window` at most."""
        return min(self.window, -(-length // self.multiple) * self.multiple)

    def check_length(self, length: int) -> None:
        """Refuse windows that the architecture cannot take."""
        if length < 1 or length % self.multiple:
            raise ConfigError(
                f"{self.kind} takes windows of a multiple of {self.multiple:,} bases; "
                f"got {length:,}."
            )
        if length <= 2 * self.outputs.margin:
            raise ConfigError(
                f"{self.kind} leaves out {2 * self.outputs.margin:,} bases of a window; "
                f"got one of {length:,}."
            )

    def embed(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
        *,
        layer: str | None = None,
    ) -> Embedding:
        """Return the output of a layer, nothing masked.

        Args:
            tokens: windows.
            species: number that the model knows the genome by.
            layer: one of `layer_names`, or its number there, from the end where negative;
                `embedding_layer` by default.

        Raises:
            ConfigError: there is no such layer, or its positions stand for no bases.
        """
        self.check_length(tokens.shape[1])
        name = self.layer(layer)
        output = output_of(self, name, lambda: self(tokens, species=species))
        values = self.rows_of_layer(output, name)
        spans = self.spans_of(values, tokens.shape[1], name).to(tokens.device)
        return Embedding(values, spans.expand(len(values), -1, -1))

    def rows_of_layer(
        self, output: Float[Tensor, "batch ..."], layer: str
    ) -> Float[Tensor, "batch positions channels"]:
        """Return a layer's output with channels last; one position where it has none."""
        del layer
        return output[:, None] if output.ndim == 2 else output

    def layer(self, name: str | None) -> str:
        """Return the submodule of that name or number; the default where it is None."""
        known = self.layer_names
        if name is None:
            return self.embedding_layer or known[-1]
        if name.lstrip("-").isdigit():
            if not -len(known) <= int(name) < len(known):
                raise ConfigError(f"{self.kind} has {len(known)} layers; got layer {name}.")
            return known[int(name)]
        if name not in dict(self.named_modules()):
            raise ConfigError(f"{self.kind} has no layer {name!r}; it has {few(known, 40)}.")
        return name

    def spans_of(
        self, values: Float[Tensor, "batch positions channels"], length: int, layer: str
    ) -> Int[Tensor, "positions 2"]:
        """Return the bases that the positions of a layer stand for."""
        n = values.shape[1]
        inside = length - 2 * self.outputs.margin
        if n and length % n == 0:
            first, size = 0, length // n
        elif n and n * self.outputs.resolution == inside:
            first, size = self.outputs.margin, self.outputs.resolution
        elif n > length // 2 and (length - n) % 2 == 0:
            first, size = (length - n) // 2, 1
        else:
            raise ConfigError(
                f"layer {layer} has {n:,} positions for {length:,} bases, which does not say where "
                "they lie; choose another layer."
            )
        starts = first + size * torch.arange(n)
        return torch.stack([starts, starts + size], dim=-1)


class SplitModel(Model, ABC):
    """A network of two parts: `local` reads DNA piece by piece, `mix` relates the pieces.

    What `local` makes of a piece depends on `halo` bases around it at most, so that DNA shared
    by many windows need be read once (`cisgram.prediction.reuse`); `mix` sees all of a window.
    """

    halo: int
    """Bases on either side that a feature of `local` depends on, a multiple of `multiple`."""
    n_levels: int = 1
    """Features that `local` returns."""

    @abstractmethod
    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch _bins _channels"], ...]:
        """Return features, each at a resolution of its own that divides `multiple`.

        The ends of `tokens` are taken for the ends of a window.
        """

    @abstractmethod
    def mix(
        self, features: tuple[Float[Tensor, "batch _bins _channels"], ...]
    ) -> Float[Tensor, "batch ..."]:
        """Return the model's output for windows whose features `local` made."""

    def forward(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch ..."]:
        """Return what `mix` makes of the features of whole windows."""
        self.check_length(tokens.shape[1])
        return self.mix(self.local(tokens, species))


class LayeredModel(SplitModel):
    """A network whose local part is a chain of layers at one base that can follow changes.

    A mutation then costs what it changes, layer by layer (`cisgram.explain.mutate`).
    """

    letters: Tensor
    """Rows that the first layer reads, one a token."""

    @property
    @abstractmethod
    def layers(self) -> Sequence[ChangeLayer]:
        """The local part, first layer first."""

    @property
    def averages(self) -> bool:
        """Whether `mix` sees the mean over the window alone, for which a single row may stand."""
        return self.outputs.row == "window"

    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch length channels"], ...]:
        """Return the last layer's output; `species` is not looked at."""
        del species
        x = rows_of(tokens, self.letters)
        for layer in self.layers:
            x = layer(x)
        return (x,)


class _Found(Exception):
    pass


def output_of(model: Model, layer: str, run: Callable[[], object]) -> Float[Tensor, "batch ..."]:
    """Return the first output of a submodule in a run; nothing after it is computed."""
    kept: list[Any] = []

    def keep(module: nn.Module, inputs: Any, output: Any) -> NoReturn:
        del module, inputs
        kept.append(output[0] if isinstance(output, tuple) else output)
        raise _Found

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        run()
    except _Found:
        pass
    finally:
        handle.remove()
    if not kept or not isinstance(kept[0], Tensor) or kept[0].ndim not in (2, 3):
        raise ConfigError(f"layer {layer} has no positions with channels; choose another layer.")
    return kept[0]


def halo_of(convolutions: Iterable[tuple[int, int]], *, multiple: int) -> int:
    """Return how far a stack of centred convolutions reaches to either side, rounded up.

    Convolutions are numbers of taps, and bases from one tap to the next.

    >>> halo_of([(11, 1), (5, 1), (5, 2)], multiple=4)
    12
    """
    reach = sum(width // 2 * gap for width, gap in convolutions)
    return -(-reach // multiple) * multiple


def mask_bases(tokens: Bases, mask: Bool[Tensor, "batch length"] | None) -> Bases:
    """Put `MASK` where the mask is set; weights get two more columns, for N and `MASK`."""
    if mask is None:
        return tokens
    if not tokens.is_floating_point():
        return tokens.masked_fill(mask, MASK)
    masked = F.one_hot(torch.tensor(MASK, device=tokens.device), MASK + 1).to(tokens)
    return torch.where(mask[..., None], masked, F.pad(tokens, (0, 2)))


def rows_of(
    tokens: Bases, letters: Float[Tensor, "letters channels"]
) -> Float[Tensor, "batch length channels"]:
    """Return the row of each base, or, of weights, the sum of the rows that they weigh.

    The first thing that networks of single bases do, and the one place where weights become what
    they read. `letters` has a row for each token, N at least.

    >>> letters = torch.tensor([[1.0], [2.0], [3.0], [4.0], [9.0]])
    >>> rows_of(torch.tensor([[1, 4]], dtype=torch.uint8), letters).tolist()
    [[[2.0], [9.0]]]
    >>> rows_of(torch.tensor([[[0.5, 0.5, 0, 0], [0, 0, 0, 0]]]), letters).tolist()
    [[[1.5], [9.0]]]
    """
    if not tokens.is_floating_point():
        return F.embedding(tokens.int(), letters)
    if tokens.ndim != 3 or tokens.shape[-1] not in (N, MASK + 1):
        raise ConfigError(
            "weights of bases must be (batch, length, 4), columns A C G T; "
            f"got {tuple(tokens.shape)}."
        )
    unknown = 1 - tokens.sum(dim=-1, keepdim=True)
    return tokens @ letters[: tokens.shape[-1]] + unknown * letters[N]


def require_language_model(model: Model, where: str) -> Model:
    """Return `model` when it predicts bases."""
    if not model.outputs.are_bases:
        raise ConfigError(
            f"{where} predicts {few(model.outputs.names or model.outputs.gene_targets)} and is no "
            "language model; name one."
        )
    return model


def check_tokens(tokens: UInt8[np.ndarray, "windows length"], model: Model) -> None:
    """Refuse tokens that a model does not know."""
    highest = int(tokens.max(initial=0))
    most = MASK if model.reads_masks else N
    if highest > most:
        known = "A C G T N = 0 1 2 3 4" + (", masked = 5" if model.reads_masks else "")
        raise ConfigError(f"tokens must be {known}; got {highest}.")
