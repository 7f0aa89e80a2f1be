"""What a language model predicts of masked bases.

Bases are masked in a few passes, so that each is predicted from all that is visible in its pass.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, UInt8
from torch import Tensor

from cisgram.core.checks import check_choice, check_fields
from cisgram.core.device import evaluating
from cisgram.core.progress import progress
from cisgram.data.masking import mask_once
from cisgram.genome.alphabet import N, T
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.base import Model, mask_bases
from cisgram.prediction.batches import by_length

Strands = Literal["forward", "both"]
Masking = Literal["flag", "zero", "none"]


@dataclass(frozen=True, kw_only=True)
class MaskingConfig:
    """How bases are masked and read."""

    n_passes: int = 7
    """Forward passes over a window; each masks another equal share of its bases."""
    strands: Strands = "both"
    """`forward` reads windows as they are; `both` averages the logits of the two strands."""
    masking: Masking = "flag"
    """`flag` masks bases as in training, and shows N to models that know no masked bases; `zero`
    shows N to every model; `none` shows the bases."""
    apart: int = 256
    """Least distance in bases between variants that are masked in the same pass."""
    batch: int = 8
    """Windows read at once."""
    seed: int = 0
    """Random seed for the masks."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice(self.strands, get_args(Strands), "strands")
        check_choice(self.masking, get_args(Masking), "masking")
        check_fields(self, "n_passes", "apart", "batch", low=1)


class WindowReading(NamedTuple):
    """Log-probabilities of A, C, G and T, in nats, at the bases that one window gave."""

    contig: str
    start: int
    """First of the bases, 0-based."""
    log_p: Float32[np.ndarray, "bases 4"]


class RegionMap(NamedTuple):
    """What a model predicts in a region, read along the region's strand."""

    region: Interval
    tokens: UInt8[np.ndarray, "bases"]
    """The bases that are there."""
    p: Float32[np.ndarray, "bases 4"]
    """Probabilities of A, C, G and T at each base while it is masked; NaN at N."""

    @property
    def likeliest(self) -> UInt8[np.ndarray, "bases"]:
        """The base that is predicted likeliest at each position."""
        return np.nan_to_num(self.p, nan=-1).argmax(axis=1).astype(np.uint8)


def read_contigs(
    model: Model,
    contigs: Mapping[str, UInt8[np.ndarray, "_"]],
    *,
    species: int = 0,
    config: MaskingConfig | None = None,
) -> Iterator[WindowReading]:
    """Yield the prediction of every base while it is masked, a window at a time, each once.

    A contig is cut into the model's windows; the last one begins earlier, so that it ends with
    the contig, and gives only the bases that no other window gave. A contig shorter than a
    window is padded with N to the next length that the model takes. A causal model reads every
    window once, nothing masked.
    """
    config = config or MaskingConfig(strands="forward")
    n_passes = 1 if model.causal else config.n_passes
    windows = [
        (name, *bounds) for name, tokens in contigs.items() for bounds in _starts(tokens, model)
    ]
    lengths = [model.window_for(len(contigs[name])) for name, _, _ in windows]
    with progress("reading windows", len(windows)) as ticker:
        for length, numbers in by_length(lengths, most=config.batch * model.window):
            places = [windows[number] for number in numbers]
            tokens = np.stack(
                [cut_window(contigs[name], start, length) for name, start, _ in places]
            )
            rngs = [np.random.default_rng([config.seed, number]) for number in numbers]
            masks = np.stack(
                [mask_once(length, min(n_passes, length), rng) for rng in rngs], axis=1
            )
            log_p = _read_windows(model, tokens, masks, species, config=config)
            for (name, start, fresh), row in zip(places, log_p, strict=True):
                end = min(len(contigs[name]) - start, length)
                yield WindowReading(name, fresh, row[fresh - start : end])
            ticker.advance(len(places))


