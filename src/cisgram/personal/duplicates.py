"""Perfectly correlated SNPs: solved as one variable, given back as many.

In a cis window about half of the common SNPs repeat another one exactly, or
with its alleles exchanged. The elastic net gives such copies equal shares of
one weight `w`, so `m` copies are one variable whose squared penalty is
`m (w / m)^2 = w^2 / m`: the collapsed problem has the same solution.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

_SAME = 1e-3
"""Largest difference between two standardised SNPs that count as copies, in sd."""


@dataclass(frozen=True)
class DistinctSnps:
    """Which SNPs stand for which."""

    representatives: Int64[np.ndarray, "distinct"]
    """Row of the SNP that stands for each group."""
    group: Int64[np.ndarray, "snps"]
    """Group of every SNP."""
    sign: Float32[np.ndarray, "snps"]
    """1 where a SNP equals its representative, -1 where it mirrors it."""
    copies: Int64[np.ndarray, "distinct"]
    """Size of each group."""

    def give_back(
        self, coefficients: Float64[np.ndarray, "distinct"]
    ) -> Float64[np.ndarray, "snps"]:
        """Share each group's weight equally among its copies."""
        return self.sign * (coefficients / self.copies)[self.group]


def find_distinct(standardized: Float32[np.ndarray, "snps people"]) -> DistinctSnps:
    """Group the SNPs whose correlation is 1 or -1.

    Copies have the same projection, up to sign, on any fixed vector: SNPs are
    sorted by one such projection, and neighbours are compared in full.
    """
    n_snps, n_people = standardized.shape
    direction = np.random.default_rng(0).standard_normal(n_people)
    direction /= np.linalg.norm(direction)
    projection = np.abs(standardized @ direction)
    order = np.argsort(projection, kind="stable")
    near = np.diff(projection[order]) < _SAME
    same, sign_of_pair = _compare_neighbours(standardized, order, near)

    first = np.concatenate([[True], ~same])
    starts = np.flatnonzero(first)
    group_in_order = np.cumsum(first) - 1
    relative = np.cumprod(np.concatenate([[1.0], sign_of_pair]))
    group = np.empty(n_snps, np.int64)
    sign = np.empty(n_snps, np.float32)
    group[order] = group_in_order
    sign[order] = relative * relative[starts][group_in_order]
    copies = np.diff(np.append(starts, n_snps))
    return DistinctSnps(order[starts], group, sign, copies)


def _compare_neighbours(
    standardized: Float32[np.ndarray, "snps people"],
    order: Int64[np.ndarray, "snps"],
    near: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Say for each SNP but the first, in sorted order, whether it copies the one before."""
    same = np.zeros(len(near), bool)
    sign = np.ones(len(near))
    candidates = np.flatnonzero(near)
    left, right = standardized[order[candidates]], standardized[order[candidates + 1]]
    towards = np.where(np.einsum("sp,sp->s", left, right) < 0, -1, 1).astype(np.float32)
    same[candidates] = np.abs(left - towards[:, None] * right).max(axis=1, initial=0) < _SAME
    sign[candidates] = np.where(same[candidates], towards, 1)
    return same, sign
