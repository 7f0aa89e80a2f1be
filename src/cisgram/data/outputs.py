"""What a network's output means: its columns, its rows and their units.

A data set makes `Outputs`, a model keeps them, and every reading of a model goes through them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from jaxtyping import Float, Int64

from cisgram.core.checks import ConfigError, check_choice, check_range, check_unique
from cisgram.genome.alphabet import LETTERS

if TYPE_CHECKING:
    from torch import Tensor

Row = Literal["base", "bin", "token", "window"]
Activation = Literal["none", "softplus", "log-softmax"]
BASES = tuple(LETTERS[:4])
_OTHER_STRAND = {"+": "-", "-": "+"}


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Which bases of a window the rows of a network's output stand for."""

    window: int
    """Bases that are read."""
    resolution: int = 1
    """Bases of a row."""
    margin: int = 0
    """Bases at each end of the window that have no row."""

    def __post_init__(self) -> None:
        check_range(self.resolution, "resolution", low=1)
        if self.window % self.resolution or self.predicted < 1:
            raise ConfigError(
                f"window must be a multiple of {self.resolution:,} bases and longer than the "
                f"{2 * self.margin:,} that are cropped; got {self.window:,}."
            )

    @property
    def predicted(self) -> int:
        """Bases of the window that have rows."""
        return self.window - 2 * self.margin

    @property
    def n_rows(self) -> int:
        """Rows of a window."""
        return self.predicted // self.resolution


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How targets were scaled before training; `Outputs.in_units` reverses it."""

    power: float
    """Counts of a bin were raised to this, and then divided by `track_means`."""
    track_means: tuple[float, ...]
    """Mean of each track over the training windows."""
    gene_moments: tuple[tuple[float, ...], ...] = ()
    """Mean and standard deviation of each gene target over the training genes."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The columns and rows of a network's output.

    Columns are `names`, then each gene target twice: for genes on the strand that is read, and for
    genes on the other. A gene target is the mean of its column over the rows of the gene's body.

    >>> outputs = Outputs(row="bin", names=("tss+", "tss-", "mnase"), gene_targets=("tpm",))
    >>> outputs.n_columns, outputs.partner.tolist()
    (5, [1, 0, 2, 4, 3])
    """

    row: Row
    """What a row of the output stands for; `window` has one row for the whole window."""
    names: tuple[str, ...]
    """Columns along the window: tracks (`name+` is the strand that is read), bases, or the outputs
    of a window."""
    gene_targets: tuple[str, ...] = ()
    """Quantities predicted for each gene, such as its mRNA level."""
    upstream: tuple[int, ...] = ()
    """For each of `names`, bases before a gene's body in which the gene's signal may lie; 0 each by
    default."""
    resolution: int = 1
    """Bases of a row."""
    margin: int = 0
    """Bases at each end of a window that have no row."""
    activation: Activation = "none"
    """Applied to `names`, before the scale is undone."""
    scale: Scale | None = None
    """How the targets were scaled; not at all by default."""
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    """What a name or gene target is measured in, and its source."""
    both_strands: bool = False
    """Predictions average the window and its reverse complement."""
    counts: bool = False
    """`names` are counts or coverage, never below 0, so that effects on them are log-ratios; those
    with softplus are in any case."""

    def __post_init__(self) -> None:
        for name in ("names", "gene_targets", "upstream"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_choice(self.row, ("base", "bin", "token", "window"), "row")
        check_choice(self.activation, ("none", "softplus", "log-softmax"), "activation")
        check_unique((*self.names, *self.gene_targets), "output", "outputs")
        check_range(self.resolution, "resolution", low=1)
        check_range(self.margin, "margin", low=0)
        object.__setattr__(self, "counts", self.counts or self.activation == "softplus")
        if not self.names and not self.gene_targets:
            raise ConfigError("outputs must name at least one output; got none.")
        if not self.upstream:
            object.__setattr__(self, "upstream", (0,) * len(self.names))
        if len(self.upstream) != len(self.names):
            raise ConfigError(
                f"upstream must have an entry for each of {len(self.names)} names; "
                f"got {len(self.upstream)}."
            )
        own, wanted = self.scale, (len(self.names), len(self.gene_targets))
        if own is not None and (len(own.track_means), len(own.gene_moments)) != wanted:
            raise ConfigError(
                f"scale must have a mean for each of {wanted[0]} names and moments for each of "
                f"{wanted[1]} gene targets; got {len(own.track_means)} and {len(own.gene_moments)}."
            )

    @classmethod
    def of_bases(cls) -> Self:
        """Return the outputs of a language model: log-probabilities of A, C, G and T.

        >>> Outputs.of_bases().partner.tolist()
        [3, 2, 1, 0]
        """
        return cls(row="base", names=BASES, activation="log-softmax", both_strands=True)

    @property
    def are_bases(self) -> bool:
        """Whether they are probabilities of bases, as a language model predicts."""
        return self.names == BASES and self.activation == "log-softmax"

    @property
    def n_columns(self) -> int:
        """Columns of the output."""
        return len(self.names) + 2 * len(self.gene_targets)

    @property
    def partner(self) -> Int64[np.ndarray, "columns"]:
        """For each column, that of the same quantity on the other strand; itself without strand."""
        if self.are_bases:
            return np.arange(3, -1, -1)
        places = {name: number for number, name in enumerate(self.names)}
        of_names = [
            places.get(name[:-1] + _OTHER_STRAND.get(name[-1:], name[-1:]), number)
            for number, name in enumerate(self.names)
        ]
        n, first = len(self.gene_targets), len(self.names)
        of_targets = [*range(first + n, first + 2 * n), *range(first, first + n)]
        return np.array(of_names + of_targets, dtype=np.int64)

    @property
    def of_gene(self) -> tuple[str, ...]:
        """Names of what is read for a gene: its targets, then tracks of its strand or of none.

        >>> Outputs(row="bin", names=("tss+", "tss-", "mnase"), gene_targets=("tpm",)).of_gene
        ('tpm', 'tss+', 'mnase')
        """
        return (*self.gene_targets, *(name for name in self.names if not name.endswith("-")))

    def in_units(
        self, output: "Float[Tensor, 'batch *rows columns']"
    ) -> "Float[Tensor, 'batch *rows columns']":
        """Return a network's output with activation and scale applied, in the units of the data."""
        import torch
        import torch.nn.functional as F

        n = len(self.names)
        along, targets = output[..., :n], output[..., n:]
        if self.activation == "softplus":
            along = F.softplus(along)
        elif self.activation == "log-softmax":
            along = F.log_softmax(along.float(), dim=-1)
        if self.scale is not None:
            means = along.new_tensor(self.scale.track_means)
            along = (along * means).pow(1 / self.scale.power)
            if self.gene_targets:
                moments = along.new_tensor(self.scale.gene_moments)
                by_strand = targets.unflatten(-1, (2, -1))
                targets = (by_strand * moments[:, 1] + moments[:, 0]).flatten(-2)
        return torch.cat([along, targets], dim=-1) if self.gene_targets else along

    def reversed(
        self, output: "Float[Tensor, 'batch *rows columns']"
    ) -> "Float[Tensor, 'batch *rows columns']":
        """Return the output of a window's reverse complement as the window itself is read."""
        if self.row != "window":
            output = output.flip(1)
        partner = self.partner
        if (partner == np.arange(partner.size)).all():
            return output
        return output[..., partner.tolist()]
