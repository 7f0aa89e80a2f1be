"""Predict masked bases or tokens, or each base from those before it."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from cisgram.core.checks import ConfigError, check_range
from cisgram.data.corpus import CorpusBatch
from cisgram.data.masking import MaskConfig, corrupt
from cisgram.data.tokenizer import Special
from cisgram.genome.alphabet import N
from cisgram.models.base import Model, mask_bases, require_language_model
from cisgram.training.task import Task, task


class TokenModel(Protocol):
    """A language model that reads tokens of one or more bases."""

    def tokenize(self, tokens: UInt8[Tensor, "batch length"]) -> tuple[Tensor, Tensor]:
        """Return ids, (batch, positions), and the bases each covers, (batch, positions, 2)."""
        ...

    def token_logits(self, ids: Tensor, species: Tensor | None = None) -> Tensor:
        """Return unnormalised log-probabilities of every token, (batch, positions, vocabulary)."""
        ...


class MaskedBatch(NamedTuple):
    """Windows with bases to be predicted: arrays, and tensors once they are on the device."""

    shown: Any
    """Tokens, some of them changed, (batch, length)."""
    masked: Any
    """Which bases are hidden from the model and flagged, (batch, length)."""
    asked: Any
    """Which bases the loss is of, (batch, length)."""
    truth: Any
    """Tokens as they are, (batch, length)."""
    weights: Any
    """Of each base in the loss, (batch, length)."""
    species: Any
    """Number of the genome, (batch,)."""


class Guesses(NamedTuple):
    """What a model predicts for all that was asked of it."""

    logits: Float[Tensor, "asked symbols"]
    truth: Int[Tensor, "asked"]
    weights: Float[Tensor, "asked"]


@dataclass(frozen=True, kw_only=True)
class LanguageConfig:
    """Weights of the loss by what a base is part of."""

    exon_weight: float = 1.0
    """Of bases in exons; 0.1 as published for Shorkie."""
    repeat_weight: float = 1.0
    """Of bases in repeats; 0.1 as published for Shorkie."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_range(self.exon_weight, "exon_weight", low=0)
        check_range(self.repeat_weight, "repeat_weight", low=0)


@dataclass(frozen=True, kw_only=True)
class MaskedConfig(LanguageConfig, MaskConfig):
    """Which bases are masked, and how much each counts."""

    def __post_init__(self) -> None:
        """Check every field."""
        LanguageConfig.__post_init__(self)
        MaskConfig.__post_init__(self)


class _LanguageTask(Task):
    """Cross-entropy of what is asked, weighted by what the bases are part of.

    As published for Shorkie the sum of weighted losses is divided by the number asked, not by the
    sum of weights.
    """

    causal = False

    def check(self, model: Model) -> None:
        """Refuse models that predict no bases, or not from what this task shows them."""
        require_language_model(model, "[model]")
        if model.causal != self.causal:
            raise ConfigError(
                f"the autoregressive task and a causal model go together; got the {self.kind} task "
                f"and a {model.kind} that is {'' if model.causal else 'not '}causal."
            )
        if not self.causal and not model.reads_masks:
            raise ConfigError(
                f"the {self.kind} task needs a model that reads masked bases; a {model.kind} does "
                "not."
            )

    def prepare(self, batch: CorpusBatch, rng: np.random.Generator) -> MaskedBatch:
        """Return windows with what is masked in them."""
        exon = np.where(batch.exon, np.float32(self.config.exon_weight), np.float32(1))
        repeat = np.where(batch.repeat, np.float32(self.config.repeat_weight), np.float32(1))
        shown, masked, asked = self._corrupted(batch.tokens, rng)
        return MaskedBatch(shown, masked, asked, batch.tokens, exon * repeat, batch.species)

    def loss(self, model: nn.Module, batch: MaskedBatch) -> Float[Tensor, ""]:
        """Return the weighted cross-entropy in nats, averaged over what was asked."""
        guesses = self._guess(model, batch)
        nats = F.cross_entropy(guesses.logits.float(), guesses.truth, reduction="none")
        return (nats * guesses.weights).mean()

    def weight(self, batch: MaskedBatch, n_examples: int) -> int:
        """Return how many bases are asked."""
        del n_examples
        return int(batch.asked.sum())

    def _corrupted(
        self, tokens: UInt8[np.ndarray, "batch length"], rng: np.random.Generator
    ) -> tuple[
        UInt8[np.ndarray, "batch length"],
        Bool[np.ndarray, "batch length"],
        Bool[np.ndarray, "batch length"],
    ]:
        return corrupt(tokens, self.config, rng)

    def _guess(self, model: nn.Module, batch: MaskedBatch) -> Guesses:
        logits = model(mask_bases(batch.shown, batch.masked), batch.species)
        asked = batch.asked
        return Guesses(logits[asked], batch.truth[asked].long(), batch.weights[asked])


@task("masked", MaskedConfig)
class MaskedBases(_LanguageTask):
    """Masked bases from those around them."""


@task("masked-tokens", MaskedConfig)
class MaskedTokens(_LanguageTask):
    """Tokens whose first base is masked, of a model that reads tokens."""

    def check(self, model: Model) -> None:
        """Refuse models that read no tokens, or overlapping ones, and masks that change bases."""
        super().check(model)
        if not model.forward_methods:
            raise ConfigError(
                f"the masked-tokens task needs a model that reads tokens; a {model.kind} does not."
            )
        if model.config.tokenizer.overlaps:
            raise ConfigError(
                "the masked-tokens task needs k-mers that do not overlap, or their neighbours "
                f"tell what is masked; leave out stride = {model.config.tokenizer.stride}."
            )
        if self.config.random or self.config.unchanged:
            raise ConfigError(
                "random and unchanged in [task] belong to the masked task; got the masked-tokens "
                "one."
            )

    def _guess(self, model: nn.Module, batch: MaskedBatch) -> Guesses:
        """Predict the tokens whose first base is asked, all of their bases masked."""
        reader = cast("TokenModel", model)  # as itself or wrapped by the loop
        ids, spans = reader.tokenize(batch.truth)
        first, past = spans.unbind(-1)
        place = first.clamp(max=batch.truth.shape[1] - 1)
        asked = batch.asked.gather(1, place) & (past > first)
        logits = reader.token_logits(ids.masked_fill(asked, Special.MASK), batch.species)
        return Guesses(logits[asked], ids[asked], batch.weights.gather(1, place)[asked])


@task("autoregressive", LanguageConfig)
class Autoregressive(_LanguageTask):
    """Each base from those before it, of a causal model."""

    causal = True

    def _corrupted(
        self, tokens: UInt8[np.ndarray, "batch length"], rng: np.random.Generator
    ) -> tuple[
        UInt8[np.ndarray, "batch length"],
        Bool[np.ndarray, "batch length"],
        Bool[np.ndarray, "batch length"],
    ]:
        del rng
        return tokens, np.zeros(tokens.shape, dtype=np.bool_), tokens != N
