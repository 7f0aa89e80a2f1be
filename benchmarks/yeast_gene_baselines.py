"""Linear models of yeast genes' numbers from counts of words, the baselines of networks."""

from collections.abc import Iterable

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from yeast_models import bodies

from cisgram.data.targets import Targets
from cisgram.genome.alphabet import N
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

PROMOTER, STRENGTHS = 500, np.logspace(0, 6, 13)


def words(tokens: np.ndarray, k: int) -> np.ndarray:
    """Count the words of k bases that hold no N."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens, k)
    known = windows[(windows != N).all(axis=1)]
    return np.bincount(known @ 4 ** np.arange(k)[::-1], minlength=4**k)


def promoter_of(gene: Interval) -> Interval:
    """Return the bases before a gene, on its strand."""
    start = gene.start - PROMOTER if gene.strand == "+" else gene.end
    return Interval(gene.chrom, start, start + PROMOTER, gene.strand)


def word_shares(promoters: Iterable[np.ndarray]) -> np.ndarray:
    """Return the shares of words of four bases in promoters, a row each."""
    return np.array([words(tokens, 4) / PROMOTER for tokens in promoters])


def features(reference: Reference, genes: list[Interval]) -> dict[str, np.ndarray]:
    """Return shares of words of four bases upstream, and of codons and length of the body."""
    codons = []
    for gene in genes:
        body = reference.fetch(gene)
        triplets = body[: body.size // 3 * 3].reshape(-1, 3)
        triplets = triplets[(triplets != N).all(axis=1)]
        counts = np.bincount(triplets @ np.array([16, 4, 1]), minlength=64)
        codons.append([*(counts / max(counts.sum(), 1)), np.log(body.size)])
    upstream = word_shares(reference.fetch(promoter_of(gene)) for gene in genes)
    coding = np.array(codons)
    return {
        "promoter 4-mers": upstream,
        "codons and length": coding,
        "promoter and codons": np.hstack([upstream, coding]),
    }


def gene_levels(targets: Targets, output: str) -> np.ndarray:
    """Return a number of all genes, or log2(1 + counts) of a track over each on its strand.

    As networks read it, counts are over the body and the bases before it that are the gene's.
    """
    if output in targets.value_names:
        return targets.values[:, targets.value_names.index(output)].astype(float)
    size = targets.geometry.resolution
    upstream = {track.name: track.upstream for track in targets.config.tracks}[output[:-1]]
    found = []
    for gene in bodies(targets).values():
        first, past = gene.start // size, -(-gene.end // size)
        before = -(-upstream // size)
        if gene.strand == "+":
            first = max(first - before, 0)
        else:
            past += before
        column = targets.tracks.names.index(output[:-1] + gene.strand)
        found.append(targets.tracks.contig(gene.chrom)[first:past, column].sum())
    return np.log2(1 + np.array(found, dtype=float))


class PromoterRidge:
    """Ridge on words of the promoters of training genes, for what networks say of genes."""

    name = "ridge, promoter 4-mers"

    def __init__(self, targets: Targets, output: str) -> None:
        split, y = targets.genes["split"].to_numpy(), gene_levels(targets, output)
        genes = bodies(targets).values()
        x = word_shares(targets.reference.fetch(promoter_of(gene)) for gene in genes)
        self.fit = fit_ridge(x, y, train=split == "train", valid=split == "valid")

    def predict(self, promoters: Iterable[np.ndarray]) -> np.ndarray:
        """Return what is predicted of genes behind promoters, as `promoter_of` reads them."""
        return self.fit.predict(word_shares(promoters))


def ridge(
    x: np.ndarray, y: np.ndarray, *, train: np.ndarray, valid: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Predict the test genes; the penalty is the best of the validation genes."""
    return fit_ridge(x, y, train=train, valid=valid).predict(x[test])


def fit_ridge(x: np.ndarray, y: np.ndarray, *, train: np.ndarray, valid: np.ndarray) -> Pipeline:
    """Fit the training genes; the penalty is the best of the validation genes."""
    known = ~np.isnan(y)
    fits = [
        make_pipeline(StandardScaler(), Ridge(alpha=strength)).fit(
            x[train & known], y[train & known]
        )
        for strength in STRENGTHS
    ]
    scores = [fit.score(x[valid & known], y[valid & known]) for fit in fits]
    return fits[int(np.argmax(scores))]