def masked_log_p(
    model: Model,
    tokens: UInt8[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
    *,
    species: Int[Tensor, "batch"],
    config: MaskingConfig,
) -> Float[Tensor, "batch length 4"]:
    """Return log-probabilities under a mask, the same bases masked on both strands.

    Logits are averaged over strands, before they are normalised.
    """

    def read(
        seen: UInt8[Tensor, "batch length"], masked: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length 4"]:
        if model.causal or config.masking == "none":
            return model(seen, species)
        if config.masking == "zero" or not model.reads_masks:
            return model(seen.masked_fill(masked, N), species)
        return model(mask_bases(seen, masked), species)

    logits = read(tokens, mask)
    if config.strands == "both":
        backward = torch.where(tokens < N, T - tokens, tokens).flip(1)
        # A and T, C and G change places in the reverse complement.
        logits = (logits + read(backward, mask.flip(1)).flip(1, 2)) / 2
    return torch.log_softmax(logits.float(), dim=-1)


def masked_probabilities(
    model: Model,
    contigs: Mapping[str, UInt8[np.ndarray, "_"]],
    *,
    species: int = 0,
    config: MaskingConfig | None = None,
) -> dict[str, Float32[np.ndarray, "_ 4"]]:
    """Return (bases, 4) by contig: probabilities of A, C, G and T at masked bases, NaN at N.

    The model reads the contigs in windows; `species` is the number that it knows the genome by.
    """
    config = config or MaskingConfig()
    found = {name: np.empty((len(tokens), 4), np.float32) for name, tokens in contigs.items()}
    for name, start, log_p in read_contigs(model, contigs, species=species, config=config):
        found[name][start : start + len(log_p)] = np.exp(log_p)
    for name, tokens in contigs.items():
        found[name][tokens == N] = np.nan
    return found


def read_region(
    model: Model,
    reference: Reference,
    region: Interval,
    *,
    species: int = 0,
    config: MaskingConfig | None = None,
) -> RegionMap:
    """Return what a model predicts at every base of a region, the DNA around it in sight.

    Each half of a window, or the whole region where it is shorter, stands in the middle of a window
    of the model.

    Raises:
        DataError: there is no such contig.
        ConfigError: the region reaches past the ends of its contig.
    """
    reference.check_inside(region)
    window = model.window_for(reference.contig(region.chrom).size)
    half = max(window // 2, 1)
    pieces = [
        Interval(region.chrom, start, min(start + half, region.end), region.strand)
        for start in range(region.start, region.end, half)
    ]
    around = {str(piece): piece.around(window) for piece in pieces}
    contigs = {name: reference.fetch(place) for name, place in around.items()}
    read = masked_probabilities(model, contigs, species=species, config=config)
    ordered = reversed(pieces) if region.strand == "-" else pieces
    found = [read[str(piece)][slice(*around[str(piece)].locate(piece))] for piece in ordered]
    return RegionMap(region, reference.fetch(region), np.concatenate(found))


def _starts(tokens: UInt8[np.ndarray, "bases"], model: Model) -> Iterator[tuple[int, int]]:
    """Yield where each window starts, and the first of its bases that no other one gives."""
    for fresh in range(0, len(tokens), model.window):
        yield min(fresh, max(len(tokens) - model.window, 0)), fresh


def cut_window(
    contig: UInt8[np.ndarray, "bases"], start: int, length: int
) -> UInt8[np.ndarray, "length"]:
    """Return tokens from `start`, N past the contig's end."""
    part = contig[start : start + length]
    return np.pad(part, (0, length - len(part)), constant_values=N)


def _read_windows(
    model: Model,
    tokens: UInt8[np.ndarray, "batch length"],
    masks: Bool[np.ndarray, "passes batch length"],
    species: int,
    *,
    config: MaskingConfig,
) -> Float32[np.ndarray, "batch length 4"]:
    found = np.empty((*tokens.shape, 4), dtype=np.float32)
    with evaluating(model) as device:
        seen = torch.from_numpy(tokens).to(device)
        numbers = torch.full((len(tokens),), species, device=device)
        for mask in masks:
            masked = torch.from_numpy(mask).to(device) & (seen < N)
            log_p = masked_log_p(model, seen, masked, species=numbers, config=config)
            found[mask] = log_p.cpu().numpy()[mask]
    return found
