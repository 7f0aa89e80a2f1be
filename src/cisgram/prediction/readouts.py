"""What is read of a model: its output as named numbers, and the effect of a change of DNA.

A readout keeps a few numbers of each window, on the device; both strands are averaged where the
model's outputs say so. `effect` compares what was kept of an alternate and a reference sequence.
"""

from abc import ABC, abstractmethod
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from cisgram.core.checks import check_choice
from cisgram.data.outputs import Outputs
from cisgram.genome.alphabet import reverse_complement
from cisgram.models.base import Model
from cisgram.prediction.reuse import ReuseConfig, predict_sequences
from cisgram.prediction.sequences import Windows

Kept = Float32[np.ndarray, "... kept"]


class Readout(ABC):
    """Named numbers of windows."""

    name: ClassVar[str]
    """What `--readout` calls it."""
    outputs: tuple[str, ...]
    """Names of the effects."""
    of_genes: ClassVar[bool] = False
    """Whether it is read of a gene in its window."""
    of_alleles: ClassVar[bool] = False
    """Whether it is read of a variant's own bases; otherwise of the whole window around it."""

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of what is kept; none where it says nothing of a sequence by itself."""
        return self.outputs

    @abstractmethod
    def read(
        self,
        model: Model,
        windows: Windows,
        *,
        species: int = 0,
        config: ReuseConfig | None = None,
    ) -> Float32[np.ndarray, "windows kept"]:
        """Return what is kept of windows; `species` is the number the model knows the genome by."""

    @abstractmethod
    def effect(self, alternate: Kept, reference: Kept) -> Float32[np.ndarray, "... outputs"]:
        """Return what a change does, from what was kept of both sequences."""


class OutputReadout(Readout):
    """Numbers of a model's output, which gradients flow through."""

    def __init__(self, outputs: Outputs) -> None:
        self.meaning, self.outputs = outputs, outputs.names

    @abstractmethod
    def keep(
        self, units: Float[Tensor, "batch ..."], spans: Int64[np.ndarray, "batch 2"]
    ) -> Float[Tensor, "batch kept"]:
        """Return what is kept of outputs in units, of the spans of their windows."""

    def levels(self, kept: Float[Tensor, "... kept"]) -> Float[Tensor, "... kept"]:
        """Return what was kept, strands averaged, on the scale on which effects are differences."""
        return kept

    def forward(
        self, output: Float[Tensor, "batch ..."], spans: Int64[np.ndarray, "batch 2"]
    ) -> Float[Tensor, "batch kept"]:
        """Return what is kept of a network's output for windows as they are."""
        return self.keep(self.meaning.in_units(output), spans)

    def backward(
        self, output: Float[Tensor, "batch ..."], spans: Int64[np.ndarray, "batch 2"]
    ) -> Float[Tensor, "batch kept"]:
        """Return what is kept of a network's output for the reverse complements."""
        return self.keep(self.meaning.reversed(self.meaning.in_units(output)), spans)

    def read(
        self,
        model: Model,
        windows: Windows,
        *,
        species: int = 0,
        config: ReuseConfig | None = None,
    ) -> Float32[np.ndarray, "windows kept"]:
        """Return what is kept of windows, the mean of both strands where outputs say so."""
        read = partial(
            predict_sequences, model, spans=windows.spans, species=species, config=config
        )
        forward = read(windows.tokens, reduce=self.forward).values
        if not self.meaning.both_strands:
            return forward
        backward = read(reverse_complement(windows.tokens), reduce=self.backward).values
        return (forward + backward) / 2

    def effect(self, alternate: Kept, reference: Kept) -> Float32[np.ndarray, "... outputs"]:
        """Return differences of levels."""
        after, before = (
            self.levels(torch.from_numpy(kept)).numpy() for kept in (alternate, reference)
        )
        return after - before

    def rows(self, span: Int64[np.ndarray, "2"], n_rows: int) -> tuple[int, int]:
        """Return the first row of a span of bases and the one after the last, one at least."""
        size = self.meaning.resolution
        low, high = (int(place) - self.meaning.margin for place in span)
        first = min(max(low // size, 0), n_rows - 1)
        return first, min(max(-(-high // size), first + 1), n_rows)


class WindowOutputs(OutputReadout):
    """The outputs of whole windows; effects are differences."""

    name = "outputs"

    def keep(
        self, units: Float[Tensor, "batch columns"], spans: Int64[np.ndarray, "batch 2"]
    ) -> Float[Tensor, "batch columns"]:
        """Return every output."""
        del spans
        return units


class SpanReadout(OutputReadout):
    """Numbers of the rows of a span, each span by itself."""

    def keep(
        self, units: Float[Tensor, "batch rows columns"], spans: Int64[np.ndarray, "batch 2"]
    ) -> Float[Tensor, "batch kept"]:
        """Return what is kept of each window's span."""
        bounds = [self.rows(span, units.shape[1]) for span in spans]
        if len(set(bounds)) == 1:  # nearly always: mutants, alleles and people of one gene
            return self.of_rows(units, bounds[0])
        parts = [
            self.of_rows(units[number : number + 1], bound) for number, bound in enumerate(bounds)
        ]
        return torch.cat(parts)

    @abstractmethod
    def of_rows(
        self, units: Float[Tensor, "batch rows columns"], bounds: tuple[int, int]
    ) -> Float[Tensor, "batch kept"]:
        """Return what is kept of the rows from the first of `bounds` to before the second."""


class TrackSums(SpanReadout):
    """Sums of tracks over a span; effects are logSED, log2((1 + alternate) / (1 + reference))."""

    name = "tracks"

    def of_rows(
        self, units: Float[Tensor, "batch rows columns"], bounds: tuple[int, int]
    ) -> Float[Tensor, "batch kept"]:
        """Return the sum of each track."""
        first, past = bounds
        return units[:, first:past, : len(self.outputs)].sum(dim=1)

    def levels(self, kept: Float[Tensor, "... kept"]) -> Float[Tensor, "... kept"]:
        """Return log2(1 + sum)."""
        return torch.log2(1 + kept)


class RowMeans(SpanReadout):
    """Means of the outputs over a span; effects are differences."""

    name = "mean"

    def of_rows(
        self, units: Float[Tensor, "batch rows columns"], bounds: tuple[int, int]
    ) -> Float[Tensor, "batch kept"]:
        """Return the mean of each output."""
        first, past = bounds
        return units[:, first:past, : len(self.outputs)].mean(dim=1)


class GeneLevels(SpanReadout):
    """Targets and tracks of a gene whose body is the span, read along its strand.

    Targets are means over the rows of the body, and effects on them differences. Tracks are summed
    over the body and the bases before it that count to the gene; effects on them are logSED,
    log2((1 + alternate) / (1 + reference)) (Linder et al. 2025, Borzoi), or differences of tracks
    that are no counts.
    """

    name = "gene"
    of_genes = True

    def __init__(self, outputs: Outputs) -> None:
        super().__init__(outputs)
        self.outputs = outputs.of_gene

    def of_rows(
        self, units: Float[Tensor, "batch rows columns"], bounds: tuple[int, int]
    ) -> Float[Tensor, "batch kept"]:
        """Return means of targets and sums of tracks."""
        meaning, (first, past) = self.meaning, bounds
        n_tracks, n_targets = len(meaning.names), len(meaning.gene_targets)
        body = units[:, first:past, n_tracks : n_tracks + n_targets].mean(dim=1)
        sums: list[Float[Tensor, "batch"]] = []
        for number, (name, upstream) in enumerate(
            zip(meaning.names, meaning.upstream, strict=True)
        ):
            if not name.endswith("-"):
                start = max(first - -(-upstream // meaning.resolution), 0)
                sums.append(units[:, start:past, number].sum(dim=1))
        return torch.cat([body, *(column[:, None] for column in sums)], dim=1)

    def levels(self, kept: Float[Tensor, "... kept"]) -> Float[Tensor, "... kept"]:
        """Return targets as they are, and log2(1 + sum) of tracks that are counts."""
        n = len(self.meaning.gene_targets)
        if not self.meaning.counts:
            return kept
        return torch.cat([kept[..., :n], torch.log2(1 + kept[..., n:])], dim=-1)


def output_readouts(outputs: Outputs) -> dict[str, type[OutputReadout]]:
    """Return the readouts of a model's output by name, the usual one first.

    >>> list(output_readouts(Outputs(row="window", names=("a",))))
    ['outputs']
    >>> list(output_readouts(Outputs(row="bin", names=("a",), counts=True)))
    ['gene', 'tracks', 'mean']
    """
    if outputs.are_bases:
        return {}
    if outputs.row == "window":
        return {"outputs": WindowOutputs}
    found: dict[str, type[OutputReadout]] = {}
    if outputs.counts or outputs.gene_targets:
        found["gene"] = GeneLevels
    if outputs.counts:
        found["tracks"] = TrackSums
    return {**found, "mean": RowMeans} if outputs.names else found


def choose_output(readout: Readout, output: str | None) -> int:
    """Return the number of an effect by its name; the first where none is named.

    Raises:
        ConfigError: there is no such effect.
    """
    if output is None:
        return 0
    return readout.outputs.index(check_choice(output, readout.outputs, "output"))
