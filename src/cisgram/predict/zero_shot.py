"""How much likelier a language model finds one allele than another, nothing fitted.

The wild-type marginal reads the reference once per site: log p(alternative) - log p(reference)
where the site is hidden (Meier et al. 2021). The pseudo-log-likelihood reads every haplotype with
each of its bases of interest hidden in turn (Salazar et al. 2020), so that neighbouring changes
are seen together. For a single substitution the two are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from cisgram.core.checks import ConfigError, DataError, check_choice, check_range
from cisgram.core.device import evaluating
from cisgram.core.progress import progress
from cisgram.genome.alphabet import N
from cisgram.models.base import LanguageModel
from cisgram.predict.perplexity import masked_logits
from cisgram.predict.perplexity_config import PerplexityConfig, Strands

Hiding = Literal["flag", "zero", "none"]


@dataclass(frozen=True, kw_only=True)
class ZeroShotConfig:
    """How sites are hidden and read."""

    masking: Hiding = "flag"
    """`flag` hides a base as in training; `zero` shows N in its place, without the flag; `none`
    shows it."""
    strands: Strands = "both"
    """`both` averages the logits of the two strands."""
    apart: int = 256
    """Bases between sites hidden in the same pass, at least."""
    batch: int = 8
    """Windows read at once."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice(self.masking, get_args(Hiding), "masking")
        check_choice(self.strands, get_args(Strands), "strands")
        check_range(self.apart, "apart", low=1)
        check_range(self.batch, "batch", low=1)


class _Pass(NamedTuple):
    """A window and the positions in it that are hidden and asked for."""

    tokens: UInt8[np.ndarray, "length"]
    positions: Int64[np.ndarray, "sites"]


def site_log_probabilities(
    model: LanguageModel,
    contigs: Mapping[str, UInt8[np.ndarray, "_"]],
    sites: Mapping[str, Int64[np.ndarray, "..."]],
    *,
    species: int = 0,
    config: ZeroShotConfig | None = None,
) -> dict[str, Float32[np.ndarray, "..."]]:
    """Return log p of A, C, G and T, in nats, at each site of each contig.

    A site has at least a quarter of a window of sequence on either side, contig permitting.

    Args:
        model: it reads the contigs.
        contigs: tokens by name.
        sites: positions, 0-based, in rising order, each once, by the name of their contig.
        species: number that the model knows the genome by.
        config: how sites are hidden.

    Returns:
        (sites, 4) by contig.

    Raises:
        DataError: sites are out of order or outside their contig.
    """
    config = config or ZeroShotConfig()
    passes: list[_Pass] = []
    owners: list[tuple[str, Int64[np.ndarray, "sites"]]] = []
    for name, positions in sites.items():
        _check_sites(name, positions, len(contigs[name]))
        for rows, start in _groups(positions, len(contigs[name]), model.window):
            tokens = _cut(contigs[name], start, model.window)
            for chosen in _rounds(positions[rows], config):
                passes.append(_Pass(tokens, positions[rows][chosen] - start))
                owners.append((name, rows[chosen]))
    found = {name: np.empty((len(positions), 4), np.float32) for name, positions in sites.items()}
    for (name, rows), log_p in zip(
        owners, _read(model, passes, species, config=config), strict=True
    ):
        found[name][rows] = log_p
    return found


def pseudo_log_likelihood(
    model: LanguageModel,
    windows: UInt8[np.ndarray, "haplotypes length"],
    scored: Bool[np.ndarray, "haplotypes length"],
    *,
    species: int = 0,
    config: ZeroShotConfig | None = None,
) -> Float64[np.ndarray, "haplotypes"]:
    """Return the sum of log p, in nats, of the scored bases, each hidden alone.

    Args:
        model: it reads windows of this length.
        windows: haplotypes in their genomic context.
        scored: bases that count; N counts 0.
        species: number that the model knows the genome by.
        config: how bases are hidden; `apart` has no part in it.
    """
    config = config or ZeroShotConfig()
    haplotypes, positions = np.nonzero(scored & (windows != N))
    if config.masking == "none":
        rows = [np.flatnonzero(haplotypes == row) for row in range(len(windows))]
    else:
        rows = [np.array([row]) for row in range(len(haplotypes))]
    rows = [row for row in rows if row.size]
    passes = [_Pass(windows[haplotypes[row[0]]], positions[row]) for row in rows]
    total = np.zeros(len(windows))
    for row, log_p in zip(rows, _read(model, passes, species, config=config), strict=True):
        own = windows[haplotypes[row], positions[row]]
        total[haplotypes[row[0]]] += float(log_p[np.arange(len(row)), own].sum())
    return total


