"""Baselines of models of tracks: ridge regressions on k-mers, as features or as a model."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64, UInt8
from torch import Tensor, nn

from cisgram.core.ridge import fit_ridge
from cisgram.genome.alphabet import N
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.models.wrapped import wrap_network
from cisgram.prediction.session import Session

PROMOTER, K = 500, 4
"""Bases before a gene whose k-mers are counted, and k."""
RIDGE = f"ridge, promoter {K}-mers"


def promoter_of(gene: Interval) -> Interval:
    """Return the bases before a gene, on its strand.

    >>> promoter_of(Interval("chrI", 1000, 2000, "-"))
    Interval(chrom='chrI', start=2000, end=2500, strand='-')
    """
    start = gene.end if gene.strand == "-" else gene.start - PROMOTER
    return Interval(gene.chrom, start, start + PROMOTER, gene.strand)


def kmer_numbers(tokens: UInt8[np.ndarray, "bases"], k: int) -> Int64[np.ndarray, "starts"]:
    """Return the number of the k-mer that starts at each base; 4**k where it holds N.

    >>> kmer_numbers(np.array([0, 1, 3, 4], np.uint8), 2).tolist()
    [1, 7, 16]
    """
    views = np.lib.stride_tricks.sliding_window_view(tokens, k)
    numbers = views @ 4 ** np.arange(k, dtype=np.int64)[::-1]
    return np.where((views == N).any(axis=1), 4**k, numbers)


def count_kmers(
    sequences: Iterable[UInt8[np.ndarray, "_bases"]], k: int = K
) -> Float32[np.ndarray, "sequences kmers"]:
    """Count the k-mers of each sequence."""
    size = 4**k
    rows = [np.bincount(kmer_numbers(own, k), minlength=size)[:size] for own in sequences]
    return np.array(rows, dtype=np.float32).reshape(-1, size)


def codon_features(
    reference: Reference, genes: Iterable[Interval]
) -> Float32[np.ndarray, "genes features"]:
    """Return the share of each codon in genes, and the logarithm of their length."""
    found: list[Float64[np.ndarray, "features"]] = []
    for gene in genes:
        body = reference.fetch(gene)
        numbers = kmer_numbers(body, 3)[::3]
        counts = np.bincount(numbers, minlength=64)[:64]
        found.append(np.append(counts / max(counts.sum(), 1), np.log(body.size)))
    return np.array(found, dtype=np.float32)


def ridge_weights(
    features: Float32[np.ndarray, "rows features"], targets: Float64[np.ndarray, "rows outputs"]
) -> Float64[np.ndarray, "outputs weights"]:
    """Return the weight of each feature and at last the intercept, of each output by itself.

    Rows of which an output is unknown do not count; the penalty is that of REML.
    """
    found: list[Float64[np.ndarray, "weights"]] = []
    for target in targets.T:
        known = ~np.isnan(target)
        fit = fit_ridge(np.ascontiguousarray(features[known].T), target[known])
        found.append(np.append(fit.coefficients, fit.intercept))
    return np.array(found).reshape(-1, features.shape[1] + 1)


def ridge_predict(
    weights: Float64[np.ndarray, "outputs weights"],
    features: Float32[np.ndarray, "rows features"],
) -> Float64[np.ndarray, "rows outputs"]:
    """Return what a ridge regression predicts."""
    return features @ weights[:, :-1].T + weights[:, -1]


class KmerRidge(nn.Module):
    """Ridge regression on the counts of k-mers in a window, as a network of one-hot DNA."""

    def __init__(self, weights: Float64[np.ndarray, "outputs weights"], k: int = K) -> None:
        super().__init__()
        kmers = torch.cartesian_prod(*[torch.arange(4)] * k)
        kernels = torch.nn.functional.one_hot(kmers, 4).transpose(1, 2).double()
        self.k = k
        self.register_buffer("kernels", kernels)
        self.register_buffer("weights", torch.from_numpy(weights))

    def forward(self, windows: Float[Tensor, "batch 4 length"]) -> Float[Tensor, "batch outputs"]:
        """Return every output; a k-mer counts where all of its bases fit."""
        kernels, weights = self.get_buffer("kernels"), self.get_buffer("weights")
        fits = torch.nn.functional.conv1d(windows.to(kernels), kernels)
        counts = (fits - (self.k - 1)).clamp(min=0).sum(dim=-1)
        return counts @ weights[:, :-1].T + weights[:, -1]


def promoter_ridge(
    reference: Reference,
    genes: Sequence[Interval],
    levels: Mapping[str, Float64[np.ndarray, "genes"]],
    *,
    fitted: Bool[np.ndarray, "genes"],
) -> Session:
    """Return a model of promoters that was fitted to chosen genes; it reads one strand."""
    promoters = (reference.fetch(promoter_of(gene)) for gene in genes)
    values = np.stack(list(levels.values()), axis=1)
    weights = ridge_weights(count_kmers(promoters)[fitted], values[fitted])
    network = KmerRidge(weights).eval()
    return Session(wrap_network(network, outputs=list(levels), window=PROMOTER), name=RIDGE)
