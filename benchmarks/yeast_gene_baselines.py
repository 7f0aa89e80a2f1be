"""Linear models of yeast genes' numbers from counts of words, the baselines of networks."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from cisgram.genome.alphabet import N
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference

PROMOTER, STRENGTHS = 500, np.logspace(0, 6, 13)


def words(tokens: np.ndarray, k: int) -> np.ndarray:
    """Count the words of k bases that hold no N."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens, k)
    known = windows[(windows != N).all(axis=1)]
    return np.bincount(known @ 4 ** np.arange(k)[::-1], minlength=4**k)


def features(reference: Reference, genes: list[Interval]) -> dict[str, np.ndarray]:
    """Return shares of words of four bases upstream, and of codons and length of the body."""
    promoters, codons = [], []
    for gene in genes:
        start = gene.start - PROMOTER if gene.strand == "+" else gene.end
        upstream = Interval(gene.chrom, start, start + PROMOTER, gene.strand)
        promoters.append(words(reference.fetch(upstream), 4) / PROMOTER)
        body = reference.fetch(gene)
        triplets = body[: body.size // 3 * 3].reshape(-1, 3)
        triplets = triplets[(triplets != N).all(axis=1)]
        counts = np.bincount(triplets @ np.array([16, 4, 1]), minlength=64)
        codons.append([*(counts / max(counts.sum(), 1)), np.log(body.size)])
    upstream, coding = np.array(promoters), np.array(codons)
    return {
        "promoter 4-mers": upstream,
        "codons and length": coding,
        "promoter and codons": np.hstack([upstream, coding]),
    }


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
