"""Learn to guess bases or tokens."""

from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Int64, UInt8
from torch import Tensor, nn

from cisgram.core.checks import few
from cisgram.core.device import evaluating
from cisgram.data.corpus import Corpus, CorpusBatch
from cisgram.data.masking import MaskConfig, MaskedWindows, corrupt
from cisgram.data.tokenizer import Special
from cisgram.genome.alphabet import N, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.models.base import TokenModel


class LMBatch(NamedTuple):
    """Windows with bases to be guessed."""

    shown: UInt8[Tensor, "batch length"]
    hidden: Bool[Tensor, "batch length"]
    asked: Bool[Tensor, "batch length"]
    truth: UInt8[Tensor, "batch length"]
    weights: Float[Tensor, "batch length"]
    species: Int[Tensor, "batch"]

    def to(self, device: torch.device) -> "LMBatch":
        """Return the same on another device."""
        return LMBatch(*(value.to(device, non_blocking=True) for value in self))


class LanguageTask:
    """Guess bases or tokens; cross-entropy, weighted by what the bases are part of.

    With `masking` the bases asked are hidden, as BERT's are; without, every base is asked of a
    causal model, which sees those before it. Of a model of tokens those are asked whose first
    base is. As published for Shorkie the sum of weighted losses is divided by the number asked,
    not by the sum of weights.
    """

    def __init__(
        self,
        corpus: Corpus,
        masking: MaskConfig | None,
        *,
        exon_weight: float = 1.0,
        repeat_weight: float = 1.0,
        copies: Mapping[str, int] | None = None,
        max_validation: int | None = None,
        tokens: bool = False,
    ) -> None:
        self.corpus, self.masking = corpus, masking
        self._weights = (exon_weight, repeat_weight)
        self._guess = guess_tokens if tokens else guess_bases
        self._train = _copied(corpus, corpus.split("train"), copies or {})
        self._valid = _spread(corpus.split("valid"), max_validation)
        self.n_train = len(self._train)

    def batch(self, examples: Int[np.ndarray, "batch"], rng: np.random.Generator) -> LMBatch:
        """Return windows, each reverse complemented with probability one half, and masked."""
        windows = self.corpus.batch(self._train[examples])
        turned = rng.random(len(examples)) < 0.5
        return self._corrupted(turn(windows, turned), rng)

    def loss(self, model: nn.Module, batch: LMBatch) -> Float[Tensor, ""]:
        """Return the weighted cross-entropy in nats, averaged over what was asked."""
        guesses = self._guess(model, batch)
        nats = F.cross_entropy(guesses.logits.float(), guesses.truth, reduction="none")
        return (nats * guesses.weights).mean()

    def describe(self, examples: Int[np.ndarray, "batch"]) -> str:
        """Name windows by genome, contig and position."""
        rows = self.corpus.windows[self._train[examples]].select("genome", "chrom", "start")
        places = [
            f"{self.corpus.genomes[genome]} "
            f"{Interval(chrom, start, start + self.corpus.config.window)}"
            for genome, chrom, start in rows.iter_rows()
        ]
        return f"windows {few(places)}"

    def validate(self, model: nn.Module, batch: int) -> float:
        """Return the weighted cross-entropy over the validation windows, always masked alike."""
        rng = np.random.default_rng(0)
        total, n_asked = 0.0, 0
        with evaluating(model) as device:
            for first in range(0, len(self._valid), batch):
                rows = self._valid[first : first + batch]
                windows = self._corrupted(self.corpus.batch(rows), rng)
                n = int(windows.asked.sum())
                total += self.loss(model, windows.to(device)).item() * n
                n_asked += n
        return total / n_asked

    def _corrupted(self, windows: CorpusBatch, rng: np.random.Generator) -> LMBatch:
        masked = (
            corrupt(windows.tokens, self.masking, rng)
            if self.masking
            else MaskedWindows(windows.tokens, np.zeros_like(windows.exon), windows.tokens != N)
        )
        exon, repeat = self._weights
        weights = np.where(windows.exon, np.float32(exon), np.float32(1))
        weights = weights * np.where(windows.repeat, np.float32(repeat), np.float32(1))
        return LMBatch(
            *(
                torch.from_numpy(np.ascontiguousarray(value))
                for value in (*masked, windows.tokens, weights, windows.species)
            )
        )


def _copied(
    corpus: Corpus, rows: Int64[np.ndarray, "windows"], copies: Mapping[str, int]
) -> Int64[np.ndarray, "examples"]:
    """Repeat the windows of some genomes."""
    times = np.array([copies.get(name, 1) for name in corpus.genomes])
    return np.repeat(rows, times[corpus.windows["genome"].to_numpy()[rows]])


def _spread(rows: Int64[np.ndarray, "windows"], most: int | None) -> Int64[np.ndarray, "chosen"]:
    """Return at most so many windows, from first to last as far apart as can be."""
    if most is None or len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]


class Guesses(NamedTuple):
    """What a model thinks of all that was asked of it."""

    logits: Float[Tensor, "asked symbols"]
    truth: Int[Tensor, "asked"]
    weights: Float[Tensor, "asked"]


def guess_bases(model: nn.Module, batch: LMBatch) -> Guesses:
    """Ask a model for bases."""
    logits = model(batch.shown, batch.hidden, batch.species)
    asked = batch.asked
    return Guesses(logits[asked], batch.truth[asked].long(), batch.weights[asked])


def guess_tokens(model: nn.Module, batch: LMBatch) -> Guesses:
    """Ask a model of tokens for those whose first base is asked, all of their bases hidden."""
    reader = cast("TokenModel", model)  # as itself or wrapped by the loop
    ids, spans = reader.tokenize(batch.truth)
    first, past = spans.unbind(-1)
    place = first.clamp(max=batch.truth.shape[1] - 1)
    asked = batch.asked.gather(1, place) & (past > first)
    logits = reader.token_logits(ids.masked_fill(asked, Special.MASK), batch.species)
    return Guesses(logits[asked], ids[asked], batch.weights.gather(1, place)[asked])


def turn(windows: CorpusBatch, turned: Bool[np.ndarray, "batch"]) -> CorpusBatch:
    """Reverse complement some windows, with what is known of each of their bases."""
    pick = turned[:, None]
    return CorpusBatch(
        np.where(pick, reverse_complement(windows.tokens), windows.tokens),
        np.where(pick, windows.exon[:, ::-1], windows.exon),
        np.where(pick, windows.repeat[:, ::-1], windows.repeat),
        windows.species,
    )
