"""What every language model of DNA can be asked."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from cisgram.core.checks import ConfigError
from cisgram.genome.alphabet import N
from cisgram.nn.changes import ChangeLayer

MASK = 5
"""The token of a base hidden from the model, after A C G T N = 0 1 2 3 4."""

Bases = UInt8[Tensor, "batch length"] | Float[Tensor, "batch length _letters"]
"""Windows as tokens; or as weights of A, C, G and T at every base, which gradients flow to.

A row of a one and zeros is that base. What the weights lack of one is N's, so that a row of zeros
is N."""


class Embedding(NamedTuple):
    """Hidden positions of each window and the bases they stand for."""

    values: Float[Tensor, "batch positions channels"]
    spans: Int[Tensor, "batch positions 2"]
    """First base and the one after the last, 0-based, within the window."""


class Model(nn.Module):
    """A network that knows what it was built from."""

    kind: ClassVar[str]
    """Name of the architecture in recipes and files."""
    config: Any
    """The frozen dataclass it was built from."""
    window: int
    """Bases it was made for."""
    multiple: int
    """The length of a window must be a multiple of this."""
    reads_weights: ClassVar[bool] = False
    """Whether windows may be weights of bases, as `Bases` says, in place of tokens."""
    forward_methods: ClassVar[tuple[str, ...]] = ()
    """Methods that training may call in place of `forward`."""

    @property
    def n_parameters(self) -> int:
        """Numbers the model holds, running moments of batch norms included."""
        moments = sum(
            value.numel()
            for name, value in self.named_buffers()
            if name.endswith(("_mean", "_var"))
        )
        return sum(value.numel() for value in self.parameters()) + moments

    def window_for(self, length: int) -> int:
        """Return the shortest window that holds so many bases, `window` at most."""
        return min(self.window, -(-length // self.multiple) * self.multiple)

    def check_length(self, length: int) -> None:
        """Refuse windows that the architecture cannot take.

        Raises:
            ConfigError: `length` is no multiple of `multiple`.
        """
        if length < 1 or length % self.multiple:
            raise ConfigError(
                f"{self.kind} takes windows of a multiple of {self.multiple:,} bases; "
                f"got {length:,}."
            )


class SplitModel(Model, ABC):
    """A network of two parts: `local` reads DNA piece by piece, `mix` relates the pieces.

    What `local` makes of a stretch depends on `halo` bases around it at most, so that DNA shared
    by many windows need be read once (`cisgram.predict.reuse`); `mix` sees all of a window.
    """

    reads_weights = True
    halo: int
    """Bases on either side that a feature of `local` depends on, a multiple of `multiple`."""

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


class TrackModel(SplitModel):
    """A network that predicts signal in bins along its window."""

    resolution: int
    """Bases of a bin."""
    margin: int
    """Bases at each end of a window of which nothing is predicted."""
    n_columns: int
    """Numbers predicted for every bin."""

    def forward(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch bins columns"]:
        """Return what `mix` makes of the features of whole windows."""
        self.check_length(tokens.shape[1])
        return self.mix(self.local(tokens, species))


class LayeredModel(SplitModel):
    """A network whose local part is a chain of layers at one base that can follow changes.

    A mutation then costs what it changes, layer by layer (`cisgram.explain.mutate`).
    """

    letters: Tensor
    """Rows that the first layer reads, one a token."""
    averages: bool
    """Whether `mix` sees the mean over the window alone, for which the mean itself, a single row,
    may stand."""

    @property
    @abstractmethod
    def layers(self) -> Sequence[ChangeLayer]:
        """The local part, first layer first."""

    def local(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch length channels"], ...]:
        """Return the last layer's output; `species` is not looked at."""
        del species
        self.check_length(tokens.shape[1])
        x = rows_of(tokens, self.letters)
        for layer in self.layers:
            x = layer(x)
        return (x,)


def halo_of(convolutions: Iterable[tuple[int, int]], *, multiple: int) -> int:
    """Return how far a stack of centred convolutions reaches to either side, rounded up.

    Args:
        convolutions: taps of each, and bases from one tap to the next.
        multiple: what the reach is rounded up to a multiple of.

    >>> halo_of([(11, 1), (5, 1), (5, 2)], multiple=4)
    12
    """
    reach = sum(width // 2 * gap for width, gap in convolutions)
    return -(-reach // multiple) * multiple


class LanguageModel(Model, ABC):
    """Predicts every base of a window from the others.

    Windows are (batch, length) of tokens; `mask` says which bases are hidden from the model and
    flagged as hidden, which is not the same as N, a base nobody knows. `species` is a number
    below `n_species`, zero where it is not given.
    """

    resolution: int
    """Bases that a hidden position of `embed` stands for."""
    receptive_field: int | None
    """Bases that one prediction can depend on; None is the whole window."""
    causal: bool = False
    """Whether a base is predicted from those before it alone; then nothing need be hidden."""

    @abstractmethod
    def logits(
        self,
        tokens: Bases,
        mask: Bool[Tensor, "batch length"] | None = None,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch length 4"]:
        """Return unnormalised log-probabilities of A, C, G and T at every base."""

    @abstractmethod
    def embed(
        self,
        tokens: Bases,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Embedding:
        """Return hidden positions, nothing masked."""

    def forward(
        self,
        tokens: Bases,
        mask: Bool[Tensor, "batch length"] | None = None,
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch length 4"]:
        """Return `logits`; what wrappers of training call."""
        return self.logits(tokens, mask, species)


class TokenModel(Protocol):
    """A language model that reads tokens of one or more bases."""

    def tokenize(self, tokens: UInt8[Tensor, "batch length"]) -> tuple[Tensor, Tensor]:
        """Return ids, (batch, positions), and the bases each covers, (batch, positions, 2)."""
        ...

    def token_logits(self, ids: Tensor, species: Tensor | None = None) -> Tensor:
        """Return unnormalised log-probabilities of every token, (batch, positions, vocabulary)."""
        ...


def hide(tokens: Bases, mask: Bool[Tensor, "batch length"] | None) -> Bases:
    """Put `MASK` where the mask is set; weights get two more columns, for N and `MASK`."""
    if mask is None:
        return tokens
    if not tokens.is_floating_point():
        return tokens.masked_fill(mask, MASK)
    hidden = F.one_hot(torch.tensor(MASK, device=tokens.device), MASK + 1).to(tokens)
    return torch.where(mask[..., None], hidden, F.pad(tokens, (0, 2)))


def rows_of(
    tokens: Bases, letters: Float[Tensor, "letters channels"]
) -> Float[Tensor, "batch length channels"]:
    """Return the row of each base, or, of weights, the sum of the rows that they weigh.

    The first thing that networks of single bases do, and the one place where weights become what
    they read.

    Args:
        tokens: windows.
        letters: a row for each token, N at least.

    Raises:
        ConfigError: weights are not (batch, length, 4).

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
