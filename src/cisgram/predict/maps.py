"""What a masked language model expects at every base, and how sure it is."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from cisgram.genome.alphabet import N
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.base import LanguageModel
from cisgram.predict.perplexity import read_contigs
from cisgram.predict.perplexity_config import PerplexityConfig

_LEAST = 1e-12  # below any probability that matters; keeps logarithms finite


def masked_probabilities(
    model: LanguageModel,
    contigs: Mapping[str, UInt8[np.ndarray, "_"]],
    *,
    species: int = 0,
    config: PerplexityConfig | None = None,
) -> dict[str, Float32[np.ndarray, "_ 4"]]:
    """Return the probabilities of A, C, G and T at every base while it is hidden, NaN at N.

    Args:
        model: it reads the contigs in its own windows.
        contigs: tokens by name.
        species: number that the model knows the genome by.
        config: how bases are hidden; both strands are read where it is not given.

    Returns:
        (bases, 4) by contig.
    """
    config = config or PerplexityConfig(strands="both")
    found = {name: np.empty((len(tokens), 4), np.float32) for name, tokens in contigs.items()}
    for name, start, log_p in read_contigs(model, contigs, species=species, config=config):
        found[name][start : start + len(log_p)] = np.exp(log_p)
    for name, tokens in contigs.items():
        found[name][tokens == N] = np.nan
    return found


class RegionMap(NamedTuple):
    """What a model expects in a region, read along the region's strand."""

    region: Interval
    tokens: UInt8[np.ndarray, "bases"]
    """The bases that are there."""
    p: Float32[np.ndarray, "bases 4"]
    """Probabilities of A, C, G and T, each base hidden in turn; NaN at N."""

    @property
    def likeliest(self) -> UInt8[np.ndarray, "bases"]:
        """The base that is expected most at each position."""
        return np.nan_to_num(self.p, nan=-1).argmax(axis=1).astype(np.uint8)


def read_region(
    model: LanguageModel,
    reference: Reference,
    region: Interval,
    *,
    species: int = 0,
    config: PerplexityConfig | None = None,
) -> RegionMap:
    """Return what a model expects at every base of a region, the DNA around it in sight.

    Each half of a window, or the whole region where it is shorter, stands in the middle of a window
    of the model.

    Raises:
        DataError: there is no such contig.
        ConfigError: the region reaches past the ends of its contig.
    """
    config = config or PerplexityConfig(strands="both")
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


def information(p: Float[np.ndarray, "bases 4"]) -> Float64[np.ndarray, "bases"]:
    """Return how sure each prediction is, 2 - entropy, in bits from 0 to 2.

    >>> information(np.array([[1.0, 0, 0, 0], [0.5, 0, 0, 0.5], [0.25, 0.25, 0.25, 0.25]]))
    array([2., 1., 0.])
    """
    return relative_information(p, np.full(4, 0.25))


def relative_information(
    p: Float[np.ndarray, "bases 4"], background: Float[np.ndarray, "4"]
) -> Float64[np.ndarray, "bases"]:
    """Return the relative entropy of each prediction to background frequencies, in bits.

    >>> float(relative_information(np.array([[0.3, 0.2, 0.2, 0.3]]), np.full(4, 0.25))[0]) < 0.03
    True
    """
    p = np.asarray(p, dtype=np.float64)
    surprise = np.log2(np.maximum(p, _LEAST)) - np.log2(np.maximum(background, _LEAST))
    return np.asarray(np.maximum((p * surprise).sum(axis=-1), 0))
