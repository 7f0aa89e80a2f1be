"""Readouts of language models: how much likelier one sequence is than another, nothing fitted.

The masked log-ratio predicts the site of a substitution from the bases around it, masked (Meier et
al. 2021). The pseudo-log-likelihood masks each of the bases of interest in turn and sees
neighbouring changes together (Salazar et al. 2020). For a single substitution the two are the same.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from cisgram.core.checks import DataError, check_range
from cisgram.core.device import evaluating
from cisgram.genome.alphabet import N, encode
from cisgram.genome.reference import Reference
from cisgram.models.base import Model
from cisgram.prediction.batches import in_batches
from cisgram.prediction.masked import MaskingConfig, cut_window, masked_log_p
from cisgram.prediction.readouts import Kept, Readout
from cisgram.prediction.reuse import ReuseConfig
from cisgram.prediction.sequences import Windows


class PseudoLikelihood(Readout):
    """Log-likelihood of the bases of a span and beside it, each masked alone, in nats."""

    name = "pseudo-likelihood"
    outputs = ("log_ratio",)
    of_alleles = True

    def __init__(self, *, flank: int = 8, masking: MaskingConfig | None = None) -> None:
        """Score `flank` bases on either side of the span too."""
        check_range(flank, "flank", low=0)
        self.flank, self.masking = flank, masking or MaskingConfig()

    @property
    def kept(self) -> tuple[str, ...]:
        """Log p of the span and its flanks."""
        return ("log_likelihood",)

    def read(
        self,
        model: Model,
        windows: Windows,
        *,
        species: int = 0,
        config: ReuseConfig | None = None,
    ) -> Float32[np.ndarray, "windows 1"]:
        """Return the sum of log p over the span and its flanks; N counts 0."""
        del config
        places = np.arange(windows.tokens.shape[1])
        low, high = windows.spans[:, :1] - self.flank, windows.spans[:, 1:] + self.flank
        scored = (places >= low) & (places < high)
        found = pseudo_log_likelihood(
            model, windows.tokens, scored, species=species, config=self.masking
        )
        return found[:, None].astype(np.float32)

    def effect(self, alternate: Kept, reference: Kept) -> Float32[np.ndarray, "... 1"]:
        """Return log-ratios: above 0 where the alternate sequence is likelier."""
        return alternate - reference


class MaskedLogRatio(PseudoLikelihood):
    """Log-ratio of a substitution's alleles at their masked site, in nats."""

    name = "masked"

    def __init__(self, *, masking: MaskingConfig | None = None) -> None:
        super().__init__(flank=0, masking=masking)

    def ratios(
        self, model: Model, reference: Reference, variants: pl.DataFrame, *, species: int = 0
    ) -> Float32[np.ndarray, "variants"]:
        """Return log p(alternate) - log p(reference) of substitutions; NaN of other variants.

        `variants` have columns chrom, start (from 0), ref and alt. Insertions and deletions have no
        site in common.
        """
        ratios = np.full(variants.height, np.nan, dtype=np.float32)
        sites: dict[str, set[int]] = {}
        changes: list[tuple[int, str, int, int, int]] = []
        rows = variants.select("chrom", "start", "ref", "alt").iter_rows()
        for number, (chrom, start, ref, alt) in enumerate(rows):
            if len(ref) != len(alt):
                continue
            contig = reference.names.require(chrom, f"reference {reference.name}")
            ratios[number] = 0
            for offset, (old, new) in enumerate(zip(encode(ref), encode(alt), strict=True)):
                if old != new and max(old, new) < N:
                    sites.setdefault(contig, set()).add(start + offset)
                    changes.append((number, contig, start + offset, int(old), int(new)))
        ordered = {name: np.array(sorted(own)) for name, own in sites.items()}
        contigs = {name: reference.contig(name) for name in ordered}
        log_p = site_log_probabilities(
            model, contigs, ordered, species=species, config=self.masking
        )
        for number, contig, site, old, new in changes:
            row = log_p[contig][np.searchsorted(ordered[contig], site)]
            ratios[number] += row[new] - row[old]
        return ratios


