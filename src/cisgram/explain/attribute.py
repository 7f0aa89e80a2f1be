"""Attribution by gradients: contributions of all bases, at the cost of one pass or a few."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from cisgram.core.checks import ConfigError, check_range
from cisgram.core.metrics import pearson
from cisgram.explain.contributions import Contributions
from cisgram.explain.gradients import Attribution, gradient_times_input, integrated_gradients
from cisgram.explain.mutate import Mutations
from cisgram.explain.subject import Subject, find_subject
from cisgram.models.base import Model
from cisgram.prediction.readouts import OutputReadout, Readout
from cisgram.prediction.sequences import Asked
from cisgram.prediction.session import Session


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Attributions(Contributions):
    """Contributions of the bases of a region, along its strand, to an output, by gradients.

    What is explained is the level on which effects are differences: a gene target itself, or
    log2(1 + sum) of a track.
    """

    window: Attribution
    """Of all bases of the window that the model reads, along its strand."""
    n_steps: int
    """Of integrated gradients; 0 of plain ones."""

    @property
    def completeness_gap(self) -> float | None:
        """Contributions of the window less the difference from the baseline; None of plain ones."""
        return self.window.completeness_gap

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `Contributions.read` reads, and how it came about.

        `reference` is the number that is explained; `n_steps` and `completeness_gap` are those of
        integrated gradients.
        """
        gap = self.completeness_gap
        own = {
            "reference": np.float32(self.window.reference),
            "n_steps": np.int64(self.n_steps),
            "completeness_gap": np.float32(np.nan if gap is None else gap),
        }
        return super().arrays() | {name: np.asarray(value) for name, value in own.items()}


@dataclass(frozen=True)
class Agreement:
    """Pearson correlations of gradients with in-silico mutagenesis over a region."""

    bases: float
    """Over bases, of contributions."""
    changes: float
    """Over single-base changes, of what gradients expect of each with its effect."""


def attribute(
    model: Session | Model | Path | str,
    region: Asked,
    readout: Readout | str | None = None,
    *,
    gene: str | None = None,
    output: str | None = None,
    n_steps: int | None = None,
    batch: int = 2,
) -> Attributions:
    """Return the contribution of every base of a region to an output, by gradients times input.

    Both strands are read where outputs say so, and what is explained is their mean, as predicted.

    Args:
        model: a session, a model, or the name of one.
        region: such as `chrXIV:187,851-188,050`, a strand may follow; or DNA.
        readout: what is read; the model's usual readout by default.
        gene: gene that is read; by default the one whose TSS is nearest.
        output: what is explained; the readout's first output by default.
        n_steps: of integrated gradients, from a quarter of each base; plain gradients by default.
        batch: points at once, of integrated gradients.

    Raises:
        ConfigError: the model has no such readout or output, its readout has no gradient, or the
            region lies too far away.
        DataError: there is no such gene, or a file cannot be used.
    """
    subject = find_subject(model, region, readout, gene=gene, output=output)
    return attribute_subject(subject, n_steps=n_steps, batch=batch)


def attribute_subject(
    subject: Subject, *, n_steps: int | None = None, batch: int = 2
) -> Attributions:
    """Explain the region of a subject; `attribute` says how."""
    readout, session = subject.readout, subject.session
    if not isinstance(readout, OutputReadout):
        raise ConfigError(
            f"attribution needs a readout of the model's output, which {readout.name} is not; use "
            "in-silico mutagenesis."
        )
    if n_steps is not None:
        check_range(n_steps, "n_steps", low=1)
    number = readout.outputs.index(subject.output)
    model = _Strands(session.model, readout, subject)

    def level(kept: Float[Tensor, "batch kept"]) -> Float[Tensor, "batch"]:
        return readout.levels(kept)[:, number]

    tokens, species = subject.tokens, session.species
    if n_steps is None:
        found = gradient_times_input(model, tokens, reduce=level, species=species)
    else:
        found = integrated_gradients(
            model, tokens, reduce=level, n_steps=n_steps, species=species, batch=batch
        )
    start, end = subject.bounds
    return Attributions(
        region=subject.region,
        subject=subject.name,
        output=subject.output,
        tokens=subject.region_tokens,
        contributions=subject.along_region(found.contributions[start:end]),
        hypothetical=subject.along_region(found.hypothetical[start:end]),
        method="integrated gradients" if n_steps else "gradient times input",
        window=found,
        n_steps=n_steps or 0,
    )


class _Strands(Model):
    """What a readout keeps of windows, and of their reverse complements where outputs say so."""

    kind = "readout"
    row_kinds = ("base", "bin", "token", "window")

    def __init__(self, model: Model, readout: OutputReadout, subject: Subject) -> None:
        super().__init__(model.config, model.outputs)
        self.model, self.readout, self.span = model, readout, subject.span[None]
        self.reads_weights, self.reads_masks = model.reads_weights, model.reads_masks
        self.training = model.training

    def check_length(self, length: int) -> None:
        self.model.check_length(length)

    def forward(
        self,
        tokens: Float[Tensor, "batch length 4"],
        species: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch kept"]:
        """Return what is kept, the mean over strands."""
        spans = np.broadcast_to(self.span, (len(tokens), 2))
        if not self.outputs.both_strands:
            return self.readout.forward(self.model(tokens, species=species), spans)
        both = torch.cat([tokens, tokens.flip(1, 2)])  # A C G T read backwards are their partners
        number = None if species is None else torch.cat([species, species])
        forward, backward = self.model(both, species=number).chunk(2)
        return (self.readout.forward(forward, spans) + self.readout.backward(backward, spans)) / 2


def compare_with_mutations(found: Contributions, mutations: Mutations) -> Agreement:
    """Correlate contributions of a region by gradients with the effects of its changes.

    If the network were linear, a change would do what `hypothetical` has at the new base less what
    it has at the old, contributions would be three quarters of those of mutagenesis, and both
    correlations 1. They are NaN where no effect varies, and 0 where gradients do not.
    """
    own, effects = found.contributions, mutations.effects
    tokens: UInt8[np.ndarray, "positions"] = found.tokens
    changed = np.arange(4) != tokens[:, None]
    expected = found.hypothetical - own[:, None]
    return Agreement(
        bases=float(pearson(own, mutations.contributions.contributions)),
        changes=float(pearson(expected[changed], effects[changed])),
    )