def place_allele(
    contig: UInt8[np.ndarray, "bases"],
    allele: UInt8[np.ndarray, "allele"],
    *,
    start: int,
    end: int,
    length: int,
) -> tuple[UInt8[np.ndarray, "length"], int]:
    """Return a window with `contig[start:end]` replaced by an allele, and where that begins in it.

    The allele stands in the middle, with N past the contig's ends. Windows of alleles of one
    length show the same sequence around it.

    Raises:
        ConfigError: the allele is longer than the window.
    """
    if len(allele) > length:
        raise ConfigError(f"an allele of {len(allele):,} bases needs a window longer than that.")
    first = (length - len(allele)) // 2
    after = length - first - len(allele)
    left = _cut(contig, start - first, first)
    return np.concatenate([left, allele, _cut(contig, end, after)]), first


def _check_sites(name: str, positions: Int64[np.ndarray, "sites"], length: int) -> None:
    if len(positions) and (
        np.any(np.diff(positions) <= 0) or positions[0] < 0 or positions[-1] >= length
    ):
        raise DataError(
            f"sites of {name} must rise from 0 to {length - 1:,}, each once; sort them."
        )


def _groups(
    positions: Int64[np.ndarray, "sites"], length: int, window: int
) -> list[tuple[Int64[np.ndarray, "rows"], int]]:
    """Cut sorted sites into groups of half a window at most, and place a window around each."""
    groups: list[tuple[Int64[np.ndarray, "rows"], int]] = []
    row = 0
    while row < len(positions):
        last = int(np.searchsorted(positions, positions[row] + max(window // 2, 1), side="left"))
        middle = (int(positions[row]) + int(positions[last - 1]) + 1) // 2
        start = min(max(middle - window // 2, 0), max(length - window, 0))
        groups.append((np.arange(row, last), start))
        row = last
    return groups


def _rounds(
    positions: Int64[np.ndarray, "sites"], config: ZeroShotConfig
) -> list[Int64[np.ndarray, "chosen"]]:
    """Deal sorted sites to as few passes as keep those of one pass apart."""
    if config.masking == "none":
        return [np.arange(len(positions))]
    rounds: list[list[int]] = []
    for row, position in enumerate(positions.tolist()):
        for chosen in rounds:
            if position - positions[chosen[-1]] >= config.apart:
                chosen.append(row)
                break
        else:
            rounds.append([row])
    return [np.array(chosen) for chosen in rounds]


def _cut(
    contig: UInt8[np.ndarray, "bases"], start: int, length: int
) -> UInt8[np.ndarray, "length"]:
    """Return tokens from `start`, N past the ends."""
    inside = contig[max(start, 0) : max(start + length, 0)]
    before = min(max(-start, 0), length)
    return np.pad(inside, (before, length - before - len(inside)), constant_values=N)


def _read(
    model: LanguageModel, passes: list[_Pass], species: int, *, config: ZeroShotConfig
) -> list[Float32[np.ndarray, "sites 4"]]:
    """Return log p at the positions of each pass."""
    reading = PerplexityConfig(
        strands=config.strands, masking="zero" if config.masking == "zero" else "flag"
    )
    found: list[Float32[np.ndarray, "sites 4"]] = []
    with evaluating(model) as device, progress("reading alleles", len(passes)) as ticker:
        for first in range(0, len(passes), config.batch):
            part = passes[first : first + config.batch]
            tokens = torch.from_numpy(np.stack([one.tokens for one in part])).to(device)
            hidden = np.zeros(tokens.shape, dtype=bool)
            if config.masking != "none":
                for row, one in enumerate(part):
                    hidden[row, one.positions] = True
            numbers = torch.full((len(part),), species, device=device)
            mask = torch.from_numpy(hidden).to(device)
            logits = masked_logits(model, tokens, mask, species=numbers, config=reading)
            log_p = F.log_softmax(logits.float(), dim=-1).cpu().numpy()
            found += [log_p[row, one.positions] for row, one in enumerate(part)]
            ticker.advance(len(part))
    return found