class EmbeddingDistance(Readout):
    """Distance between embeddings of a span in both sequences; it has no sign."""

    name = "embedding-distance"
    outputs = ("euclidean", "cosine")
    of_alleles = True

    def __init__(self, *, layer: str | None = None, batch: int = 8) -> None:
        """Compare a layer by its name or number; the model's usual one by default."""
        self.layer, self.batch = layer, batch

    @property
    def kept(self) -> tuple[str, ...]:
        """Nothing: an embedding is no prediction."""
        return ()

    def read(
        self,
        model: Model,
        windows: Windows,
        *,
        species: int = 0,
        config: ReuseConfig | None = None,
    ) -> Float32[np.ndarray, "windows channels"]:
        """Return the mean of the positions that overlap the span, weighted by the bases shared."""
        del config
        found: list[Float32[np.ndarray, "batch channels"]] = []
        with evaluating(model) as device:
            for rows in in_batches(range(len(windows)), self.batch, "embedding"):
                part = slice(rows.start, rows.stop)
                tokens = torch.from_numpy(np.ascontiguousarray(windows.tokens[part])).to(device)
                number = torch.full((len(tokens),), species, device=device)
                embedded = model.embed(tokens, number, layer=self.layer)
                span = torch.from_numpy(np.ascontiguousarray(windows.spans[part])).to(device)
                low = torch.maximum(embedded.spans[..., 0], span[:, :1])
                high = torch.minimum(embedded.spans[..., 1], span[:, 1:])
                shared = (high - low).clamp(min=0).to(embedded.values.dtype)
                shared = shared / shared.sum(dim=1, keepdim=True).clamp(min=1)
                mean = torch.einsum("bp,bpc->bc", shared, embedded.values)
                found.append(mean.float().cpu().numpy())
        return np.concatenate(found)

    def effect(self, alternate: Kept, reference: Kept) -> Float32[np.ndarray, "... 2"]:
        """Return the Euclidean distance and one minus the cosine."""
        euclidean = np.linalg.norm(alternate - reference, axis=-1)
        norms = np.linalg.norm(alternate, axis=-1) * np.linalg.norm(reference, axis=-1)
        products = (alternate * reference).sum(axis=-1)
        cosine = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return np.stack([euclidean, 1 - cosine], axis=-1).astype(np.float32)


class _Pass(NamedTuple):
    """A window and the positions in it that are masked and asked for."""

    tokens: UInt8[np.ndarray, "length"]
    positions: Int64[np.ndarray, "sites"]


def site_log_probabilities(
    model: Model,
    contigs: Mapping[str, UInt8[np.ndarray, "_"]],
    sites: Mapping[str, Int64[np.ndarray, "..."]],
    *,
    species: int = 0,
    config: MaskingConfig | None = None,
) -> dict[str, Float32[np.ndarray, "..."]]:
    """Return log p of A, C, G and T, in nats, at each site of each contig: (sites, 4) by contig.

    A site has at least a quarter of a window of sequence on either side, contig permitting.

    Args:
        model: it reads the contigs.
        contigs: tokens by name.
        sites: positions, 0-based, in rising order, each once, by the name of their contig.
        species: number that the model knows the genome by.
        config: how sites are masked.

    Raises:
        DataError: sites are out of order or outside their contig.
    """
    config = config or MaskingConfig()
    passes: list[_Pass] = []
    owners: list[tuple[str, Int64[np.ndarray, "sites"]]] = []
    for name, positions in sites.items():
        _check_sites(name, positions, len(contigs[name]))
        for rows, start in _groups(positions, len(contigs[name]), model.window):
            tokens = cut_window(contigs[name], start, model.window)
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
    model: Model,
    windows: UInt8[np.ndarray, "haplotypes length"],
    scored: Bool[np.ndarray, "haplotypes length"],
    *,
    species: int = 0,
    config: MaskingConfig | None = None,
) -> Float64[np.ndarray, "haplotypes"]:
    """Return the sum of log p, in nats, of the scored bases, each masked alone; N counts 0.

    Haplotypes that differ in nothing but the masked base are read once. `apart` of the config has
    no part in it.

    Args:
        model: it reads windows of this length.
        windows: haplotypes in their genomic context.
        scored: bases that count.
        species: number that the model knows the genome by.
        config: how bases are masked.
    """
    config = config or MaskingConfig()
    haplotypes, positions = np.nonzero(scored & (windows != N))
    together = config.masking == "none" or model.causal
    if together:
        groups = [(row, positions[haplotypes == row]) for row in np.unique(haplotypes)]
    else:
        groups = list(zip(haplotypes, positions[:, None], strict=True))
    passes: dict[bytes, _Pass] = {}
    keys: list[bytes] = []
    for row, places in groups:
        seen = windows[row].copy()
        if not together:
            seen[places] = N
        keys.append(seen.tobytes() + places.tobytes())
        passes.setdefault(keys[-1], _Pass(windows[row], places))
    found = _read(model, list(passes.values()), species, config=config)
    log_p = dict(zip(passes, found, strict=True))
    total = np.zeros(len(windows))
    for (row, places), key in zip(groups, keys, strict=True):
        total[row] += float(log_p[key][np.arange(len(places)), windows[row, places]].sum())
    return total


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
    positions: Int64[np.ndarray, "sites"], config: MaskingConfig
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


def _read(
    model: Model, passes: list[_Pass], species: int, *, config: MaskingConfig
) -> list[Float32[np.ndarray, "sites 4"]]:
    """Return log p at the positions of each pass."""
    found: list[Float32[np.ndarray, "sites 4"]] = []
    with evaluating(model) as device:
        for part in in_batches(passes, config.batch, "reading alleles"):
            tokens = torch.from_numpy(np.stack([one.tokens for one in part])).to(device)
            masked = np.zeros(tokens.shape, dtype=bool)
            for row, one in enumerate(part):
                masked[row, one.positions] = True
            numbers = torch.full((len(part),), species, device=device)
            mask = torch.from_numpy(masked).to(device)
            read = masked_log_p(model, tokens, mask, species=numbers, config=config)
            log_p = read.cpu().numpy()
            found += [log_p[row, one.positions] for row, one in enumerate(part)]
    return found
