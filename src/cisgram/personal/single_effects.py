"""The sum of single effects: few causal SNPs, each with its uncertainty (Wang et al. 2020).

Target = mean + X (b_1 + ... + b_L) + noise, where every b_l has one SNP with an effect. Each is
fitted to what the others leave, by Bayes' rule over the SNPs, until they agree. Averages over the
SNPs that may be causal predict better than the best of them.
"""

import numpy as np
from jaxtyping import Float32, Float64

_N_EFFECTS = 5
_MOST_ROUNDS = 30
_SETTLED = 1e-3
"""Largest change of a SNP's probability when the rounds end."""
_VARIANCES = np.array([0.0, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4])
"""Variances of an effect that are tried, as shares of the target's."""


def single_effects(
    snps: Float32[np.ndarray, "snps people"],
    target: Float64[np.ndarray, "people"],
    inclusion: Float64[np.ndarray, "snps"],
) -> Float64[np.ndarray, "snps"]:
    """Return the expected effect of every SNP.

    Args:
        snps: standardised dosages.
        target: centred.
        inclusion: how likely each SNP is causal, relative to others; above 0.
    """
    n_snps, n_people = snps.shape
    variance = float(target.var())
    if n_snps == 0 or not variance > 0:
        return np.zeros(n_snps)
    log_inclusion = np.log(inclusion / inclusion.sum())
    squares = np.einsum("sp,sp->s", snps, snps).astype(np.float64)
    probability = np.zeros((_N_EFFECTS, n_snps))
    effect, uncertainty = np.zeros_like(probability), np.zeros_like(probability)
    fitted = np.zeros((_N_EFFECTS, n_people))
    noise = variance
    for _ in range(_MOST_ROUNDS):
        before = probability.copy()
        for one in range(_N_EFFECTS):
            rest = target - (fitted.sum(axis=0) - fitted[one])
            slope = (snps @ rest.astype(np.float32)) / squares
            found = _one_effect(slope, noise / squares, log_inclusion, variance)
            probability[one], effect[one], uncertainty[one] = found
            fitted[one] = (probability[one] * effect[one]).astype(np.float32) @ snps
        # What the effects explain is uncertain too, and counts as noise (their equation B.9).
        spread = (
            (probability * (effect**2 + uncertainty)) @ squares - (fitted**2).sum(axis=1)
        ).sum()
        residual = target - fitted.sum(axis=0)
        noise = max(float(residual @ residual + spread) / n_people, 1e-3 * variance)
        if np.abs(probability - before).max() < _SETTLED:
            break
    return (probability * effect).sum(axis=0)


def _one_effect(
    slope: Float64[np.ndarray, "snps"],
    error: Float64[np.ndarray, "snps"],
    log_inclusion: Float64[np.ndarray, "snps"],
    variance: float,
) -> tuple[Float64[np.ndarray, "snps"], Float64[np.ndarray, "snps"], Float64[np.ndarray, "snps"]]:
    """Return probability, mean and variance of each SNP's effect, were it the only one.

    The variance of effects is the one of `_VARIANCES` with the largest marginal likelihood.
    """
    tried = variance * _VARIANCES[:, None]
    log_factor = 0.5 * np.log(error / (error + tried))
    log_factor += 0.5 * slope**2 / error * (tried / (tried + error))
    log_posterior = log_factor + log_inclusion
    largest = log_posterior.max(axis=1)
    evidence = largest + np.log(np.exp(log_posterior - largest[:, None]).sum(axis=1))
    best = int(evidence.argmax())
    probability = np.exp(log_posterior[best] - evidence[best])
    shrinkage = tried[best] / (tried[best] + error)
    return probability, shrinkage * slope, shrinkage * error
