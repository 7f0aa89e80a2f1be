"""How surprised a masked language model is by DNA it has not seen.

Every base is hidden exactly once: a window is read `n_passes` times, each time with another
equal share of its bases hidden. The surprise of a base is -log p(base | what is visible).
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Float64, Int, UInt8
from torch import Tensor

from cisgram.core.checks import ConfigError
from cisgram.core.device import evaluating
from cisgram.core.metrics import Estimate
from cisgram.core.progress import progress
from cisgram.data.masking import mask_once
from cisgram.genome.alphabet import N, T
from cisgram.models.base import LanguageModel
from cisgram.predict.batches import by_length
from cisgram.predict.perplexity_config import PerplexityConfig


class WindowReading(NamedTuple):
    """Log-probabilities of A, C, G and T, in nats, at the bases that one window gave."""

    contig: str
    start: int
    """First of the bases, 0-based."""
    log_p: Float32[np.ndarray, "bases 4"]


def surprise(
    model: LanguageModel,
    contigs: Mapping[str, UInt8[np.ndarray, "_"]],
    *,
    species: int = 0,
    config: PerplexityConfig | None = None,
) -> dict[str, Float64[np.ndarray, "_"]]:
    """Return -log p of every base of every contig in nats, NaN at N.

    A contig is cut into the model's windows; the last one begins earlier, so that it ends with
    the contig, and gives only the bases that no other window gave. A contig shorter than a
    window is padded with N to the next length that the model takes. A causal model reads every
    window once, with nothing hidden.
    """
    found = {name: np.full(len(tokens), np.nan) for name, tokens in contigs.items()}
    for name, start, log_p in read_contigs(model, contigs, species=species, config=config):
        tokens = contigs[name][start : start + len(log_p)]
        known = np.flatnonzero(tokens < N)
        found[name][start + known] = -log_p[known, tokens[known]]
    return found


def read_contigs(
    model: LanguageModel,
    contigs: Mapping[str, UInt8[np.ndarray, "_"]],
    *,
    species: int = 0,
    config: PerplexityConfig | None = None,
) -> Iterator[WindowReading]:
    """Yield what the model says of every base while it is hidden, a window at a time, each once."""
    config = config or PerplexityConfig()
    n_passes = 1 if model.causal else config.n_passes
    windows = [
        (name, *bounds) for name, tokens in contigs.items() for bounds in _starts(tokens, model)
    ]
    lengths = [model.window_for(len(contigs[name])) for name, _, _ in windows]
    with progress("reading windows", len(windows)) as ticker:
        for length, numbers in by_length(lengths, most=config.batch * model.window):
            places = [windows[number] for number in numbers]
            tokens = np.stack([_window(contigs[name], start, length) for name, start, _ in places])
            rngs = [np.random.default_rng([config.seed, number]) for number in numbers]
            masks = np.stack(
                [mask_once(length, min(n_passes, length), rng) for rng in rngs], axis=1
            )
            log_p = _read_windows(model, tokens, masks, species, config=config)
            for (name, start, fresh), row in zip(places, log_p, strict=True):
                end = min(len(contigs[name]) - start, length)
                yield WindowReading(name, fresh, row[fresh - start : end])
            ticker.advance(len(places))


def masked_logits(
    model: LanguageModel,
    tokens: UInt8[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
    *,
    species: Int[Tensor, "batch"],
    config: PerplexityConfig,
) -> Float[Tensor, "batch length 4"]:
    """Return logits under a mask, on one strand or averaged over both, the same bases hidden."""

    def read(
        seen: UInt8[Tensor, "batch length"], hidden: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length 4"]:
        if model.causal:
            return model.logits(seen, None, species)
        if config.masking == "zero":
            return model.logits(seen.masked_fill(hidden, N), None, species)
        return model.logits(seen, hidden, species)

    forward = read(tokens, mask)
    if config.strands == "forward":
        return forward
    turned = torch.where(tokens < N, T - tokens, tokens).flip(1)
    # A and T, C and G change places as the window is turned back.
    backward = read(turned, mask.flip(1)).flip(1, 2)
    return (forward + backward) / 2


def perplexity(nats: Float64[np.ndarray, "bases"]) -> float:
    """Return exp of the mean surprise of the known bases; NaN where there are none."""
    known = nats[~np.isnan(nats)]
    return float(np.exp(known.mean())) if known.size else math.nan


def perplexity_interval(
    nats: Mapping[str, Float64[np.ndarray, "_"]],
    *,
    block: int = 10_000,
    draws: int = 2_000,
    seed: int = 0,
) -> Estimate:
    """Return perplexity and its 95 % interval, blocks of neighbouring bases drawn together."""
    sums, counts = _blocks(nats, block)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(sums), (draws, len(sums)))
    means = np.exp(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(np.exp(sums.sum() / counts.sum())), float(low), float(high))


def ratio_interval(
    nats: Mapping[str, Float64[np.ndarray, "_"]],
    baseline: Mapping[str, Float64[np.ndarray, "_"]],
    *,
    block: int = 10_000,
    draws: int = 2_000,
    seed: int = 0,
) -> Estimate:
    """Return perplexity over a baseline's on the same bases, with its 95 % block interval."""
    both = {name: nats[name] - baseline[name] for name in nats}
    return perplexity_interval(both, block=block, draws=draws, seed=seed)


def _blocks(
    nats: Mapping[str, Float64[np.ndarray, "_"]], block: int
) -> tuple[Float64[np.ndarray, "blocks"], Float64[np.ndarray, "blocks"]]:
    parts = [
        values[start : start + block]
        for values in nats.values()
        for start in range(0, len(values), block)
    ]
    sums = np.array([np.nansum(part) for part in parts])
    counts = np.array([np.count_nonzero(~np.isnan(part)) for part in parts], dtype=np.float64)
    if not counts.sum():
        raise ConfigError("perplexity needs known bases; the sequence holds none.")
    return sums[counts > 0], counts[counts > 0]


def _starts(tokens: UInt8[np.ndarray, "bases"], model: LanguageModel) -> Iterator[tuple[int, int]]:
    """Yield where each window starts, and the first of its bases that no other one gives."""
    for fresh in range(0, len(tokens), model.window):
        yield min(fresh, max(len(tokens) - model.window, 0)), fresh


def _window(
    tokens: UInt8[np.ndarray, "bases"], start: int, length: int
) -> UInt8[np.ndarray, "length"]:
    part = tokens[start : start + length]
    return np.pad(part, (0, length - len(part)), constant_values=N)


def _read_windows(
    model: LanguageModel,
    tokens: UInt8[np.ndarray, "batch length"],
    masks: Bool[np.ndarray, "passes batch length"],
    species: int,
    *,
    config: PerplexityConfig,
) -> Float32[np.ndarray, "batch length 4"]:
    found = np.empty((*tokens.shape, 4), dtype=np.float32)
    with evaluating(model) as device:
        seen = torch.from_numpy(tokens).to(device)
        numbers = torch.full((len(tokens),), species, device=device)
        for mask in masks:
            hidden = torch.from_numpy(mask).to(device) & (seen < N)
            logits = masked_logits(model, seen, hidden, species=numbers, config=config)
            log_p = F.log_softmax(logits.float(), dim=-1).cpu().numpy()
            found[mask] = log_p[mask]
    return found
